// Copies of small batches, side by side in chunks of memory: a buffer of its own for each, of thousands a second, costs more
// than the copying. A chunk is collected when nobody holds any of its copies. The tail drops batches in about the order in
// which they came, whatever log they are of, so the copies of a chunk go together.

const CHUNK_BYTES = 64 * 1024;
/** A larger one gets memory of its own, or too much of a chunk would be left over. */
const SMALL_BYTES_MAX = CHUNK_BYTES / 8;

export class SmallCopies {
  #chunk = new Uint8Array(0);
  #usedBytes = 0;

  /** The same bytes in memory that nobody writes to any more. */
  copy(bytes: Uint8Array): Uint8Array {
    if (bytes.byteLength > SMALL_BYTES_MAX) {
      return bytes.slice();
    }
    if (this.#usedBytes + bytes.byteLength > this.#chunk.byteLength) {
      this.#chunk = new Uint8Array(CHUNK_BYTES);
      this.#usedBytes = 0;
    }
    const end = this.#usedBytes + bytes.byteLength;
    const copy = this.#chunk.subarray(this.#usedBytes, end);
    copy.set(bytes);
    this.#usedBytes = end;
    return copy;
  }
}
