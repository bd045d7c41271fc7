// Options of a producer: what they mean, their defaults, and the check that refuses bad ones with words that say
// what would be right.

import { IN_FLIGHT_BATCHES_MAX, MillraceError } from "@millrace/protocol";
import type { CompressionCodec } from "@millrace/runtime";
import type { PartitionerOption } from "./partitioner.js";

/** All of it has defaults that lose, repeat and reorder nothing. */
export interface ProducerOptions {
  /**
   * How long a batch may wait for more records, in milliseconds, while another request is on its way to the same
   * broker. With nothing on its way a record leaves at once, whatever this says. Default 5.
   */
  readonly lingerMs?: number | undefined;
  /** A batch of this size, in bytes before compression, leaves without lingering. Default 65,536. */
  readonly batchBytes?: number | undefined;
  /** Bytes of batches in one request (a single larger batch still goes). Default 1 MiB. */
  readonly maxRequestBytes?: number | undefined;
  /** Bytes of records held for all partitions; beyond it `send` waits. Default 32 MiB. */
  readonly bufferBytes?: number | undefined;
  /** How long `send` waits for room in the buffer, or for the topic's metadata. Default 60,000. */
  readonly maxBlockMs?: number | undefined;
  /**
   * `"all"`: durable on every in-sync replica. `1`: durable on the leader. `0`: handed to the connection, nothing
   * promised. Default `"all"`.
   */
  readonly acks?: "all" | 0 | 1 | undefined;
  /**
   * The broker recognises retries, so that nothing is stored twice, and up to `maxInFlight` batches of a partition
   * can be on their way in order. Needs `acks: "all"`. Without it one batch of a partition is out at a time.
   * Default: true with `acks: "all"`, else false.
   */
  readonly idempotent?: boolean | undefined;
  /** Default `"none"`. What the platform can do is in `runtime.compute.codecs`. */
  readonly compression?: CompressionCodec | undefined;
  /** How hard gzip (1 to 9) or zstd (1 to 22) tries; a browser's gzip ignores it. Default: the codec's own. */
  readonly compressionLevel?: number | undefined;
  /** Where records without a `partition` go. Default `"sticky"`. */
  readonly partitioner?: PartitionerOption | undefined;
  /** From `send` until the record is acknowledged or given up, retries included. Default 120,000. */
  readonly deliveryTimeoutMs?: number | undefined;
  /** One attempt. Default 30,000. */
  readonly requestTimeoutMs?: number | undefined;
  /** First delay between attempts; doubles, with jitter. Default 100. */
  readonly retryBackoffMs?: number | undefined;
  /** Largest delay between attempts. Default 1,000. */
  readonly retryBackoffMaxMs?: number | undefined;
  /** Requests to one broker, and batches of one partition, on their way at once; 1 to 5. Default 5. */
  readonly maxInFlight?: number | undefined;
}

export interface ProducerConfig {
  readonly lingerMs: number;
  readonly batchBytes: number;
  readonly maxRequestBytes: number;
  readonly bufferBytes: number;
  readonly maxBlockMs: number;
  readonly acks: "all" | 0 | 1;
  readonly idempotent: boolean;
  readonly compression: CompressionCodec;
  readonly compressionLevel: number | undefined;
  readonly partitioner: PartitionerOption;
  readonly deliveryTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly retryBackoffMs: number;
  readonly retryBackoffMaxMs: number;
  readonly maxInFlight: number;
}

const defaults = {
  lingerMs: 5,
  batchBytes: 64 * 1024,
  maxRequestBytes: 1024 * 1024,
  bufferBytes: 32 * 1024 * 1024,
  maxBlockMs: 60_000,
  acks: "all",
  compression: "none",
  partitioner: "sticky",
  deliveryTimeoutMs: 120_000,
  requestTimeoutMs: 30_000,
  retryBackoffMs: 100,
  retryBackoffMaxMs: 1_000,
  maxInFlight: IN_FLIGHT_BATCHES_MAX,
} as const;

const ranges: readonly (readonly [keyof ProducerConfig, number, number])[] = [
  ["lingerMs", 0, 60_000],
  ["batchBytes", 256, 64 * 1024 * 1024],
  ["maxRequestBytes", 1024, 64 * 1024 * 1024],
  ["bufferBytes", 1024, 16 * 1024 * 1024 * 1024],
  ["maxBlockMs", 0, Number.MAX_SAFE_INTEGER],
  ["deliveryTimeoutMs", 1, 0x7fffffff],
  ["requestTimeoutMs", 1, 0x7fffffff],
  ["retryBackoffMs", 1, 0x7fffffff],
  ["retryBackoffMaxMs", 1, 0x7fffffff],
  ["maxInFlight", 1, IN_FLIGHT_BATCHES_MAX],
];

