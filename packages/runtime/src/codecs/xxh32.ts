// xxHash32 (the specification at github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md): the checksum of LZ4 frames.

import { readUint32 } from "./little-endian.js";

const PRIME_1 = 0x9e3779b1;
const PRIME_2 = 0x85ebca77;
const PRIME_3 = 0xc2b2ae3d;
const PRIME_4 = 0x27d4eb2f;
const PRIME_5 = 0x165667b1;
const STRIPE_BYTES = 16;

const rotateLeft = (value: number, bits: number): number =>
  (value << bits) | (value >>> (32 - bits));

const round = (lane: number, input: number): number =>
  Math.imul(rotateLeft((lane + Math.imul(input, PRIME_2)) | 0, 13), PRIME_1);

/** Of the bytes from `from` to before `to`, as an unsigned number; the seed is 0. */
export function xxh32(bytes: Uint8Array, from = 0, to = bytes.length): number {
  let at = from;
  let hash = PRIME_5;
  if (to - from >= STRIPE_BYTES) {
    let first = (PRIME_1 + PRIME_2) | 0;
    let second = PRIME_2 | 0;
    let third = 0;
    let fourth = -PRIME_1 | 0;
    for (; at + STRIPE_BYTES <= to; at += STRIPE_BYTES) {
      first = round(first, readUint32(bytes, at));
      second = round(second, readUint32(bytes, at + 4));
      third = round(third, readUint32(bytes, at + 8));
      fourth = round(fourth, readUint32(bytes, at + 12));
    }
    hash =
      rotateLeft(first, 1) + rotateLeft(second, 7) + rotateLeft(third, 12) + rotateLeft(fourth, 18);
  }
  hash = (hash + (to - from)) | 0;
  for (; at + 4 <= to; at += 4) {
    hash = (hash + Math.imul(readUint32(bytes, at), PRIME_3)) | 0;
    hash = Math.imul(rotateLeft(hash, 17), PRIME_4);
  }
  for (; at < to; at++) {
    hash = (hash + Math.imul(bytes[at] ?? 0, PRIME_5)) | 0;
    hash = Math.imul(rotateLeft(hash, 11), PRIME_1);
  }
  hash = Math.imul(hash ^ (hash >>> 15), PRIME_2);
  hash = Math.imul(hash ^ (hash >>> 13), PRIME_3);
  return (hash ^ (hash >>> 16)) >>> 0;
}
