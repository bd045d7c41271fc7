// The clients that are measured, which server each talks to, and what each can do. Data.

import type { Codec, Workload } from "./workloads.js";

export type ServerKind = "millrace" | "kafka" | "nats" | "redis" | "rabbitmq";

export interface Durability {
  readonly name: string;
  /** What an acknowledgement means, in words for the tables. */
  readonly acknowledgement: string;
  /** True when an acknowledgement says that the disk has the record. */
  readonly synced: boolean;
}

/** The first one is the server's default. */
export const durabilities: Readonly<Record<ServerKind, readonly Durability[]>> = {
  millrace: [
    { name: "sync", acknowledgement: "fdatasync covered the record (default)", synced: true },
    { name: "os", acknowledgement: "in the page cache (`flush=os`)", synced: false },
  ],
  kafka: [
    { name: "default", acknowledgement: "in the page cache (default)", synced: false },
    {
      name: "strict",
      acknowledgement: "synced: `flush.messages=1` (`log.flush.interval.messages=1`)",
      synced: true,
    },
  ],
  nats: [
    {
      name: "default",
      acknowledgement: "in the page cache; synced every 2 minutes (default)",
      synced: false,
    },
    { name: "strict", acknowledgement: "synced: `sync_interval: always`", synced: true },
  ],
  redis: [
    {
      name: "default",
      acknowledgement: "in memory; snapshots now and then, no log (default)",
      synced: false,
    },
    { name: "strict", acknowledgement: "synced: `appendfsync always`", synced: true },
  ],
  rabbitmq: [
    {
      name: "default",
      acknowledgement: "in the page cache (default, and all there is: streams never sync)",
      synced: false,
    },
  ],
};

export interface Client {
  readonly name: string;
  /** For tables. */
  readonly title: string;
  readonly server: ServerKind;
  readonly codecs: readonly Codec[];
  /** Whether the server has partitions and the client can spread records over them. */
  readonly partitions: boolean;
  /** `node`: a driver of ours, in a Node.js process. `newest-node`: the same, under the newest Node.js. */
  readonly runtime: "node" | "newest-node" | "java" | "perf-tools" | "nats-bench";
  readonly caveat?: string;
  /** The npm package of the client, where it is one of this folder's dependencies. */
  readonly library?: string;
  /** Measured with 2, 4 and 8 partitions too. */
  readonly isFine?: boolean;
}

const fineSteps: ReadonlySet<number> = new Set([2, 4, 8]);

export const clients: readonly Client[] = [
  {
    name: "millrace",
    title: "Millrace",
    server: "millrace",
    codecs: ["none", "gzip", "lz4", "zstd"],
    partitions: true,
    isFine: true,
    runtime: "node",
  },
  {
    name: "kafka-java",
    title: "Kafka, Java client",
    server: "kafka",
    codecs: ["none", "gzip", "lz4", "zstd"],
    partitions: true,
    isFine: true,
    runtime: "java",
  },
  {
    name: "kafka-perf",
    title: "Kafka, its perf tools",
    server: "kafka",
    codecs: ["none", "gzip", "lz4", "zstd"],
    partitions: false,
    runtime: "perf-tools",
    caveat:
      "kafka-producer-perf-test and kafka-consumer-perf-test as they are: batched workloads only, letters as content, CPU of the whole process with the start of the JVM",
  },
  {
    name: "kafkajs",
    library: "kafkajs",
    title: "Kafka, kafkajs",
    server: "kafka",
    codecs: ["none", "gzip"],
    partitions: true,
    runtime: "node",
  },
  {
    name: "platformatic",
    library: "@platformatic/kafka",
    title: "Kafka, @platformatic/kafka",
    server: "kafka",
    codecs: ["none", "gzip", "lz4", "zstd"],
    partitions: true,
    runtime: "newest-node",
  },
  {
    name: "confluent",
    library: "@confluentinc/kafka-javascript",
    title: "Kafka, @confluentinc/kafka-javascript",
    server: "kafka",
    codecs: ["none", "gzip", "lz4", "zstd"],
    partitions: true,
    runtime: "node",
  },
  {
    name: "nats",
    library: "@nats-io/jetstream",
    title: "NATS JetStream",
    server: "nats",
    codecs: ["none"],
    partitions: false,
    runtime: "node",
  },
  {
    name: "nats-bench",
    title: "NATS JetStream, nats bench",
    server: "nats",
    codecs: ["none"],
    partitions: false,
    runtime: "nats-bench",
    caveat:
      "`nats bench js` as it is, written in Go: batched workloads only, 1,000 records on their way, by `pub async` at the default and `pub batch` (the faster of the two there) when synced, read with `ordered`; its own content, CPU of the whole process",
  },
  {
    name: "redis",
    library: "ioredis",
    title: "Redis Streams, ioredis",
    server: "redis",
    codecs: ["none"],
    partitions: true,
    runtime: "node",
    caveat: "a partition is a key",
  },
  {
    name: "rabbitmq",
    library: "rabbitmq-stream-js-client",
    title: "RabbitMQ streams",
    server: "rabbitmq",
    codecs: ["none"],
    partitions: false,
    runtime: "node",
  },
];

/** Why this client does not run this workload; undefined when it does. */
export function reasonToSkip(client: Client, workload: Workload): string | undefined {
  if (!client.codecs.includes(workload.codec)) {
    return `the client has no ${workload.codec}`;
  }
  if (workload.kind === "beside-disk" && client.name !== "millrace") {
    return "is a target of Millrace";
  }
  const isTool = client.runtime === "perf-tools" || client.runtime === "nats-bench";
  if (isTool && (workload.kind !== "produce" || workload.group !== "core")) {
    return "the tool has no such workload";
  }
  if (workload.group === "wide" && fineSteps.has(workload.partitions) && !client.isFine) {
    return "measured with 1, 10, 100 and 1,000 partitions only, to save time";
  }
  if (workload.partitions > 1 && !client.partitions) {
    return "the server has no partitions to spread records over in one call";
  }
  return undefined;
}
