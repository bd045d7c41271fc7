// A cluster of one node in memory, scripted by the tests of this package.

import type { TopicMetadata } from "@millrace/client-core";
import {
  errorCode,
  MillraceError,
  patchBatchPosition,
  RecordBatchBuilder,
  type RequestOf,
  type WireErrorName,
} from "@millrace/protocol";
import {
  type AbortSignalLike,
  type ClientRuntime,
  crc32c,
  silentDiagnostics,
  silentLogger,
} from "@millrace/runtime";
import type { ClusterPort } from "../cluster-port.js";
import { Consumer } from "../consumer.js";
import type { ConsumerOptions } from "../consumer-config.js";

export const TOPIC_ID = "00000000-0000-4000-8000-000000000001";
export const compute: ClientRuntime["compute"] = {
  crc32c,
  codecs: ["none"],
  compress: () => Promise.reject(new Error("not here")),
  decompress: () => Promise.reject(new Error("not here")),
};

interface StoredBatch {
  readonly baseOffset: number;
  readonly lastOffset: number;
  readonly bytes: Uint8Array;
}

/** One partition: batches of given values, and where the log starts. */
export class Partition {
  readonly batches: StoredBatch[] = [];
  startOffset = 0;
  get endOffset(): number {
    return (this.batches.at(-1)?.lastOffset ?? this.startOffset - 1) + 1;
  }
  append(values: readonly string[], options: { isControl?: boolean } = {}): StoredBatch {
    const builder = new RecordBatchBuilder();
    for (const value of values) {
      builder.append({ key: `k${value}`, value, timestamp: this.endOffset + builder.recordCount });
    }
    const bytes = builder.build({ compute, ...options });
    const baseOffset = this.endOffset;
    patchBatchPosition(bytes, 0, { baseOffset, leaderEpoch: 0 });
    const batch = { baseOffset, lastOffset: baseOffset + values.length - 1, bytes };
    this.batches.push(batch);
    return batch;
  }
}

function partitionAt(partitions: readonly Partition[], index: number): Partition {
  const partition = partitions[index];
  if (partition === undefined) {
    throw new Error(`there is no partition ${index}`);
  }
  return partition;
}

type Fetch = RequestOf<"fetch">;

/** A cluster of one node with one topic, with incremental fetch sessions and long polls. */
export class ScriptedCluster implements ClusterPort {
  readonly runtime: ClientRuntime;
  partitions: Partition[] = [new Partition()];
  topicId = TOPIC_ID;
  isTopicGone = false;
  readonly fetches: Fetch[] = [];
  /** Answered (or thrown) instead of the next fetches, in this order. */
  readonly failures: (WireErrorName | MillraceError)[] = [];
  #sessionPartitions = new Map<number, number>();
  readonly #parked = new Set<() => void>();

  constructor() {
    const timers = { cancel: () => {} };
    this.runtime = {
      clock: {
        nowMs: () => 0,
        monotonicMs: () => 0,
        setTimer: () => timers,
        sleep: () => Promise.resolve(),
        defer: (callback) => void Promise.resolve().then(callback),
      },
      random: { fill: (target) => target, float: () => 0, below: () => 0 },
      network: { dial: () => Promise.reject(new Error("no network")) },
      compute,
      logger: silentLogger,
      diagnostics: silentDiagnostics,
    };
  }

  readonly metadata: ClusterPort["metadata"] = {
    cachedTopic: () => this.#topic(),
    topic: async (name) => {
      if (this.isTopicGone || name !== "t") {
        throw new MillraceError("UNKNOWN_TOPIC_OR_PARTITION");
      }
      return this.#topic();
    },
    refresh: async () => {},
  };
  close = () => Promise.resolve();

  request: ClusterPort["request"] = (async (_target, api, body, options) => {
    if (api === "listOffsets") {
      return {
        body: this.#listOffsets(body as RequestOf<"listOffsets">),
        records: new Uint8Array(),
      };
    }
    return this.#fetch(body as Fetch, options?.signal);
  }) as ClusterPort["request"];