function refuse(problem: string): never {
  throw new MillraceError("INVALID_CONFIG_VALUE", problem);
}

/**
 * Checks ranges and relations, and fills in the defaults.
 * @throws MillraceError `INVALID_CONFIG_VALUE`, `UNSUPPORTED_COMPRESSION_TYPE`
 */
export function parseProducerConfig(
  options: ProducerOptions,
  codecs: readonly CompressionCodec[],
): ProducerConfig {
  const given = Object.fromEntries(
    Object.entries(options).filter(([key, value]) => key in defaults && value !== undefined),
  ) as Partial<ProducerConfig>;
  const acks = given.acks ?? defaults.acks;
  const idempotent = options.idempotent ?? acks === "all";
  const { compressionLevel } = options;
  const config: ProducerConfig = { ...defaults, ...given, idempotent, compressionLevel };
  for (const [name, min, max] of ranges) {
    const value = config[name];
    if (typeof value !== "number" || !Number.isFinite(value) || value < min || value > max) {
      refuse(`${name}: expected a number from ${min} to ${max}, got ${String(value)}`);
    }
  }
  checkChoices(config, codecs);
  checkRelations(config);
  return Object.freeze(config);
}

function checkChoices(config: ProducerConfig, codecs: readonly CompressionCodec[]): void {
  if (config.acks !== "all" && config.acks !== 0 && config.acks !== 1) {
    refuse(`acks: expected "all", 1 or 0, got ${String(config.acks)}`);
  }
  checkCompression(config, codecs);
  const { partitioner } = config;
  const isNamed = partitioner === "sticky" || partitioner === "roundRobin";
  const isCustom =
    typeof partitioner === "function" ||
    (typeof partitioner === "object" && typeof partitioner?.partition === "function");
  if (!isNamed && !isCustom) {
    refuse(`partitioner: expected "sticky", "roundRobin" or a function`);
  }
}

const LEVELS_MAX: Partial<Record<CompressionCodec, number>> = { gzip: 9, zstd: 22 };

function checkCompression(
  { compression, compressionLevel: level }: ProducerConfig,
  codecs: readonly CompressionCodec[],
): void {
  if (!["none", "gzip", "snappy", "lz4", "zstd"].includes(compression)) {
    refuse(`compression: expected one of ${codecs.join(", ")}, got ${String(compression)}`);
  }
  if (!codecs.includes(compression)) {
    throw new MillraceError(
      "UNSUPPORTED_COMPRESSION_TYPE",
      `compression: this platform cannot write ${compression}; choose one of ${codecs.join(", ")}`,
    );
  }
  const max = LEVELS_MAX[compression] ?? 0;
  if (level !== undefined && (!Number.isInteger(level) || level < 1 || level > max)) {
    const expected =
      max === 0 ? `none, ${compression} has no levels` : `an integer from 1 to ${max}`;
    refuse(`compressionLevel: expected ${expected}; got ${level}`);
  }
}

function checkRelations(config: ProducerConfig): void {
  if (config.idempotent && config.acks !== "all") {
    refuse(`idempotent: needs acks "all", got acks ${config.acks}`);
  }
  if (config.deliveryTimeoutMs < config.lingerMs + config.requestTimeoutMs) {
    refuse(
      `deliveryTimeoutMs: expected at least lingerMs + requestTimeoutMs (${config.lingerMs + config.requestTimeoutMs}), got ${config.deliveryTimeoutMs}`,
    );
  }
  if (config.batchBytes > config.maxRequestBytes) {
    refuse(
      `batchBytes: expected at most maxRequestBytes (${config.maxRequestBytes}), got ${config.batchBytes}`,
    );
  }
  if (config.batchBytes > config.bufferBytes) {
    refuse(
      `batchBytes: expected at most bufferBytes (${config.bufferBytes}), got ${config.batchBytes}`,
    );
  }
  if (config.retryBackoffMs > config.retryBackoffMaxMs) {
    refuse(
      `retryBackoffMs: expected at most retryBackoffMaxMs (${config.retryBackoffMaxMs}), got ${config.retryBackoffMs}`,
    );
  }
}
