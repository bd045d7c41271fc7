// Walks a CBOR item (RFC 8949) before cbor-x sees it and refuses whatever Millrace does not use, so that the
// decoder meets nothing but small, well-formed, boring input: definite lengths, no tags, no floats, no simple
// values but false, true and null, integers within +-(2^53-1), text keys without duplicates, valid UTF-8.
// Every length is held against the bytes that are there, depth and number of items are bounded, and a byte
// string is stepped over without being touched: the walk costs nothing for records, however large.

import { type ErrorName, ProtocolError } from "../errors.js";
import { CBOR_DEPTH_MAX, CBOR_ITEMS_MAX, CBOR_KEY_BYTES_MAX } from "../limits.js";
import { isUtf8 } from "./utf8.js";

export interface CborLimits {
  /** Elements, keys and values in all. Default `CBOR_ITEMS_MAX`. */
  readonly maxItems?: number;
  /** Nested arrays and maps. Default `CBOR_DEPTH_MAX`. */
  readonly maxDepth?: number;
}

const UNSIGNED = 0;
const NEGATIVE = 1;
const BYTES = 2;
const TEXT = 3;
const ARRAY = 4;
const MAP = 5;
const TAG = 6;

/** Up to so many keys are compared with each other; more go through a Set. */
const COMPARED_KEYS_MAX = 24;
/** High half of 2^53-1. */
const SAFE_HIGH_MAX = 0x1fffff;
const TWO_32 = 0x100000000;

const dangerousKeys: readonly string[] = ["__proto__", "constructor", "prototype"];

/** One walk over one message. Positions are byte positions in `bytes`. */
export class CborChecker {
  readonly bytes: Uint8Array;
  position = 0;
  private itemsLeft: number;
  private readonly maxDepth: number;
  private readonly errorCode: ErrorName;

  constructor(bytes: Uint8Array, limits: CborLimits, errorCode: ErrorName) {
    this.bytes = bytes;
    this.itemsLeft = limits.maxItems ?? CBOR_ITEMS_MAX;
    this.maxDepth = limits.maxDepth ?? CBOR_DEPTH_MAX;
    this.errorCode = errorCode;
  }

  refuse(problem: string, at = this.position): ProtocolError {
    return new ProtocolError(this.errorCode, `malformed CBOR at byte ${at}: ${problem}`, {
      details: { position: at },
    });
  }

  /** Steps over one item of any kind, all checked. `depth` counts the arrays and maps around it. */
  skipItem(depth: number): void {
    const at = this.position;
    const initial = this.byte();
    switch (initial >> 5) {
      case UNSIGNED:
      case NEGATIVE:
        this.argument(initial);
        return;
      case BYTES:
        this.skipString(this.argument(initial), at);
        return;
      case TEXT:
        this.skipText(initial, at);
        return;
      case ARRAY:
        this.skipArray(this.argument(initial), depth);
        return;
      case MAP:
        this.skipMap(this.argument(initial), depth);
        return;
      case TAG:
        throw this.refuse("tags are not allowed", at);
      default:
        if (initial < 0xf4 || initial > 0xf6) {
          throw this.refuse("only false, true and null of the simple values are allowed", at);
        }
    }
  }

  /** Reads the head of an array and returns its length, which fits into the bytes and the items left. */
  openArray(expected: string): number {
    const at = this.position;
    const initial = this.byte();
    if (initial >> 5 !== ARRAY) {
      throw this.refuse(`expected ${expected}`, at);
    }
    const length = this.argument(initial);
    this.take(length, length);
    return length;
  }

  /** Reads an integer. */
  readInteger(expected: string): number {
    const at = this.position;
    const initial = this.byte();
    if (initial >> 5 > NEGATIVE) {
      throw this.refuse(`expected ${expected}`, at);
    }
    const value = this.argument(initial);
    return initial >> 5 === UNSIGNED ? value : -1 - value;
  }

  /** Steps over the head and content of a byte string; returns a view of the content. */
  readBytes(expected: string): Uint8Array {
    const at = this.position;
    const initial = this.byte();
    if (initial >> 5 !== BYTES) {
      throw this.refuse(`expected ${expected}`, at);
    }
    const length = this.argument(initial);
    this.skipString(length, at);
    return this.bytes.subarray(this.position - length, this.position);
  }

  /** @throws ProtocolError when bytes are left. */
  finish(): void {
    if (this.position !== this.bytes.length) {
      throw this.refuse(`${this.bytes.length - this.position} bytes follow the item`);
    }
  }

  private byte(): number {
    if (this.position >= this.bytes.length) {
      throw this.refuse("the item is cut off");
    }
    return this.bytes[this.position++] as number;
  }

  /** The argument of an initial byte: the value itself, or the 1, 2, 4 or 8 bytes behind it. */
  private argument(initial: number): number {
    const information = initial & 0x1f;
    if (information < 24) {
      return information;
    }
    if (information > 27) {
      throw this.refuse(
        information === 31 ? "indefinite lengths are not allowed" : "a reserved length code",
        this.position - 1,
      );
    }
    const width = 1 << (information - 24);
    const at = this.position;
    if (this.bytes.length - at < width) {
      throw this.refuse("the item is cut off");
    }
    this.position = at + width;
    if (width === 8) {
      return this.wideArgument(initial, at);
    }
    let value = 0;
    for (let index = 0; index < width; index++) {
      value = value * 256 + (this.bytes[at + index] as number);
    }
    return value;
  }

