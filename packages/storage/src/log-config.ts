// A log's configuration: Kafka's dotted topic keys as data (type, default, range, documentation), and the
// one parser that turns them into a `LogConfig`. Does not know where the entries come from.

import { MAX_MESSAGE_BYTES_DEFAULT, MillraceError } from "@millrace/protocol";

/** `compact,delete` is also written the other way round. */
export type CleanupPolicy = "delete" | "compact" | "compact,delete";

/** What a log is configured with; one per topic. Times in milliseconds, sizes in bytes, -1: no limit. */
export interface LogConfig {
  readonly segmentBytes: number;
  readonly segmentMs: number;
  readonly segmentIndexBytes: number;
  readonly indexIntervalBytes: number;
  readonly retentionMs: number;
  readonly retentionBytes: number;
  readonly maxMessageBytes: number;
  readonly cleanupPolicy: CleanupPolicy;
  readonly deleteRetentionMs: number;
  readonly minCompactionLagMs: number;
  readonly maxCompactionLagMs: number;
  readonly minCleanableDirtyRatio: number;
  readonly messageTimestampType: "CreateTime" | "LogAppendTime";
  readonly messageTimestampBeforeMaxMs: number;
  readonly messageTimestampAfterMaxMs: number;
  readonly minInsyncReplicas: number;
  readonly uncleanLeaderElectionEnable: boolean;
  readonly compressionType: "producer";
  readonly fileDeleteDelayMs: number;
  /** `sync`: an append counts as flushed when `fdatasync` covered it. `os`: when it was written. */
  readonly flush: "sync" | "os";
  /** With `flush=os`: sync in the background at most this long after a write. */
  readonly flushMs: number;
  /** With `flush=os`: sync in the background when this many records are unsynced. At least 2 then: 1 is `sync`. */
  readonly flushMessages: number;
}

interface KeyBase {
  /** What the key does, in a sentence or two for people. */
  readonly documentation: string;
  /** As text, the way it is written in a configuration. */
  readonly default: string;
}

export interface IntegerKey extends KeyBase {
  readonly type: "integer";
  readonly min: number;
  readonly max: number;
}

export interface NumberKey extends KeyBase {
  readonly type: "number";
  readonly min: number;
  readonly max: number;
}

export interface BooleanKey extends KeyBase {
  readonly type: "boolean";
}

export interface ChoiceKey extends KeyBase {
  readonly type: "choice";
  readonly choices: readonly string[];
}

export type TopicConfigKey = IntegerKey | NumberKey | BooleanKey | ChoiceKey;

const INT32_MAX = 2 ** 31 - 1;
/** "For ever", where Kafka uses the largest 64-bit number. */
const UNLIMITED = Number.MAX_SAFE_INTEGER;

interface Range {
  readonly default: number;
  readonly min: number;
  readonly max?: number;
}

const integer = (range: Range, documentation: string): IntegerKey => ({
  type: "integer",
  default: String(range.default),
  min: range.min,
  max: range.max ?? UNLIMITED,
  documentation,
});

const choice = (choices: readonly [string, ...string[]], documentation: string): ChoiceKey => ({
  type: "choice",
  default: choices[0],
  choices,
  documentation,
});

