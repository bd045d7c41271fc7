// Memory that is used again: a fresh megabyte for every read or message costs page faults and the collector's attention.
// Whoever takes a buffer may give it back when nobody looks at it any more; one that is never given back is
// collected like any other. Keeps what was given back, within a bound; how much is out is the takers' concern.

/** Buffers are whole multiples of this, so that requests of about the same size share them. */
const GRAIN_BYTES = 8 * 1024;
/** Less is few bytes of garbage, and a buffer for it would be mostly waste. */
const LEAST_BYTES = 2 * GRAIN_BYTES;
/** A free buffer may be so much larger than asked for; one that was made for that length always fits. */
const WASTE_MAX = 1.5;
/** No byte of a record batch's magic, no length and no text. */
const SPOILED = 0xdb;

export interface PooledBuffer {
  /** As long as asked for; holds whatever was put into it last. */
  readonly bytes: Uint8Array;
  /** The memory may be used again: nobody may look at `bytes` any more. A second call does nothing. */
  readonly release: () => void;
}

export interface BufferPoolOptions {
  /** Of what was given back. 0: nothing is used again. */
  readonly maxFreeBytes: number;
  /**
   * For tests: a buffer of any size is overwritten when it is given back, and not used again. Whoever still looks at it finds
   * that out. Default false.
   */
  readonly spoils?: boolean | undefined;
}

export class BufferPool {
  readonly #maxFreeBytes: number;
  readonly #spoils: boolean;
  /** Oldest first. */
  readonly #free: ArrayBuffer[] = [];
  #freeBytes = 0;
  #takenBytes = 0;

  constructor({ maxFreeBytes, spoils = false }: BufferPoolOptions) {
    this.#maxFreeBytes = maxFreeBytes;
    this.#spoils = spoils;
  }

  get freeBytes(): number {
    return this.#freeBytes;
  }

  /** Of buffers that were not given back, those that never will be included. */
  get takenBytes(): number {
    return this.#takenBytes;
  }

  /** Whether buffers of this length are kept. */
  keeps(length: number): boolean {
    return length >= LEAST_BYTES && this.#maxFreeBytes > 0 && !this.#spoils;
  }

  take(length: number): PooledBuffer {
    if (!this.keeps(length)) {
      return this.#lend(new ArrayBuffer(length), length);
    }
    const grains = Math.ceil(length / GRAIN_BYTES);
    return this.takeFree(length) ?? this.#lend(new ArrayBuffer(grains * GRAIN_BYTES), length);
  }

  /** Of the free ones of a fitting size the most recently used: its pages are there, perhaps in the processor's cache. */
  takeFree(length: number): PooledBuffer | undefined {
    const found = this.#free.findLastIndex(
      ({ byteLength }) => byteLength >= length && byteLength <= length * WASTE_MAX,
    );
    const [memory] = found < 0 ? [] : this.#free.splice(found, 1);
    if (memory === undefined) {
      return undefined;
    }
    this.#freeBytes -= memory.byteLength;
    return this.#lend(memory, length);
  }

  #lend(memory: ArrayBuffer, length: number): PooledBuffer {
    this.#takenBytes += memory.byteLength;
    let isOut = true;
    return {
      bytes: new Uint8Array(memory, 0, length),
      release: () => {
        if (isOut) {
          isOut = false;
          this.#takenBytes -= memory.byteLength;
          this.#takeBack(memory, length);
        }
      },
    };
  }

  #takeBack(memory: ArrayBuffer, length: number): void {
    if (this.#spoils) {
      new Uint8Array(memory).fill(SPOILED);
    } else if (this.keeps(length)) {
      this.#free.push(memory);
      this.#freeBytes += memory.byteLength;
      while (this.#freeBytes > this.#maxFreeBytes) {
        this.#freeBytes -= this.#free.shift()?.byteLength ?? 0;
      }
    }
  }
}
