// What one log must hold: every batch that was appended, and how much of it was promised to whom. Exact, kept beside the
// real log by the workload; a contradiction between the two is a `Violation`. No I/O.

import type { LogId } from "@millrace/storage";

const PRODUCER_BASE_STEP = 10;

/** Something that was promised was not kept. */
export class Violation extends Error {
  override readonly name = "Violation";
}

export interface ModelBatch {
  readonly baseOffset: number;
  readonly lastOffset: number;
  /** As they must be on the disk. */
  readonly bytes: Uint8Array;
  readonly epoch: number;
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly baseSequence: number;
  readonly lastSequence: number;
  /** By offset from `baseOffset`; -1: none. */
  readonly timestamps: readonly number[];
  /** `open`: nobody was told anything yet. */
  fate: "open" | "acknowledged" | "refused" | "cut";
  /** Its bytes on the disk were changed by the simulation. */
  isDamaged: boolean;
}

export class ModelLog {
  readonly id: LogId;
  /** The topic's configuration; changes with `updateConfig`. */
  entries: Record<string, string>;
  /** `creating`, `deleting`: asked for and not answered; a crash may leave either. */
  state: "creating" | "present" | "deleting" = "creating";
  /** In order; those before the log start stay, for they may be on the disk. */
  batches: ModelBatch[] = [];
  end = 0;
  /** The log start that was promised, and the largest one that was asked for. */
  start = 0;
  startMax = 0;
  /** No power loss may take anything before this offset, and no kill anything before the other one. */
  promised = 0;
  promisedOnKill = 0;
  /** All before it is fsynced in the log's own files; what is promised besides is in the commit journal. */
  landed = 0;
  /** The commit journal was damaged, and the power went: what was only there may be gone, or missed. */
  isJournalLost = false;
  /** While a truncation runs: nothing is promised from here on. */
  cap = Number.POSITIVE_INFINITY;
  /** While the log starts anew: it may be as it was, shorter, or empty, here or before. */
  newStart: number | undefined;
  /** Changes whenever an offset may name something else than before. */
  version = 0;
  /** The leader's epoch. */
  epoch = 0;
  /** An operation other than appends and reads runs: one at a time. */
  isBusy = false;
  /** Some batch of it was damaged, on purpose. */
  isDamaged = false;
  /** What its files were damaged with, for the trace. */
  damage = "";
  /** The start may have fallen back to a segment's, its checkpoint was damaged. */
  isStartLost = false;
  /** Its own `partition.metadata` was damaged. */
  isIdLost = false;

  constructor(id: LogId, entries: Record<string, string>) {
    this.id = id;
    this.entries = entries;
  }

  /** Ids of its producers are just above; moves on when it is not known what the log knows about them. */
  producerBase = 0;

  /** Other producers write from now on. */
  moveProducers(): void {
    this.producerBase += PRODUCER_BASE_STEP;
  }

  get name(): string {
    return `${this.id.topic}-${this.id.partition}`;
  }

  /** Those that readers may see. */
  get live(): ModelBatch[] {
    return this.batches.filter((batch) => batch.lastOffset >= this.start);
  }

  /** An append was taken at these offsets. */
  took(batch: ModelBatch): void {
    if (batch.baseOffset !== this.end) {
      throw this.violation(`an append got offset ${batch.baseOffset}, ${this.end} is next`);
    }
    this.batches.push(batch);
    this.end = batch.lastOffset + 1;
  }

  /** The log ends at `logEnd` now: what lies behind was refused, and its writers will hear of it. */
  discardBehind(logEnd: number): void {
    if (logEnd < this.end) {
      this.#giveBack(logEnd, "refused");
    }
  }

  /** `isFsynced`: on the disk; false: written. */
  acknowledged(batch: ModelBatch, isFsynced: boolean): void {
    if (batch.fate === "refused") {
      throw this.violation(`offset ${batch.baseOffset} was acknowledged and given to another`);
    }
    if (batch.fate === "cut") {
      return;
    }
    batch.fate = "acknowledged";
    this.promise(batch.lastOffset + 1, isFsynced);
  }

  promise(offset: number, isFsynced: boolean): void {
    const capped = Math.min(offset, this.cap);
    this.promisedOnKill = Math.max(this.promisedOnKill, capped);
    if (isFsynced) {
      this.promised = Math.max(this.promised, capped);
    }
  }

  /** Its writer was told no, while the log goes on: it and all behind it are gone. */
  refused(batch: ModelBatch): void {
    if (this.batches.includes(batch)) {
      this.#giveBack(batch.baseOffset, "refused");
    }
  }

