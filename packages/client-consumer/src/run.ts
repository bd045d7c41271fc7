// The shell of `consumer.run`: reads records ahead for the schedule, starts handlers, and ends when told to, or
// with the first error, but never before the last handler has returned.

import { MillraceError } from "@millrace/protocol";
import type { AbortSignalLike } from "@millrace/runtime";
import { AbortSwitch } from "./abort-switch.js";
import type { TakenBatch } from "./batch-reader.js";
import type { ConsumerRecord } from "./consumer-record.js";
import type { Delivery } from "./delivery.js";
import type { PartitionState } from "./partition-state.js";
import { RunSchedule, type RunTask } from "./run-schedule.js";

/** Called for each record; what it returns is awaited. */
export type RecordHandler = (record: ConsumerRecord) => unknown;

/** How many handlers run side by side, and what keeps its order. */
export interface RunOptions {
  /** Handlers running at a time; 1 to 1,000. Default 1. */
  readonly concurrency?: number | undefined;
  /**
   * `"partition"`: one handler at a time for each partition. `"key"`: one at a time for each key of a partition;
   * records without a key run side by side. Default `"partition"`.
   */
  readonly orderBy?: "key" | "partition" | undefined;
  /** Ends the run: no handler starts any more, and `run` resolves when the running ones are done. */
  readonly signal?: AbortSignalLike | undefined;
}

export interface RunContext {
  readonly delivery: Delivery;
  /** Bytes of records taken in for handlers. */
  readonly maxPendingBytes: number;
  /** Goes back to what is not processed: the next loop or run begins there. */
  rewind(state: PartitionState): void;
}

const CONCURRENCY_MAX = 1_000;
/** So many records are taken in for each handler, so that a slow key does not hold up the others. */
const READ_AHEAD_PER_HANDLER = 64;

export class Run {
  readonly #context: RunContext;
  readonly #handler: RecordHandler;
  readonly #signal: AbortSignalLike | undefined;
  readonly #schedule: RunSchedule;
  /** Ends the wait for records. */
  readonly #stop = new AbortSwitch();
  #failure: { readonly error: unknown } | undefined;
  #notify: (() => void) | undefined;

  /** @throws MillraceError `INVALID_CONFIG_VALUE` */
  constructor(context: RunContext, handler: RecordHandler, options: RunOptions) {
    const { concurrency = 1, orderBy = "partition", signal } = options;
    checkOptions(concurrency, orderBy);
    this.#context = context;
    this.#handler = handler;
    this.#signal = signal;
    this.#schedule = new RunSchedule({
      concurrency,
      orderBy,
      maxPendingRecords: concurrency * READ_AHEAD_PER_HANDLER,
      maxPendingBytes: context.maxPendingBytes,
    });
  }

  /** Resolves when it was ended by the signal or by closing; rejects with what a handler threw. */
  async execute(): Promise<void> {
    const { delivery } = this.#context;
    const onAbort = (): void => this.end();
    if (this.#signal?.aborted === true) {
      return;
    }
    delivery.begin(this);
    this.#signal?.addEventListener("abort", onAbort, { once: true });
    try {
      await this.#read();
    } catch (error) {
      if (!this.#stop.aborted) {
        this.#fail(error);
      }
    } finally {
      this.#signal?.removeEventListener("abort", onAbort);
      this.end();
      await this.#handlersDone();
      for (const state of this.#schedule.unfinished()) {
        this.#context.rewind(state);
      }
      delivery.end(this);
    }
    if (this.#failure !== undefined) {
      throw this.#failure.error;
    }
  }

  /** Partitions were resumed, or the consumer was sent elsewhere: there may be something to start. */
  wake(): void {
    this.#pump();
    this.#changed();
  }

  async #read(): Promise<void> {
    const { delivery } = this.#context;
    while (!this.#stop.aborted) {
      const taken = await delivery.take(this.#stop);
      if (taken === undefined) {
        return;
      }
      await this.#takeIn(taken);
    }
  }

  /** Hands a batch to the schedule, as fast as that has room. What is left goes back. */
  async #takeIn(taken: TakenBatch): Promise<void> {
    const { state, batch, generation } = taken;
    const isStale = (): boolean =>
      this.#stop.aborted || state.generation !== generation || state.isPaused;
    const records = batch[Symbol.iterator]();
    for (;;) {
      while (!isStale() && !this.#schedule.hasRoom) {
        await new Promise<void>((resolve) => {
          this.#notify = resolve;
        });
      }
      if (isStale()) {
        this.#context.delivery.putBack(taken);
        return;
      }
      const result = records.next();
      if (result.done === true) {
        break;
      }
      state.handedOut(result.value.offset + 1);
      this.#schedule.add(state, result.value);
      this.#pump();
    }
    state.handedOut(batch.lastOffset + 1);
    this.#schedule.readTo(state, batch.lastOffset + 1);
  }

  /** Starts what may start. */
  #pump(): void {
    while (!this.#stop.aborted) {
      const task = this.#schedule.next();
      if (task === undefined) {
        return;
      }
      void this.#handle(task);
    }
  }

  /** Never rejects. */
  async #handle(task: RunTask): Promise<void> {
    try {
      await this.#handler(task.record);
      this.#schedule.finish(task);
    } catch (error) {
      this.#schedule.fail(task);
      this.#fail(error);
    }
    this.#pump();
    this.#changed();
  }

  #fail(error: unknown): void {
    this.#failure ??= { error };
    this.end();
  }

  /** No handler starts any more. */
  end(): void {
    this.#stop.abort("the run has ended");
    this.#changed();
  }

  #changed(): void {
    const notify = this.#notify;
    this.#notify = undefined;
    notify?.();
  }

  async #handlersDone(): Promise<void> {
    while (this.#schedule.runningCount > 0) {
      await new Promise<void>((resolve) => {
        this.#notify = resolve;
      });
    }
  }
}

function checkOptions(concurrency: number, orderBy: string): void {
  if (!Number.isInteger(concurrency) || concurrency < 1 || concurrency > CONCURRENCY_MAX) {
    throw new MillraceError(
      "INVALID_CONFIG_VALUE",
      `concurrency: expected an integer from 1 to ${CONCURRENCY_MAX}, got ${concurrency}`,
    );
  }
  if (orderBy !== "key" && orderBy !== "partition") {
    throw new MillraceError("INVALID_CONFIG_VALUE", `orderBy: expected "key" or "partition"`);
  }
}