/** Every topic configuration key Millrace knows, by its dotted name (Kafka's where Kafka has it). */
export const topicConfigKeys = {
  "cleanup.policy": choice(
    ["delete", "compact", "compact,delete", "delete,compact"],
    "What happens to old segments: delete removes them by retention.ms and retention.bytes, compact keeps the newest record of each key; compact,delete does both.",
  ),
  "compression.type": choice(["producer"], "Batches are stored as the producer compressed them."),
  "delete.retention.ms": integer(
    { default: 86_400_000, min: 0 },
    "How long a compacted log keeps tombstones after the first cleaning that finds them.",
  ),
  "file.delete.delay.ms": integer(
    { default: 60_000, min: 0, max: INT32_MAX },
    "How long a removed segment's file stays on disk, renamed to .deleted, for readers that still use it.",
  ),
  flush: choice(
    ["sync", "os"],
    "sync: an acknowledgement waits for fdatasync. os: it waits for the write only, and a power cut may lose acknowledged records; they are synced in the background.",
  ),
  "flush.messages": integer(
    { default: UNLIMITED, min: 1 },
    "With flush=os: sync in the background after this many records. 1 is flush=sync, as in Kafka: every acknowledgement waits.",
  ),
  "flush.ms": integer(
    { default: UNLIMITED, min: 0 },
    "With flush=os: sync in the background this long after a write.",
  ),
  "index.interval.bytes": integer(
    { default: 4096, min: 0, max: INT32_MAX },
    "Bytes of log between two index entries.",
  ),
  "max.compaction.lag.ms": integer(
    { default: UNLIMITED, min: 1 },
    "How long a record may stay uncompacted: a segment whose first record is older is cleaned whatever the dirty ratio.",
  ),
  "max.message.bytes": integer(
    { default: MAX_MESSAGE_BYTES_DEFAULT, min: 0, max: INT32_MAX },
    "The largest record batch (after compression) the topic takes.",
  ),
  "message.timestamp.after.max.ms": integer(
    { default: 3_600_000, min: 0 },
    "With CreateTime: how far a timestamp may lie after the broker's clock.",
  ),
  "message.timestamp.before.max.ms": integer(
    { default: UNLIMITED, min: 0 },
    "With CreateTime: how far a timestamp may lie before the broker's clock.",
  ),
  "message.timestamp.type": choice(
    ["CreateTime", "LogAppendTime"],
    "Whose clock a record's timestamp is: the producer's or the broker's.",
  ),
  "min.cleanable.dirty.ratio": {
    type: "number",
    default: "0.5",
    min: 0,
    max: 1,
    documentation: "The share of uncompacted bytes from which a compacted log is cleaned.",
  },
  "min.compaction.lag.ms": integer(
    { default: 0, min: 0 },
    "How long a record stays uncompacted at least.",
  ),
  "min.insync.replicas": integer(
    { default: 1, min: 1, max: INT32_MAX },
    "How many replicas must have a batch before acks=all is answered.",
  ),
  "retention.bytes": integer(
    { default: -1, min: -1 },
    "The size up to which a partition keeps old segments; -1: no limit.",
  ),
  "retention.ms": integer(
    { default: 604_800_000, min: -1 },
    "How long a partition keeps segments; -1: for ever.",
  ),
  "segment.bytes": integer(
    { default: 1_073_741_824, min: 14, max: INT32_MAX },
    "The size at which a log starts a new segment file.",
  ),
  "segment.index.bytes": integer(
    { default: 10_485_760, min: 12, max: INT32_MAX },
    "The size of an index at which a log starts a new segment file.",
  ),
  "segment.ms": integer(
    { default: 604_800_000, min: 1 },
    "The age at which a log starts a new segment file, even if it is not full.",
  ),
  "unclean.leader.election.enable": {
    type: "boolean",
    default: "false",
    documentation: "Whether a replica that is not in sync may lead, losing acknowledged records.",
  },
} as const satisfies Readonly<Record<string, TopicConfigKey>>;

export type TopicConfigKeyName = keyof typeof topicConfigKeys;

export function isTopicConfigKey(name: string): name is TopicConfigKeyName {
  return Object.hasOwn(topicConfigKeys, name);
}

/**
 * Why `value` is not acceptable for `name`, or undefined. Checks one entry by itself; relations between
 * entries are `parseLogConfig`'s.
 */
export function topicConfigProblem(name: string, value: string): string | undefined {
  if (!isTopicConfigKey(name)) {
    return `unknown topic configuration key "${name}"`;
  }
  const key: TopicConfigKey = topicConfigKeys[name];
  switch (key.type) {
    case "boolean":
      return value === "true" || value === "false"
        ? undefined
        : `${name} must be true or false, not "${value}"`;
    case "choice":
      return choiceProblem({ name, value, key });
    case "integer":
    case "number":
      return numberProblem({ name, value, key });
  }
}

