// The seam's `Compute`, all of it synchronous: a thread pool would finish in an order that no seed decides. WASM is
// instantiated outside the microtask queue, so importing this module waits for zstd: it is there before the first
// event of any simulation.

import { tooLarge } from "../codecs/codec-errors.js";
import { compressLz4, decompressLz4 } from "../codecs/lz4.js";
import { compressSnappy, decompressSnappy } from "../codecs/snappy.js";
import { loadZstdCompressor, ZSTD_LEVEL_DEFAULT } from "../codecs/zstd-compress.js";
import { decompressZstd } from "../codecs/zstd-decompress.js";
import type { CompressionCodec, Compute } from "../compute.js";
import { crc32c } from "../crc32c.js";
import { gunzip, gzip } from "./zlib.js";

const compressZstd = await loadZstdCompressor();

export class SimCompute implements Compute {
  readonly codecs: readonly CompressionCodec[] = ["none", "gzip", "snappy", "lz4", "zstd"];

  crc32c(bytes: Uint8Array, seed = 0): number {
    return crc32c(bytes, seed);
  }

  async compress(codec: CompressionCodec, bytes: Uint8Array, level?: number): Promise<Uint8Array> {
    switch (codec) {
      case "none":
        return bytes;
      case "gzip":
        return gzip(bytes, level);
      case "snappy":
        return compressSnappy(bytes);
      case "lz4":
        return compressLz4(bytes);
      case "zstd":
        return compressZstd(bytes, level ?? ZSTD_LEVEL_DEFAULT);
    }
  }

  async decompress(
    codec: CompressionCodec,
    bytes: Uint8Array,
    maxBytes: number,
  ): Promise<Uint8Array> {
    switch (codec) {
      case "none":
        if (bytes.length > maxBytes) {
          throw tooLarge(maxBytes);
        }
        return bytes;
      case "gzip":
        return gunzip(bytes, maxBytes);
      case "snappy":
        return decompressSnappy(bytes, maxBytes);
      case "lz4":
        return decompressLz4(bytes, maxBytes);
      case "zstd":
        return decompressZstd(bytes, maxBytes);
    }
  }
}
