// Between the buffer and the iterators: hands out batches in turn, lets one iteration at a time wait for more,
// and ends the wait when records come, the consumer closes, it fails, or the caller's signal aborts. A loop that never
// waits for anything else gets so much at a time, and everybody else of the process a turn in between.

import { MillraceError } from "@millrace/protocol";
import type { AbortSignalLike, Clock } from "@millrace/runtime";
import type { BatchReader, TakenBatch } from "./batch-reader.js";

/** For one iteration over records or batches. */
export interface IterationOptions {
  /** Ends a wait with `ABORTED`. */
  readonly signal?: AbortSignalLike | undefined;
}

/**
 * So much is handed out before timers and sockets get a turn. What is at hand is handed out by promises alone, and a
 * loop over all that is buffered would keep the process, and the next answer, waiting.
 */
const TURN_BYTES = 1024 * 1024;

export interface DeliveryOptions {
  readonly reader: BatchReader;
  readonly clock: Pick<Clock, "defer">;
  /** An iteration begins: records are wanted. */
  onDemand(): void;
  /** A batch left the buffer: there is room. */
  onTaken(): void;
}

export class Delivery {
  readonly #options: DeliveryOptions;
  #owner: object | undefined;
  #wake: (() => void) | undefined;
  #adopted: Promise<TakenBatch | undefined> | undefined;
  #error: MillraceError | undefined;
  #isClosed = false;
  /** Handed out since others were last given a turn. */
  #turnBytes = 0;

  constructor(options: DeliveryOptions) {
    this.#options = options;
  }

  /** An iteration is under way. */
  get isWanted(): boolean {
    return this.#owner !== undefined && !this.#isClosed && this.#error === undefined;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** @throws MillraceError `INVALID_ARGUMENT` while another iteration is under way. */
  begin(owner: object): void {
    if (this.#owner === owner) {
      return;
    }
    if (this.#owner !== undefined) {
      throw new MillraceError(
        "INVALID_ARGUMENT",
        "the consumer is being iterated already; end that loop first",
        { fatal: false },
      );
    }
    this.#owner = owner;
    this.#options.onDemand();
  }

  end(owner: object): void {
    if (this.#owner === owner) {
      this.#owner = undefined;
    }
  }

  /** There may be something to hand out, or a reason to stop waiting. */
  notify(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }

  fail(error: MillraceError): void {
    this.#error ??= error;
    this.notify();
  }

  /** What the consumer failed with has been dealt with. */
  recover(): void {
    this.#error = undefined;
  }

  close(): void {
    this.#isClosed = true;
    this.notify();
  }

  /**
   * A batch if one is at hand; undefined if not, when others are to have a turn first, or when closed.
   * @throws MillraceError what ended the consumer, once nothing is left to hand out; `CORRUPT_RECORD`
   */
  takeNow(): TakenBatch | Promise<TakenBatch | undefined> | undefined {
    if (this.#isClosed || this.#turnBytes >= TURN_BYTES) {
      return undefined;
    }
    const adopted = this.#adopted;
    if (adopted !== undefined) {
      this.#adopted = undefined;
      return adopted;
    }
    const taken = this.#options.reader.take();
    if (taken === undefined) {
      if (this.#error !== undefined) {
        throw this.#error;
      }
      return undefined;
    }
    this.#options.onTaken();
    if (!(taken instanceof Promise)) {
      this.#turnBytes += taken.bytes.length;
    }
    return taken;
  }

  /**
   * The next batch, as soon as there is one; undefined when the consumer is closed.
   * @throws MillraceError as `takeNow`, and `ABORTED`
   */
  async take(signal: AbortSignalLike | undefined): Promise<TakenBatch | undefined> {
    for (;;) {
      if (isAborted(signal)) {
        throw new MillraceError("ABORTED", undefined, { cause: signal?.reason, fatal: false });
      }
      if (this.#turnBytes >= TURN_BYTES && !this.#isClosed) {
        await this.#nextTurn();
        continue;
      }
      const next = this.takeNow();
      const taken = await next;
      if (next instanceof Promise) {
        this.#turnBytes += taken?.bytes.length ?? 0;
      }
      if (taken !== undefined || this.#isClosed) {
        return this.#isClosed ? undefined : taken;
      }
      // Something may have come while this was between two waits.
      const isNews =
        this.#adopted !== undefined || this.#error !== undefined || this.#options.reader.hasMore;
      if (!isNews && !isAborted(signal)) {
        await this.#wait(signal);
      }
    }
  }

  /** Keeps a batch that is still being decompressed for the next call: whoever took it cannot wait. */
  adopt(taken: Promise<TakenBatch | undefined>): void {
    this.#adopted = taken;
    taken.catch(() => {
      // Whoever takes it next meets the error.
    });
  }

  putBack(taken: TakenBatch): void {
    this.#options.reader.putBack(taken);
  }

  #nextTurn(): Promise<void> {
    return new Promise((resolve) => {
      this.#options.clock.defer(() => {
        this.#turnBytes = 0;
        resolve();
      });
    });
  }

  #wait(signal: AbortSignalLike | undefined): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        signal?.removeEventListener("abort", done);
        resolve();
      };
      signal?.addEventListener("abort", done, { once: true });
      this.#wake = done;
    });
  }
}

function isAborted(signal: AbortSignalLike | undefined): boolean {
  return signal?.aborted === true;
}
