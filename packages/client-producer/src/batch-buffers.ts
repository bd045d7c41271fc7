// The memory of batches that are done, for those to come. Fresh memory has to be cleared by the system, page by page,
// and V8 marks its whole heap again for every few MiB of buffers that it believes alive. Pure.

/** Smaller buffers are cheap to make. */
const WORTH_KEEPING_BYTES = 16 * 1024;
/** Sizes are rounded up to this, so that batches of about one size fit into each other's buffers. */
const ROUND_UP_BYTES = 4 * 1024;
/** A buffer may be so much larger than asked for; else a small batch would hold the memory of a large one. */
const SIZE_RATIO_MAX = 2;
const KEPT_COUNT_MAX = 32;

export class BatchBuffers {
  readonly #maxBytes: number;
  /** The one used last comes last: the processor may still have it in its cache. */
  readonly #kept: Uint8Array[] = [];
  #keptBytes = 0;

  /** Keeps at most `maxBytes` for later. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get keptBytes(): number {
    return this.#keptBytes;
  }

  /** A buffer of at least `minBytes`, with anything in it. */
  take(minBytes: number): Uint8Array {
    const index = this.#kept.findLastIndex(
      ({ length }) => length >= minBytes && length <= minBytes * SIZE_RATIO_MAX,
    );
    const [found] = index < 0 ? [] : this.#kept.splice(index, 1);
    if (found === undefined) {
      return new Uint8Array(
        minBytes < WORTH_KEEPING_BYTES
          ? minBytes
          : Math.ceil(minBytes / ROUND_UP_BYTES) * ROUND_UP_BYTES,
      );
    }
    this.#keptBytes -= found.length;
    return found;
  }

  /** Nobody uses `buffer` any more. The oldest ones make room for it. */
  give(buffer: Uint8Array): void {
    if (buffer.length < WORTH_KEEPING_BYTES || buffer.length > this.#maxBytes) {
      return;
    }
    this.#kept.push(buffer);
    this.#keptBytes += buffer.length;
    while (this.#keptBytes > this.#maxBytes || this.#kept.length > KEPT_COUNT_MAX) {
      this.#keptBytes -= this.#kept.shift()?.length ?? 0;
    }
  }
}
