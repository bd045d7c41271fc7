// The two index files beside a segment, in Kafka's layout. Pure: bytes in, entries out.
//
//   .index      entry = relative offset (int32) position (int32)         the LAST offset of the batch there
//   .timeindex  entry = timestamp (int64) relative offset (int32)
//
// All big-endian; offsets are relative to the base offset in the file's name.

export interface OffsetIndexEntry {
  readonly offset: number;
  readonly position: number;
}

export interface TimeIndexEntry {
  readonly timestamp: number;
  readonly offset: number;
}

export const OFFSET_ENTRY_BYTES = 8;
export const TIME_ENTRY_BYTES = 12;

const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.length);

export function readOffsetIndex(bytes: Uint8Array, baseOffset: number): OffsetIndexEntry[] {
  const view = viewOf(bytes);
  return Array.from({ length: Math.floor(bytes.length / OFFSET_ENTRY_BYTES) }, (_, index) => ({
    offset: baseOffset + view.getInt32(index * OFFSET_ENTRY_BYTES),
    position: view.getInt32(index * OFFSET_ENTRY_BYTES + 4),
  }));
}

export function readTimeIndex(bytes: Uint8Array, baseOffset: number): TimeIndexEntry[] {
  const view = viewOf(bytes);
  return Array.from({ length: Math.floor(bytes.length / TIME_ENTRY_BYTES) }, (_, index) => ({
    timestamp: Number(view.getBigInt64(index * TIME_ENTRY_BYTES)),
    offset: baseOffset + view.getInt32(index * TIME_ENTRY_BYTES + 8),
  }));
}

/** The base offset in the name of a segment's file: `00000000000000000042.log` -> 42. */
export function baseOffsetOfFile(name: string): number | undefined {
  const match = /^(\d{20})\.(?:log|index|timeindex)$/.exec(name);
  const offset = Number(match?.[1] ?? Number.NaN);
  return Number.isSafeInteger(offset) ? offset : undefined;
}
