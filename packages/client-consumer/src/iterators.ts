// The two ways to read: record by record, and batch by batch. What was handed out counts as processed when the
// next is asked for; leaving the loop leaves the last one unprocessed. While a batch is at hand, `next` costs a
// resolved promise and no more.

import type { AbortSignalLike } from "@millrace/runtime";
import type { TakenBatch } from "./batch-reader.js";
import type { ConsumerBatch } from "./consumer-batch.js";
import type { ConsumerRecord } from "./consumer-record.js";
import type { Delivery, IterationOptions } from "./delivery.js";

/** Keeps calls of `next` that do not wait for each other in order, and the iteration's end final. */
abstract class Iteration<T> implements AsyncIterableIterator<T> {
  protected readonly delivery: Delivery;
  protected readonly signal: AbortSignalLike | undefined;
  #pending: Promise<unknown> | undefined;
  #hasBegun = false;
  #isDone = false;
  #failure: { readonly error: unknown } | undefined;

  constructor(delivery: Delivery, options: IterationOptions) {
    this.delivery = delivery;
    this.signal = options.signal;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<T, undefined>> {
    if (this.#pending !== undefined) {
      return this.#queue(() => this.#step());
    }
    const value = this.#attempt();
    if (value !== undefined) {
      return Promise.resolve({ done: false, value });
    }
    return this.#queue(() => this.#step());
  }

  /** Called by `break` and by a throw in the loop's body. */
  return(): Promise<IteratorResult<T, undefined>> {
    this.#end();
    return Promise.resolve({ done: true, value: undefined });
  }

  /** The next value if it is at hand. May throw. */
  protected abstract takeNow(): T | undefined;
  /** Takes over a batch, and gives its first value; undefined if it has none. */
  protected abstract open(taken: TakenBatch): T | undefined;
  /** What was handed out last stays unprocessed; the rest goes back. */
  protected abstract abandon(): void;

  /** Swallows what `takeNow` throws: `#step` meets it again and rejects with it. */
  #attempt(): T | undefined {
    const isOver = this.#isDone || this.signal?.aborted === true || this.delivery.isClosed;
    if (isOver || !this.#hasBegun) {
      return undefined;
    }
    try {
      return this.takeNow();
    } catch (error) {
      this.#failure = { error };
      return undefined;
    }
  }

  #queue(step: () => Promise<IteratorResult<T, undefined>>): Promise<IteratorResult<T, undefined>> {
    const before = this.#pending;
    const result = before === undefined ? step() : before.then(step, step);
    this.#pending = result;
    const clear = (): void => {
      if (this.#pending === result) {
        this.#pending = undefined;
      }
    };
    result.then(clear, clear);
    return result;
  }

  async #step(): Promise<IteratorResult<T, undefined>> {
    try {
      while (!this.#isDone) {
        this.#throwFailure();
        this.delivery.begin(this);
        this.#hasBegun = true;
        const value = this.#attempt();
        if (value !== undefined) {
          return { done: false, value };
        }
        this.#throwFailure();
        const taken = await this.delivery.take(this.signal);
        if (taken === undefined) {
          break;
        }
        if (this.#isDone) {
          this.delivery.putBack(taken);
          break;
        }
        const first = this.open(taken);
        if (first !== undefined) {
          return { done: false, value: first };
        }
      }
    } catch (error) {
      this.#end();
      throw error;
    }
    this.#end();
    return { done: true, value: undefined };
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) {
      const { error } = this.#failure;
      this.#failure = undefined;
      throw error;
    }
  }

  #end(): void {
    if (!this.#isDone) {
      this.#isDone = true;
      this.abandon();
      this.delivery.end(this);
    }
  }
}

/** `for await (const record of consumer)` */
export class RecordIteration extends Iteration<ConsumerRecord> {
  #taken: TakenBatch | undefined;
  #records: Iterator<ConsumerRecord> | undefined;
  /** Offset behind the record handed out last. */
  #handedOut = -1;

  protected takeNow(): ConsumerRecord | undefined {
    const taken = this.#taken;
    if (taken === undefined) {
      return undefined;
    }
    const { state } = taken;
    if (state.generation !== taken.generation) {
      this.#taken = undefined;
      return undefined;
    }
    state.processed(this.#handedOut);
    if (state.isPaused) {
      this.abandon();
      return undefined;
    }
    const result = this.#records?.next();
    if (result !== undefined && result.done !== true) {
      this.#handedOut = result.value.offset + 1;
      state.handedOut(this.#handedOut);
      return result.value;
    }
    // Offsets that compaction left empty at the batch's end.
    state.handedOut(taken.batch.lastOffset + 1);
    state.processed(taken.batch.lastOffset + 1);
    this.#taken = undefined;
    return this.#openNow();
  }

  protected open(taken: TakenBatch): ConsumerRecord | undefined {
    this.#taken = taken;
    this.#records = taken.batch[Symbol.iterator]();
    this.#handedOut = -1;
    return this.takeNow();
  }

  protected abandon(): void {
    if (this.#taken !== undefined) {
      this.delivery.putBack(this.#taken);
      this.#taken = undefined;
    }
  }

  #openNow(): ConsumerRecord | undefined {
    const next = this.delivery.takeNow();
    if (next instanceof Promise) {
      this.delivery.adopt(next);
      return undefined;
    }
    return next === undefined ? undefined : this.open(next);
  }
}

/** `for await (const batch of consumer.batches())` */
export class BatchIteration extends Iteration<ConsumerBatch> {
  #last: TakenBatch | undefined;

  protected takeNow(): ConsumerBatch | undefined {
    this.#markProcessed();
    const taken = this.delivery.takeNow();
    if (taken instanceof Promise) {
      this.delivery.adopt(taken);
      return undefined;
    }
    return taken === undefined ? undefined : this.open(taken);
  }

  protected open(taken: TakenBatch): ConsumerBatch | undefined {
    if (taken.generation !== taken.state.generation) {
      return undefined;
    }
    this.#last = taken;
    taken.state.handedOut(taken.batch.lastOffset + 1);
    return taken.batch;
  }

  protected abandon(): void {
    this.#last = undefined;
  }

  #markProcessed(): void {
    const last = this.#last;
    if (last !== undefined && last.generation === last.state.generation) {
      last.state.processed(last.batch.lastOffset + 1);
    }
    this.#last = undefined;
  }
}
