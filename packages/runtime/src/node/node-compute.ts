// Node's Compute. gzip, and zstd where Node has it (22.15 and later), in the thread pool by node:zlib; the other
// codecs in place, which for a batch takes a millisecond or two. The CRC is a native module's where there is one.

import * as zlib from "node:zlib";
import { malformed, tooLarge } from "../codecs/codec-errors.js";
import { compressLz4, decompressLz4 } from "../codecs/lz4.js";
import { compressSnappy, decompressSnappy } from "../codecs/snappy.js";
import {
  loadZstdCompressor,
  ZSTD_LEVEL_DEFAULT,
  type ZstdCompressor,
} from "../codecs/zstd-compress.js";
import { decompressZstd } from "../codecs/zstd-decompress.js";
import type { CompressionCodec, Compute } from "../compute.js";
import { fastestCrc32c } from "./native-crc32c.js";

type Callback = (error: Error | null, result: Buffer) => void;

/** The part of node:zlib that came with 22.15. */
interface NodeZstd {
  zstdCompress(
    bytes: Uint8Array,
    options: { params: Record<number, number> },
    done: Callback,
  ): void;
  zstdDecompress(bytes: Uint8Array, options: { maxOutputLength: number }, done: Callback): void;
}

/** `ZSTD_c_compressionLevel`. */
const ZSTD_LEVEL_PARAMETER = 100;

/** A view that is a plain Uint8Array: Buffer's `slice` and `toString` differ from it. */
const plain = (buffer: Buffer): Uint8Array =>
  new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.length);

const errorCode = (error: Error): unknown => ("code" in error ? error.code : undefined);

function inThread(start: (done: Callback) => void): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    start((error, result) => (error === null ? resolve(plain(result)) : reject(error)));
  });
}

/** Runs one of zlib's decompressors; it stops at `maxBytes`. */
function bounded(
  bytes: Uint8Array,
  maxBytes: number,
  start: (options: { maxOutputLength: number }, done: Callback) => void,
): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    if (bytes.length === 0) {
      // zlib takes no input for no output; but a stream has a header.
      reject(malformed("an empty input is no compressed stream"));
      return;
    }
    // zlib wants a positive bound, so 0 is checked afterwards.
    start({ maxOutputLength: Math.max(1, maxBytes) }, (error, result) => {
      if (error === null && result.length <= maxBytes) {
        resolve(plain(result));
      } else if (error === null || errorCode(error) === "ERR_BUFFER_TOO_LARGE") {
        reject(tooLarge(maxBytes));
      } else {
        reject(malformed(`not a valid compressed stream: ${error.message}`, error));
      }
    });
  });
}

class NodeCompute implements Compute {
  readonly codecs: readonly CompressionCodec[] = ["none", "gzip", "snappy", "lz4", "zstd"];
  readonly crc32c = fastestCrc32c();
  readonly #zstd: NodeZstd | undefined;
  #compressor: Promise<ZstdCompressor> | undefined;

  constructor(zstd: NodeZstd | undefined) {
    this.#zstd = zstd;
  }

  async compress(codec: CompressionCodec, bytes: Uint8Array, level?: number): Promise<Uint8Array> {
    switch (codec) {
      case "none":
        return bytes;
      case "gzip":
        return inThread((done) => zlib.gzip(bytes, { level: level ?? -1 }, done));
      case "snappy":
        return compressSnappy(bytes);
      case "lz4":
        return compressLz4(bytes);
      case "zstd":
        return this.#compressZstd(bytes, level ?? ZSTD_LEVEL_DEFAULT);
    }
  }

  async decompress(
    codec: CompressionCodec,
    bytes: Uint8Array,
    maxBytes: number,
  ): Promise<Uint8Array> {
    const zstd = this.#zstd;
    switch (codec) {
      case "none":
        if (bytes.length > maxBytes) {
          throw tooLarge(maxBytes);
        }
        return bytes;
      case "gzip":
        return bounded(bytes, maxBytes, (options, done) => zlib.gunzip(bytes, options, done));
      case "snappy":
        return decompressSnappy(bytes, maxBytes);
      case "lz4":
        return decompressLz4(bytes, maxBytes);
      case "zstd":
        return zstd === undefined
          ? decompressZstd(bytes, maxBytes)
          : bounded(bytes, maxBytes, (options, done) => zstd.zstdDecompress(bytes, options, done));
    }
  }

  async #compressZstd(bytes: Uint8Array, level: number): Promise<Uint8Array> {
    const zstd = this.#zstd;
    if (zstd !== undefined) {
      const params = { [ZSTD_LEVEL_PARAMETER]: level };
      return inThread((done) => zstd.zstdCompress(bytes, { params }, done));
    }
    this.#compressor ??= loadZstdCompressor();
    const compress = await this.#compressor;
    return compress(bytes, level);
  }
}

const nodeZstd = zlib as unknown as Partial<NodeZstd>;
const hasZstd = nodeZstd.zstdCompress !== undefined && nodeZstd.zstdDecompress !== undefined;

/** The Compute of this Node. */
export const nodeCompute: Compute = new NodeCompute(hasZstd ? (nodeZstd as NodeZstd) : undefined);

/** The Compute of a Node whose zlib has no zstd. */
export const portableZstdCompute: Compute = new NodeCompute(undefined);
