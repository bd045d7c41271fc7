// The newest batches of all logs, in memory: a consumer that keeps up never touches the disk. One bound for the
// whole broker. A log that is written much drops its own batches, oldest first; it takes nothing from the many that are
// written little, which have half of the memory when they need it. Batches that are not written yet are held by their
// log (`LogTail`) and not counted here: the commit scheduler bounds those.

import type { BatchHeader } from "@millrace/protocol";
import type { ProducerUndo } from "./core/producer-state.js";
import type { Hold } from "./hold.js";

/** A batch that was appended; never changed once it is in a tail. */
export interface TailBatch {
  readonly bytes: Uint8Array;
  readonly header: BatchHeader;
  /** How to take the append back while it is not written. */
  readonly undo: ProducerUndo | undefined;
  /** The tail's share in the bytes, which it gives back when it drops the batch; undefined when nobody uses their memory again. */
  readonly hold: Hold | undefined;
}

const COMPACT_AT = 1024;
/** About what the bookkeeping of one batch takes, its parsed header included. */
const BATCH_OVERHEAD_BYTES = 512;
/** A log that has more than this part of the cache counts as busy. */
const BUSY_PART = 1 / 64;

export class TailCache {
  readonly #maxBytes: number;
  readonly #quiet = new Turns();
  readonly #busy = new Turns();
  #sizeBytes = 0;
  /** How many cached batches are views of each buffer. */
  readonly #holders = new Map<ArrayBufferLike, number>();

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** What the cached batches keep in memory: whole buffers, each counted once. */
  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** A batch of `tail` was written and may be dropped from now on. */
  add(tail: LogTail, batch: TailBatch): void {
    this.#hold(batch.bytes.buffer);
    const isBusy = tail.cachedBytes > this.#maxBytes * BUSY_PART;
    const turns = isBusy ? this.#busy : this.#quiet;
    turns.add(tail, batch.bytes.byteLength + BATCH_OVERHEAD_BYTES);
    while (this.#sizeBytes > this.#maxBytes) {
      const larger = this.#quiet.bytes > this.#busy.bytes ? this.#quiet : this.#busy;
      const next = larger.next();
      if (next === undefined) {
        break;
      }
      const dropped = next.dropOldest();
      if (dropped !== undefined) {
        this.#release(dropped.bytes.buffer);
      }
    }
  }

  /** A tail let go of its oldest batches by itself. */
  forget(tail: LogTail, dropped: readonly TailBatch[]): void {
    for (const { bytes } of dropped) {
      this.#release(bytes.buffer);
    }
    const fromQuiet = this.#quiet.forget(tail, dropped.length);
    this.#busy.forget(tail, dropped.length - fromQuiet);
  }

  #hold(buffer: ArrayBufferLike): void {
    const holders = this.#holders.get(buffer) ?? 0;
    this.#holders.set(buffer, holders + 1);
    this.#sizeBytes += BATCH_OVERHEAD_BYTES + (holders === 0 ? buffer.byteLength : 0);
  }

  #release(buffer: ArrayBufferLike): void {
    const holders = (this.#holders.get(buffer) ?? 0) - 1;
    if (holders > 0) {
      this.#holders.set(buffer, holders);
    } else {
      this.#holders.delete(buffer);
    }
    this.#sizeBytes -= BATCH_OVERHEAD_BYTES + (holders > 0 ? 0 : buffer.byteLength);
  }
}

/** Whose turn it is to drop its oldest batch: a log has one turn for each batch, in the order they were added. */
class Turns {
  /** Undefined before `#head`, or what was dropped would stay in memory until the next compaction. */
  #queue: ({ readonly tail: LogTail; readonly bytes: number } | undefined)[] = [];
  #head = 0;
  #bytes = 0;

  /** About what the batches take. */
  get bytes(): number {
    return this.#bytes;
  }

  add(tail: LogTail, bytes: number): void {
    this.#queue.push({ tail, bytes });
    this.#bytes += bytes;
  }

  next(): LogTail | undefined {
    const turn = this.#queue[this.#head];
    if (turn === undefined) {
      return undefined;
    }
    this.#queue[this.#head++] = undefined;
    this.#bytes -= turn.bytes;
    if (this.#head > COMPACT_AT && this.#head * 2 > this.#queue.length) {
      this.#queue = this.#queue.slice(this.#head);
      this.#head = 0;
    }
    return turn.tail;
  }

  /** Takes back a tail's first turns. Returns how many there were. */
  forget(tail: LogTail, count: number): number {
    let taken = 0;
    this.#queue = this.#queue.slice(this.#head).filter((turn) => {
      const isTaken = turn?.tail === tail && taken < count;
      if (isTaken) {
        taken++;
        this.#bytes -= turn.bytes;
      }
      return !isTaken;
    });
    this.#head = 0;
    return taken;
  }
}

/**
 * The newest batches of one log, without a gap up to its end: first those that are written (and may be dropped),
 * then those that wait for the commit scheduler.
 */