function choiceProblem(entry: { name: string; value: string; key: ChoiceKey }): string | undefined {
  const { name, value, key } = entry;
  return key.choices.includes(value)
    ? undefined
    : `${name} must be one of ${key.choices.join(", ")}, not "${value}"`;
}

function numberProblem(entry: {
  name: string;
  value: string;
  key: IntegerKey | NumberKey;
}): string | undefined {
  const { name, value, key } = entry;
  const shape = key.type === "integer" ? /^-?\d{1,19}$/ : /^\d{1,9}(\.\d{1,9})?$/;
  if (!shape.test(value)) {
    return `${name} must be ${key.type === "integer" ? "a whole number" : "a number"}, not "${value}"`;
  }
  // Kafka's "for ever" (2^63-1) is larger than a safe integer and means the same here.
  const number = Math.min(Number(value), UNLIMITED);
  return number < key.min || number > key.max
    ? `${name} must be ${key.min} to ${key.max}, not ${value}`
    : undefined;
}

/** Whether old records of a key go: producers must give every record one. */
export function isCompacted(config: Pick<LogConfig, "cleanupPolicy">): boolean {
  return config.cleanupPolicy !== "delete";
}

function cleanupPolicy(value: string): CleanupPolicy {
  if (value.includes(",")) {
    return "compact,delete";
  }
  return value === "compact" ? "compact" : "delete";
}

/**
 * A full configuration: the given entries over the defaults.
 * @throws MillraceError `INVALID_CONFIG`: unknown key, wrong type, out of range, or not supported.
 */
export function parseLogConfig(entries: Readonly<Record<string, string>> = {}): LogConfig {
  for (const [name, value] of Object.entries(entries)) {
    const problem = topicConfigProblem(name, value);
    if (problem !== undefined) {
      throw new MillraceError("INVALID_CONFIG", problem, { details: { key: name } });
    }
  }
  const text = (name: TopicConfigKeyName): string => entries[name] ?? topicConfigKeys[name].default;
  const number = (name: TopicConfigKeyName): number => Math.min(Number(text(name)), UNLIMITED);
  if (number("min.compaction.lag.ms") > number("max.compaction.lag.ms")) {
    const problem = "min.compaction.lag.ms must not be larger than max.compaction.lag.ms";
    throw new MillraceError("INVALID_CONFIG", problem, {
      details: { key: "min.compaction.lag.ms" },
    });
  }
  return Object.freeze({
    segmentBytes: number("segment.bytes"),
    segmentMs: number("segment.ms"),
    segmentIndexBytes: number("segment.index.bytes"),
    indexIntervalBytes: number("index.interval.bytes"),
    retentionMs: number("retention.ms"),
    retentionBytes: number("retention.bytes"),
    maxMessageBytes: number("max.message.bytes"),
    cleanupPolicy: cleanupPolicy(text("cleanup.policy")),
    deleteRetentionMs: number("delete.retention.ms"),
    minCompactionLagMs: number("min.compaction.lag.ms"),
    maxCompactionLagMs: number("max.compaction.lag.ms"),
    minCleanableDirtyRatio: number("min.cleanable.dirty.ratio"),
    messageTimestampType:
      text("message.timestamp.type") === "LogAppendTime" ? "LogAppendTime" : "CreateTime",
    messageTimestampBeforeMaxMs: number("message.timestamp.before.max.ms"),
    messageTimestampAfterMaxMs: number("message.timestamp.after.max.ms"),
    minInsyncReplicas: number("min.insync.replicas"),
    uncleanLeaderElectionEnable: text("unclean.leader.election.enable") === "true",
    compressionType: "producer",
    fileDeleteDelayMs: number("file.delete.delay.ms"),
    // Who asks Kafka for a sync after each record expects it before the acknowledgement.
    flush: text("flush") === "os" && number("flush.messages") > 1 ? "os" : "sync",
    flushMs: number("flush.ms"),
    flushMessages: number("flush.messages"),
  });
}
