// Keeps answers from piling up for a client that does not read: work that makes large answers runs one at a
// time and only while little is buffered, and a client that takes nothing for too long is given up. Looks at
// the connection's own count of buffered bytes; a timer stands in for drain events that never come.

import type { Clock, Connection, Timer } from "@millrace/runtime";
import { COUNTED_FROM_BYTES, type ResponseBudget } from "./response-budget.js";

/** How often a full output is looked at. */
const CHECK_INTERVAL_MS = 50;
/** With so much to take, a client that takes nothing is given up although there is room for more. */
const WATCHED_FROM_BYTES = 128 * 1024;

export interface OutputGateOptions {
  readonly clock: Clock;
  readonly connection: Pick<Connection, "bufferedBytes" | "send" | "isOpen">;
  /** The broker's, for all connections. */
  readonly budget: ResponseBudget;
  readonly maxBytes: number;
  readonly timeoutMs: number;
  /** There is room again. */
  readonly onRoom: () => void;
  /** The client took nothing for `timeoutMs`. */
  readonly onStalled: () => void;
}

export class OutputGate {
  private readonly options: OutputGateOptions;
  /** What the budget counts for this connection. */
  private countedBytes = 0;
  private sentBytes = 0;
  private takenBytes = 0;
  private takenAtMs = 0;
  private timer: Timer | undefined;
  private isClosed = false;
  /** Resolves the wait of the work whose turn it is. */
  private readonly waiting: (() => void)[] = [];
  /** The end of the last turn; undefined when nobody has one or waits for one. */
  private turn: Promise<unknown> | undefined;

  constructor(options: OutputGateOptions) {
    this.options = options;
  }

  get isFull(): boolean {
    return !this.isClosed && this.options.connection.bufferedBytes > this.options.maxBytes;
  }

  /** `onLeft` as with `Connection.send`. */
  send(chunks: readonly Uint8Array[], onLeft?: () => void): void {
    if (this.isClosed || !this.options.connection.isOpen) {
      onLeft?.();
      return;
    }
    for (const chunk of chunks) {
      this.sentBytes += chunk.length;
    }
    this.options.connection.send(chunks, onLeft);
    this.count();
    if (this.mustWatch) {
      this.watch();
    }
  }

  /** Runs `work` after all earlier work, when there is room: at once, when nothing is in its way. */
  inTurn<T>(work: () => T | Promise<T>): T | Promise<T> {
    if (this.turn === undefined && !this.mustWait) {
      const result = work();
      return result instanceof Promise ? this.holdTurn(result) : result;
    }
    return this.holdTurn(this.waitAndRun(this.turn, work));
  }

  private async waitAndRun<T>(
    before: Promise<unknown> | undefined,
    work: () => T | Promise<T>,
  ): Promise<T> {
    await before;
    while (this.mustWait) {
      this.watch();
      await new Promise<void>((resolve) => this.waiting.push(resolve));
    }
    return work();
  }

  /** The turn lasts until `result` settles. */
  private holdTurn<T>(result: Promise<T>): Promise<T> {
    const end = (): void => {
      if (this.turn === turn) {
        this.turn = undefined;
      }
    };
    // The caller of this turn gets the error; the next turn must not.
    const turn = result.then(end, end);
    this.turn = turn;
    return result;
  }

  /** To be called when the connection drained; looks whether there is room. */
  check(): void {
    this.count();
    if (this.isFull) {
      return;
    }
    if (!this.mustWatch) {
      this.timer?.cancel();
      this.timer = undefined;
    }
    for (const resolve of this.waiting.splice(0)) {
      resolve();
    }
    if (!this.isClosed) {
      this.options.onRoom();
    }
  }

  /** The connection is gone: nobody waits any more. */
  close(): void {
    this.isClosed = true;
    this.check();
  }

  /** Full, or with something still to be taken while the broker has no room for more. */
  private get mustWait(): boolean {
    return this.isFull || (this.countedBytes > 0 && this.options.budget.roomBytes === 0);
  }

  private get mustWatch(): boolean {
    const { bufferedBytes } = this.options.connection;
    return this.isFull || (!this.isClosed && bufferedBytes > WATCHED_FROM_BYTES);
  }

  private count(): void {
    const bytes = this.isClosed ? 0 : this.options.connection.bufferedBytes;
    const counted = bytes > COUNTED_FROM_BYTES ? bytes : 0;
    this.options.budget.count(counted - this.countedBytes);
    this.countedBytes = counted;
  }

  private watch(): void {
    if (this.timer !== undefined) {
      return;
    }
    this.takenBytes = this.sentBytes - this.options.connection.bufferedBytes;
    this.takenAtMs = this.options.clock.monotonicMs();
    this.schedule();
  }

  private schedule(): void {
    this.timer = this.options.clock.setTimer(CHECK_INTERVAL_MS, () => {
      this.count();
      if (!this.mustWait) {
        this.check();
      }
      if (!this.mustWait && !this.mustWatch) {
        return;
      }
      const nowMs = this.options.clock.monotonicMs();
      const takenBytes = this.sentBytes - this.options.connection.bufferedBytes;
      if (takenBytes > this.takenBytes) {
        this.takenBytes = takenBytes;
        this.takenAtMs = nowMs;
      } else if (nowMs - this.takenAtMs >= this.options.timeoutMs) {
        this.options.onStalled();
        return;
      }
      this.schedule();
    });
  }
}
