// Options of a consumer: what they mean, their defaults, and the check that refuses bad ones.

import { MillraceError, type Offset } from "@millrace/protocol";
import type { StartPosition } from "./partition-state.js";

/** One partition, with a start of its own if it names one. */
export interface AssignedPartition {
  readonly topic: string;
  readonly partition: number;
  readonly offset?: Offset | undefined;
}

/** What to read, from where, and how much ahead. Everything but the topics or partitions has a default. */
export interface ConsumerOptions {
  /** All partitions of these topics, also those added later. Either this or `partitions`. */
  readonly topics?: string | readonly string[] | undefined;
  readonly partitions?: readonly AssignedPartition[] | undefined;
  /**
   * Where to begin, looked up once, at the start: `"earliest"`, `"latest"` (records that arrive from now on),
   * `{ offset }`, `{ timestamp }` (the first record at or after it), `{ last: n }` (the last n of each partition).
   * Partitions added later begin at their earliest record. Default `"latest"`.
   */
  readonly from?: StartPosition | undefined;
  /**
   * When the position is not (or no longer) in the log, as Kafka's `auto.offset.reset`: go to the earliest or
   * latest record, or fail with `OFFSET_OUT_OF_RANGE`. Default: `from` if it is `"earliest"` or `"latest"`,
   * else `"fail"`.
   */
  readonly onOutOfRange?: "earliest" | "latest" | "fail" | undefined;
  /** A batch that cannot be read: end with `CORRUPT_RECORD`, or log it and go on behind it. Default `"fail"`. */
  readonly onCorrupt?: "fail" | "skip" | undefined;
  /** Whether every batch's CRC is checked. Default true. */
  readonly checkCrcs?: boolean | undefined;
  /** How long the broker may hold a fetch for want of records. Default 500. */
  readonly maxWaitMs?: number | undefined;
  /** Answer as soon as so many bytes are there. Default 1. */
  readonly minBytes?: number | undefined;
  /** Bytes of one answer. Default 8 MiB. */
  readonly maxBytes?: number | undefined;
  /**
   * Bytes of one partition in one answer; a larger batch still comes whole. Default: 1 MiB; while answers come full and
   * quickly, up to 2 MiB, shared by the partitions of a leader when there are several.
   */
  readonly maxPartitionBytes?: number | undefined;
  /** Bytes fetched ahead of the user, all partitions together. Default 16 MiB. */
  readonly maxPrefetchBytes?: number | undefined;
  /** A compressed batch that grows beyond this is refused as corrupt. Default 64 MiB. */
  readonly maxDecompressedBytes?: number | undefined;
  /** How often to look for new partitions, and for topics that are gone. Default 30,000. */
  readonly metadataRefreshMs?: number | undefined;
  /** For each request, in addition to `maxWaitMs`. Default 30,000. */
  readonly requestTimeoutMs?: number | undefined;
  /** First delay between attempts; doubles, with jitter. Default 100. */
  readonly retryBackoffMs?: number | undefined;
  /** Largest delay between attempts. Default 1,000. */
  readonly retryBackoffMaxMs?: number | undefined;
}

export interface ConsumerConfig {
  readonly topics: readonly string[];
  readonly partitions: readonly AssignedPartition[];
  readonly from: StartPosition;
  readonly onOutOfRange: "earliest" | "latest" | "fail";
  readonly onCorrupt: "fail" | "skip";
  readonly checkCrcs: boolean;
  readonly maxWaitMs: number;
  readonly minBytes: number;
  readonly maxBytes: number;
  /** undefined: what `AnswerSize` says. */
  readonly maxPartitionBytes: number | undefined;
  readonly maxPrefetchBytes: number;
  readonly maxDecompressedBytes: number;
  readonly metadataRefreshMs: number;
  readonly requestTimeoutMs: number;
  readonly retryBackoffMs: number;
  readonly retryBackoffMaxMs: number;
}

