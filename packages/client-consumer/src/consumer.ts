// What users hold: an async iterable of records, and where it stands. Wires the parts together and decides what an
// error of a partition means for the consumer.

import { ClusterClient, type ClusterClientOptions } from "@millrace/client-core";
import {
  errorName,
  LATEST_TIMESTAMP,
  MillraceError,
  type Offset,
  type TopicPartition,
} from "@millrace/protocol";
import { BatchReader } from "./batch-reader.js";
import type { ClusterPort } from "./cluster-port.js";
import type { ConsumerBatch } from "./consumer-batch.js";
import {
  type ConsumerConfig,
  type ConsumerOptions,
  checkStart,
  parseConsumerConfig,
} from "./consumer-config.js";
import type { ConsumerRecord } from "./consumer-record.js";
import { Delivery, type IterationOptions } from "./delivery.js";
import { Fetcher } from "./fetcher.js";
import { BatchIteration, RecordIteration } from "./iterators.js";
import { queryOffsets } from "./offset-query.js";
import type { PartitionState, StartPosition } from "./partition-state.js";
import { PrefetchBuffer } from "./prefetch-buffer.js";
import { type RecordHandler, Run, type RunOptions } from "./run.js";
import { Subscription } from "./subscription.js";

/** With a client that others use too (`client`), or with one of its own (`runtime` and `bootstrap`). */
export type ConsumerConstructorOptions = ConsumerOptions &
  ({ readonly client: ClusterPort } | ClusterClientOptions);

/** What `run` takes in for its handlers, unless `maxPartitionBytes` says otherwise. */
const RUN_PENDING_BYTES = 1024 * 1024;

/** An offset of one partition. */
export interface PartitionOffset extends TopicPartition {
  readonly offset: Offset;
}

/** How far a consumer is behind in one partition. */
export interface PartitionLag extends TopicPartition {
  /** The next record to be handed out. */
  readonly position: Offset;
  /** Behind the last record that consumers can see. */
  readonly endOffset: Offset;
  /** Offsets between the two. */
  readonly lag: number;
}

/**
 * Reads partitions from a chosen start. Iterate it for records, or `batches()` for bulk work; one loop at a time.
 * Records are fetched ahead while a loop runs, within `maxPrefetchBytes`. Lost connections and moved leaders are
 * dealt with inside, without end; only an error with `fatal: true` ends a loop. After `break` a new loop goes on
 * behind the last record handed out.
 */
export class Consumer implements AsyncIterable<ConsumerRecord>, AsyncDisposable {
  readonly #client: ClusterPort;
  readonly #ownsClient: boolean;
  readonly #config: ConsumerConfig;
  readonly #buffer: PrefetchBuffer;
  readonly #reader: BatchReader;
  readonly #delivery: Delivery;
  readonly #subscription: Subscription;
  readonly #fetcher: Fetcher;
  readonly #readyWaiters: { resolve(): void; reject(error: MillraceError): void }[] = [];
  #run: { readonly run: Run; readonly done: Promise<void> } | undefined;
  #hasStarted = false;
  #fatalError: MillraceError | undefined;
  #closing: Promise<void> | undefined;