  private wideArgument(initial: number, at: number): number {
    const bytes = this.bytes;
    let high = 0;
    let low = 0;
    for (let index = 0; index < 4; index++) {
      high = high * 256 + (bytes[at + index] as number);
      low = low * 256 + (bytes[at + 4 + index] as number);
    }
    const value = high * TWO_32 + low;
    const isTooLarge =
      high > SAFE_HIGH_MAX || (initial >> 5 === NEGATIVE && value === Number.MAX_SAFE_INTEGER);
    if (isTooLarge) {
      throw this.refuse("a number beyond 2^53-1", at - 1);
    }
    return value;
  }

  private skipString(length: number, at: number): void {
    if (length > this.bytes.length - this.position) {
      throw this.refuse(`a string of ${length} bytes does not fit`, at);
    }
    this.position += length;
  }

  private skipText(initial: number, at: number): void {
    const length = this.argument(initial);
    this.skipString(length, at);
    if (!isUtf8(this.bytes, this.position - length, this.position)) {
      throw this.refuse("text that is not UTF-8", at);
    }
  }

  private skipArray(length: number, depth: number): void {
    this.enter(depth);
    this.take(length, length);
    for (let index = 0; index < length; index++) {
      this.skipItem(depth + 1);
    }
  }

  private skipMap(size: number, depth: number): void {
    this.enter(depth);
    this.take(size * 2, size);
    const keys = size > COMPARED_KEYS_MAX ? new Set<string>() : undefined;
    const starts: number[] = [];
    const ends: number[] = [];
    for (let index = 0; index < size; index++) {
      const at = this.position;
      const initial = this.byte();
      if (initial >> 5 !== TEXT) {
        throw this.refuse("a key that is not text", at);
      }
      this.skipText(initial, at);
      const start = at + headBytes(initial);
      this.checkKey(start, this.position);
      if (keys === undefined) {
        if (this.isAmong(starts, ends, start)) {
          throw this.refuse("a key comes twice", at);
        }
        starts.push(start);
        ends.push(this.position);
      } else {
        this.addKey(keys, start, this.position);
      }
      this.skipItem(depth + 1);
    }
  }

  private enter(depth: number): void {
    if (depth >= this.maxDepth) {
      throw this.refuse(`nested more than ${this.maxDepth} deep`);
    }
  }

  /** Books `items`, each of which takes a byte at least. */
  private take(items: number, entries: number): void {
    if (items > this.bytes.length - this.position) {
      throw this.refuse(`${entries} entries do not fit`);
    }
    this.itemsLeft -= items;
    if (this.itemsLeft < 0) {
      throw this.refuse("too many items");
    }
  }

  /** Refuses keys out of all proportion, and names that would reach an object's prototype. */
  private checkKey(start: number, end: number): void {
    const length = end - start;
    if (length > CBOR_KEY_BYTES_MAX) {
      throw this.refuse(`a key of ${length} bytes`, start);
    }
    for (const key of dangerousKeys) {
      if (length === key.length && this.asLatin1(start, end) === key) {
        throw this.refuse(`the key ${key} is not allowed`, start);
      }
    }
  }

  private isAmong(starts: readonly number[], ends: readonly number[], start: number): boolean {
    const length = this.position - start;
    for (let index = 0; index < starts.length; index++) {
      const other = starts[index] as number;
      if ((ends[index] as number) - other === length && this.isSame(other, start, length)) {
        return true;
      }
    }
    return false;
  }

  private isSame(left: number, right: number, length: number): boolean {
    for (let index = 0; index < length; index++) {
      if (this.bytes[left + index] !== this.bytes[right + index]) {
        return false;
      }
    }
    return true;
  }

  private addKey(keys: Set<string>, start: number, end: number): void {
    const key = this.asLatin1(start, end);
    if (keys.has(key)) {
      throw this.refuse("a key comes twice", start);
    }
    keys.add(key);
  }

  /** One character a byte: cheap, and different for different bytes. */
  private asLatin1(start: number, end: number): string {
    let text = "";
    for (let at = start; at < end; at++) {
      text += String.fromCharCode(this.bytes[at] as number);
    }
    return text;
  }
}

/** Bytes of a string's head, whose argument was accepted. */
function headBytes(initial: number): number {
  const information = initial & 0x1f;
  return information < 24 ? 1 : 1 + (1 << (information - 24));
}

/**
 * Checks that `bytes` are one item of the kind Millrace uses, and nothing more.
 * @throws ProtocolError `INVALID_REQUEST` naming the first problem and its position.
 */
export function checkCbor(bytes: Uint8Array, limits: CborLimits = {}): void {
  const checker = new CborChecker(bytes, limits, "INVALID_REQUEST");
  checker.skipItem(0);
  checker.finish();
}
