// The file `<base offset>.index-state`, Millrace's own: which prefix of a segment its two index files describe, with
// their CRCs. Kafka's index files carry no checksum; with this one any damage to them is found, and they are
// built again from the log. In a sealed segment the prefix is the whole file.
//
//   0  magic "MRIX"            4  version uint16 (1)      6  reserved uint16      8  crc32c uint32 of all that follows
//  12  log bytes int64        20  end offset int64       28  max timestamp int64 36  offset of max timestamp int64
//  44  first timestamp int64  52  offset entries uint32  56  their crc32c uint32
//  60  time entries uint32    64  their crc32c uint32

import type { Compute } from "@millrace/runtime";

export const INDEX_STATE_SUFFIX = ".index-state";
export const INDEX_STATE_BYTES = 68;
const MAGIC = 0x4d524958;
const VERSION = 1;
const CRC_AT = 8;
const CONTENT_AT = 12;

type Checksum = Pick<Compute, "crc32c">;

export interface IndexState {
  /** Of the log file, described by the indexes. */
  readonly logBytes: number;
  /** Exclusive. */
  readonly endOffset: number;
  /** -1: none. */
  readonly maxTimestamp: number;
  readonly maxTimestampOffset: number;
  /** The first batch's largest timestamp: the segment's age counts from it; -1: none. */
  readonly firstTimestamp: number;
  readonly offsetEntries: number;
  readonly offsetCrc: number;
  readonly timeEntries: number;
  readonly timeCrc: number;
}

export function encodeIndexState(state: IndexState, compute: Checksum): Uint8Array {
  const bytes = new Uint8Array(INDEX_STATE_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MAGIC);
  view.setUint16(4, VERSION);
  const wide = [
    state.logBytes,
    state.endOffset,
    state.maxTimestamp,
    state.maxTimestampOffset,
    state.firstTimestamp,
  ];
  wide.forEach((value, index) => {
    view.setBigInt64(CONTENT_AT + index * 8, BigInt(value));
  });
  view.setUint32(52, state.offsetEntries);
  view.setUint32(56, state.offsetCrc);
  view.setUint32(60, state.timeEntries);
  view.setUint32(64, state.timeCrc);
  view.setUint32(CRC_AT, compute.crc32c(bytes.subarray(CONTENT_AT)));
  return bytes;
}

/** Undefined for anything that is not whole, undamaged and of this version. */
export function decodeIndexState(bytes: Uint8Array, compute: Checksum): IndexState | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const isWhole =
    bytes.length === INDEX_STATE_BYTES &&
    view.getUint32(0) === MAGIC &&
    view.getUint16(4) === VERSION &&
    view.getUint32(CRC_AT) === compute.crc32c(bytes.subarray(CONTENT_AT));
  if (!isWhole) {
    return undefined;
  }
  const wide = (index: number): number => Number(view.getBigInt64(CONTENT_AT + index * 8));
  return {
    logBytes: wide(0),
    endOffset: wide(1),
    maxTimestamp: wide(2),
    maxTimestampOffset: wide(3),
    firstTimestamp: wide(4),
    offsetEntries: view.getUint32(52),
    offsetCrc: view.getUint32(56),
    timeEntries: view.getUint32(60),
    timeCrc: view.getUint32(64),
  };
}