  /** @throws MillraceError `INVALID_CONFIG_VALUE` */
  constructor(options: ConsumerConstructorOptions) {
    this.#config = parseConsumerConfig(options);
    this.#ownsClient = !("client" in options);
    this.#client = "client" in options ? options.client : new ClusterClient(options);
    const { runtime } = this.#client;
    this.#buffer = new PrefetchBuffer(this.#config);
    this.#reader = new BatchReader({
      ...this.#config,
      compute: runtime.compute,
      logger: runtime.logger,
      buffer: this.#buffer,
    });
    this.#delivery = new Delivery({
      reader: this.#reader,
      clock: runtime.clock,
      onDemand: () => this.#start(),
      onTaken: () => this.#fetcher.wake(),
    });
    this.#subscription = new Subscription({
      client: this.#client,
      config: this.#config,
      onChanged: () => this.#partitionsChanged(),
      onFatal: (error) => this.#fail(error),
    });
    this.#fetcher = new Fetcher({
      client: this.#client,
      config: this.#config,
      buffer: this.#buffer,
      partitions: () => this.#subscription.states(),
      isActive: () => this.#delivery.isWanted,
      onRecords: () => this.#delivery.notify(),
      onPartitionError: (state, error) => this.#partitionFailed(state, error),
      onStaleMetadata: () => this.#subscription.update(),
    });
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<ConsumerRecord> {
    return this.records();
  }

  /** Record by record. */
  records(options: IterationOptions = {}): AsyncIterableIterator<ConsumerRecord> {
    return new RecordIteration(this.#delivery, options);
  }

  /** Batch by batch, as producers made them: cheaper for many records. */
  batches(options: IterationOptions = {}): AsyncIterableIterator<ConsumerBatch> {
    return new BatchIteration(this.#delivery, options);
  }

  /**
   * Calls `handler` for each record, `concurrency` of them at a time, in order per partition or per key. A record is
   * processed when its handler has returned and all before it in its partition are processed: `processedPosition`
   * never passes a record that is not. Reads ahead no further than a bounded number of records and bytes.
   *
   * Ends with the first error of a handler, once the other running handlers are done; the next loop or run begins at
   * the processed position, so that records whose handlers finished out of turn come again. Resolves when
   * `options.signal` aborts, or at `close()`, which waits for running handlers (so a handler must not await it).
   * @throws MillraceError `INVALID_CONFIG_VALUE`, `INVALID_ARGUMENT` while a loop is under way, what ends a loop
   */
  async run(handler: RecordHandler, options: RunOptions = {}): Promise<void> {
    const run = new Run(
      {
        delivery: this.#delivery,
        maxPendingBytes: this.#config.maxPartitionBytes ?? RUN_PENDING_BYTES,
        rewind: (state) => this.#rewind(state),
      },
      handler,
      options,
    );
    const done = run.execute();
    if (this.#run !== undefined) {
      // Refused: one at a time.
      return done;
    }
    this.#run = { run, done };
    try {
      await done;
    } finally {
      this.#run = undefined;
    }
  }

  /**
   * Resolves when every partition's start is known: with `from: "latest"`, records sent after that are read.
   * @throws MillraceError `UNKNOWN_TOPIC_OR_PARTITION` and other fatal errors; `CLOSED`
   */
  ready(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#readyWaiters.push({ resolve, reject });
      this.#start();
      this.#settleReady();
    });
  }

  /** The partitions being read; complete once `ready()`. */
  partitions(): TopicPartition[] {
    return [...this.#subscription.states()].map(({ topic, partition }) => ({ topic, partition }));
  }

  /** The next record to be handed out; undefined while the start is not known. */
  position(topic: string, partition: number): Offset | undefined {
    const state = this.#subscription.state(topic, partition);
    return state.isStarted ? state.position : undefined;
  }

  /** Where to begin again without losing or repeating anything: what comes next after the last record processed. */
  processedPosition(topic: string, partition: number): Offset | undefined {
    const state = this.#subscription.state(topic, partition);
    return state.isStarted ? state.processedPosition : undefined;
  }

  /** The positions of all partitions whose start is known. */
  positions(): PartitionOffset[] {
    return [...this.#subscription.states()]
      .filter((state) => state.isStarted)
      .map(({ topic, partition, position }) => ({ topic, partition, offset: position }));
  }

  /**
   * Goes elsewhere in a partition. What was fetched for the old position is dropped; the record at hand counts as
   * neither processed nor not.
   * @throws MillraceError `INVALID_ARGUMENT` for a partition that is not read, `INVALID_CONFIG_VALUE`
   */
  seek(topic: string, partition: number, to: Offset | StartPosition): void {
    const start = typeof to === "number" ? { offset: to } : to;
    checkStart(start);
    this.#restart(this.#subscription.state(topic, partition), start);
    if (this.#fatalError?.code === "OFFSET_OUT_OF_RANGE") {
      this.#fatalError = undefined;
      this.#delivery.recover();
    }
    this.#fetcher.interrupt();
    this.#delivery.notify();
    this.#run?.run.wake();
  }

  /** Hands out nothing more of these partitions (default: of any) until `resume`; what was fetched is kept. */
  pause(partitions: readonly TopicPartition[] = this.partitions()): void {
    for (const { topic, partition } of partitions) {
      this.#subscription.state(topic, partition).isPaused = true;
    }
    this.#run?.run.wake();
  }

  /** Undoes `pause`; without an argument for all partitions. */
  resume(partitions: readonly TopicPartition[] = this.partitions()): void {
    for (const { topic, partition } of partitions) {
      this.#subscription.state(topic, partition).isPaused = false;
    }
    this.#fetcher.interrupt();
    this.#delivery.notify();
    this.#run?.run.wake();
  }

  /** Partitions that are paused. */
  paused(): TopicPartition[] {
    return [...this.#subscription.states()]
      .filter((state) => state.isPaused)
      .map(({ topic, partition }) => ({ topic, partition }));
  }

  /**
   * Asks the leaders where the partitions end: behind the last record that consumers can see.
   * @throws MillraceError what the request throws
   */
  async endOffsets(): Promise<PartitionOffset[]> {
    await this.ready();
    const queries = [...this.#subscription.states()].map((state) => ({
      state,
      timestamp: LATEST_TIMESTAMP,
    }));
    const offsets: PartitionOffset[] = [];
    await queryOffsets(this.#client, this.#config, queries, ({ state }, answer) => {
      if (answer.errorCode !== 0) {
        throw new MillraceError(errorName(answer.errorCode), answer.errorMessage ?? undefined, {
          fatal: false,
        });
      }
      offsets.push({ topic: state.topic, partition: state.partition, offset: answer.offset });
    });
    return offsets;
  }

  /** How far behind each partition's end the consumer is. @throws MillraceError as `endOffsets` */
  async lag(): Promise<PartitionLag[]> {
    const ends = await this.endOffsets();
    return ends.map(({ topic, partition, offset: endOffset }) => {
      const { position } = this.#subscription.state(topic, partition);
      return { topic, partition, position, endOffset, lag: Math.max(0, endOffset - position) };
    });
  }

  /** Ends every loop and all fetching, waits for the handlers of `run`, and lets go of the client if it is the consumer's own. Twice is fine. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    this.#delivery.close();
    this.#run?.run.end();
    // What a handler threw is told to whoever called `run`.
    await this.#run?.done.catch(() => {});
    this.#fetcher.close();
    this.#subscription.close();
    const error = new MillraceError("CLOSED", "the consumer is closed");
    for (const waiter of this.#readyWaiters.splice(0)) {
      waiter.reject(error);
    }
    if (this.#ownsClient) {
      await this.#client.close();
    }
  }

  #start(): void {
    if (!this.#hasStarted && this.#closing === undefined) {
      this.#hasStarted = true;
      this.#subscription.update();
    }
    this.#fetcher.wake();
  }

  #restart(state: PartitionState, start: StartPosition): void {
    this.#buffer.discard(state);
    state.restart(start);
    if (!state.isStarted) {
      this.#subscription.update();
    }
  }

  #rewind(state: PartitionState): void {
    if (this.#closing === undefined) {
      this.#restart(state, { offset: state.processedPosition });
      this.#fetcher.interrupt();
    }
  }

  #partitionsChanged(): void {
    this.#settleReady();
    this.#fetcher.wake();
  }

  #settleReady(): void {
    const error =
      this.#closing === undefined
        ? this.#fatalError
        : new MillraceError("CLOSED", "the consumer is closed");
    if (error === undefined && !this.#subscription.isReady) {
      return;
    }
    for (const waiter of this.#readyWaiters.splice(0)) {
      if (error === undefined) {
        waiter.resolve();
      } else {
        waiter.reject(error);
      }
    }
  }

  #fail(error: MillraceError): void {
    this.#fatalError ??= error;
    this.#settleReady();
    this.#delivery.fail(error);
  }

  #partitionFailed(state: PartitionState, error: MillraceError): void {
    const { topic, partition } = state;
    if (error.code === "OFFSET_OUT_OF_RANGE") {
      this.#outOfRange(state);
      return;
    }
    if (!error.retriable && !mayPass(error)) {
      this.#fail(
        new MillraceError(error.code, `${topic}-${partition}: ${error.message}`, {
          cause: error,
          details: { topic, partition, offset: state.fetchOffset },
        }),
      );
      return;
    }
    this.#fetcher.rest(state);
    if (error.refreshMetadata || mayPass(error)) {
      this.#subscription.update();
    }
  }

  #outOfRange(state: PartitionState): void {
    const { topic, partition, fetchOffset } = state;
    const { onOutOfRange } = this.#config;
    // First everything that was fetched before is handed out; then the broker says it again.
    if (state.position !== fetchOffset) {
      this.#fetcher.rest(state);
      return;
    }
    if (onOutOfRange === "fail") {
      this.#fail(
        new MillraceError(
          "OFFSET_OUT_OF_RANGE",
          `${topic}-${partition} has no offset ${fetchOffset}; seek, or choose onOutOfRange`,
          { details: { topic, partition, offset: fetchOffset } },
        ),
      );
      return;
    }
    const fields = { topic, partition, offset: fetchOffset, onOutOfRange };
    this.#client.runtime.logger.warn(fields, "the position is outside the log; starting again");
    this.#restart(state, onOutOfRange);
  }
}

/** The topic may be gone: its metadata will tell, and end the consumer if it is. */
function mayPass(error: MillraceError): boolean {
  return error.code === "UNKNOWN_TOPIC_OR_PARTITION" || error.code === "UNKNOWN_TOPIC_ID";
}
