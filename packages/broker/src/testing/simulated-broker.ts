// A whole broker on a simulated machine, with clients on others. Only tests import it.

import { Controller } from "@millrace/controller";
import { batchHeaders, RecordBatchBuilder, type RequestOf } from "@millrace/protocol";
import type { Logger, ServerRuntime } from "@millrace/runtime";
import { Simulation } from "@millrace/runtime/sim";
import { LogManager, type StorageConfig } from "@millrace/storage";
import { Broker } from "../broker.js";
import { parseBrokerConfig } from "../broker-config.js";
import { BrokerListener } from "../listener.js";
import { WireClient } from "./wire-client.js";

export const BROKER_URL = "ws://broker:9092";

export interface RunningBroker {
  readonly broker: Broker;
  readonly controller: Controller;
  readonly logs: LogManager;
  readonly listener: BrokerListener;
  stop(): Promise<void>;
}

export interface StartOptions {
  readonly storage?: Partial<StorageConfig>;
  /** A runtime that behaves differently: what a planted bug looks like from outside. */
  readonly change?: (runtime: ServerRuntime) => ServerRuntime;
}

export class World {
  readonly simulation: Simulation;
  readonly clientRuntime: ServerRuntime;
  readonly logLines: string[] = [];

  constructor(seed = 1) {
    this.simulation = new Simulation({ seed });
    this.clientRuntime = this.simulation.node("client").runtime();
  }

  async start(
    entries: Record<string, string> = {},
    { storage = {}, change = (runtime) => runtime }: StartOptions = {},
  ): Promise<RunningBroker> {
    const node = this.simulation.node("broker");
    const runtime = change(node.runtime({ logger: this.recordingLogger({}) }));
    const broker = parseBrokerConfig(entries);
    const listener = await BrokerListener.open({
      runtime,
      config: broker,
      host: "broker",
      port: 9092,
      advertisedUrl: undefined,
      allowedOrigins: [],
      healthWhileStarting: () => {
        throw new Error("nobody asks while a test starts");
      },
    });
    const config = { spoilsFreeMemory: true, ...storage };
    const logs = await LogManager.open({ runtime, path: "/data", nodeId: 0, config });
    const controller = await Controller.open({
      runtime,
      logs,
      nodeId: 0,
      policy: {
        defaultPartitions: broker.numPartitions,
        defaultReplicationFactor: 1,
        clampReplication: false,
        maxPartitionsPerTopic: broker.maxPartitionsPerTopic,
        maxPartitions: broker.maxPartitions,
        topicDefaults: broker.topicDefaults,
      },
    });
    const started = await Broker.start({
      runtime,
      logs,
      controller,
      config: broker,
      listener,
      softwareVersion: "1.2.3",
    });
    return {
      broker: started,
      controller,
      logs,
      listener,
      stop: async () => {
        await started.stop();
        await controller.close();
        await logs.close();
      },
    };
  }

  client(): Promise<WireClient> {
    return WireClient.open(this.clientRuntime.network, BROKER_URL);
  }

  /** Runs a test's body with a broker and a connected client, in virtual time. */
  static run(
    body: (all: { world: World; running: RunningBroker; client: WireClient }) => Promise<void>,
    config: Record<string, string> = {},
    options: StartOptions = {},
  ): Promise<void> {
    const world = new World();
    return world.simulation.run(async () => {
      const running = await world.start(config, options);
      await body({ world, running, client: await world.client() });
      await running.stop();
    });
  }

  private recordingLogger(fields: object): Logger {
    const write = (more: object, message: string): void => {
      this.logLines.push(`${message} ${JSON.stringify({ ...fields, ...more })}`);
    };
    return {
      trace: write,
      debug: write,
      info: write,
      warn: write,
      error: write,
      fatal: write,
      child: (more) => this.recordingLogger({ ...fields, ...more }),
    };
  }
}

/** Creates a topic and returns its id. */
export async function createTopic(
  client: WireClient,
  name: string,
  rest: Partial<RequestOf<"createTopics">["topics"][number]> = {},
): Promise<string> {
  const { body } = await client.request("createTopics", {
    topics: [{ name, partitions: 1, replicationFactor: 1, config: {}, ...rest }],
    validateOnly: false,
    timeoutMs: 10_000,
  });
  const [topic] = body.topics;
  if (topic?.topicId === null || topic === undefined) {
    throw new Error(`not created: ${topic?.errorMessage}`);
  }
  return topic.topicId;
}

export interface BatchOptions {
  readonly producerId?: number;
  readonly producerEpoch?: number;
  readonly baseSequence?: number;
  readonly timestamp?: number;
}

/** One batch with a record per value. */
export function batchOf(
  runtime: Pick<ServerRuntime, "compute" | "clock">,
  values: readonly (string | Uint8Array)[],
  { timestamp, ...options }: BatchOptions = {},
): Uint8Array {
  const builder = new RecordBatchBuilder();
  for (const value of values) {
    builder.append({ key: null, value, timestamp: timestamp ?? runtime.clock.nowMs() });
  }
  return builder.build({ ...options, compute: runtime.compute });
}

export async function produce(
  client: WireClient,
  topicId: string,
  batch: Uint8Array,
  rest: { partition?: number; acks?: number; timeoutMs?: number } = {},
) {
  const { partition = 0, acks = -1, timeoutMs = 10_000 } = rest;
  const partitions = [{ topicId, partition, recordsLength: batch.length }];
  const answer = await client.request("produce", { acks, timeoutMs, partitions }, batch);
  const [produced] = answer.body?.partitions ?? [];
  if (produced === undefined) {
    throw new Error(`${answer.error}: ${answer.message}`);
  }
  return produced;
}

type FetchPartition = RequestOf<"fetch">["partitions"][number];

export function wanted(
  topicId: string,
  fetchOffset = 0,
  rest: Partial<FetchPartition> = {},
): FetchPartition {
  return {
    topicId,
    partition: 0,
    fetchOffset,
    maxBytes: 1_000_000,
    currentLeaderEpoch: -1,
    lastFetchedEpoch: -1,
    flushedOffset: -1,
    logStartOffset: -1,
    ...rest,
  };
}

export function fetchRequest(
  partitions: readonly FetchPartition[],
  rest: Partial<RequestOf<"fetch">> = {},
): RequestOf<"fetch"> {
  return {
    replicaId: -1,
    maxWaitMs: 0,
    minBytes: 1,
    maxBytes: 10_000_000,
    isolationLevel: 0,
    sessionId: 0,
    sessionEpoch: -1,
    partitions,
    forgotten: [],
    rack: null,
    ...rest,
  };
}

/** First and last offset of every batch in the bytes. */
export function offsetsOf(records: Uint8Array): [number, number][] {
  return [...batchHeaders(records)].map(({ header }) => [header.baseOffset, header.lastOffset]);
}
