// Delays what arrives on one connection, in order. A message never overtakes an earlier one, also when the
// delay shrinks; what has not arrived when the connection closes never does.

import type { Clock, ConnectionEvents, Timer } from "@millrace/runtime";

/** More than any client of ours has in flight; a connection that goes on is cut. */
const DELAYED_MESSAGES_MAX = 10_000;

export interface DelayOptions {
  readonly clock: Clock;
  /** Asked for each message. */
  delayMs(): number;
  /** Ends the connection: too many messages are waiting. */
  cut(): void;
}

export function delayed(events: ConnectionEvents, options: DelayOptions): ConnectionEvents {
  const line = new DelayLine(events, options);
  return {
    onMessage: (message, release) => line.push(message, release),
    onClose: (reason) => {
      line.clear();
      events.onClose(reason);
    },
    onDrain: () => events.onDrain?.(),
  };
}

interface Waiting {
  readonly message: Uint8Array;
  readonly release: (() => void) | undefined;
  readonly dueMs: number;
}

class DelayLine {
  readonly #events: ConnectionEvents;
  readonly #options: DelayOptions;
  #waiting: Waiting[] = [];
  #timer: Timer | undefined;

  constructor(events: ConnectionEvents, options: DelayOptions) {
    this.#events = events;
    this.#options = options;
  }

  push(message: Uint8Array, release: (() => void) | undefined): void {
    const delayMs = this.#options.delayMs();
    if (delayMs <= 0 && this.#waiting.length === 0) {
      this.#events.onMessage(message, release);
      return;
    }
    if (this.#waiting.length >= DELAYED_MESSAGES_MAX) {
      this.#options.cut();
      return;
    }
    this.#waiting.push({ message, release, dueMs: this.#options.clock.monotonicMs() + delayMs });
    this.#schedule();
  }

  clear(): void {
    this.#waiting = [];
    this.#timer?.cancel();
  }

  #schedule(): void {
    const [first] = this.#waiting;
    if (first === undefined || this.#timer !== undefined) {
      return;
    }
    const waitMs = Math.max(0, first.dueMs - this.#options.clock.monotonicMs());
    this.#timer = this.#options.clock.setTimer(waitMs, () => {
      this.#timer = undefined;
      this.#deliver();
    });
  }

  /** The first message, and those behind it that are due as well. */
  #deliver(): void {
    do {
      const next = this.#waiting.shift();
      if (next !== undefined) {
        this.#events.onMessage(next.message, next.release);
      }
    } while ((this.#waiting[0]?.dueMs ?? Infinity) <= this.#options.clock.monotonicMs());
    this.#schedule();
  }
}
