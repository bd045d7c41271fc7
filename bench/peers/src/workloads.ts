// The workloads, the same for every peer, as data. What a figure means is said here and nowhere else.

import type { Content } from "./payload.js";

export type Codec = "none" | "gzip" | "lz4" | "zstd";

interface Common {
  readonly name: string;
  /** For tables. */
  readonly title: string;
  /** `core` runs against every server at each setting; `wide` against each server's default. */
  readonly group: "core" | "wide";
  readonly recordBytes: number;
  readonly content: Content;
  readonly codec: Codec;
  readonly partitions: number;
  /** Measured in so many rounds at most; undefined: in all. */
  readonly roundsMax?: number;
}

/** Batches of up to 1 MB, five on their way, for a while; then all of it is read back from the start. */
export interface ProduceWorkload extends Common {
  readonly kind: "produce";
}

/**
 * Produce, in parts with the disk by itself before, between and after them: a virtual disk changes its speed by the second, so
 * only neighbours can be compared.
 */
export interface BesideDiskWorkload extends Common {
  readonly kind: "beside-disk";
}

/** One record at a time: the next leaves when the last is acknowledged. */
export interface AwaitedWorkload extends Common {
  readonly kind: "awaited";
}

/** Single records, 1,000 of them without an acknowledgement at any time; batching is the client's affair. */
export interface PipelinedWorkload extends Common {
  readonly kind: "pipelined";
}

/** Open loop at a fixed rate; from the moment a record was due until a consumer in the same process has it. */
export interface LatencyWorkload extends Common {
  readonly kind: "latency";
  readonly ratePerSecond: number;
}

/** So many clients with a connection each: memory while they idle, then each awaits one record at a time. */
export interface ConnectionsWorkload extends Common {
  readonly kind: "connections";
  readonly connections: number;
}

export type Workload =
  | ProduceWorkload
  | BesideDiskWorkload
  | AwaitedWorkload
  | PipelinedWorkload
  | LatencyWorkload
  | ConnectionsWorkload;

export const limits = {
  /** Bytes of records in one batch. A little under 1 MiB, so that a batch with its overhead fits every server's limit. */
  batchBytes: 1_000_000,
  /** Batches without an acknowledgement. */
  batchesInFlight: 5,
  /** How long a client that batches by itself may wait for more records. */
  lingerMs: 5,
  /** Single records without an acknowledgement in the pipelined workload. */
  recordsInFlight: 1_000,
  /** A produce workload ends here even when its time is not over: the disk and memory of the machine are finite. */
  maxBytes: 600_000_000,
} as const;

const base = {
  group: "core",
  recordBytes: 100,
  content: "random",
  codec: "none",
  partitions: 1,
} as const;

function produce(recordBytes: number, size: string): ProduceWorkload {
  return {
    ...base,
    kind: "produce",
    name: `produce-${size.replace(" ", "").toLowerCase()}`,
    title: `${size}, batched`,
    recordBytes,
  };
}

function compressed(content: Content, codec: Codec): ProduceWorkload {
  const words = content === "json" ? "JSON-like" : "random";
  return {
    ...base,
    kind: "produce",
    group: "wide",
    name: `compress-${content}-${codec}`,
    title: `1 KiB ${words}, ${codec}`,
    recordBytes: 1024,
    content,
    codec,
  };
}

function latency(ratePerSecond: number): LatencyWorkload {
  const rate = ratePerSecond.toLocaleString("en");
  return {
    ...base,
    kind: "latency",
    name: `latency-${ratePerSecond}`,
    title: `${rate} records/s`,
    ratePerSecond,
  };
}

function spreadOver(partitions: number): ProduceWorkload {
  return {
    ...base,
    kind: "produce",
    group: "wide",
    name: `partitions-${partitions}`,
    title: `1 KiB over ${partitions.toLocaleString("en")} partition${partitions === 1 ? "" : "s"}`,
    recordBytes: 1024,
    partitions,
    // Making the topic takes Kafka most of a minute, client by client.
    ...(partitions < 1_000 ? {} : { roundsMax: 1 }),
  };
}

function connections(count: number): ConnectionsWorkload {
  return {
    ...base,
    kind: "connections",
    group: "wide",
    name: `connections-${count}`,
    title: `${count.toLocaleString("en")} connection${count === 1 ? "" : "s"}`,
    connections: count,
  };
}

export const partitionCounts = [1, 2, 4, 8, 10, 100, 1_000] as const;
export const connectionCounts = [1, 10, 100, 1_000] as const;
/** Twenty records a second is an idle topic: the next record finds nothing on its way. */
export const IDLE_RATE = 20;
export const IDLE_GAP_MS = 1000 / IDLE_RATE;

export const workloads: readonly Workload[] = [
  produce(100, "100 B"),
  produce(1024, "1 KiB"),
  produce(10_240, "10 KiB"),
  {
    ...produce(1024, "1 KiB"),
    kind: "beside-disk",
    name: "beside-disk",
    title: "1 KiB, batched, in turns with the disk by itself",
  },
  { ...base, kind: "awaited", name: "awaited", title: "100 B, awaited one at a time" },
  { ...base, kind: "pipelined", name: "pipelined", title: "100 B, 1,000 on their way" },
  latency(1_000),
  latency(10_000),
  { ...latency(IDLE_RATE), name: "idle", title: `idle topic, a record every ${IDLE_GAP_MS} ms` },
  compressed("json", "none"),
  compressed("json", "gzip"),
  compressed("json", "lz4"),
  compressed("json", "zstd"),
  compressed("random", "lz4"),
  ...partitionCounts.map(spreadOver),
  ...connectionCounts.map(connections),
];

export function workloadNamed(name: string): Workload | undefined {
  return workloads.find((workload) => workload.name === name);
}
