// Which records of one batch a cleaning pass keeps, collected while a walker goes over them: the kept ones as spans of
// the payload, and what of them the new header says. Pure; the rules are Kafka's (Cleaner.shouldRetainRecord).

import type { RecordWalker } from "@millrace/protocol";

export interface RetentionScope {
  /** Records before it are deleted. */
  readonly logStartOffset: number;
  /** Exclusive: the pass knows nothing of keys from here on. */
  readonly endOffset: number;
  /** A tombstone of this batch may go; only when the pass that gave it its horizon is over. */
  readonly mayDropTombstones: boolean;
}

export class RecordRetention {
  /** Start and end of each run of kept records in the payload, one after the other. */
  readonly #spans: number[] = [];
  readonly #scope: RetentionScope;
  #keptBytes = 0;
  recordCount = 0;
  droppedCount = 0;
  /** Of the kept records; -1: none has one. */
  maxTimestamp = -1;
  hasTombstone = false;

  constructor(scope: RetentionScope) {
    this.#scope = scope;
  }

  /** @param newestOffset of the record's key, as far as the pass knows; -1: it has no newer one */
  decide(record: RecordWalker, newestOffset: number): void {
    if (!this.#keeps(record, newestOffset)) {
      this.droppedCount++;
      return;
    }
    const spans = this.#spans;
    if (spans.length > 0 && spans[spans.length - 1] === record.start) {
      spans[spans.length - 1] = record.end;
    } else {
      spans.push(record.start, record.end);
    }
    this.#keptBytes += record.end - record.start;
    this.recordCount++;
    this.maxTimestamp = Math.max(this.maxTimestamp, record.timestamp);
    this.hasTombstone ||= record.valueLength < 0 && record.offset < this.#scope.endOffset;
  }

  /** The kept records, back to back. */
  payload(bytes: Uint8Array): Uint8Array {
    if (this.droppedCount === 0) {
      return bytes;
    }
    const kept = new Uint8Array(this.#keptBytes);
    let at = 0;
    for (let index = 0; index < this.#spans.length; index += 2) {
      const span = bytes.subarray(this.#spans[index], this.#spans[index + 1]);
      kept.set(span, at);
      at += span.length;
    }
    return kept;
  }

  #keeps(record: RecordWalker, newestOffset: number): boolean {
    const { endOffset, logStartOffset, mayDropTombstones } = this.#scope;
    if (record.offset >= endOffset) {
      return true;
    }
    const isLive = record.offset >= logStartOffset && record.keyLength >= 0;
    return (
      isLive && record.offset >= newestOffset && (record.valueLength >= 0 || !mayDropTombstones)
    );
  }
}
