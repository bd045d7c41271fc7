// What producers were promised and what consumers saw, and the verdict: every acknowledged record is read
// exactly once, at the offset it was acknowledged with, and each producer's records are in the order sent.
// Records whose send failed or is still open may or may not be there, but never twice; others never. Pure.

export interface Verdict {
  /** Acknowledged, and not read at its offset. */
  readonly lost: number;
  /** Read at a second offset. */
  readonly duplicated: number;
  /** Read after a later record of the same producer, or at another offset than acknowledged. */
  readonly outOfOrder: number;
  /** Read, and never sent. */
  readonly invented: number;
  /** Partitions that the broker does not serve any more; what is lost of them is not counted. */
  readonly refused: number;
  readonly acknowledged: number;
  readonly read: number;
  /** The first few problems, in words. */
  readonly problems: readonly string[];
}

interface PartitionLedger {
  /** By record: producer and number, as text. */
  acknowledged: Map<string, number>;
  readAt: Map<string, number>;
  lastNumber: Map<string, number>;
  /** By producer: the last number that it sent. */
  lastSent: Map<string, number>;
  nextOffset: number;
}

const PROBLEMS_MAX = 20;

/** One ledger per topic; partitions are independent. A record is named by its producer and its number there. */
export class Ledger {
  readonly #partitions = new Map<number, PartitionLedger>();
  readonly #refused = new Set<number>();
  readonly #problems: string[] = [];
  #duplicated = 0;
  #outOfOrder = 0;
  #invented = 0;
  #read = 0;

  /** Numbers of one producer and partition grow by one. */
  sent(partition: number, producer: string, number: number): void {
    this.#partition(partition).lastSent.set(producer, number);
  }

  acknowledge(partition: number, offset: number, producer: string, number: number): void {
    const ledger = this.#partition(partition);
    const id = `${producer}:${number}`;
    ledger.acknowledged.set(id, offset);
    const readAt = ledger.readAt.get(id);
    if (readAt !== undefined && readAt !== offset) {
      this.#outOfOrder++;
      this.#report(`partition ${partition}: ${id} acknowledged at ${offset}, read at ${readAt}`);
    }
  }

  /** Records of one partition are handed over in the order read; each offset once. */
  read(partition: number, offset: number, producer: string, number: number): void {
    const ledger = this.#partition(partition);
    const id = `${producer}:${number}`;
    this.#read++;
    if (offset < ledger.nextOffset) {
      this.#outOfOrder++;
      this.#report(`partition ${partition}: offset ${offset} after ${ledger.nextOffset - 1}`);
    }
    ledger.nextOffset = offset + 1;
    if (!(number >= 0 && number <= (ledger.lastSent.get(producer) ?? -1))) {
      this.#invented++;
      this.#report(`partition ${partition}: ${id} at ${offset} was never sent`);
      return;
    }
    const before = ledger.readAt.get(id);
    if (before !== undefined) {
      this.#duplicated++;
      this.#report(`partition ${partition}: ${id} at ${before} and again at ${offset}`);
      return;
    }
    ledger.readAt.set(id, offset);
    const last = ledger.lastNumber.get(producer) ?? -1;
    if (number <= last) {
      this.#outOfOrder++;
      this.#report(`partition ${partition}: ${id} at ${offset} comes after number ${last}`);
    }
    ledger.lastNumber.set(producer, Math.max(last, number));
    const promised = ledger.acknowledged.get(id);
    if (promised !== undefined && promised !== offset) {
      this.#outOfOrder++;
      this.#report(`partition ${partition}: ${id} acknowledged at ${promised}, read at ${offset}`);
    }
  }

  /** The broker does not let anybody read the partition to its end, or write there. */
  refused(partition: number, reason: string): void {
    this.#refused.add(partition);
    this.#report(`partition ${partition}: ${reason}`);
  }

  /** The offset to read from next. */
  nextOffset(partition: number): number {
    return this.#partition(partition).nextOffset;
  }

  /** To be asked after everything up to the log end was read. */
  verdict(): Verdict {
    let lost = 0;
    let acknowledged = 0;
    for (const [partition, ledger] of this.#partitions) {
      acknowledged += ledger.acknowledged.size;
      for (const [id, offset] of ledger.acknowledged) {
        if (!ledger.readAt.has(id) && !this.#refused.has(partition)) {
          lost++;
          this.#report(
            `partition ${partition}: ${id} was acknowledged at ${offset} and is not there`,
          );
        }
      }
    }
    return {
      lost,
      duplicated: this.#duplicated,
      outOfOrder: this.#outOfOrder,
      invented: this.#invented,
      refused: this.#refused.size,
      acknowledged,
      read: this.#read,
      problems: [...this.#problems],
    };
  }

  #partition(partition: number): PartitionLedger {
    let ledger = this.#partitions.get(partition);
    if (ledger === undefined) {
      ledger = {
        acknowledged: new Map(),
        readAt: new Map(),
        lastNumber: new Map(),
        lastSent: new Map(),
        nextOffset: 0,
      };
      this.#partitions.set(partition, ledger);
    }
    return ledger;
  }

  #report(problem: string): void {
    if (this.#problems.length < PROBLEMS_MAX) {
      this.#problems.push(problem);
    }
  }
}
