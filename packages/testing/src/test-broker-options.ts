// What a test can ask for when it makes a broker, and the node configuration that makes of it.

import { parseBrokerConfig } from "@millrace/broker";
import type { Logger } from "@millrace/runtime";
import { type NodeConfig, softwareVersion, type TopicSpec } from "@millrace/server";
import type { LastingFaults } from "./faults.js";

/** A topic that exists from the start. */
export interface TestTopic {
  readonly name: string;
  /** Default: the broker's (`num.partitions`, 1). */
  readonly partitions?: number;
  /** Topic configuration by Kafka's dotted keys. */
  readonly config?: Readonly<Record<string, string>>;
}

/** What a test broker is made with; all of it is optional. */
export interface TestBrokerOptions {
  /**
   * Where the log lives: `"memory"` (default), or `"temporary"`: a directory of the operating system that is
   * removed by `close()`, for tests of what only a real file system does.
   */
  readonly dataDirectory?: "memory" | "temporary";
  /** Topics that exist from the start, by name or with settings. */
  readonly topics?: readonly (string | TestTopic)[];
  /** Broker configuration by Kafka's dotted keys, like `{ "num.partitions": "3" }`. */
  readonly config?: Readonly<Record<string, string>>;
  /** 0 (default): a free port. The same one is used after a restart. */
  readonly port?: number;
  /** Origins of web pages let in besides those from loopback. */
  readonly allowedOrigins?: readonly string[];
  /** Receives the broker's log lines. Default: nobody. */
  readonly logger?: Logger;
  /** What is wrong from the start. */
  readonly faults?: LastingFaults;
}

/** @throws MillraceError `INVALID_CONFIG` */
export function nodeConfig(options: TestBrokerOptions, dataDirectory: string): NodeConfig {
  return {
    host: "127.0.0.1",
    port: options.port ?? 0,
    dataDirectory,
    nodeId: 0,
    allowedOrigins: options.allowedOrigins ?? [],
    clampReplication: true,
    broker: parseBrokerConfig(options.config ?? {}),
    topics: (options.topics ?? []).map(topicSpec),
    softwareVersion: softwareVersion(),
  };
}

function topicSpec(topic: string | TestTopic): TopicSpec {
  const {
    name,
    partitions = -1,
    config = {},
  }: TestTopic = typeof topic === "string" ? { name: topic } : topic;
  return { name, partitions, replicationFactor: -1, config };
}
