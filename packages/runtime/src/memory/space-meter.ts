// How much of a memory file system is used. Knows sizes only.

export class SpaceMeter {
  readonly #capacityBytes: number;
  #usedBytes = 0;

  constructor(capacityBytes: number) {
    this.#capacityBytes = capacityBytes;
  }

  get availableBytes(): number {
    return Math.max(0, this.#capacityBytes - this.#usedBytes);
  }

  /** A negative amount gives room back. */
  take(bytes: number): void {
    this.#usedBytes += bytes;
  }

  release(bytes: number): void {
    this.take(-bytes);
  }

  /** Counts anew: these are all files there are. */
  reset(sizes: readonly number[]): void {
    this.#usedBytes = sizes.reduce((sum, size) => sum + size, 0);
  }
}
