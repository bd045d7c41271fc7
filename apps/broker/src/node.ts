// A node, assembled from any runtime: data directory, controller, broker, in this order up and in reverse down.
// Reads no file, environment or flag of its own; the simulation starts nodes through the same function.

import { Broker, type BrokerConfig, BrokerListener, type Health } from "@millrace/broker";
import { Controller } from "@millrace/controller";
import type { ServerRuntime } from "@millrace/runtime";
import { LogManager, type LogManagerOptions, type StorageConfig } from "@millrace/storage";
import { StorageFailedError } from "./exit-codes.js";
import { applyTopics, type TopicSpec } from "./topics-file.js";

export interface NodeConfig {
  /** Where the node listens; port 0 picks a free one. */
  readonly host: string;
  readonly port: number;
  readonly dataDirectory: string;
  readonly nodeId: number;
  /** Checked against the data directory's; absent: that one's, generated at the first start. */
  readonly clusterId?: string | undefined;
  /** `ws://host:port` that clients are told; absent: what each of them used. */
  readonly advertisedUrl?: string | undefined;
  readonly rack?: string | undefined;
  readonly allowedOrigins?: readonly string[];
  /** A replication factor above the number of brokers is lowered instead of refused. */
  readonly clampReplication?: boolean;
  readonly broker: BrokerConfig;
  readonly storage?: Partial<StorageConfig>;
  /** Topics that shall exist. */
  readonly topics?: readonly TopicSpec[];
  readonly softwareVersion: string;
}

export interface StartNodeOptions {
  readonly runtime: ServerRuntime;
  readonly config: NodeConfig;
  /** Another producer state than storage's own: for tests that show what depends on it. */
  readonly createProducerState?: LogManagerOptions["createProducerState"];
}

export interface Node {
  /** Where clients reach it. */
  readonly url: string;
  readonly host: string;
  readonly port: number;
  readonly clusterId: string;
  readonly nodeId: number;
  readonly dataDirectory: string;
  health(): Health;
  /** Answers what is in flight, syncs everything, releases the data directory. Idempotent. */
  stop(): Promise<void>;
  /** Resolves when the node had to stop by itself, after it did. Never rejects. */
  readonly failed: Promise<Error>;
}

/** What was opened so far, to be closed in reverse. */
type Closing = () => Promise<void>;

/**
 * Starts a node and resolves when it serves.
 * @throws ListenError, FileError, MillraceError; what was opened is closed again
 */
export async function startNode(options: StartNodeOptions): Promise<Node> {
  const closings: Closing[] = [];
  try {
    return await assemble(options, closings);
  } catch (error) {
    await closeAll(closings, options.runtime);
    throw error;
  }
}

async function assemble(options: StartNodeOptions, closings: Closing[]): Promise<Node> {
  const { runtime, config } = options;
  const startedAtMs = runtime.clock.monotonicMs();
  const listener = await BrokerListener.open({
    runtime,
    config: config.broker,
    host: config.host,
    port: config.port,
    advertisedUrl: config.advertisedUrl,
    allowedOrigins: config.allowedOrigins ?? [],
    healthWhileStarting: () => startingHealth(config, runtime.clock.monotonicMs() - startedAtMs),
  });
  closings.push(() => listener.close(0));
  const logs = await openLogs(options);
  closings.push(() => logs.close());
  const controller = await Controller.open({
    runtime,
    logs,
    nodeId: config.nodeId,
    policy: topicPolicy(config),
    maxRecordBytesBetweenSnapshots: config.broker.metadataBytesBetweenSnapshots,
  });
  closings.push(() => controller.close());
  const broker = await Broker.start({
    runtime,
    logs,
    controller,
    listener,
    config: config.broker,
    softwareVersion: config.softwareVersion,
    advertisedUrl: config.advertisedUrl,
    rack: config.rack,
  });
  closings.push(() => broker.stop());
  await applyTopics(config.topics ?? [], {
    controller,
    logger: runtime.logger,
    whenReady: (topicId) => broker.whenTopicReady(topicId),
  });
  let stopped: Promise<void> | undefined;
  const stop = (): Promise<void> => {
    stopped ??= closeAll(closings, runtime);
    return stopped;
  };
  return {
    url: listener.url,
    host: listener.host,
    port: listener.port,
    clusterId: logs.clusterId,
    nodeId: logs.nodeId,
    dataDirectory: config.dataDirectory,
    health: () => broker.health(),
    stop,
    failed: broker.failed.then(async (error) => {
      await stop();
      return new StorageFailedError(error.message, { cause: error });
    }),
  };
}

function openLogs(options: StartNodeOptions): Promise<LogManager> {
  const { runtime, config } = options;
  return LogManager.open({
    runtime,
    createProducerState: options.createProducerState,
    path: config.dataDirectory,
    nodeId: config.nodeId,
    clusterId: config.clusterId,
    config: {
      reserveBytes: config.broker.reserveBytes,
      scrubBytesPerSecond: config.broker.scrubBytesPerSecond,
      ...config.storage,
    },
    onProgress: ({ recoveredLogs, totalLogs, report }) => {
      const { topic, partition, damage, cutBytes, cutReason } = report;
      const fields = { topic, partition, recoveredLogs, totalLogs };
      if (damage !== undefined) {
        runtime.logger.error({ ...fields, damage }, "a partition is quarantined");
      } else if (cutBytes > 0) {
        runtime.logger.warn({ ...fields, cutBytes, cutReason }, "a torn end was cut off a log");
      } else {
        runtime.logger.debug(fields, "log recovered");
      }
    },
  });
}

function topicPolicy(config: NodeConfig) {
  return {
    defaultPartitions: config.broker.numPartitions,
    defaultReplicationFactor: config.broker.defaultReplicationFactor,
    clampReplication: config.clampReplication ?? false,
    maxPartitionsPerTopic: config.broker.maxPartitionsPerTopic,
    maxPartitions: config.broker.maxPartitions,
    topicDefaults: config.broker.topicDefaults,
  };
}

/** Closes in reverse order of opening; a failure is logged and does not keep the rest open. */
async function closeAll(closings: Closing[], runtime: ServerRuntime): Promise<void> {
  for (const close of closings.splice(0).reverse()) {
    try {
      await close();
    } catch (error) {
      runtime.logger.error({ error }, "closing failed");
    }
  }
}

function startingHealth(config: NodeConfig, uptimeMs: number): Health {
  return {
    status: "starting",
    clusterId: config.clusterId ?? "",
    nodeId: config.nodeId,
    uptimeMs: Math.round(uptimeMs),
    version: config.softwareVersion,
    topics: 0,
    partitions: 0,
    quarantined: [],
    uncleanable: [],
    connections: 0,
    cleaner: { passes: 0, removedBytes: 0, lastPassMs: -1 },
    scrub: { passes: 0, verifiedBytes: 0, damages: 0 },
  };
}
