// Kafka's sparse offset index of one segment, in memory in its file format: where a batch lies, by the offset
// of its LAST record. An index is a hint: it may lack entries, and a reader checks what it finds there.
//
// Entry (8 bytes, big-endian): offset relative to the segment's base int32, position of the batch's first byte int32.

export const OFFSET_INDEX_ENTRY_BYTES = 8;
const INITIAL_ENTRIES = 64;
const INT32_MAX = 2 ** 31 - 1;

export interface IndexedBatch {
  readonly lastOffset: number;
  readonly position: number;
}

export class OffsetIndex {
  readonly #baseOffset: number;
  #bytes: Uint8Array;
  #view: DataView;
  #count: number;

  constructor(baseOffset: number, bytes: Uint8Array = new Uint8Array(0)) {
    this.#baseOffset = baseOffset;
    this.#bytes = bytes;
    this.#view = viewOf(bytes);
    this.#count = Math.floor(bytes.length / OFFSET_INDEX_ENTRY_BYTES);
  }

  get entryCount(): number {
    return this.#count;
  }

  get sizeBytes(): number {
    return this.#count * OFFSET_INDEX_ENTRY_BYTES;
  }

  /** The file's content from entry `fromEntry` on. A view: write it before the next append. */
  encoded(fromEntry = 0): Uint8Array {
    return this.#bytes.subarray(fromEntry * OFFSET_INDEX_ENTRY_BYTES, this.sizeBytes);
  }

  at(entry: number): IndexedBatch {
    const at = entry * OFFSET_INDEX_ENTRY_BYTES;
    return {
      lastOffset: this.#baseOffset + this.#view.getInt32(at),
      position: this.#view.getInt32(at + 4),
    };
  }

  get last(): IndexedBatch | undefined {
    return this.#count === 0 ? undefined : this.at(this.#count - 1);
  }

  /** Entries must rise in offset and position; one that does not is left out (it is a hint). */
  append(batch: IndexedBatch): void {
    const last = this.last;
    const relative = batch.lastOffset - this.#baseOffset;
    const rises =
      last === undefined || (batch.lastOffset > last.lastOffset && batch.position > last.position);
    if (!rises || relative < 0 || relative > INT32_MAX || batch.position > INT32_MAX) {
      return;
    }
    const at = this.sizeBytes;
    if (at + OFFSET_INDEX_ENTRY_BYTES > this.#bytes.length) {
      this.#grow();
    }
    this.#view.setInt32(at, relative);
    this.#view.setInt32(at + 4, batch.position);
    this.#count++;
  }

  /** The last entry at or before `offset`; undefined when the scan must begin at the segment's start. */
  lookup(offset: number): IndexedBatch | undefined {
    let low = 0;
    let high = this.#count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#baseOffset + this.#view.getInt32(middle * OFFSET_INDEX_ENTRY_BYTES) <= offset) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low === 0 ? undefined : this.at(low - 1);
  }

  /** Drops all entries of batches at or beyond `position`. */
  truncateToPosition(position: number): void {
    while (this.#count > 0 && this.at(this.#count - 1).position >= position) {
      this.#count--;
    }
  }

  /** Why the content cannot be an index of a segment of `segmentBytes`; undefined when it can. */
  problem(segmentBytes: number): string | undefined {
    if (this.#bytes.length % OFFSET_INDEX_ENTRY_BYTES !== 0) {
      return "its size is not a multiple of an entry's";
    }
    let previous: IndexedBatch = { lastOffset: this.#baseOffset - 1, position: -1 };
    for (let entry = 0; entry < this.#count; entry++) {
      const current = this.at(entry);
      if (current.lastOffset <= previous.lastOffset || current.position <= previous.position) {
        return `entry ${entry} does not rise`;
      }
      previous = current;
    }
    return previous.position >= segmentBytes && this.#count > 0
      ? "it points beyond the segment's end"
      : undefined;
  }

  #grow(): void {
    const entries = Math.max(INITIAL_ENTRIES, this.#count * 2);
    const bytes = new Uint8Array(entries * OFFSET_INDEX_ENTRY_BYTES);
    bytes.set(this.#bytes.subarray(0, this.sizeBytes));
    this.#bytes = bytes;
    this.#view = viewOf(bytes);
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
