// What users hold: `send`, `flush`, `close`, `metrics`. Wires the pure parts to a cluster client.

import {
  ClusterClient,
  type ClusterClientOptions,
  type TopicMetadata,
} from "@millrace/client-core";
import type { MillraceError } from "@millrace/protocol";
import type { AbortSignalLike, DiagnosticsChannel } from "@millrace/runtime";
import { Accumulator } from "./accumulator.js";
import { BatchBuffers } from "./batch-buffers.js";
import { BufferPool } from "./buffer-pool.js";
import type { ClusterPort } from "./cluster-port.js";
import { abortedError, closedError, deliveryError } from "./delivery-errors.js";
import { ListHandIn, type ListHandInOptions, type ListPart, partsByTopic } from "./list-hand-in.js";
import { createPartitioner, type Partitioner } from "./partitioner.js";
import type { ProducerBatch } from "./producer-batch.js";
import {
  type ProducerConfig,
  type ProducerOptions,
  parseProducerConfig,
} from "./producer-config.js";
import { MetricsRecorder, type ProducerMetrics } from "./producer-metrics.js";
import type { ProducerRecord, RecordMetadata } from "./producer-record.js";
import { RecordIntake, type Submission } from "./record-intake.js";
import { isUntouched, Sender } from "./sender.js";
import { BulkSend, type SentRecords } from "./sent-records.js";

/** With a client that others use too (`client`), or with one of its own (`runtime` and `bootstrap`). */
export type ProducerConstructorOptions = ProducerOptions &
  ({ readonly client: ClusterPort } | ClusterClientOptions);

/** For one call of `send`. */
export interface SendOptions {
  /**
   * Ends the wait. A record that waits for metadata or room is withdrawn; one that is in a batch already cannot be
   * recalled: the promise rejects with `ABORTED` and `details.definite: false`, and the record still travels.
   */
  readonly signal?: AbortSignalLike | undefined;
}

/** For `close`. */
export interface CloseOptions {
  /** How long records on their way may take; then they fail with `CLOSED`. Default 30,000. */
  readonly timeoutMs?: number | undefined;
}

const CLOSE_TIMEOUT_MS = 30_000;
/** This part of `bufferBytes` may be held, beside it, as memory for the next batches. */
const KEPT_BUFFERS_SHARE = 0.25;

/**
 * Sends records. Records of one partition keep the order of the `send` calls, whatever has to be retried; with
 * the defaults each is stored exactly once. Any number of calls may be on their way at once.
 */
export class Producer implements AsyncDisposable {
  readonly #client: ClusterPort;
  readonly #ownsClient: boolean;
  readonly #config: ProducerConfig;
  readonly #accumulator: Accumulator;
  readonly #pool: BufferPool;
  readonly #buffers: BatchBuffers;
  readonly #partitioner: Partitioner;
  readonly #intake: RecordIntake;
  readonly #sender: Sender;
  readonly #metrics = new MetricsRecorder();
  readonly #channel: DiagnosticsChannel;
  #flushes = 0;
  /** Calls of `send` with a list that still hand in their records. */
  readonly #handIns = new Set<Promise<void>>();
  #closing: Promise<void> | undefined;

