// How much to ask one leader for at once. A large answer costs both sides hardly more work around its records than a
// small one; but it lies in the broker's memory until it has left, and what comes behind it waits. So an answer may be as
// large as what comes within a moment, as the last full one showed: a reader that is fast gets much; one behind a slow
// line, or busy with what it has, little. Pure.

/** An answer may always be so large. */
const LEAST_BYTES = 1024 * 1024;
/** Beyond it V8 no longer finds the memory of what was read while that is young, which costs more than is won. */
const MOST_BYTES = 2 * 1024 * 1024;
/** What comes in so long is not too much. */
const MOMENT_MS = 100;
/** From one answer to the next. */
const GROWTH_MAX = 2;

export class AnswerSize {
  readonly #leastBytes: number;
  readonly #mostBytes: number;
  #bytes: number;

  /** `maxBytes`: of any answer. */
  constructor(maxBytes: number) {
    this.#leastBytes = Math.min(LEAST_BYTES, maxBytes);
    this.#mostBytes = Math.min(MOST_BYTES, maxBytes);
    this.#bytes = this.#leastBytes;
  }

  /** For the partitions of an answer together. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * What each of so many partitions may have of it: an equal share, but at least 1 MiB (all together have a bound of
   * their own), because often a few of them have all there is.
   */
  shareOf(partitionCount: number): number {
    return Math.max(this.#leastBytes, Math.floor(this.#bytes / partitionCount));
  }

  /** An answer came, so long after it was asked for. One that is far from full says nothing: there was no more. */
  came(bytes: number, elapsedMs: number): void {
    if (bytes < this.#bytes / 2) {
      return;
    }
    const inAMoment = Math.floor((bytes * MOMENT_MS) / Math.max(1, elapsedMs));
    const allowed = Math.min(inAMoment, this.#bytes * GROWTH_MAX, this.#mostBytes);
    this.#bytes = Math.max(allowed, this.#leastBytes);
  }
}
