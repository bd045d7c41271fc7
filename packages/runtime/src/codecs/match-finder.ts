// What the two LZ77 codecs here share: a table of where four bytes were seen last, and how far two places agree.

import { readUint32 } from "./little-endian.js";

const HASH_BITS = 13;
const HASH_FACTOR = 0x9e3779b1;

/** For blocks of at most 64 KiB, so that a place fits into 16 bits. */
export class MatchFinder {
  readonly #places = new Uint16Array(1 << HASH_BITS);
  #blockAt = 0;

  /** Forgets everything: a block begins at `blockAt`. */
  start(blockAt: number): void {
    this.#places.fill(0);
    this.#blockAt = blockAt;
  }

  /** Where the four bytes at `at` were seen before, in this block, or -1; remembers `at` instead. */
  find(bytes: Uint8Array, at: number): number {
    const word = readUint32(bytes, at);
    const slot = Math.imul(word, HASH_FACTOR) >>> (32 - HASH_BITS);
    const candidate = this.#blockAt + (this.#places[slot] ?? 0);
    this.#places[slot] = at - this.#blockAt;
    return candidate < at && readUint32(bytes, candidate) === word ? candidate : -1;
  }
}

/** How many bytes from `left` on equal those from `right` on, before `end`. */
export function commonLength(
  bytes: Uint8Array,
  places: { readonly left: number; readonly right: number },
  end: number,
): number {
  let { left, right } = places;
  while (right < end && bytes[left] === bytes[right]) {
    left++;
    right++;
  }
  return right - places.right;
}

/** Copies within `bytes`, byte after byte: a copy that overlaps itself repeats a pattern. */
export function copyMatch(
  bytes: Uint8Array,
  places: { readonly from: number; readonly to: number },
  length: number,
): void {
  const { from, to } = places;
  if (to - from >= length) {
    bytes.copyWithin(to, from, from + length);
    return;
  }
  for (let index = 0; index < length; index++) {
    bytes[to + index] = bytes[from + index] ?? 0;
  }
}
