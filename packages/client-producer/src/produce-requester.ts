// One produce request and its answer: builds the batches' bytes, keeps requests to a node in order even while a
// batch is being compressed, and turns an answer, or the lack of one, into an outcome per batch.

import {
  type ErrorName,
  errorName,
  FRAME_OVERHEAD_BYTES,
  isMillraceError,
  MillraceError,
  type RequestOf,
  type ResponseOf,
  rewriteProducer,
} from "@millrace/protocol";
import type { ClusterPort } from "./cluster-port.js";
import type { ProducerBatch } from "./producer-batch.js";
import type { ProducerConfig } from "./producer-config.js";
import type { MetricsRecorder } from "./producer-metrics.js";
import type { BatchAcknowledgement } from "./producer-record.js";

export type BatchOutcome =
  | { readonly batch: ProducerBatch; readonly acknowledgement: BatchAcknowledgement }
  | {
      readonly batch: ProducerBatch;
      readonly acknowledgement?: undefined;
      readonly error: MillraceError;
    };

export interface RequesterOptions {
  readonly client: ClusterPort;
  readonly config: ProducerConfig;
  readonly metrics: MetricsRecorder;
  /** Exactly once for each batch of each request. */
  onOutcomes(outcomes: readonly BatchOutcome[]): void;
}

type ProduceEntry = ResponseOf<"produce">["partitions"][number];
type RequestEntry = RequestOf<"produce">["partitions"][number];

const NOTHING_PROMISED: BatchAcknowledgement = {
  baseOffset: -1,
  logAppendTime: -1,
  replicas: 0,
  fsynced: false,
};

export class ProduceRequester {
  readonly #options: RequesterOptions;
  readonly #inFlight = new Map<number, number>();
  /** Requests to a node that wait for a batch being compressed. */
  readonly #preparing = new Map<number, Promise<void>>();
  #totalInFlight = 0;

  constructor(options: RequesterOptions) {
    this.#options = options;
  }

  get totalInFlight(): number {
    return this.#totalInFlight;
  }

  requestsInFlight(nodeId: number): number {
    return this.#inFlight.get(nodeId) ?? 0;
  }

  maxRequestBytes(nodeId: number): number {
    const { client, config } = this.#options;
    const maxFrameBytes = client.maxFrameBytes(nodeId) ?? Number.POSITIVE_INFINITY;
    return Math.min(config.maxRequestBytes, maxFrameBytes - FRAME_OVERHEAD_BYTES);
  }

