// Snappy as Kafka's batches hold it: in the framing of the Java library (github.com/xerial/snappy-java), a header
// of 16 bytes and then blocks, each behind its size in big-endian. Input without that header is one bare block, as
// that library and librdkafka read it.

import { malformed, tooLarge } from "./codec-errors.js";
import {
  readSnappyBlock,
  snappyBlockBound,
  snappyBlockLength,
  writeSnappyBlock,
} from "./snappy-block.js";

/** "\x82SNAPPY\0", version 1, readable by version 1. */
const HEADER = Uint8Array.of(0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0, 0, 0, 0, 1, 0, 0, 0, 1);
const MAGIC_BYTES = 8;
/** What the Java library puts into one block. */
const BLOCK_BYTES = 32 * 1024;

export function compressSnappy(bytes: Uint8Array): Uint8Array {
  const blockCount = Math.ceil(bytes.length / BLOCK_BYTES);
  const output = new Uint8Array(HEADER.length + blockCount * (4 + snappyBlockBound(BLOCK_BYTES)));
  const view = new DataView(output.buffer);
  output.set(HEADER);
  let at = HEADER.length;
  for (let from = 0; from < bytes.length; from += BLOCK_BYTES) {
    const end = writeSnappyBlock(bytes.subarray(from, from + BLOCK_BYTES), output, at + 4);
    view.setInt32(at, end - at - 4);
    at = end;
  }
  return output.slice(0, at);
}

/** @throws ComputeError `MALFORMED`, `TOO_LARGE` */
export function decompressSnappy(bytes: Uint8Array, maxBytes: number): Uint8Array {
  const blocks = hasHeader(bytes) ? readFraming(bytes) : [bytes];
  const lengths = blocks.map(snappyBlockLength);
  const total = lengths.reduce((sum, length) => sum + length, 0);
  if (total > maxBytes) {
    throw tooLarge(maxBytes);
  }
  const output = new Uint8Array(total);
  let at = 0;
  for (const [index, block] of blocks.entries()) {
    const length = lengths[index] ?? 0;
    readSnappyBlock(block, output.subarray(at, at + length));
    at += length;
  }
  return output;
}

function hasHeader(bytes: Uint8Array): boolean {
  return bytes.length >= HEADER.length && HEADER.subarray(0, MAGIC_BYTES).every(sameAs(bytes));
}

const sameAs =
  (bytes: Uint8Array) =>
  (byte: number, index: number): boolean =>
    bytes[index] === byte;

function readFraming(bytes: Uint8Array): Uint8Array[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (view.getInt32(12) > 1) {
    throw malformed("Snappy framing of a newer version");
  }
  const blocks: Uint8Array[] = [];
  let at = HEADER.length;
  while (at < bytes.length) {
    const size = at + 4 <= bytes.length ? view.getInt32(at) : -1;
    at += 4;
    if (size <= 0 || at + size > bytes.length) {
      throw malformed("a block of Snappy framing runs past the end");
    }
    blocks.push(bytes.subarray(at, at + size));
    at += size;
  }
  return blocks;
}
