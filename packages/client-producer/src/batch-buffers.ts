// The memory of batches that are done, for those to come. Fresh memory has to be cleared by the system, page by page,
// V8 marks its whole heap again for every few MiB of buffers that it believes alive, and each buffer, however small, is
// an allocation of the system's and work for the collector: with a thousand partitions that is one for each record or two.
// Kept by size, so that taking one is quick however many there are. Pure.

/** Smaller buffers are of no batch. */
const WORTH_KEEPING_BYTES = 512;
/** Sizes are rounded up, so that batches of about one size fit into each other's buffers: so many sizes per doubling. */
const STEPS = 4;
/**
 * A buffer may be so many sizes larger than asked for, which is less than twice as large: a batch that fills less than
 * half of its buffer is copied out of it, and a small batch would hold the memory of a large one.
 */
const STEPS_LARGER_MAX = 2;
const KEPT_COUNT_MAX = 4_096;

export class BatchBuffers {
  readonly #maxBytes: number;
  /** By size; the one used last comes last: the processor may still have it in its cache. */
  readonly #bySize = new Map<number, Uint8Array[]>();
  /** All that are kept, the oldest first. */
  readonly #kept = new Set<Uint8Array>();
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
    const size = sizeFor(minBytes);
    for (let larger = size; larger <= size + STEPS_LARGER_MAX; larger++) {
      const buffer = this.#bySize.get(larger)?.pop();
      if (buffer !== undefined) {
        this.#kept.delete(buffer);
        this.#keptBytes -= buffer.length;
        return buffer;
      }
    }
    return new Uint8Array(minBytes < WORTH_KEEPING_BYTES ? minBytes : bytesOf(size));
  }

  /** Nobody uses `buffer` any more. The oldest ones make room for it. */
  give(buffer: Uint8Array): void {
    if (buffer.length < WORTH_KEEPING_BYTES || buffer.length > this.#maxBytes) {
      return;
    }
    const size = sizeOf(buffer);
    const ofSize = this.#bySize.get(size);
    if (ofSize === undefined) {
      this.#bySize.set(size, [buffer]);
    } else {
      ofSize.push(buffer);
    }
    this.#kept.add(buffer);
    this.#keptBytes += buffer.length;
    while (this.#keptBytes > this.#maxBytes || this.#kept.size > KEPT_COUNT_MAX) {
      this.#dropOldest();
    }
  }

  #dropOldest(): void {
    for (const oldest of this.#kept) {
      this.#kept.delete(oldest);
      this.#keptBytes -= oldest.length;
      // The oldest of all is the oldest of its size.
      this.#bySize.get(sizeOf(oldest))?.shift();
      return;
    }
  }
}

/** The bytes of a size: 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, ... */
function bytesOf(size: number): number {
  return (STEPS + (size % STEPS)) * 2 ** Math.floor(size / STEPS);
}

/** The largest size that `buffer` is good for. */
function sizeOf({ length }: Uint8Array): number {
  const doublings = 31 - Math.clz32(length) - Math.log2(STEPS);
  return doublings * STEPS + (length >>> doublings) - STEPS;
}

/** The smallest size that has room for so many bytes. */
function sizeFor(bytes: number): number {
  const doublings = Math.max(0, 31 - Math.clz32(bytes) - Math.log2(STEPS));
  const size = doublings * STEPS + (bytes >>> doublings) - STEPS;
  return bytesOf(size) < bytes ? size + 1 : Math.max(0, size);
}
