// LZ4 frames (github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md) as Kafka's magic-2 batches hold them: written with
// independent blocks of 64 KiB and no checksum but the header's, which leaves out the magic number (KIP-57). Read
// with everything the format has, except dictionaries.

import { malformed, tooLarge } from "./codec-errors.js";
import { readUint32, writeUint32 } from "./little-endian.js";
import {
  lz4BlockBound,
  measureLz4Block,
  type Range,
  readLz4Block,
  writeLz4Block,
} from "./lz4-block.js";
import { xxh32 } from "./xxh32.js";

const MAGIC = 0x184d2204;
const VERSION_BITS = 0x40;
const VERSION_MASK = 0xc0;
const INDEPENDENT = 0x20;
const BLOCK_CHECKSUM = 0x10;
const CONTENT_SIZE = 0x08;
const CONTENT_CHECKSUM = 0x04;
const DICTIONARY = 0x01;
/** The block descriptor of 64 KiB; 5 is 256 KiB, 6 is 1 MiB, 7 is 4 MiB. */
const BLOCK_64_KIB = 4 << 4;
const BLOCK_BYTES = 64 * 1024;
const HEADER_BYTES = 7;
/** In a block's size: the block is not compressed. */
const RAW = 0x80000000;

/** One frame. */
export function compressLz4(bytes: Uint8Array): Uint8Array {
  const blockCount = Math.ceil(bytes.length / BLOCK_BYTES);
  const output = new Uint8Array(HEADER_BYTES + blockCount * (4 + lz4BlockBound(BLOCK_BYTES)) + 4);
  writeUint32(output, 0, MAGIC);
  output[4] = VERSION_BITS | INDEPENDENT;
  output[5] = BLOCK_64_KIB;
  output[6] = xxh32(output, 4, 6) >>> 8;
  let at = HEADER_BYTES;
  for (let from = 0; from < bytes.length; from += BLOCK_BYTES) {
    const to = Math.min(from + BLOCK_BYTES, bytes.length);
    const end = writeLz4Block(bytes, { from, to }, output, at + 4);
    if (end - at - 4 < to - from) {
      writeUint32(output, at, end - at - 4);
      at = end;
    } else {
      writeUint32(output, at, (RAW | (to - from)) >>> 0);
      output.set(bytes.subarray(from, to), at + 4);
      at += 4 + to - from;
    }
  }
  writeUint32(output, at, 0);
  return output.slice(0, at + 4);
}

interface FrameHeader {
  readonly flags: number;
  readonly maxBlockBytes: number;
  readonly blocksAt: number;
}

interface Block extends Range {
  readonly isRaw: boolean;
  /** Bytes it gives. */
  readonly length: number;
}

interface Frame {
  readonly blocks: readonly Block[];
  /** Bytes it gives. */
  readonly length: number;
  readonly contentChecksum: number | undefined;
  /** Behind it in the input. */
  readonly end: number;
}

/** One frame or several, one after the other. @throws ComputeError `MALFORMED`, `TOO_LARGE` */
export function decompressLz4(bytes: Uint8Array, maxBytes: number): Uint8Array {
  const frames: Frame[] = [];
  let length = 0;
  let position = 0;
  do {
    const frame = measureFrame(bytes, position, maxBytes - length);
    if (frame === undefined) {
      throw tooLarge(maxBytes);
    }
    frames.push(frame);
    length += frame.length;
    position = frame.end;
  } while (position < bytes.length);
  const output = new Uint8Array(length);
  let at = 0;
  for (const frame of frames) {
    const frameAt = at;
    for (const block of frame.blocks) {
      if (block.isRaw) {
        output.set(bytes.subarray(block.from, block.to), at);
        at += block.length;
      } else {
        at = readLz4Block(bytes, block, output, at);
      }
    }
    const { contentChecksum } = frame;
    if (contentChecksum !== undefined && xxh32(output, frameAt, at) !== contentChecksum) {
      throw malformed("the content of an LZ4 frame does not match its checksum");
    }
  }
  return output;
}

/** undefined when it gives more than `maxBytes`. */
function measureFrame(bytes: Uint8Array, at: number, maxBytes: number): Frame | undefined {
  const header = readHeader(bytes, at);
  const { flags, blocksAt } = header;
  const blockChecksumBytes = (flags & BLOCK_CHECKSUM) === 0 ? 0 : 4;
  const blocks: Block[] = [];
  let length = 0;
  let position = blocksAt;
  while (readWord(bytes, position) !== 0) {
    const block = measureBlock(bytes, position, header, length);
    blocks.push(block);
    length += block.length;
    if (length > maxBytes) {
      return undefined;
    }
    position = block.to + blockChecksumBytes;
  }
  const end = position + 4;
  if ((flags & CONTENT_CHECKSUM) === 0) {
    return { blocks, length, contentChecksum: undefined, end };
  }
  return { blocks, length, contentChecksum: readWord(bytes, end), end: end + 4 };
}

/** The block at `at`, behind `length` bytes of content. */
function measureBlock(bytes: Uint8Array, at: number, header: FrameHeader, length: number): Block {
  const { flags, maxBlockBytes } = header;
  const size = readUint32(bytes, at);
  const isRaw = (size & RAW) !== 0;
  const from = at + 4;
  const to = from + (size & ~RAW);
  if (to > bytes.length || to - from > maxBlockBytes) {
    throw malformed("a block of an LZ4 frame is larger than it may be");
  }
  if ((flags & BLOCK_CHECKSUM) !== 0 && readWord(bytes, to) !== xxh32(bytes, from, to)) {
    throw malformed("a block of an LZ4 frame does not match its checksum");
  }
  const history = (flags & INDEPENDENT) === 0 ? length : 0;
  const gives = isRaw ? to - from : measureLz4Block(bytes, { from, to }, history);
  if (gives > maxBlockBytes) {
    throw malformed("a block of an LZ4 frame gives more than it may");
  }
  return { from, to, isRaw, length: gives };
}

function readHeader(bytes: Uint8Array, at: number): FrameHeader {
  const flags = bytes[at + 4] ?? 0;
  const descriptor = bytes[at + 5] ?? 0;
  if (bytes.length - at < HEADER_BYTES || readUint32(bytes, at) !== MAGIC) {
    throw malformed("not an LZ4 frame");
  }
  if ((flags & VERSION_MASK) !== VERSION_BITS || (flags & DICTIONARY) !== 0) {
    throw malformed("an LZ4 frame of another version, or with a dictionary");
  }
  const sizeCode = descriptor >>> 4;
  if (sizeCode < 4 || sizeCode > 7) {
    throw malformed("an LZ4 frame with an unknown block size");
  }
  const checksumAt = at + 6 + ((flags & CONTENT_SIZE) === 0 ? 0 : 8);
  if (bytes[checksumAt] !== ((xxh32(bytes, at + 4, checksumAt) >>> 8) & 0xff)) {
    throw malformed("the header of an LZ4 frame does not match its checksum");
  }
  return { flags, maxBlockBytes: 1 << (8 + 2 * sizeCode), blocksAt: checksumAt + 1 };
}

function readWord(bytes: Uint8Array, at: number): number {
  if (at + 4 > bytes.length) {
    throw malformed("an LZ4 frame ends too early");
  }
  return readUint32(bytes, at);
}