  /** New records are there: parked fetches look again. */
  wake(): void {
    for (const wake of [...this.#parked]) {
      wake();
    }
  }

  #topic(): TopicMetadata {
    const partitions = this.partitions.map((_, partition) => ({
      partition,
      leaderId: 0,
      leaderEpoch: 0,
      replicas: [0],
      isr: [0],
    }));
    const { topicId } = this;
    return { name: "t", topicId, isInternal: false, maxMessageBytes: 1_000_000, partitions };
  }

  #listOffsets({ partitions }: RequestOf<"listOffsets">) {
    return {
      partitions: partitions.map(({ topicId, partition, timestamp }) => {
        const { startOffset, endOffset } = partitionAt(this.partitions, partition);
        let offset = timestamp === -1 ? endOffset : startOffset;
        if (timestamp >= 0) {
          offset = timestamp < endOffset ? Math.max(timestamp, startOffset) : -1;
        }
        return {
          topicId,
          partition,
          errorCode: 0,
          timestamp: -1,
          offset,
          leaderEpoch: 0,
          errorMessage: null,
        };
      }),
    };
  }

  async #fetch(body: Fetch, signal: AbortSignalLike | undefined): Promise<unknown> {
    this.fetches.push(body);
    const failure = this.failures.shift();
    if (failure instanceof MillraceError) {
      throw failure;
    }
    if (body.sessionEpoch === 0) {
      this.#sessionPartitions = new Map();
    }
    for (const { partition, fetchOffset } of body.partitions) {
      this.#sessionPartitions.set(partition, fetchOffset);
    }
    for (const { partition } of body.forgotten) {
      this.#sessionPartitions.delete(partition);
    }
    for (;;) {
      const entries = [...this.#sessionPartitions].flatMap(([partition, offset]) =>
        this.#read(partition, offset, failure),
      );
      if (entries.length > 0 || body.maxWaitMs === 0) {
        const records = new Uint8Array(Buffer.concat(entries.map(({ bytes }) => bytes)));
        return { body: { sessionId: 5, partitions: entries.map(({ entry }) => entry) }, records };
      }
      await new Promise<void>((resolve, reject) => {
        const wake = (): void => {
          this.#parked.delete(wake);
          resolve();
        };
        this.#parked.add(wake);
        signal?.addEventListener("abort", () => reject(new MillraceError("ABORTED")));
      });
    }
  }

  #read(partition: number, offset: number, failure: WireErrorName | undefined) {
    const { startOffset, endOffset, batches } = partitionAt(this.partitions, partition);
    const isOutside = offset < startOffset || offset > endOffset;
    const code = failure ?? (isOutside ? "OFFSET_OUT_OF_RANGE" : undefined);
    // One batch an answer, so that there are many answers.
    const batch = batches.find(({ lastOffset }) => lastOffset >= offset);
    if (code === undefined && batch === undefined) {
      return [];
    }
    const bytes = code === undefined && batch !== undefined ? batch.bytes : new Uint8Array();
    const entry = {
      topicId: TOPIC_ID,
      partition,
      errorCode: code === undefined ? 0 : errorCode(code),
      highWatermark: endOffset,
      lastStableOffset: endOffset,
      logStartOffset: startOffset,
      recordsLength: bytes.length,
      leaderId: 0,
      leaderEpoch: 0,
      divergingEpoch: -1,
      divergingEndOffset: -1,
      errorMessage: null,
    };
    return [{ entry, bytes }];
  }
}

export function create(options: ConsumerOptions = {}): {
  cluster: ScriptedCluster;
  consumer: Consumer;
  log: Partition;
} {
  const cluster = new ScriptedCluster();
  const consumer = new Consumer({
    client: cluster,
    ...(options.partitions === undefined ? { topics: "t" } : {}),
    from: "earliest",
    ...options,
  });
  return { cluster, consumer, log: partitionAt(cluster.partitions, 0) };
}

export async function read(consumer: Consumer, count: number): Promise<string[]> {
  const values: string[] = [];
  if (count > 0) {
    for await (const record of consumer) {
      values.push(record.text() ?? "");
      if (values.length === count) {
        break;
      }
    }
  }
  return values;
}
