// Snappy blocks (github.com/google/snappy/blob/main/format_description.txt): the length as a varint, then literals
// and copies. The declared length is checked against what the input can give before anything is allocated.

import { malformed } from "./codec-errors.js";
import { readUint16, readUint32, writeUint16 } from "./little-endian.js";
import { commonLength, copyMatch, MatchFinder } from "./match-finder.js";

const LITERAL = 0;
const COPY_1 = 1;
const COPY_2 = 2;
const COPY_2_BYTES_MAX = 64;
const COPY_1_BYTES_MAX = 11;
const COPY_1_DISTANCE_MAX = 2047;
/** A literal's length up to here is in its tag. */
const SHORT_LITERAL = 60;
/** Three bytes give at most 64. */
const EXPANSION_MAX = 22;
const SKIP_SHIFT = 5;

/** At most so many bytes a block of `length` bytes takes. */
export const snappyBlockBound = (length: number): number => 32 + length + Math.ceil(length / 6);

/** Compresses at most 64 KiB into `output` at `at`, which has `snappyBlockBound` bytes left; returns the end. */
export function writeSnappyBlock(bytes: Uint8Array, output: Uint8Array, at: number): number {
  const finder = new MatchFinder();
  finder.start(0);
  let end = writeVarint(output, at, bytes.length);
  let literalsAt = 0;
  let next = 0;
  let misses = 1 << SKIP_SHIFT;
  while (next <= bytes.length - 4) {
    const candidate = finder.find(bytes, next);
    if (candidate < 0) {
      next += misses++ >> SKIP_SHIFT;
      continue;
    }
    end = writeLiteral(bytes.subarray(literalsAt, next), output, end);
    const length = commonLength(bytes, { left: candidate, right: next }, bytes.length);
    end = writeCopies(output, end, { distance: next - candidate, length });
    next += length;
    literalsAt = next;
    misses = 1 << SKIP_SHIFT;
  }
  return writeLiteral(bytes.subarray(literalsAt), output, end);
}

function writeVarint(output: Uint8Array, at: number, value: number): number {
  let end = at;
  let rest = value;
  for (; rest >= 0x80; rest >>>= 7) {
    output[end++] = (rest & 0x7f) | 0x80;
  }
  output[end++] = rest;
  return end;
}

function writeLiteral(literal: Uint8Array, output: Uint8Array, at: number): number {
  if (literal.length === 0) {
    return at;
  }
  const last = literal.length - 1;
  let contentAt = at + 1;
  if (last < SHORT_LITERAL) {
    output[at] = (last << 2) | LITERAL;
  } else if (last < 0x100) {
    output[at] = (SHORT_LITERAL << 2) | LITERAL;
    output[contentAt++] = last;
  } else {
    output[at] = ((SHORT_LITERAL + 1) << 2) | LITERAL;
    writeUint16(output, contentAt, last);
    contentAt += 2;
  }
  output.set(literal, contentAt);
  return contentAt + literal.length;
}

function writeCopies(
  output: Uint8Array,
  at: number,
  match: { readonly distance: number; readonly length: number },
): number {
  const { distance } = match;
  let end = at;
  let rest = match.length;
  while (rest > 0) {
    if (rest >= 4 && rest <= COPY_1_BYTES_MAX && distance <= COPY_1_DISTANCE_MAX) {
      output[end] = ((distance >>> 8) << 5) | ((rest - 4) << 2) | COPY_1;
      output[end + 1] = distance;
      return end + 2;
    }
    // What is left over for the last copy is never less than four bytes, which the short form can hold.
    const length =
      rest > COPY_2_BYTES_MAX && rest < COPY_2_BYTES_MAX + 4
        ? SHORT_LITERAL
        : Math.min(COPY_2_BYTES_MAX, rest);
    output[end] = ((length - 1) << 2) | COPY_2;
    writeUint16(output, end + 1, distance);
    end += 3;
    rest -= length;
  }
  return end;
}

/**
 * The length that a block declares, if its bytes can give so much.
 * @throws ComputeError `MALFORMED`
 */
export function snappyBlockLength(block: Uint8Array): number {
  const { length, contentAt } = readPreamble(block);
  if (length > (block.length - contentAt) * EXPANSION_MAX) {
    throw malformed("a Snappy block declares more than it can give");
  }
  return length;
}

function readPreamble(block: Uint8Array): { length: number; contentAt: number } {
  let length = 0;
  for (let index = 0; index < 5; index++) {
    const byte = block[index];
    if (byte === undefined) {
      break;
    }
    length += (byte & 0x7f) * 2 ** (7 * index);
    if (byte < 0x80) {
      return { length, contentAt: index + 1 };
    }
  }
  throw malformed("a Snappy block without a length");
}

/**
 * Decompresses `block` into `output`, which has exactly the room that the block declares.
 * @throws ComputeError `MALFORMED`
 */
export function readSnappyBlock(block: Uint8Array, output: Uint8Array): void {
  let at = readPreamble(block).contentAt;
  let end = 0;
  while (at < block.length) {
    const tag = block[at++] ?? 0;
    const kind = tag & 3;
    if (kind === LITERAL) {
      const lengthBytes = Math.max(0, (tag >>> 2) - SHORT_LITERAL + 1);
      const length = 1 + (lengthBytes === 0 ? tag >>> 2 : readLength(block, at, lengthBytes));
      at += lengthBytes;
      assertFits(at + length <= block.length && end + length <= output.length);
      output.set(block.subarray(at, at + length), end);
      at += length;
      end += length;
      continue;
    }
    const length = kind === COPY_1 ? 4 + ((tag >>> 2) & 7) : 1 + (tag >>> 2);
    const distance = readDistance(block, at, tag);
    at += kind === COPY_1 ? 1 : kind === COPY_2 ? 2 : 4;
    assertFits(
      at <= block.length && distance > 0 && distance <= end && end + length <= output.length,
    );
    copyMatch(output, { from: end - distance, to: end }, length);
    end += length;
  }
  assertFits(end === output.length);
}

function readLength(block: Uint8Array, at: number, lengthBytes: number): number {
  return readUint32(block, at) % 2 ** (8 * lengthBytes);
}

function readDistance(block: Uint8Array, at: number, tag: number): number {
  switch (tag & 3) {
    case COPY_1:
      return ((tag >>> 5) << 8) | (block[at] ?? 0);
    case COPY_2:
      return readUint16(block, at);
    default:
      return readUint32(block, at);
  }
}

function assertFits(fits: boolean): void {
  if (!fits) {
    throw malformed("a literal or a copy of a Snappy block does not fit");
  }
}
