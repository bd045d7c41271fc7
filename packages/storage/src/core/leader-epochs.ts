// Which leader epoch wrote which part of a log: KIP-101's cache behind `leader-epoch-checkpoint`. An entry says
// that its epoch's first record is at `startOffset`; both columns rise. Pure; the log stores it.

export interface EpochEntry {
  readonly epoch: number;
  readonly startOffset: number;
}

export interface EpochEnd {
  readonly epoch: number;
  /** Exclusive. */
  readonly endOffset: number;
}

export class LeaderEpochs {
  #entries: EpochEntry[] = [];

  constructor(entries: Iterable<EpochEntry> = []) {
    for (const entry of entries) {
      this.assign(entry.epoch, entry.startOffset);
    }
  }

  get entries(): readonly EpochEntry[] {
    return this.#entries;
  }

  /** -1 when nothing was written under any epoch. */
  get latestEpoch(): number {
    return this.#entries.at(-1)?.epoch ?? -1;
  }

  /**
   * Notes that a batch of `epoch` begins at `startOffset`. Returns whether the entries changed (and must be stored
   * before the batch is). Entries that contradict the new one are dropped, as in Kafka.
   */
  assign(epoch: number, startOffset: number): boolean {
    const last = this.#entries.at(-1);
    if (
      epoch < 0 ||
      (last !== undefined && last.epoch === epoch && last.startOffset <= startOffset)
    ) {
      return false;
    }
    const kept = this.#entries.filter(
      (entry) => entry.epoch < epoch && entry.startOffset < startOffset,
    );
    kept.push({ epoch, startOffset });
    this.#entries = kept;
    return true;
  }

  /** The epoch that wrote `offset`; -1 when it lies before the first entry. */
  epochAt(offset: number): number {
    return this.#entries.findLast((entry) => entry.startOffset <= offset)?.epoch ?? -1;
  }

  /**
   * Where the largest epoch at or below `epoch` ends (KIP-279): the next epoch's start, or the log end for the
   * latest. An epoch before the first ends where the first begins. `{ epoch: -1, endOffset: -1 }` when the log
   * cannot know: it is empty, or the epoch is newer than all of its own.
   */
  endOffsetFor(epoch: number, logEndOffset: number): EpochEnd {
    const first = this.#entries[0];
    if (first === undefined || epoch < 0 || epoch > this.latestEpoch) {
      return { epoch: -1, endOffset: -1 };
    }
    const at = this.#entries.findLastIndex((entry) => entry.epoch <= epoch);
    const entry = this.#entries[at];
    if (entry === undefined) {
      return { epoch, endOffset: first.startOffset };
    }
    return {
      epoch: entry.epoch,
      endOffset: this.#entries[at + 1]?.startOffset ?? logEndOffset,
    };
  }

  /** Forgets all. Returns whether the entries changed. */
  clear(): boolean {
    const hadEntries = this.#entries.length > 0;
    this.#entries = [];
    return hadEntries;
  }

  /** Forgets epochs that begin at or beyond `endOffset`. Returns whether the entries changed. */
  truncateFromEnd(endOffset: number): boolean {
    const before = this.#entries.length;
    this.#entries = this.#entries.filter((entry) => entry.startOffset < endOffset);
    return this.#entries.length !== before;
  }

  /** Forgets epochs that end at or before `startOffset`; the one in force there then begins there. */
  truncateFromStart(startOffset: number): boolean {
    const at = this.#entries.findLastIndex((entry) => entry.startOffset <= startOffset);
    const inForce = this.#entries[at];
    if (inForce === undefined || inForce.startOffset === startOffset) {
      const dropped = at > 0;
      this.#entries = at > 0 ? this.#entries.slice(at) : this.#entries;
      return dropped;
    }
    this.#entries = [{ epoch: inForce.epoch, startOffset }, ...this.#entries.slice(at + 1)];
    return true;
  }
}
