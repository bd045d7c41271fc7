// LZ4 blocks (github.com/lz4/lz4/blob/dev/doc/lz4_Block_format.md): sequences of a token, literals, and a match of
// at least 4 bytes at most 65,535 back. Reading is done in two walks: the first checks every length and adds them
// up, so that nothing is allocated for what turns out malformed or too large; the second copies.

import { malformed } from "./codec-errors.js";
import { readUint16, writeUint16 } from "./little-endian.js";
import { commonLength, copyMatch, MatchFinder } from "./match-finder.js";

const MATCH_BYTES_MIN = 4;
/** The last five bytes are literals, and the last match begins twelve bytes before the end at the latest. */
const LAST_LITERALS = 5;
const MATCH_LIMIT = 12;
const NIBBLE_MAX = 15;
/** After 64 positions without a match every second one is tried, then every third, ... */
const SKIP_SHIFT = 6;

/** Bytes at `from` to before `to` of `input`. */
export interface Range {
  readonly from: number;
  readonly to: number;
}

/** At most so many bytes a block of `length` bytes takes. */
export const lz4BlockBound = (length: number): number => length + Math.ceil(length / 255) + 16;

/** Compresses a range of at most 64 KiB into `output` at `at`, which has `lz4BlockBound` bytes left; returns the end. */
export function writeLz4Block(
  input: Uint8Array,
  range: Range,
  output: Uint8Array,
  at: number,
): number {
  const { from, to } = range;
  const finder = new MatchFinder();
  finder.start(from);
  let end = at;
  let literalsAt = from;
  let next = from;
  let misses = 1 << SKIP_SHIFT;
  while (next <= to - MATCH_LIMIT) {
    const candidate = finder.find(input, next);
    if (candidate < 0) {
      next += misses++ >> SKIP_SHIFT;
      continue;
    }
    const length = commonLength(input, { left: candidate, right: next }, to - LAST_LITERALS);
    end = writeLiterals(input, { from: literalsAt, to: next }, output, end, length);
    writeUint16(output, end, next - candidate);
    end = writeLength(output, end + 2, length - MATCH_BYTES_MIN);
    next += length;
    literalsAt = next;
    misses = 1 << SKIP_SHIFT;
  }
  return writeLiterals(input, { from: literalsAt, to }, output, end, MATCH_BYTES_MIN);
}

function writeLiterals(
  input: Uint8Array,
  range: Range,
  output: Uint8Array,
  at: number,
  matchLength: number,
): number {
  const length = range.to - range.from;
  const matchNibble = Math.min(NIBBLE_MAX, matchLength - MATCH_BYTES_MIN);
  output[at] = (Math.min(NIBBLE_MAX, length) << 4) | matchNibble;
  const literalsAt = writeLength(output, at + 1, length);
  output.set(input.subarray(range.from, range.to), literalsAt);
  return literalsAt + length;
}

/** The rest of a length that its nibble does not hold. */
function writeLength(output: Uint8Array, at: number, length: number): number {
  if (length < NIBBLE_MAX) {
    return at;
  }
  let end = at;
  let rest = length - NIBBLE_MAX;
  for (; rest >= 255; rest -= 255) {
    output[end++] = 255;
  }
  output[end++] = rest;
  return end;
}

/** Walks the sequences of a block. */
class SequenceReader {
  /** Literals of the sequence: where, and how many. */
  literalsAt = 0;
  literalsLength = 0;
  /** How far back the match is; 0 in the last sequence, which has none. */
  distance = 0;
  matchLength = 0;
  readonly #input: Uint8Array;
  readonly #to: number;
  #at: number;

  constructor(input: Uint8Array, range: Range) {
    this.#input = input;
    this.#at = range.from;
    this.#to = range.to;
  }

  /** @throws ComputeError `MALFORMED` */
  next(): boolean {
    if (this.#at >= this.#to) {
      if (this.distance !== 0) {
        throw malformed("an LZ4 block ends with a match");
      }
      return false;
    }
    const token = this.#input[this.#at++] ?? 0;
    this.literalsLength = this.#readLength(token >>> 4);
    this.literalsAt = this.#at;
    this.#at += this.literalsLength;
    if (this.#at > this.#to) {
      throw malformed("the literals of an LZ4 block run past its end");
    }
    if (this.#at === this.#to) {
      this.distance = 0;
      this.matchLength = 0;
      return true;
    }
    this.distance = readUint16(this.#input, this.#at);
    this.#at += 2;
    if (this.#at > this.#to || this.distance === 0) {
      throw malformed("a match of an LZ4 block has no distance");
    }
    this.matchLength = this.#readLength(token & NIBBLE_MAX) + MATCH_BYTES_MIN;
    return true;
  }

  #readLength(nibble: number): number {
    let length = nibble;
    let byte = nibble === NIBBLE_MAX ? 255 : 0;
    while (byte === 255) {
      if (this.#at >= this.#to) {
        throw malformed("a length of an LZ4 block runs past its end");
      }
      byte = this.#input[this.#at++] ?? 0;
      length += byte;
    }
    return length;
  }
}

/**
 * How many bytes a block gives, checked throughout: every literal is there, and no match reaches back further than
 * `history` bytes before the block.
 * @throws ComputeError `MALFORMED`
 */
export function measureLz4Block(input: Uint8Array, range: Range, history: number): number {
  if (range.from >= range.to) {
    throw malformed("an LZ4 block is empty");
  }
  const reader = new SequenceReader(input, range);
  let length = 0;
  while (reader.next()) {
    length += reader.literalsLength;
    if (reader.distance > history + length) {
      throw malformed("a match of an LZ4 block reaches back before the first byte");
    }
    length += reader.matchLength;
  }
  return length;
}

/** Decompresses a block that `measureLz4Block` accepted; returns where its output ends. */
export function readLz4Block(
  input: Uint8Array,
  range: Range,
  output: Uint8Array,
  at: number,
): number {
  const reader = new SequenceReader(input, range);
  let end = at;
  while (reader.next()) {
    const { literalsAt, literalsLength, distance, matchLength } = reader;
    output.set(input.subarray(literalsAt, literalsAt + literalsLength), end);
    end += literalsLength;
    copyMatch(output, { from: end - distance, to: end }, matchLength);
    end += matchLength;
  }
  return end;
}
