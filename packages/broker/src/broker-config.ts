// A broker's own configuration: dotted keys, Kafka's where Kafka has the setting, with type, range, default and
// documentation in one table, and the parser that turns entries into a `BrokerConfig`. Where entries come from
// (file, environment, flags) is the server's business. Defaults of topics (`log.*`, `message.max.bytes`)
// are kept as topic entries, so that storage's own parser judges them.

import {
  MAX_MESSAGE_BYTES_DEFAULT,
  MillraceError,
  PRE_HELLO_FRAME_BYTES_MAX,
} from "@millrace/protocol";
import { DEDUPE_BUFFER_BYTES_DEFAULT, parseLogConfig } from "@millrace/storage";

export interface BrokerConfigKey {
  readonly default: number;
  readonly min: number;
  readonly max: number;
  readonly documentation: string;
}

const INT32_MAX = 2 ** 31 - 1;
const KIB = 1024;
const MIB = 1024 * KIB;

const number = (
  range: { default: number; min: number; max?: number },
  documentation: string,
): BrokerConfigKey => ({
  default: range.default,
  min: range.min,
  max: range.max ?? INT32_MAX,
  documentation,
});

/** Every numeric key of a broker. Times in milliseconds, sizes in bytes. */
export const brokerConfigKeys = {
  "num.partitions": number(
    { default: 1, min: 1, max: 10_000 },
    "Partitions of a topic that is created without saying how many.",
  ),
  "default.replication.factor": number(
    { default: 1, min: 1, max: 1000 },
    "Replicas of a topic that is created without saying how many.",
  ),
  "max.partitions.per.topic": number(
    { default: 10_000, min: 1, max: 1_000_000 },
    "The most partitions one topic may have.",
  ),
  "max.partitions": number(
    { default: 100_000, min: 1, max: 1_000_000 },
    "The most partitions all topics together may have.",
  ),
  "queued.max.request.bytes": number(
    { default: 64 * MIB, min: 128 * KIB },
    "Bytes of requests without an answer, over all connections; near it, sockets that send are paused, beyond it requests are refused with BROKER_OVERLOADED.",
  ),
  "queued.max.response.bytes": number(
    { default: 256 * MIB, min: MIB },
    "Bytes of answers that clients have not taken, over all connections; at the bound a fetch brings one batch.",
  ),
  "connections.max": number(
    { default: 10_000, min: 1, max: 1_000_000 },
    "Open connections; further ones get HTTP 503.",
  ),
  "connections.max.idle.ms": number(
    { default: 600_000, min: 1000 },
    "A connection without any request for so long is closed.",
  ),
  "connection.max.in.flight.requests": number(
    { default: 256, min: 1, max: 65_536 },
    "Requests of one connection without an answer; a connection with more is not read from.",
  ),
  "connection.max.in.flight.bytes": number(
    { default: 16 * MIB, min: 64 * KIB },
    "Bytes of one connection's requests without an answer; a connection with more is not read from.",
  ),
  "connection.hello.timeout.ms": number(
    { default: 10_000, min: 100 },
    "Time for the first request, hello, after a connection opened.",
  ),
  "connection.max.output.bytes": number(
    { default: 4 * MIB, min: 64 * KIB },
    "Bytes of answers a client has not taken; with more, its requests wait.",
  ),
  "connection.output.timeout.ms": number(
    { default: 30_000, min: 100 },
    "A client that takes no byte of its waiting answers for so long is cut off.",
  ),
  "connection.partial.message.timeout.ms": number(
    { default: 10_000, min: 100 },
    "An unfinished message that comes slower than a byte per second over this time cuts the connection.",
  ),
  "fetch.max.bytes": number(
    { default: 55 * MIB, min: KIB },
    "The most bytes one fetch answers, whatever the client asks for; at least one batch always comes.",
  ),
  "max.incremental.fetch.session.cache.slots": number(
    { default: 1000, min: 0, max: 1_000_000 },
    "Incremental fetch sessions kept; without a free slot a fetch is answered in full.",
  ),
  "min.incremental.fetch.session.eviction.ms": number(
    { default: 120_000, min: 0 },
    "A session unused for so long gives its slot to a new one when none is free.",
  ),
  "log.retention.check.interval.ms": number(
    { default: 300_000, min: 1 },
    "How often logs are checked for segments that retention lets go.",
  ),
  "log.reserve.bytes": number(
    { default: 4 * MIB, min: 0 },
    "Held back on the disk, so that a full one can still delete (at most an eighth of what is free); records are refused with STORAGE_FULL while there is no room for it. 0: none.",
  ),
  "log.scrub.bytes.per.second": number(
    { default: MIB, min: 0 },
    "Sealed segments are verified in the background at this rate: damage is found, told and quarantined before somebody needs the records. 0: not at all.",
  ),
  "metadata.log.max.record.bytes.between.snapshots": number(
    { default: 20 * MIB, min: 1 },
    "After so many bytes of metadata records a snapshot is written, and the log before it goes.",
  ),
  "log.cleaner.backoff.ms": number(
    { default: 15_000, min: 1 },
    "How often compacted logs are looked at for one that is due to be cleaned.",
  ),
  "log.cleaner.dedupe.buffer.size": number(
    { default: DEDUPE_BUFFER_BYTES_DEFAULT, min: KIB },
    "Memory for the keys of one cleaning pass, 20 bytes each and some room; with more keys a log takes several passes. It is there only during a pass.",
  ),
  "log.cleaner.io.max.bytes.per.second": number(
    { default: Number.MAX_SAFE_INTEGER, min: KIB, max: Number.MAX_SAFE_INTEGER },
    "The most bytes that cleaning reads and writes in a second, together.",
  ),
  "controlled.shutdown.timeout.ms": number(
    { default: 10_000, min: 0 },
    "How long a stopping broker waits for requests in flight.",
  ),
} as const satisfies Readonly<Record<string, BrokerConfigKey>>;