export class LogTail {
  readonly #cache: TailCache;
  #batches: TailBatch[] = [];
  #head = 0;
  /** Index of the first batch that is not written. */
  #pendingAt = 0;
  #pendingBytes = 0;
  #cachedBytes = 0;

  constructor(cache: TailCache) {
    this.#cache = cache;
  }

  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  /** Of batches that are written and still held. */
  get cachedBytes(): number {
    return this.#cachedBytes;
  }

  get hasPending(): boolean {
    return this.#pendingAt < this.#batches.length;
  }

  /** The first offset held; undefined when nothing is. */
  get startOffset(): number | undefined {
    return this.#batches[this.#head]?.header.baseOffset;
  }

  append(batch: TailBatch): void {
    this.#batches.push(batch);
    this.#pendingBytes += batch.bytes.byteLength;
  }

  /** The oldest unwritten batches, until `accept` says no. At most one call's worth is on its way to the disk. */
  takePending(accept: (batch: TailBatch) => boolean): TailBatch[] {
    const taken: TailBatch[] = [];
    for (let at = this.#pendingAt; at < this.#batches.length; at++) {
      const batch = this.#batches[at] as TailBatch;
      if (!accept(batch)) {
        break;
      }
      taken.push(batch);
    }
    return taken;
  }

  /** The oldest `count` unwritten batches are in the file now. */
  wrote(count: number): void {
    for (let written = 0; written < count; written++) {
      const batch = this.#batches[this.#pendingAt] as TailBatch;
      this.#pendingAt++;
      this.#pendingBytes -= batch.bytes.byteLength;
      this.#cachedBytes += batch.bytes.byteLength;
      this.#cache.add(this, batch);
    }
    this.#compact();
  }

  /** All unwritten batches, newest first: the order in which to take them back. */
  pendingNewestFirst(): readonly TailBatch[] {
    return this.#batches.slice(this.#pendingAt).reverse();
  }

  discardPending(): void {
    releaseHolds(this.#batches.splice(this.#pendingAt));
    this.#pendingBytes = 0;
  }

  /** Drops the oldest written batch. */
  dropOldest(): TailBatch | undefined {
    if (this.#head === this.#pendingAt) {
      return undefined;
    }
    const oldest = this.#batches[this.#head] as TailBatch;
    this.#batches[this.#head] = released;
    this.#head++;
    this.#cachedBytes -= oldest.bytes.byteLength;
    this.#compact();
    oldest.hold?.release();
    return oldest;
  }

  /** Drops the written batches that end at or before `lastOffset`. */
  dropThrough(lastOffset: number): void {
    const dropped: TailBatch[] = [];
    while (
      this.#head < this.#pendingAt &&
      (this.#batches[this.#head] as TailBatch).header.lastOffset <= lastOffset
    ) {
      dropped.push(this.dropOldest() as TailBatch);
    }
    this.#cache.forget(this, dropped);
  }

  /** Forgets all that is written, after a truncation. Nothing may be pending. */
  clear(): void {
    const written = this.#batches.slice(this.#head, this.#pendingAt);
    this.#cache.forget(this, written);
    releaseHolds(written);
    this.#batches = [];
    this.#head = 0;
    this.#pendingAt = 0;
    this.#pendingBytes = 0;
    this.#cachedBytes = 0;
  }

  /** The batches from the one that contains `offset` on; undefined when it is not held. */
  from(offset: number): Iterable<TailBatch> | undefined {
    const start = this.startOffset;
    if (start === undefined || offset < start) {
      return undefined;
    }
    let low = this.#head;
    let high = this.#batches.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#batches[middle] as TailBatch).header.lastOffset < offset) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low === this.#batches.length ? undefined : this.#iterate(low);
  }

  *#iterate(from: number): Generator<TailBatch, void, undefined> {
    for (let at = from; at < this.#batches.length; at++) {
      yield this.#batches[at] as TailBatch;
    }
  }

  #compact(): void {
    if (this.#head > COMPACT_AT && this.#head * 2 > this.#batches.length) {
      this.#batches = this.#batches.slice(this.#head);
      this.#pendingAt -= this.#head;
      this.#head = 0;
    }
  }
}

function releaseHolds(batches: readonly TailBatch[]): void {
  for (const { hold } of batches) {
    hold?.release();
  }
}

/** Stands where a dropped batch was, so that its bytes can be collected. */
const released: TailBatch = {
  bytes: new Uint8Array(0),
  header: {
    baseOffset: -1,
    sizeBytes: 0,
    leaderEpoch: -1,
    magic: 2,
    crc: 0,
    attributes: 0,
    codec: "none",
    timestampType: "CreateTime",
    isTransactional: false,
    isControl: false,
    lastOffsetDelta: 0,
    lastOffset: -1,
    baseTimestamp: -1,
    maxTimestamp: -1,
    producerId: -1,
    producerEpoch: -1,
    baseSequence: -1,
    lastSequence: -1,
    recordCount: 0,
  },
  undo: undefined,
  hold: undefined,
};
