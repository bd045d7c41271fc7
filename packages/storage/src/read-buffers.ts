// Memory for reads from files, used again: a fresh megabyte for every read costs page faults and V8's attention.
// Whoever takes a buffer may give it back when nobody looks at it any more; one that is never given back is
// collected like any other. Keeps what was given back, within a bound; how much is out is the readers' concern.

/** Buffers are whole multiples of this, so that requests of about the same size share them. */
const GRAIN_BYTES = 64 * 1024;
/** A free buffer may be so much larger than asked for. */
const WASTE_MAX = 1.5;

export interface ReadBuffer {
  /** As long as asked for; holds whatever was read into it last. */
  readonly bytes: Uint8Array;
  /** The memory may be used again: nobody may look at `bytes` any more. A second call does nothing. */
  release(): void;
}

export class ReadBuffers {
  readonly #maxFreeBytes: number;
  /** Oldest first. */
  readonly #free: ArrayBuffer[] = [];
  #freeBytes = 0;
  #takenBytes = 0;

  constructor(maxFreeBytes: number) {
    this.#maxFreeBytes = maxFreeBytes;
  }

  get freeBytes(): number {
    return this.#freeBytes;
  }

  /** Of buffers that were not given back, those that never will be included. */
  get takenBytes(): number {
    return this.#takenBytes;
  }

  take(length: number): ReadBuffer {
    // Small reads are few bytes of garbage; a buffer for each would be mostly waste.
    const isPooled = length * WASTE_MAX >= GRAIN_BYTES && this.#maxFreeBytes > 0;
    const memory = isPooled ? this.#fitting(length) : new ArrayBuffer(length);
    this.#takenBytes += memory.byteLength;
    let isOut = true;
    return {
      bytes: new Uint8Array(memory, 0, length),
      release: () => {
        if (isOut) {
          isOut = false;
          this.#takenBytes -= memory.byteLength;
          if (isPooled) {
            this.#keep(memory);
          }
        }
      },
    };
  }

  /** The most recently used one of a fitting size: its pages are there, perhaps in the processor's cache. */
  #fitting(length: number): ArrayBuffer {
    const found = this.#free.findLastIndex(
      ({ byteLength }) => byteLength >= length && byteLength <= length * WASTE_MAX,
    );
    const [memory] = found < 0 ? [] : this.#free.splice(found, 1);
    if (memory === undefined) {
      return new ArrayBuffer(Math.ceil(length / GRAIN_BYTES) * GRAIN_BYTES);
    }
    this.#freeBytes -= memory.byteLength;
    return memory;
  }

  #keep(memory: ArrayBuffer): void {
    this.#free.push(memory);
    this.#freeBytes += memory.byteLength;
    while (this.#freeBytes > this.#maxFreeBytes) {
      this.#freeBytes -= this.#free.shift()?.byteLength ?? 0;
    }
  }
}