  /** The first offset of the batch that holds `offset`; the end when none does. */
  boundary(offset: number): number {
    return this.batches.find((batch) => batch.lastOffset >= offset)?.baseOffset ?? this.end;
  }

  truncating(offset: number): void {
    const to = this.boundary(offset);
    this.version++;
    this.cap = to;
    this.landed = Math.min(this.landed, to);
    this.start = Math.min(this.start, to);
    this.promised = Math.min(this.promised, to);
    this.promisedOnKill = Math.min(this.promisedOnKill, to);
  }

  /** The log forgets everything, and goes on at `offset`. */
  startingAnew(offset: number): void {
    this.version++;
    this.cap = this.start;
    this.landed = Math.min(this.landed, this.start);
    this.promised = Math.min(this.promised, this.start);
    this.promisedOnKill = Math.min(this.promisedOnKill, this.start);
    this.newStart = offset;
  }

  /** It is empty now. */
  startedAnew(offset: number): void {
    this.cutTo(0);
    this.end = offset;
    this.start = offset;
    this.startMax = offset;
    this.newStart = undefined;
    this.isDamaged = false;
    this.damage = "";
    this.landed = offset;
    this.promise(offset, true);
  }

  /** The log ends at `end` now, whatever was behind. */
  cutTo(end: number): void {
    this.version++;
    for (const batch of this.batches) {
      if (batch.baseOffset >= end) {
        batch.fate = "cut";
      }
    }
    this.batches = this.batches.filter((batch) => batch.lastOffset < end);
    this.end = end;
    this.start = Math.min(this.start, end);
    this.startMax = Math.min(this.startMax, end);
    this.landed = Math.min(this.landed, end);
    this.promised = Math.min(this.promised, end);
    this.promisedOnKill = Math.min(this.promisedOnKill, end);
    this.cap = Number.POSITIVE_INFINITY;
  }

  /** Neither the commit journal nor the page cache has what is not in the log's own files for good. */
  journalLost(): void {
    this.isJournalLost = true;
    this.promised = Math.min(this.promised, this.landed);
    this.promisedOnKill = Math.min(this.promisedOnKill, this.landed);
  }

  /** The machine lost power: what was only written is promised no more. */
  powerLost(): void {
    this.promisedOnKill = this.promised;
  }

  isBoundary(offset: number): boolean {
    return offset === this.end || this.batches.some((batch) => batch.baseOffset === offset);
  }

  batchAt(offset: number): ModelBatch | undefined {
    let low = 0;
    let high = this.batches.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.batches[middle] as ModelBatch).lastOffset < offset) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    const batch = this.batches[low];
    return batch !== undefined && batch.baseOffset <= offset ? batch : undefined;
  }

  /** The newest batches of the producer's newest epoch, oldest first: what a retry may name. */
  lastFive(producerId: number): ModelBatch[] {
    const own = this.batches.filter((batch) => batch.producerId === producerId);
    const epoch = own.at(-1)?.producerEpoch;
    return own.filter((batch) => batch.producerEpoch === epoch).slice(-5);
  }

  producerIds(): number[] {
    return [...new Set(this.batches.map((batch) => batch.producerId))].filter((id) => id >= 0);
  }

  /** The linear scan. */
  firstWithTimestamp(
    timestamp: number,
    from: number,
  ): { readonly offset: number; readonly timestamp: number } | undefined {
    for (const batch of this.batches) {
      for (const [index, found] of batch.timestamps.entries()) {
        const offset = batch.baseOffset + index;
        if (offset >= from && found >= timestamp) {
          return { offset, timestamp: found };
        }
      }
    }
    return undefined;
  }

  violation(problem: string): Violation {
    const { start, promised, promisedOnKill, end } = this;
    const marks = `start ${start}, promised ${promised}/${promisedOnKill}, end ${end}`;
    const damage = this.damage === "" ? "" : `, damaged: ${this.damage}`;
    return new Violation(`${this.name}: ${problem} (${marks}${damage})`);
  }

  #giveBack(from: number, fate: "refused"): void {
    for (const batch of this.batches) {
      if (batch.baseOffset >= from) {
        if (batch.fate === "acknowledged") {
          throw this.violation(`acknowledged offset ${batch.baseOffset} was given to another`);
        }
        batch.fate = fate;
      }
    }
    this.batches = this.batches.filter((batch) => batch.baseOffset < from);
    this.end = from;
    this.version++;
  }
}
