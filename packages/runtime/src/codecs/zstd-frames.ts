// The outside of zstd frames (RFC 8878, section 3.1): where each ends, how much it says it holds, and how large a
// window it wants. Block headers are walked, contents are not looked at: enough to bound the memory of a decoder
// that trusts the header.

import { malformed } from "./codec-errors.js";
import { readUint16, readUint32 } from "./little-endian.js";

const MAGIC = 0xfd2fb528;
const SKIPPABLE_MAGIC = 0x184d2a50;
const BLOCK_BYTES_MAX = 128 * 1024;
const RLE = 1;
const RESERVED = 3;

export interface ZstdFrame {
  readonly bytes: Uint8Array;
  /** As declared in the header; undefined when it is not. */
  readonly contentBytes: number | undefined;
  /** No more than this can come out. */
  readonly contentBytesMax: number;
  /** Where the window's descriptor is; undefined in a single segment, whose window is its content. */
  readonly windowAt: number | undefined;
}

/** The frames of `input`, one after the other; skippable ones are left out. @throws ComputeError `MALFORMED` */
export function* zstdFrames(input: Uint8Array): Iterable<ZstdFrame> {
  let at = 0;
  do {
    const magic = at + 8 <= input.length ? readUint32(input, at) : 0;
    if ((magic & 0xfffffff0) === SKIPPABLE_MAGIC) {
      at += 8 + readUint32(input, at + 4);
      continue;
    }
    if (magic !== MAGIC) {
      throw malformed("not a zstd frame");
    }
    const frame = readFrame(input, at);
    at += frame.bytes.length;
    yield frame;
  } while (at < input.length);
}

function readFrame(input: Uint8Array, at: number): ZstdFrame {
  const descriptor = input[at + 4] ?? 0;
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const sizeCode = descriptor >>> 6;
  const sizeBytes = sizeCode === 0 ? Number(isSingleSegment) : 1 << sizeCode;
  if ((descriptor & 0x08) !== 0 || (descriptor & 0x03) !== 0) {
    throw malformed("a zstd frame with a reserved bit, or with a dictionary");
  }
  const sizeAt = at + (isSingleSegment ? 5 : 6);
  let blockAt = sizeAt + sizeBytes;
  let contentBytesMax = 0;
  for (let isLast = false; !isLast; ) {
    if (blockAt + 3 > input.length) {
      throw malformed("a zstd frame ends too early");
    }
    const header = readUint16(input, blockAt) | ((input[blockAt + 2] ?? 0) << 16);
    const kind = (header >>> 1) & 3;
    const size = header >>> 3;
    if (kind === RESERVED || size > BLOCK_BYTES_MAX) {
      throw malformed("a block of a zstd frame is larger than it may be");
    }
    isLast = (header & 1) !== 0;
    blockAt += 3 + (kind === RLE ? 1 : size);
    contentBytesMax += kind <= RLE ? size : BLOCK_BYTES_MAX;
  }
  const end = blockAt + ((descriptor & 0x04) === 0 ? 0 : 4);
  if (end > input.length) {
    throw malformed("a zstd frame ends too early");
  }
  return {
    bytes: input.subarray(at, end),
    contentBytes: sizeBytes === 0 ? undefined : readSize(input, sizeAt, sizeBytes),
    contentBytesMax,
    windowAt: isSingleSegment ? undefined : 5,
  };
}

function readSize(input: Uint8Array, at: number, sizeBytes: number): number {
  switch (sizeBytes) {
    case 1:
      return input[at] ?? 0;
    case 2:
      return readUint16(input, at) + 256;
    case 4:
      return readUint32(input, at);
    default:
      return readUint32(input, at) + readUint32(input, at + 4) * 2 ** 32;
  }
}