  /** Requests to one node leave in the order of these calls. */
  send(nodeId: number, batches: readonly ProducerBatch[]): void {
    this.#count(nodeId, 1);
    const before = this.#preparing.get(nodeId);
    const needsTime =
      this.#options.config.compression !== "none" &&
      batches.some((batch) => batch.bytes === undefined);
    if (before === undefined && !needsTime) {
      this.#sendPrepared(nodeId, batches);
      return;
    }
    const turn = this.#prepareInTurn(before, batches).then(
      () => this.#sendPrepared(nodeId, batches),
      (error: unknown) => this.#finish(nodeId, failAll(batches, "INVALID_RECORD", error)),
    );
    this.#preparing.set(nodeId, turn);
    void turn.finally(() => {
      if (this.#preparing.get(nodeId) === turn) {
        this.#preparing.delete(nodeId);
      }
    });
  }

  async #prepareInTurn(
    before: Promise<void> | undefined,
    batches: readonly ProducerBatch[],
  ): Promise<void> {
    const { compute } = this.#options.client.runtime;
    const { compression: codec, compressionLevel: level } = this.#options.config;
    // Compression may run beside what goes before; only the sending has to wait for it.
    await Promise.all([
      before,
      ...batches
        .filter((batch) => batch.bytes === undefined)
        .map(async (batch) => {
          const sequence = batch.sequence;
          batch.bytes = await batch.builder.buildCompressed({
            ...sequence,
            compute,
            codec,
            level,
          });
          batch.builtFor = sequence;
        }),
    ]);
  }

  #sendPrepared(nodeId: number, batches: readonly ProducerBatch[]): void {
    const { client, config, metrics } = this.#options;
    const records: Uint8Array[] = [];
    const partitions: RequestEntry[] = [];
    for (const batch of batches) {
      const topicId = client.metadata.cachedTopic(batch.topic)?.topicId;
      if (topicId === undefined) {
        this.#finish(nodeId, failAll(batches, "LEADER_NOT_AVAILABLE", undefined));
        return;
      }
      const bytes = this.#bytesOf(batch);
      records.push(bytes);
      partitions.push({ topicId, partition: batch.partition, recordsLength: bytes.length });
    }
    metrics.requestSent(batches);
    const timeoutMs = config.requestTimeoutMs;
    const acks = config.acks === "all" ? -1 : config.acks;
    const answer = client.request(
      { nodeId },
      "produce",
      { acks, timeoutMs, partitions },
      { records, timeoutMs, channel: "default" },
    );
    if (config.acks === 0) {
      this.#options.onOutcomes(
        batches.map((batch) => ({ batch, acknowledgement: NOTHING_PROMISED })),
      );
      const done = () => this.#finish(nodeId, []);
      answer.then(done, done);
      return;
    }
    answer.then(
      ({ body }) => this.#finish(nodeId, readAnswer(batches, partitions, body.partitions)),
      (error: unknown) => this.#finish(nodeId, failAll(batches, "UNKNOWN_SERVER_ERROR", error)),
    );
  }

  #bytesOf(batch: ProducerBatch): Uint8Array {
    const { compute } = this.#options.client.runtime;
    const sequence = batch.sequence;
    if (batch.bytes === undefined) {
      batch.bytes = batch.builder.build({ ...sequence, compute });
    } else if (batch.builtFor !== sequence && sequence !== undefined) {
      // A copy: the bytes of the earlier attempt may still lie in a socket.
      batch.bytes = batch.bytes.slice();
      rewriteProducer(batch.bytes, sequence, compute);
    }
    batch.builtFor = sequence;
    return batch.bytes;
  }

  #finish(nodeId: number, outcomes: readonly BatchOutcome[]): void {
    this.#count(nodeId, -1);
    this.#options.onOutcomes(outcomes);
  }

  #count(nodeId: number, change: 1 | -1): void {
    this.#totalInFlight += change;
    this.#inFlight.set(nodeId, this.requestsInFlight(nodeId) + change);
  }
}

/** `error` as it is if it is one of ours, else under the name `code`. */
function failAll(
  batches: readonly ProducerBatch[],
  code: ErrorName,
  error: unknown,
): BatchOutcome[] {
  const message = error instanceof Error ? error.message : undefined;
  const known = isMillraceError(error) ? error : new MillraceError(code, message, { cause: error });
  return batches.map((batch) => ({ batch, error: known }));
}

function readAnswer(
  batches: readonly ProducerBatch[],
  requested: readonly RequestEntry[],
  answered: readonly ProduceEntry[],
): BatchOutcome[] {
  return batches.map((batch, index): BatchOutcome => {
    const wanted = requested[index];
    const matches = (entry: ProduceEntry | undefined): boolean =>
      entry?.topicId === wanted?.topicId && entry?.partition === wanted?.partition;
    const entry = matches(answered[index]) ? answered[index] : answered.find(matches);
    if (entry === undefined) {
      const message = "the broker's answer does not mention the partition";
      return { batch, error: new MillraceError("PROTOCOL_VIOLATION", message) };
    }
    if (entry.errorCode !== 0) {
      return readError(batch, entry);
    }
    const { baseOffset, logAppendTime, replicas, fsynced } = entry;
    return { batch, acknowledgement: { baseOffset, logAppendTime, replicas, fsynced } };
  });
}

function readError(batch: ProducerBatch, entry: ProduceEntry): BatchOutcome {
  const code = errorName(entry.errorCode);
  // The broker has the batch, but no longer knows where.
  if (code === "DUPLICATE_SEQUENCE_NUMBER") {
    const { replicas, fsynced } = entry;
    return {
      batch,
      acknowledgement: { baseOffset: -1, logAppendTime: -1, replicas, fsynced },
    };
  }
  return { batch, error: new MillraceError(code, entry.errorMessage ?? undefined) };
}
