// Delays between attempts: exponential, with equal jitter (half of each delay is random), so that clients
// that lost the same broker do not come back in one wave. Pure but for the given source of randomness.

import type { Random } from "@millrace/runtime";

export interface BackoffOptions {
  /** Upper bound of the first delay. */
  readonly initialMs: number;
  readonly maxMs: number;
  readonly random: Random;
}

export class Backoff {
  readonly #initialMs: number;
  readonly #maxMs: number;
  readonly #random: Random;

  constructor(options: BackoffOptions) {
    this.#initialMs = options.initialMs;
    this.#maxMs = options.maxMs;
    this.#random = options.random;
  }

  /**
   * The delay before the attempt that follows failed attempt number `attempt` (0 the first): at least half of
   * `min(maxMs, initialMs * 2^attempt)`, less than all of it.
   */
  delayMs(attempt: number): number {
    // 2^52 times anything is beyond every cap; a larger exponent would only reach Infinity.
    const uncappedMs = this.#initialMs * 2 ** Math.min(attempt, 52);
    const capMs = Math.min(this.#maxMs, uncappedMs);
    return capMs / 2 + (capMs / 2) * this.#random.float();
  }
}