const defaults = {
  from: "latest",
  onCorrupt: "fail",
  checkCrcs: true,
  maxWaitMs: 500,
  minBytes: 1,
  maxBytes: 8 * 1024 * 1024,
  maxPartitionBytes: undefined,
  maxPrefetchBytes: 16 * 1024 * 1024,
  maxDecompressedBytes: 64 * 1024 * 1024,
  metadataRefreshMs: 30_000,
  requestTimeoutMs: 30_000,
  retryBackoffMs: 100,
  retryBackoffMaxMs: 1_000,
} as const;

const ranges: readonly (readonly [keyof ConsumerConfig, number, number])[] = [
  ["maxWaitMs", 0, 600_000],
  ["minBytes", 0, 0x7fffffff],
  ["maxBytes", 1, 0x7fffffff],
  ["maxPartitionBytes", 1, 0x7fffffff],
  ["maxPrefetchBytes", 1, Number.MAX_SAFE_INTEGER],
  ["maxDecompressedBytes", 1024, 0x7fffffff],
  ["metadataRefreshMs", 100, 0x7fffffff],
  ["requestTimeoutMs", 1, 0x7fffffff],
  ["retryBackoffMs", 1, 0x7fffffff],
  ["retryBackoffMaxMs", 1, 0x7fffffff],
];

function refuse(problem: string): never {
  throw new MillraceError("INVALID_CONFIG_VALUE", problem);
}

/**
 * Checks ranges and relations, and fills in the defaults.
 * @throws MillraceError `INVALID_CONFIG_VALUE`
 */
export function parseConsumerConfig(options: ConsumerOptions): ConsumerConfig {
  const given = Object.fromEntries(
    Object.entries(options).filter(([key, value]) => key in defaults && value !== undefined),
  ) as Partial<ConsumerConfig>;
  const { topics = [], partitions = [] } = options;
  const from = options.from ?? defaults.from;
  checkStart(from);
  const config: ConsumerConfig = {
    ...defaults,
    ...given,
    from,
    onOutOfRange: options.onOutOfRange ?? (typeof from === "string" ? from : "fail"),
    topics: [...new Set(typeof topics === "string" ? [topics] : topics)],
    partitions: [...partitions],
  };
  for (const [name, min, max] of ranges) {
    const value = config[name];
    if (value === undefined && name === "maxPartitionBytes") {
      continue;
    }
    if (typeof value !== "number" || !Number.isInteger(value) || value < min || value > max) {
      refuse(`${name}: expected an integer from ${min} to ${max}, got ${String(value)}`);
    }
  }
  checkRest(config);
  return Object.freeze(config);
}

/** @throws MillraceError `INVALID_CONFIG_VALUE` */
export function checkStart(from: StartPosition): void {
  if (from === "earliest" || from === "latest") {
    return;
  }
  const value =
    typeof from !== "object" || from === null
      ? undefined
      : "offset" in from
        ? from.offset
        : "timestamp" in from
          ? from.timestamp
          : from.last;
  if (!Number.isSafeInteger(value) || (value ?? -1) < 0) {
    refuse(
      `from: expected "earliest", "latest", { offset }, { timestamp } or { last } with an integer of at least 0, got ${JSON.stringify(from)}`,
    );
  }
}

function checkRest(config: ConsumerConfig): void {
  if ((config.topics.length === 0) === (config.partitions.length === 0)) {
    refuse("topics, partitions: expected exactly one of them, not empty");
  }
  const named = new Set<string>();
  for (const { topic, partition, offset = 0 } of config.partitions) {
    const key = `${topic}-${partition}`;
    if (!Number.isInteger(partition) || partition < 0 || named.has(key)) {
      refuse(`partitions: ${key} is not a partition, or is named twice`);
    }
    checkStart({ offset });
    named.add(key);
  }
  if (!["earliest", "latest", "fail"].includes(config.onOutOfRange)) {
    refuse(`onOutOfRange: expected "earliest", "latest" or "fail"`);
  }
  if (config.onCorrupt !== "fail" && config.onCorrupt !== "skip") {
    refuse(`onCorrupt: expected "fail" or "skip"`);
  }
  if (config.retryBackoffMs > config.retryBackoffMaxMs) {
    refuse(
      `retryBackoffMs: expected at most retryBackoffMaxMs (${config.retryBackoffMaxMs}), got ${config.retryBackoffMs}`,
    );
  }
}
