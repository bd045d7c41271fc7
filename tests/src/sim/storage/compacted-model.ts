// What a compacted log must hold: every record that was appended, whether a newer one of its key makes it superfluous, and
// since when a cleaning pass may have seen it. Exact where compaction is: the newest value of each key, tombstones for as
// long as is promised, offsets and contents of all that is left. No I/O.

import type { LogId } from "@millrace/storage";
import { Violation } from "./model-log.js";

export interface KeyedRecord {
  readonly offset: number;
  readonly key: string;
  /** null: a tombstone. */
  readonly value: string | null;
  readonly timestamp: number;
}

interface KnownRecord extends KeyedRecord {
  /** The earliest time that a pass which may have covered it was told; undefined before the first. */
  seenMs: number | undefined;
  /** A tombstone whose time was over in a later pass. */
  mayBeGone: boolean;
}

export class CompactedModel {
  readonly id: LogId;
  readonly entries: Readonly<Record<string, string>>;
  /** In order of offsets. */
  records: KnownRecord[] = [];
  end = 0;
  start = 0;
  /** The largest log start that may have been stored. */
  startMax = 0;
  /** No power loss may take anything before this offset, and no kill anything before the other one. */
  promised = 0;
  promisedOnKill = 0;
  /** Its creation was answered. */
  isPresent = false;
  /** What a pass that runs was told: it may cover records that are appended before it looks where the log ends. */
  #cleaningMs: number | undefined;

  constructor(id: LogId, entries: Readonly<Record<string, string>>) {
    this.id = id;
    this.entries = entries;
  }

  took(records: readonly KeyedRecord[]): void {
    for (const record of records) {
      this.records.push({ ...record, seenMs: this.#cleaningMs, mayBeGone: false });
      this.end = record.offset + 1;
    }
  }

  /** The log took back what lies at or beyond `end`. */
  cutTo(end: number): void {
    this.records = this.records.filter(({ offset }) => offset < end);
    this.end = end;
  }

  promise(offset: number, isFsynced: boolean): void {
    this.promisedOnKill = Math.max(this.promisedOnKill, offset);
    if (isFsynced) {
      this.promised = Math.max(this.promised, offset);
    }
  }

  powerLost(): void {
    this.promisedOnKill = this.promised;
  }

  /** A cleaning begins, and is told that it is `nowMs`. */
  cleaning(nowMs: number): void {
    const retentionMs = Number(this.entries["delete.retention.ms"]);
    this.#cleaningMs = nowMs;
    for (const record of this.records) {
      record.mayBeGone ||=
        record.value === null &&
        record.seenMs !== undefined &&
        nowMs >= record.seenMs + retentionMs;
      record.seenMs = Math.min(record.seenMs ?? nowMs, nowMs);
    }
  }

  /** The cleaning is over, one way or another. */
  cleaned(): void {
    this.#cleaningMs = undefined;
  }

  /** Retention moved the start: what went was old. */
  retained(start: number, nowMs: number): void {
    const retentionMs = Number(this.entries["retention.ms"]);
    const young = this.records.find(
      ({ offset, timestamp }) => offset < start && nowMs - timestamp <= retentionMs,
    );
    if (young !== undefined) {
      throw this.violation(`retention removed offset ${young.offset}, which it must keep`);
    }
    this.startsAt(start);
  }

  startsAt(start: number): void {
    this.start = start;
    this.startMax = start;
    this.records = this.records.filter(({ offset }) => offset >= start);
  }

  /** Holds all that a reader gets, from the log start to `end`, against what must be there, and takes it over. */
  check(served: readonly KeyedRecord[], end: number): void {
    const seen = new Map(served.map((record) => [record.offset, record]));
    const expected = this.records.filter(({ offset }) => offset < end);
    const newest = new Map(expected.map(({ key, offset }) => [key, offset]));
    const known = new Set<number>();
    for (const record of expected) {
      known.add(record.offset);
      const found = seen.get(record.offset);
      if (found === undefined) {
        const isNewest = newest.get(record.key) === record.offset;
        if (isNewest && !record.mayBeGone) {
          const what = record.value === null ? "tombstone" : "value";
          throw this.violation(`the newest ${what} of ${record.key}, at ${record.offset}, is gone`);
        }
      } else if (!isSame(record, found)) {
        throw this.violation(`offset ${record.offset} is served with other contents`);
      }
    }
    const foreign = served.find(({ offset }) => !known.has(offset));
    if (foreign !== undefined) {
      throw this.violation(`offset ${foreign.offset} is served, which was gone or never appended`);
    }
    this.#checkTable(served, expected);
    // What is gone stays gone.
    this.records = this.records.filter(({ offset }) => offset >= end || seen.has(offset));
  }

  /** Nothing that was deleted or overwritten is back for who reads everything. */
  #checkTable(served: readonly KeyedRecord[], expected: readonly KeyedRecord[]): void {
    const found = tableOf(served);
    for (const [key, value] of tableOf(expected)) {
      if ((found.get(key) ?? null) !== value) {
        throw this.violation(`${key} is ${found.get(key)}, ${value} was its newest value`);
      }
    }
  }

  violation(problem: string): Violation {
    const { start, promised, promisedOnKill, end } = this;
    const marks = `start ${start}, promised ${promised}/${promisedOnKill}, end ${end}`;
    return new Violation(`${this.id.topic}-${this.id.partition}: ${problem} (${marks})`);
  }
}

function tableOf(records: readonly KeyedRecord[]): Map<string, string | null> {
  return new Map(records.map(({ key, value }) => [key, value]));
}

function isSame(left: KeyedRecord, right: KeyedRecord): boolean {
  return left.key === right.key && left.value === right.value && left.timestamp === right.timestamp;
}
