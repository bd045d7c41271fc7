// What holds for a compacted topic: of each key the last acknowledged write is there, or a later one; it is gone only
// where a tombstone that was not followed by anything acknowledged may have taken it away. What was read once counts as
// acknowledged. Records that survive keep their offsets, and nothing is there that was never sent. Pure.

import type { Verdict } from "./ledger.js";

interface KeyHistory {
  /** By number: whether it is a tombstone. */
  readonly sent: boolean[];
  /** Offsets by number: as promised, and as read before. */
  readonly offsets: Map<number, number>;
  /** The last number that was acknowledged or read; -1: none. */
  promised: number;
  /** The last number that this reading has found; -1: none. */
  found: number;
}

interface PartitionHistory {
  readonly keys: Map<string, KeyHistory>;
  nextOffset: number;
}

export interface KeyedRecord {
  readonly offset: number;
  readonly key: string;
  readonly number: number;
  readonly isTombstone: boolean;
}

const PROBLEMS_MAX = 20;

/** The writes of a key are numbered from 0 on, and sent in this order. */
export class KeyedLedger {
  readonly #partitions = new Map<number, PartitionHistory>();
  readonly #refused = new Set<number>();
  readonly #problems: string[] = [];
  #acknowledged = 0;
  #read = 0;
  #duplicated = 0;
  #outOfOrder = 0;
  #invented = 0;

  /** @returns the write's number */
  sent(partition: number, key: string, isTombstone: boolean): number {
    return this.#key(partition, key).sent.push(isTombstone) - 1;
  }

  acknowledge(partition: number, record: Omit<KeyedRecord, "isTombstone">): void {
    const { key, number, offset } = record;
    this.#acknowledged++;
    const history = this.#key(partition, key);
    this.#checkOffset(history, record);
    history.offsets.set(number, offset);
    history.promised = Math.max(history.promised, number);
  }

  /** A reading of the partition begins at its first offset. */
  beginReading(partition: number): void {
    const history = this.#partition(partition);
    history.nextOffset = 0;
    for (const key of history.keys.values()) {
      key.found = -1;
    }
  }

  read(partition: number, record: KeyedRecord): void {
    const { isTombstone, key, number, offset } = record;
    this.#read++;
    const place = this.#partition(partition);
    if (offset < place.nextOffset) {
      this.#outOfOrder++;
      this.#report(`partition ${partition}: offset ${offset} after ${place.nextOffset - 1}`);
    }
    place.nextOffset = offset + 1;
    const history = this.#key(partition, key);
    if (history.sent[number] !== isTombstone) {
      this.#invented++;
      this.#report(`partition ${partition}: ${key}:${number} at ${offset} was never sent`);
      return;
    }
    if (number === history.found) {
      this.#duplicated++;
      this.#report(`partition ${partition}: ${key}:${number} again at ${offset}`);
    } else if (number < history.found) {
      this.#outOfOrder++;
      this.#report(`partition ${partition}: ${key}:${number} comes after ${history.found}`);
    }
    this.#checkOffset(history, record);
    history.offsets.set(number, offset);
    history.found = Math.max(history.found, number);
  }

  /** The broker does not let anybody read the partition to its end, or write there. */
  refused(partition: number, reason: string): void {
    this.#refused.add(partition);
    this.#report(`partition ${partition}: ${reason}`);
  }

  /** To be asked after every partition was read up to its end, or refused. */
  verdict(): Verdict {
    let lost = 0;
    for (const [partition, { keys }] of this.#partitions) {
      for (const [key, history] of keys) {
        const { found, promised } = history;
        const mayBeGone = found < 0 && history.sent.slice(Math.max(0, promised)).includes(true);
        if (found < promised && !mayBeGone && !this.#refused.has(partition)) {
          lost++;
          const there = found < 0 ? "nothing" : `${found}`;
          this.#report(
            `partition ${partition}: ${key}:${promised} was promised, ${there} is there`,
          );
        }
        history.promised = Math.max(promised, found);
      }
    }
    return {
      lost,
      duplicated: this.#duplicated,
      outOfOrder: this.#outOfOrder,
      invented: this.#invented,
      refused: this.#refused.size,
      acknowledged: this.#acknowledged,
      read: this.#read,
      problems: [...this.#problems],
    };
  }

  #checkOffset(
    history: KeyHistory,
    { key, number, offset }: Omit<KeyedRecord, "isTombstone">,
  ): void {
    const known = history.offsets.get(number);
    if (known !== undefined && known !== offset) {
      this.#outOfOrder++;
      this.#report(`${key}:${number} is at ${known} and at ${offset}`);
    }
  }

  #partition(partition: number): PartitionHistory {
    let history = this.#partitions.get(partition);
    if (history === undefined) {
      history = { keys: new Map(), nextOffset: 0 };
      this.#partitions.set(partition, history);
    }
    return history;
  }

  #key(partition: number, key: string): KeyHistory {
    const { keys } = this.#partition(partition);
    let history = keys.get(key);
    if (history === undefined) {
      history = { sent: [], offsets: new Map(), promised: -1, found: -1 };
      keys.set(key, history);
    }
    return history;
  }

  #report(problem: string): void {
    if (this.#problems.length < PROBLEMS_MAX) {
      this.#problems.push(problem);
    }
  }
}