  /** @throws MillraceError `INVALID_CONFIG_VALUE` */
  constructor(options: ProducerConstructorOptions) {
    this.#ownsClient = !("client" in options);
    this.#client = "client" in options ? options.client : new ClusterClient(options);
    const { runtime } = this.#client;
    this.#config = parseProducerConfig(options, runtime.compute.codecs);
    this.#channel = runtime.diagnostics.channel("millrace:producer:batch");
    this.#partitioner = createPartitioner(this.#config.partitioner, runtime.random);
    this.#pool = new BufferPool(this.#config.bufferBytes);
    this.#buffers = new BatchBuffers(this.#config.bufferBytes * KEPT_BUFFERS_SHARE);
    this.#accumulator = new Accumulator({
      ...this.#config,
      isIdempotent: this.#config.idempotent,
      takeBuffer: (minBytes) => this.#buffers.take(minBytes),
      onOpened: (batch) => {
        batch.report = () => this.#batchSettled(batch);
      },
      onClosed: (batch) => this.#batchClosed(batch),
      onDone: (batch) => this.#pool.release(batch.reservedBytes),
    });
    this.#sender = new Sender({
      client: this.#client,
      config: this.#config,
      accumulator: this.#accumulator,
      metrics: this.#metrics,
      isUrgent: () => this.#flushes > 0 || this.#pool.waiterCount > 0,
    });
    this.#intake = new RecordIntake({
      clock: runtime.clock,
      accumulator: this.#accumulator,
      pool: this.#pool,
      partitioner: this.#partitioner,
      maxBlockMs: this.#config.maxBlockMs,
      cachedTopic: (name) => this.#client.metadata.cachedTopic(name),
      findTopic: (name) => this.#findTopic(name),
      onAppended: () => this.#sender.wake(),
    });
  }

  /**
   * Sends one record; resolves when it is acknowledged as `acks` asks. Waits, at most `maxBlockMs`, while the
   * buffer is full.
   * @throws MillraceError `isDefinite(error)` tells whether the record may still be stored. `RECORD_TOO_LARGE`,
   *   `INVALID_ARGUMENT`, `UNKNOWN_TOPIC_OR_PARTITION`, `BUFFER_FULL`, `DELIVERY_TIMEOUT`, `ABORTED`, `CLOSED`,
   *   or what the broker answered.
   */
  send(record: ProducerRecord, options?: SendOptions): Promise<RecordMetadata>;
  /**
   * Sends many records with one promise: cheaper than as many calls. Resolves when all are acknowledged; rejects,
   * once all are decided, if any failed (`details.failed`, `details.acknowledged`).
   */
  send(records: readonly ProducerRecord[], options?: SendOptions): Promise<SentRecords>;
  send(
    input: ProducerRecord | readonly ProducerRecord[],
    options?: SendOptions,
  ): Promise<RecordMetadata | SentRecords> {
    if (isList(input)) {
      return this.#sendMany(input, options?.signal);
    }
    return new Promise((resolve, reject) => {
      const submission = this.#single(input, resolve, reject);
      if (options?.signal !== undefined) {
        this.#abortable(submission, options.signal, reject);
      } else {
        this.#submit(submission);
      }
    });
  }

  /** Sends what is buffered without lingering; resolves once all records of earlier `send` calls are decided. */
  async flush(): Promise<void> {
    this.#flushes++;
    try {
      this.#sender.wake();
      await Promise.all(this.#handIns);
      await this.#intake.whenDecided();
      await Promise.all(
        [...this.#accumulator.batches()].map(
          (batch) =>
            new Promise<void>((resolve) => {
              if (batch.isSettled) {
                resolve();
              } else {
                batch.onSettled(resolve);
              }
            }),
        ),
      );
    } finally {
      this.#flushes--;
    }
  }

  /** What this producer did so far, and what it holds at the moment. */
  metrics(): ProducerMetrics {
    return this.#metrics.read({
      bufferUsedBytes: this.#pool.usedBytes,
      bufferCapacityBytes: this.#pool.capacityBytes,
      waitingSends: this.#intake.waitingCount,
      requestsInFlight: this.#sender.requestsInFlight,
    });
  }

  /** Refuses new records, flushes, and lets go of the client if it is the producer's own. Twice is fine. */
  close(options: CloseOptions = {}): Promise<void> {
    this.#closing ??= this.#close(options.timeoutMs ?? CLOSE_TIMEOUT_MS);
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(timeoutMs: number): Promise<void> {
    const { clock } = this.#client.runtime;
    let stopWaiting = (): void => {};
    const timeout = new Promise<void>((resolve) => {
      stopWaiting = resolve;
    });
    const timer = clock.setTimer(timeoutMs, stopWaiting);
    await Promise.race([this.flush(), timeout]);
    timer.cancel();
    this.#intake.close((topic) => closedError(topic));
    this.#accumulator.failAll((batch) =>
      deliveryError({
        code: "CLOSED",
        message: "the producer was closed first",
        definite: isUntouched(batch),
        topic: batch.topic,
        partition: batch.partition,
      }),
    );
    this.#sender.stop();
    if (this.#ownsClient) {
      await this.#client.close();
    }
  }

  async #findTopic(name: string): Promise<TopicMetadata> {
    return this.#client.retry(() => this.#client.metadata.topic(name), {
      timeoutMs: this.#config.maxBlockMs,
    });
  }

  #submit(submission: Submission): void {
    if (this.#closing !== undefined) {
      submission.refused(closedError(submission.record.topic));
      return;
    }
    this.#intake.submit(submission);
  }

  #single(
    record: ProducerRecord,
    resolve: (metadata: RecordMetadata) => void,
    reject: (error: MillraceError) => void,
  ): Submission {
    return {
      record,
      calledAtMs: this.#client.runtime.clock.nowMs(),
      appended: (batch, timestamp) => {
        this.#metrics.recordBuffered();
        batch.addSingle({ delta: batch.recordCount - 1, timestamp, resolve, reject });
      },
      refused: reject,
    };
  }

  #abortable(
    plain: Submission,
    signal: AbortSignalLike,
    reject: (error: MillraceError) => void,
  ): void {
    const { topic } = plain.record;
    if (signal.aborted) {
      reject(abortedError(topic, true));
      return;
    }
    const onAbort = (): void => reject(abortedError(topic, this.#intake.withdraw(submission)));
    const forget = (): void => signal.removeEventListener("abort", onAbort);
    const submission: Submission = {
      ...plain,
      appended: (batch, timestamp) => {
        plain.appended(batch, timestamp);
        batch.onSettled(forget);
      },
      refused: (error) => {
        forget();
        plain.refused(error);
      },
    };
    signal.addEventListener("abort", onAbort, { once: true });
    this.#submit(submission);
  }

  #sendMany(
    records: readonly ProducerRecord[],
    signal: AbortSignalLike | undefined,
  ): Promise<SentRecords> {
    const bulk = new BulkSend(records.length);
    const first = records[0];
    if (first === undefined) {
      return bulk.promise;
    }
    if (this.#closing !== undefined || signal?.aborted === true) {
      const error = signal?.aborted === true ? abortedError : closedError;
      bulk.refuse(records.length, error(first.topic, true));
      return bulk.promise;
    }
    const calledAtMs = this.#client.runtime.clock.nowMs();
    for (const part of partsByTopic(records)) {
      this.#handIn({ ...part, calledAtMs, bulk, signal });
    }
    return bulk.promise;
  }

  #handIn(list: Pick<ListHandInOptions, "calledAtMs" | "bulk" | "signal"> & ListPart): void {
    const handIn = new Promise<void>((onDone) => {
      new ListHandIn({
        ...list,
        intake: this.#intake,
        onBuffered: () => this.#metrics.recordBuffered(),
        onDone,
      }).run();
    });
    this.#handIns.add(handIn);
    void handIn.finally(() => this.#handIns.delete(handIn));
  }

  #batchClosed(batch: ProducerBatch): void {
    const count = this.#client.metadata.cachedTopic(batch.topic)?.partitions.length ?? 1;
    this.#partitioner.onNewBatch?.(batch.topic, count, batch.partition);
  }

  #batchSettled(batch: ProducerBatch): void {
    const ageMs = this.#client.runtime.clock.monotonicMs() - batch.createdMs;
    if (batch.error === undefined) {
      this.#metrics.batchAcknowledged(batch, ageMs);
    } else {
      this.#metrics.batchFailed(batch);
    }
    if (this.#channel.hasSubscribers) {
      this.#channel.publish({
        topic: batch.topic,
        partition: batch.partition,
        records: batch.recordCount,
        bytes: batch.sizeBytes,
        attempts: batch.attempts,
        ageMs,
        baseOffset: batch.acknowledgement?.baseOffset,
        error: batch.error?.code,
      });
    }
    const buffer = batch.takeBuffer();
    if (buffer !== undefined) {
      this.#buffers.give(buffer);
    }
  }
}

function isList(
  input: ProducerRecord | readonly ProducerRecord[],
): input is readonly ProducerRecord[] {
  return Array.isArray(input);
}
