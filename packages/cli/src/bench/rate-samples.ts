// How fast things went, second by second or finer: samples for a sparkline and for progress. Pure: time comes in.

const INTERVAL_MS = 250;

export class RateSamples {
  /** Records per second of each past interval. */
  readonly samples: number[] = [];
  #intervalStartMs = -1;
  #inInterval = 0;

  /** Counts `records` that were done at `nowMs`. */
  add(records: number, nowMs: number): void {
    if (this.#intervalStartMs < 0) {
      this.#intervalStartMs = nowMs;
    }
    this.#inInterval += records;
    const elapsedMs = nowMs - this.#intervalStartMs;
    if (elapsedMs >= INTERVAL_MS) {
      this.samples.push(this.#inInterval / (elapsedMs / 1000));
      this.#intervalStartMs = nowMs;
      this.#inInterval = 0;
    }
  }

  /** The load rests: what comes next starts a new interval. */
  pause(): void {
    this.#intervalStartMs = -1;
    this.#inInterval = 0;
  }
}
