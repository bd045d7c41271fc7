// Kafka's time index of one segment, in memory in its file format. An entry says: no batch up to `offset` has a
// larger timestamp, and the batch that ends at `offset` has it. A hint, like the offset index.
//
// Entry (12 bytes, big-endian): timestamp int64, offset relative to the segment's base int32.

export const TIME_INDEX_ENTRY_BYTES = 12;
const INITIAL_ENTRIES = 64;
const INT32_MAX = 2 ** 31 - 1;

export interface IndexedTimestamp {
  readonly timestamp: number;
  /** The last offset of the first batch that reached the timestamp. */
  readonly offset: number;
}

export class TimeIndex {
  readonly #baseOffset: number;
  #bytes: Uint8Array;
  #view: DataView;
  #count: number;

  constructor(baseOffset: number, bytes: Uint8Array = new Uint8Array(0)) {
    this.#baseOffset = baseOffset;
    this.#bytes = bytes;
    this.#view = viewOf(bytes);
    this.#count = Math.floor(bytes.length / TIME_INDEX_ENTRY_BYTES);
  }

  get entryCount(): number {
    return this.#count;
  }

  get sizeBytes(): number {
    return this.#count * TIME_INDEX_ENTRY_BYTES;
  }

  /** The file's content from entry `fromEntry` on. A view: write it before the next append. */
  encoded(fromEntry = 0): Uint8Array {
    return this.#bytes.subarray(fromEntry * TIME_INDEX_ENTRY_BYTES, this.sizeBytes);
  }

  at(entry: number): IndexedTimestamp {
    const at = entry * TIME_INDEX_ENTRY_BYTES;
    return {
      timestamp: Number(this.#view.getBigInt64(at)),
      offset: this.#baseOffset + this.#view.getInt32(at + 8),
    };
  }

  get last(): IndexedTimestamp | undefined {
    return this.#count === 0 ? undefined : this.at(this.#count - 1);
  }

  /** Only an entry with a larger timestamp and offset than the last says anything new; others are left out. */
  append(entry: IndexedTimestamp): void {
    const last = this.last;
    const relative = entry.offset - this.#baseOffset;
    const rises =
      last === undefined || (entry.timestamp > last.timestamp && entry.offset > last.offset);
    if (!rises || entry.timestamp < 0 || relative < 0 || relative > INT32_MAX) {
      return;
    }
    const at = this.sizeBytes;
    if (at + TIME_INDEX_ENTRY_BYTES > this.#bytes.length) {
      this.#grow();
    }
    this.#view.setBigInt64(at, BigInt(entry.timestamp));
    this.#view.setInt32(at + 8, relative);
    this.#count++;
  }

  /** The last entry whose timestamp is at most `timestamp`: the search may begin at its batch. */
  lookup(timestamp: number): IndexedTimestamp | undefined {
    let low = 0;
    let high = this.#count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.at(middle).timestamp <= timestamp) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low === 0 ? undefined : this.at(low - 1);
  }

  /** Drops all entries of batches that end at or beyond `offset`. */
  truncateToOffset(offset: number): void {
    while (this.#count > 0 && this.at(this.#count - 1).offset >= offset) {
      this.#count--;
    }
  }

  /** Why the content cannot be a time index of a segment that ends before `endOffset`; undefined when it can. */
  problem(endOffset: number): string | undefined {
    if (this.#bytes.length % TIME_INDEX_ENTRY_BYTES !== 0) {
      return "its size is not a multiple of an entry's";
    }
    let previous: IndexedTimestamp = { timestamp: -1, offset: this.#baseOffset - 1 };
    for (let entry = 0; entry < this.#count; entry++) {
      const current = this.at(entry);
      if (current.timestamp <= previous.timestamp || current.offset <= previous.offset) {
        return `entry ${entry} does not rise`;
      }
      previous = current;
    }
    return previous.offset >= endOffset && this.#count > 0
      ? "it points beyond the segment's end"
      : undefined;
  }

  #grow(): void {
    const entries = Math.max(INITIAL_ENTRIES, this.#count * 2);
    const bytes = new Uint8Array(entries * TIME_INDEX_ENTRY_BYTES);
    bytes.set(this.#bytes.subarray(0, this.sizeBytes));
    this.#bytes = bytes;
    this.#view = viewOf(bytes);
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
