// The newest batches of all logs, in memory: a consumer that keeps up never touches the disk. One bound for the
// whole broker. A log that is written much drops its own batches, oldest first; it takes nothing from the many that are
// written little, which have half of the memory when they need it. Batches that are not written yet are held by their
// log (`LogTail`) and not counted here: the commit scheduler bounds those.

import type { BatchHeader } from "@millrace/protocol";
import type { ProducerUndo } from "./core/producer-state.js";
import type { Hold } from "./hold.js";

/** A batch in a tail: what readers need of it. There are many, and they live long. */
export interface TailBatch {
  readonly bytes: Uint8Array;
  readonly baseOffset: number;
  readonly lastOffset: number;
  /** The tail's share in the bytes, which it gives back when it drops the batch; undefined when nobody uses their memory again. */
  readonly hold: Hold | undefined;
}

/** A batch that was appended and is not written yet. */
export interface PendingBatch {
  readonly bytes: Uint8Array;
  readonly header: BatchHeader;
  /** How to take the append back. */
  readonly undo: ProducerUndo | undefined;
  /** As in `TailBatch`. */
  readonly hold: Hold | undefined;
}

const COMPACT_AT = 1024;
/** Of one tail. There may be thousands, so what they have dropped must not add up. */
const TAIL_COMPACT_AT = 16;
/** About what the bookkeeping of one batch takes, and as much again that waits for the collector. */
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
  #written: TailBatch[] = [];
  #head = 0;
  #pending: PendingBatch[] = [];
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
    return this.#pending.length > 0;
  }

  /** The first offset held; undefined when nothing is. */
  get startOffset(): number | undefined {
    return this.#written[this.#head]?.baseOffset ?? this.#pending[0]?.header.baseOffset;
  }

  append(batch: PendingBatch): void {
    this.#pending.push(batch);
    this.#pendingBytes += batch.bytes.byteLength;
  }

  /** The oldest unwritten batch. */
  get firstPending(): PendingBatch | undefined {
    return this.#pending[0];
  }

  /** The oldest unwritten batches, until `accept` says no. At most one call's worth is on its way to the disk. */
  takePending(accept: (batch: PendingBatch) => boolean): PendingBatch[] {
    const taken: PendingBatch[] = [];
    for (const batch of this.#pending) {
      if (!accept(batch)) {
        break;
      }
      taken.push(batch);
    }
    return taken;
  }

  /** The oldest `count` unwritten batches are in the file now. */
  wrote(count: number): void {
    for (const { bytes, header, hold } of this.#pending.splice(0, count)) {
      const batch = { bytes, baseOffset: header.baseOffset, lastOffset: header.lastOffset, hold };
      this.#written.push(batch);
      this.#pendingBytes -= bytes.byteLength;
      this.#cachedBytes += bytes.byteLength;
      this.#cache.add(this, batch);
    }
    this.#compact();
  }

  /** All unwritten batches, newest first: the order in which to take them back. */
  pendingNewestFirst(): readonly PendingBatch[] {
    return this.#pending.slice().reverse();
  }

  discardPending(): void {
    releaseHolds(this.#pending.splice(0));
    this.#pendingBytes = 0;
  }

  /** Drops the oldest written batch. */
  dropOldest(): TailBatch | undefined {
    const oldest = this.#written[this.#head];
    if (oldest === undefined) {
      return undefined;
    }
    this.#written[this.#head] = released;
    this.#head++;
    this.#cachedBytes -= oldest.bytes.byteLength;
    this.#compact();
    oldest.hold?.release();
    return oldest;
  }

  /** Drops the written batches that end at or before `lastOffset`. */
  dropThrough(lastOffset: number): void {
    const dropped: TailBatch[] = [];
    while ((this.#written[this.#head]?.lastOffset ?? Number.POSITIVE_INFINITY) <= lastOffset) {
      dropped.push(this.dropOldest() as TailBatch);
    }
    this.#cache.forget(this, dropped);
  }

  /** Forgets all that is written, after a truncation. Nothing may be pending. */
  clear(): void {
    const written = this.#written.slice(this.#head);
    this.#cache.forget(this, written);
    releaseHolds(written);
    this.#written = [];
    this.#head = 0;
    this.#pending = [];
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
    let high = this.#written.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#written[middle] as TailBatch).lastOffset < offset) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    const last = this.#pending.at(-1)?.header.lastOffset ?? this.#written.at(-1)?.lastOffset ?? -1;
    return last < offset ? undefined : this.#iterate(low, offset);
  }

  *#iterate(from: number, offset: number): Generator<TailBatch, void, undefined> {
    for (let at = from; at < this.#written.length; at++) {
      yield this.#written[at] as TailBatch;
    }
    for (const { bytes, header, hold } of this.#pending) {
      if (header.lastOffset >= offset) {
        yield { bytes, baseOffset: header.baseOffset, lastOffset: header.lastOffset, hold };
      }
    }
  }

  #compact(): void {
    if (this.#head > TAIL_COMPACT_AT && this.#head * 2 > this.#written.length) {
      this.#written = this.#written.slice(this.#head);
      this.#head = 0;
    }
  }
}

function releaseHolds(batches: readonly Pick<TailBatch, "hold">[]): void {
  for (const { hold } of batches) {
    hold?.release();
  }
}

/** Stands where a dropped batch was, so that its bytes can be collected. */
const released: TailBatch = {
  bytes: new Uint8Array(0),
  baseOffset: -1,
  lastOffset: -1,
  hold: undefined,
};