export type BrokerConfigKeyName = keyof typeof brokerConfigKeys;

/** Kafka's broker keys that set the default of a topic key. */
export const topicDefaultKeys = {
  "message.max.bytes": "max.message.bytes",
  "log.cleaner.delete.retention.ms": "delete.retention.ms",
  "log.cleaner.max.compaction.lag.ms": "max.compaction.lag.ms",
  "log.cleaner.min.cleanable.ratio": "min.cleanable.dirty.ratio",
  "log.cleaner.min.compaction.lag.ms": "min.compaction.lag.ms",
  "log.cleanup.policy": "cleanup.policy",
  "log.flush": "flush",
  "log.flush.interval.messages": "flush.messages",
  "log.flush.interval.ms": "flush.ms",
  "log.index.interval.bytes": "index.interval.bytes",
  "log.index.size.max.bytes": "segment.index.bytes",
  "log.message.timestamp.after.max.ms": "message.timestamp.after.max.ms",
  "log.message.timestamp.before.max.ms": "message.timestamp.before.max.ms",
  "log.message.timestamp.type": "message.timestamp.type",
  "log.retention.bytes": "retention.bytes",
  "log.retention.ms": "retention.ms",
  "log.roll.ms": "segment.ms",
  "log.segment.bytes": "segment.bytes",
  "log.segment.delete.delay.ms": "file.delete.delay.ms",
  "min.insync.replicas": "min.insync.replicas",
} as const;

export interface BrokerConfig {
  readonly numPartitions: number;
  readonly defaultReplicationFactor: number;
  readonly maxPartitionsPerTopic: number;
  readonly maxPartitions: number;
  readonly queuedMaxRequestBytes: number;
  readonly queuedMaxResponseBytes: number;
  readonly maxConnections: number;
  readonly idleTimeoutMs: number;
  readonly maxInFlightRequests: number;
  readonly maxInFlightBytes: number;
  readonly helloTimeoutMs: number;
  readonly maxOutputBytes: number;
  readonly outputTimeoutMs: number;
  readonly partialMessageTimeoutMs: number;
  readonly fetchMaxBytes: number;
  readonly maxFetchSessions: number;
  readonly fetchSessionEvictionMs: number;
  readonly retentionCheckIntervalMs: number;
  readonly reserveBytes: number;
  readonly scrubBytesPerSecond: number;
  readonly metadataBytesBetweenSnapshots: number;
  readonly cleanerBackoffMs: number;
  readonly cleanerDedupeBufferBytes: number;
  readonly cleanerIoMaxBytesPerSecond: number;
  readonly shutdownTimeoutMs: number;
  /** Topic entries that apply where a topic sets nothing itself. */
  readonly topicDefaults: Readonly<Record<string, string>>;
  /** What was given, by dotted key; the rest are defaults. */
  readonly entries: Readonly<Record<string, string>>;
}

export function isBrokerConfigKey(name: string): boolean {
  return Object.hasOwn(brokerConfigKeys, name) || Object.hasOwn(topicDefaultKeys, name);
}

/**
 * The given entries over the defaults.
 * @throws MillraceError `INVALID_CONFIG` naming the key: unknown, not a whole number, out of range, or in
 *   conflict with another.
 */
