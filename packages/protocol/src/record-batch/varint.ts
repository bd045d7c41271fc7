// Zigzag varints as in RecordBatch v2 (and Protocol Buffers' sint32/sint64): 7 bits a byte, least significant
// first, the top bit says that more follow. 64-bit values are safe integers; others are refused.

const TWO_32 = 0x100000000;
const VARLONG_BYTES_MAX = 10;

/** Largest encoding of a 32-bit value. */
export const VARINT_BYTES_MAX = 5;

/** Bytes that `writeVarint(value)` takes; `value` is a safe integer. */
export function varintSize(value: number): number {
  let rest = value >= 0 ? value * 2 : -value * 2 - 1;
  let size = 1;
  while (rest >= 0x80) {
    rest = Math.floor(rest / 0x80);
    size++;
  }
  return size;
}

/** Writes a safe integer as a zigzag varint and returns the position behind it. */
export function writeVarint(bytes: Uint8Array, at: number, value: number): number {
  if (value < 0x40000000 && value >= -0x40000000) {
    let rest = ((value << 1) ^ (value >> 31)) >>> 0;
    let position = at;
    while (rest >= 0x80) {
      bytes[position++] = rest | 0x80;
      rest >>>= 7;
    }
    bytes[position] = rest;
    return position + 1;
  }
  return writeVarlong(bytes, at, value);
}

function writeVarlong(bytes: Uint8Array, at: number, value: number): number {
  // Zigzag of a safe integer may need 54 bits: kept in two halves.
  const magnitude = value >= 0 ? value : -value - 1;
  let high = Math.floor(magnitude / 0x80000000);
  let low = (((magnitude % 0x80000000) << 1) | (value < 0 ? 1 : 0)) >>> 0;
  let position = at;
  while (high > 0 || low >= 0x80) {
    bytes[position++] = low | 0x80;
    low = ((low >>> 7) | ((high & 0x7f) << 25)) >>> 0;
    high = Math.floor(high / 0x80);
  }
  bytes[position] = low;
  return position + 1;
}

/**
 * Reads varints one after another. `position` moves behind each; a varint that is truncated, too long or too
 * large sets `isMalformed` and reads as 0, so that a walk checks once a record and not at each field.
 */
export class VarintReader {
  readonly bytes: Uint8Array;
  position: number;
  readonly end: number;
  isMalformed = false;

  constructor(bytes: Uint8Array, position: number, end: number) {
    this.bytes = bytes;
    this.position = position;
    this.end = end;
  }

  /** A 32-bit value. */
  readInt(): number {
    const bytes = this.bytes;
    let position = this.position;
    let byte = position < this.end ? (bytes[position++] as number) : 0x80;
    if (byte < 0x80) {
      this.position = position;
      return (byte >>> 1) ^ -(byte & 1);
    }
    let rest = byte & 0x7f;
    for (let shift = 7; shift < 35; shift += 7) {
      if (position >= this.end) {
        return this.malformed();
      }
      byte = bytes[position++] as number;
      if (byte < 0x80) {
        if (shift === 28 && byte > 0x0f) {
          return this.malformed();
        }
        rest |= byte << shift;
        this.position = position;
        return (rest >>> 1) ^ -(rest & 1);
      }
      rest |= (byte & 0x7f) << shift;
    }
    return this.malformed();
  }

  /** A 64-bit value, which must be a safe integer. */
  readLong(): number {
    const bytes = this.bytes;
    let position = this.position;
    const first = position < this.end ? (bytes[position] as number) : 0x80;
    if (first < 0x80) {
      this.position = position + 1;
      return (first >>> 1) ^ -(first & 1);
    }
    let low = 0;
    let high = 0;
    for (let index = 0; index < VARLONG_BYTES_MAX; index++) {
      if (position >= this.end) {
        return this.malformed();
      }
      const byte = bytes[position++] as number;
      if (index < 4) {
        low |= (byte & 0x7f) << (index * 7);
      } else {
        high += (byte & 0x7f) * 2 ** ((index - 4) * 7);
      }
      if (byte < 0x80) {
        return this.fromZigzag(high * 0x10000000 + low, position, index);
      }
    }
    return this.malformed();
  }

  private fromZigzag(zigzag: number, position: number, lastIndex: number): number {
    this.position = position;
    if (zigzag < TWO_32) {
      return (zigzag >>> 1) ^ -(zigzag & 1);
    }
    if (lastIndex < 8 && zigzag <= Number.MAX_SAFE_INTEGER) {
      return zigzag % 2 === 0 ? zigzag / 2 : -(zigzag + 1) / 2;
    }
    return this.malformed();
  }

  private malformed(): number {
    this.isMalformed = true;
    this.position = this.end;
    return 0;
  }
}
