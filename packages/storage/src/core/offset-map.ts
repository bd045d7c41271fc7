// The newest offset of each key in the part of a log that a cleaning pass covers: Kafka's SkimpyOffsetMap. Keys are kept
// as 128-bit hashes in one typed array of fixed size, open addressing with linear probing, so memory is bounded however
// many keys there are. When it is full the pass ends there, and the next one goes on.
//
// Slot (20 bytes): four 32-bit words of the hash, then the offset relative to the map's base, plus one; 0: empty.

import { KeyHash } from "./key-hash.js";

/** Bytes that one key takes, the empty slots not counted. */
export const OFFSET_MAP_SLOT_BYTES = 20;
const WORDS = 5;
/** Fuller than this, probing gets slow (Kafka's log.cleaner.io.buffer.load.factor). */
const LOAD_FACTOR = 0.9;
const RELATIVE_OFFSET_MAX = 2 ** 32 - 2;

export interface OffsetMapOptions {
  /** Where the pass begins: no smaller offset is put. */
  readonly baseOffset: number;
  /** Bound of the array. */
  readonly maxBytes: number;
  /** As many keys as there can be: a smaller array does when they are few. */
  readonly keysMax: number;
  /** 16 random bytes. */
  readonly secret: Uint8Array;
}

export class OffsetMap {
  readonly #baseOffset: number;
  readonly #slots: Uint32Array;
  readonly #slotCount: number;
  readonly #capacity: number;
  readonly #hash: KeyHash;
  #size = 0;

  constructor(options: OffsetMapOptions) {
    const wanted = Math.ceil(options.keysMax / LOAD_FACTOR) + 1;
    const possible = Math.floor(options.maxBytes / OFFSET_MAP_SLOT_BYTES);
    this.#slotCount = Math.max(2, Math.min(wanted, possible));
    this.#capacity = Math.max(1, Math.floor(this.#slotCount * LOAD_FACTOR));
    this.#slots = new Uint32Array(this.#slotCount * WORDS);
    this.#baseOffset = options.baseOffset;
    this.#hash = new KeyHash(options.secret);
  }

  /** Keys in the map. */
  get size(): number {
    return this.#size;
  }

  get sizeBytes(): number {
    return this.#slots.byteLength;
  }

  /**
   * Notes that the key occurs at `offset`, which is larger than all before. False when that cannot be kept: the map is
   * full, or the offset too far from its base.
   */
  put(
    bytes: Uint8Array,
    key: { readonly start: number; readonly length: number },
    offset: number,
  ): boolean {
    const relative = offset - this.#baseOffset;
    if (relative > RELATIVE_OFFSET_MAX) {
      return false;
    }
    this.#hash.hash(bytes, key.start, key.length);
    const at = this.#find();
    const slots = this.#slots;
    if (slots[at + 4] === 0) {
      if (this.#size >= this.#capacity) {
        return false;
      }
      slots[at] = this.#hash.a;
      slots[at + 1] = this.#hash.b;
      slots[at + 2] = this.#hash.c;
      slots[at + 3] = this.#hash.d;
      this.#size++;
    }
    slots[at + 4] = relative + 1;
    return true;
  }

  /** The newest offset of the key; -1 when it is not in the map. */
  get(bytes: Uint8Array, start: number, length: number): number {
    this.#hash.hash(bytes, start, length);
    const relative = this.#slots[this.#find() + 4] as number;
    return relative === 0 ? -1 : this.#baseOffset + relative - 1;
  }

  /** The slot of the hash, or the empty one where it belongs. There always is an empty one. */
  #find(): number {
    const { a, b, c, d } = this.#hash;
    const slots = this.#slots;
    let slot = a % this.#slotCount;
    for (;;) {
      const at = slot * WORDS;
      const isFree = slots[at + 4] === 0;
      const isSame =
        slots[at] === a && slots[at + 1] === b && slots[at + 2] === c && slots[at + 3] === d;
      if (isFree || isSame) {
        return at;
      }
      slot = slot + 1 === this.#slotCount ? 0 : slot + 1;
    }
  }
}