export function parseBrokerConfig(entries: Readonly<Record<string, string>> = {}): BrokerConfig {
  const topicDefaults: Record<string, string> = {};
  for (const [name, value] of Object.entries(entries)) {
    if (Object.hasOwn(topicDefaultKeys, name)) {
      topicDefaults[topicDefaultKeys[name as keyof typeof topicDefaultKeys]] = value;
    } else if (!Object.hasOwn(brokerConfigKeys, name)) {
      throw invalid(name, "unknown broker configuration key");
    }
  }
  const value = (name: BrokerConfigKeyName): number => numberOf(name, entries[name]);
  const config: BrokerConfig = {
    numPartitions: value("num.partitions"),
    defaultReplicationFactor: value("default.replication.factor"),
    maxPartitionsPerTopic: value("max.partitions.per.topic"),
    maxPartitions: value("max.partitions"),
    queuedMaxRequestBytes: value("queued.max.request.bytes"),
    queuedMaxResponseBytes: value("queued.max.response.bytes"),
    maxConnections: value("connections.max"),
    idleTimeoutMs: value("connections.max.idle.ms"),
    maxInFlightRequests: value("connection.max.in.flight.requests"),
    maxInFlightBytes: value("connection.max.in.flight.bytes"),
    helloTimeoutMs: value("connection.hello.timeout.ms"),
    maxOutputBytes: value("connection.max.output.bytes"),
    outputTimeoutMs: value("connection.output.timeout.ms"),
    partialMessageTimeoutMs: value("connection.partial.message.timeout.ms"),
    fetchMaxBytes: value("fetch.max.bytes"),
    maxFetchSessions: value("max.incremental.fetch.session.cache.slots"),
    fetchSessionEvictionMs: value("min.incremental.fetch.session.eviction.ms"),
    retentionCheckIntervalMs: value("log.retention.check.interval.ms"),
    reserveBytes: value("log.reserve.bytes"),
    scrubBytesPerSecond: value("log.scrub.bytes.per.second"),
    metadataBytesBetweenSnapshots: value("metadata.log.max.record.bytes.between.snapshots"),
    cleanerBackoffMs: value("log.cleaner.backoff.ms"),
    cleanerDedupeBufferBytes: value("log.cleaner.dedupe.buffer.size"),
    cleanerIoMaxBytesPerSecond: value("log.cleaner.io.max.bytes.per.second"),
    shutdownTimeoutMs: value("controlled.shutdown.timeout.ms"),
    topicDefaults: Object.freeze(topicDefaults),
    entries: Object.freeze({ ...entries }),
  };
  checkRelations(config);
  return Object.freeze(config);
}

function invalid(key: string, problem: string): MillraceError {
  return new MillraceError("INVALID_CONFIG", `${key}: ${problem}`, { details: { key } });
}

function numberOf(name: BrokerConfigKeyName, text: string | undefined): number {
  const key: BrokerConfigKey = brokerConfigKeys[name];
  if (text === undefined) {
    return key.default;
  }
  const value = Number(text);
  if (!/^-?\d{1,16}$/.test(text) || value < key.min || value > key.max) {
    throw invalid(name, `expected a whole number from ${key.min} to ${key.max}, not "${text}"`);
  }
  return value;
}

function checkRelations(config: BrokerConfig): void {
  let messageMaxBytes = MAX_MESSAGE_BYTES_DEFAULT;
  try {
    messageMaxBytes = parseLogConfig(config.topicDefaults).maxMessageBytes;
  } catch (error) {
    throw new MillraceError("INVALID_CONFIG", `defaults of topics: ${String(error)}`, {
      cause: error,
    });
  }
  if (config.numPartitions > config.maxPartitionsPerTopic) {
    throw invalid("num.partitions", "is larger than max.partitions.per.topic");
  }
  if (config.maxPartitionsPerTopic > config.maxPartitions) {
    throw invalid("max.partitions.per.topic", "is larger than max.partitions");
  }
  const frameBytes = messageMaxBytes + PRE_HELLO_FRAME_BYTES_MAX;
  if (config.maxInFlightBytes < frameBytes) {
    throw invalid(
      "connection.max.in.flight.bytes",
      `must hold one batch of message.max.bytes and its request: at least ${frameBytes}`,
    );
  }
  if (config.queuedMaxRequestBytes < config.maxInFlightBytes) {
    throw invalid("queued.max.request.bytes", "is smaller than connection.max.in.flight.bytes");
  }
}
