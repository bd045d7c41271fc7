// Time as the rest of Millrace sees it: a wall clock for record timestamps, a monotonic clock for every
// duration, and timers. Nothing here knows about I/O. Implementations: Node, browser, simulated.

import type { AbortSignalLike } from "./platform.js";

/** A pending timer. Cancelling twice, or after it fired, does nothing. */
export interface Timer {
  cancel(): void;
}

export interface TimerOptions {
  /**
   * Somebody waits for what the timer will do: the process lives at least until then. Default false: listeners
   * and connections keep a process alive, timers do not.
   */
  readonly keepsAlive?: boolean;
}

export interface Clock {
  /** Wall-clock time in whole milliseconds since 1970 (UTC). May jump; use it for timestamps only. */
  nowMs(): number;
  /** Milliseconds, with fractions, from an arbitrary origin. Never goes back; use it for every duration. */
  monotonicMs(): number;
  /**
   * Calls `callback` once, `delayMs` (>= 0) from now or later, never synchronously. A timer does not keep a
   * process alive by itself, unless it is asked to.
   */
  setTimer(delayMs: number, callback: () => void, options?: TimerOptions): Timer;
  /**
   * Resolves after `delayMs`; rejects with the signal's reason as soon as `signal` aborts. Keeps the process
   * alive: whoever sleeps has something left to do.
   */
  sleep(delayMs: number, signal?: AbortSignalLike): Promise<void>;
  /** Runs `callback` after the I/O that is ready now has been handled (`setImmediate` in Node). */
  defer(callback: () => void): void;
}
