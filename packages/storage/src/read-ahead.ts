// Reads the next stretch of a segment while the last one is on its way to a reader that goes through the log in
// order: the disk works while the processor does. Bounded for all logs; what nobody came for makes room after a
// while. Knows positions, not batches: who takes the bytes verifies them as if they had just been read.

import { BufferPool, type Clock, type PooledBuffer } from "@millrace/runtime";
import type { Segment } from "./segment.js";
import { SmallCopies } from "./small-copies.js";
import type { StorageConfig } from "./storage-config.js";

/** Reads under way at once: the others of the platform's pool are for readers that wait, and for syncs. */
const READS_AT_ONCE_MAX = 2;
/** Bytes that nobody came for in this time may be dropped for somebody else's. */
const STALE_AFTER_MS = 5_000;

export interface ReadAheadPlace {
  readonly segment: Segment;
  readonly position: number;
  readonly length: number;
}

/** One stretch that was read ahead. Take it or drop it. */
export interface AheadRead {
  /** The bytes, now the caller's to release; undefined when they could not be read or were dropped. */
  take(): Promise<PooledBuffer | undefined>;
  drop(): void;
}

interface Held {
  readonly place: ReadAheadPlace;
  readonly startedMs: number;
  readonly reading: Promise<PooledBuffer | undefined>;
  readonly ahead: AheadRead;
}

/** What reads from files share, over all logs. */
export interface ReadingServices {
  /** Batches that the tail holds lie here too. */
  readonly readBuffers: BufferPool;
  /** The smaller ones here. */
  readonly smallCopies: SmallCopies;
  /** For readers that go through a log in order. */
  readonly readAhead: ReadAhead;
}

export function createReading(
  clock: ReadAheadOptions["clock"],
  { readBufferBytes, readAheadBytes, spoilsFreeMemory: spoils }: StorageConfig,
): ReadingServices {
  const readBuffers = new BufferPool({ maxFreeBytes: readBufferBytes, spoils });
  return {
    readBuffers,
    smallCopies: new SmallCopies(),
    readAhead: new ReadAhead({ clock, buffers: readBuffers, maxBytes: readAheadBytes }),
  };
}

export interface ReadAheadOptions {
  readonly clock: Pick<Clock, "monotonicMs">;
  readonly buffers: BufferPool;
  /** 0: nothing is read ahead. */
  readonly maxBytes: number;
}

export class ReadAhead {
  readonly #options: ReadAheadOptions;
  /** Oldest first. */
  readonly #held = new Set<Held>();
  #heldBytes = 0;
  #readsUnderWay = 0;

  constructor(options: ReadAheadOptions) {
    this.#options = options;
  }

  /** Bytes that wait for their reader, or are being read for it. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Begins to read, unless there is no room for it. */
  start(place: ReadAheadPlace): AheadRead | undefined {
    const { length } = place;
    if (this.#readsUnderWay >= READS_AT_ONCE_MAX || !this.#makeRoom(length)) {
      return undefined;
    }
    const held: Held = {
      place,
      startedMs: this.#options.clock.monotonicMs(),
      reading: this.#read(place),
      ahead: {
        take: () => {
          const isHeld = this.#forget(held);
          return isHeld ? held.reading : Promise.resolve(undefined);
        },
        drop: () => this.#drop(held),
      },
    };
    this.#held.add(held);
    this.#heldBytes += length;
    return held.ahead;
  }

  #makeRoom(length: number): boolean {
    const { clock, maxBytes } = this.#options;
    const staleBeforeMs = clock.monotonicMs() - STALE_AFTER_MS;
    for (const held of this.#held) {
      if (this.#heldBytes + length <= maxBytes || held.startedMs > staleBeforeMs) {
        break;
      }
      this.#drop(held);
    }
    return this.#heldBytes + length <= maxBytes;
  }

  #forget(held: Held): boolean {
    if (!this.#held.delete(held)) {
      return false;
    }
    this.#heldBytes -= held.place.length;
    return true;
  }

  #drop(held: Held): void {
    if (this.#forget(held)) {
      void held.reading.then((buffer) => buffer?.release());
    }
  }

  /** Never rejects: who needs the bytes reads them again and meets the fault itself. */
  async #read({ segment, position, length }: ReadAheadPlace): Promise<PooledBuffer | undefined> {
    const buffer = this.#options.buffers.take(length);
    this.#readsUnderWay++;
    try {
      const count = await segment.reading((file) => file.read(buffer.bytes, position));
      if (count === length) {
        return buffer;
      }
    } catch {
      // As if nothing had been tried.
    } finally {
      this.#readsUnderWay--;
    }
    buffer.release();
    return undefined;
  }
}
