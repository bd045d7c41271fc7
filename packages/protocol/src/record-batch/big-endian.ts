// Fixed-width big-endian integers in a Uint8Array. Plain byte arithmetic: for a field or two it beats creating
// a DataView. Callers have checked the bounds.

const TWO_32 = 0x100000000;

export function readInt16(bytes: Uint8Array, at: number): number {
  return (((byte(bytes, at) << 8) | byte(bytes, at + 1)) << 16) >> 16;
}

export function readInt32(bytes: Uint8Array, at: number): number {
  return (
    (byte(bytes, at) << 24) |
    (byte(bytes, at + 1) << 16) |
    (byte(bytes, at + 2) << 8) |
    byte(bytes, at + 3)
  );
}

export function readUint32(bytes: Uint8Array, at: number): number {
  return readInt32(bytes, at) >>> 0;
}

/** Exact within the safe integers; outside them the result is not a safe integer either, so callers can tell. */
export function readInt64(bytes: Uint8Array, at: number): number {
  return readInt32(bytes, at) * TWO_32 + readUint32(bytes, at + 4);
}

export function writeInt16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >> 8;
  bytes[at + 1] = value;
}

/** Takes signed and unsigned 32-bit values alike. */
export function writeInt32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >> 24;
  bytes[at + 1] = value >> 16;
  bytes[at + 2] = value >> 8;
  bytes[at + 3] = value;
}

/** `value` is a safe integer. */
export function writeInt64(bytes: Uint8Array, at: number, value: number): void {
  writeInt32(bytes, at, Math.floor(value / TWO_32));
  writeInt32(bytes, at + 4, value >>> 0);
}

/** A byte within bounds that the caller checked (outside them it reads as 0). */
function byte(bytes: Uint8Array, at: number): number {
  return bytes[at] as number;
}
