// CRC-32C in TypeScript, gzip by the Compression Streams of the platform, where it has them. The other codecs are
// imported when they are first needed, so that a bundler can leave them out of the page's first script; zstd only
// reads, since a compressor would be 240 KiB.

import { malformed, tooLarge } from "../codecs/codec-errors.js";
import { type CompressionCodec, type Compute, ComputeError } from "../compute.js";
import { crc32c } from "../crc32c.js";

const unsupported = (what: string): ComputeError =>
  new ComputeError("UNSUPPORTED_CODEC", `this browser has no codec ${what}`);

function join(chunks: readonly Uint8Array[], totalBytes: number): Uint8Array {
  const joined = new Uint8Array(totalBytes);
  let position = 0;
  for (const chunk of chunks) {
    joined.set(chunk, position);
    position += chunk.length;
  }
  return joined;
}

/** Sends `bytes` through `stream` and collects at most `maxBytes`; rejects with `TOO_LARGE` beyond. */
async function pipe(
  stream: GenericTransformStream,
  bytes: Uint8Array,
  maxBytes: number,
): Promise<Uint8Array> {
  const writer: WritableStreamDefaultWriter<Uint8Array> = stream.writable.getWriter();
  const reader: ReadableStreamDefaultReader<Uint8Array> = stream.readable.getReader();
  // An error of the transformation reaches the reader as well, and is handled there.
  const written = writer.write(bytes).then(() => writer.close());
  written.catch(() => {});
  const chunks: Uint8Array[] = [];
  let totalBytes = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) {
      await written;
      return join(chunks, totalBytes);
    }
    totalBytes += value.length;
    if (totalBytes > maxBytes) {
      // Nobody waits for the rest; the stream is dropped with what it had still to do.
      reader.cancel().catch(() => {});
      throw tooLarge(maxBytes);
    }
    chunks.push(value);
  }
}

async function gunzip(bytes: Uint8Array, maxBytes: number): Promise<Uint8Array> {
  if (bytes.length === 0) {
    throw malformed("an empty input is no gzip stream");
  }
  try {
    return await pipe(new DecompressionStream("gzip"), bytes, maxBytes);
  } catch (error) {
    if (error instanceof ComputeError) {
      throw error;
    }
    throw malformed(`not a gzip stream: ${String(error)}`, error);
  }
}

class BrowserCompute implements Compute {
  readonly codecs: readonly CompressionCodec[];
  readonly crc32c = crc32c;
  readonly #hasGzip = "CompressionStream" in globalThis && "DecompressionStream" in globalThis;

  constructor() {
    this.codecs = this.#hasGzip ? ["none", "gzip", "snappy", "lz4"] : ["none", "snappy", "lz4"];
  }

  async compress(codec: CompressionCodec, bytes: Uint8Array): Promise<Uint8Array> {
    switch (codec) {
      case "none":
        return bytes;
      case "gzip":
        this.#assertGzip();
        return await pipe(new CompressionStream("gzip"), bytes, Number.POSITIVE_INFINITY);
      case "snappy": {
        const { compressSnappy } = await import("../codecs/snappy.js");
        return compressSnappy(bytes);
      }
      case "lz4": {
        const { compressLz4 } = await import("../codecs/lz4.js");
        return compressLz4(bytes);
      }
      case "zstd":
        throw unsupported("zstd, which only reads here: send with gzip, lz4 or snappy");
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
        this.#assertGzip();
        return await gunzip(bytes, maxBytes);
      case "snappy": {
        const { decompressSnappy } = await import("../codecs/snappy.js");
        return decompressSnappy(bytes, maxBytes);
      }
      case "lz4": {
        const { decompressLz4 } = await import("../codecs/lz4.js");
        return decompressLz4(bytes, maxBytes);
      }
      case "zstd": {
        const { decompressZstd } = await import("../codecs/zstd-decompress.js");
        return decompressZstd(bytes, maxBytes);
      }
    }
  }

  #assertGzip(): void {
    if (!this.#hasGzip) {
      throw unsupported("gzip (it has no Compression Streams): send with lz4 or snappy");
    }
  }
}

export const createBrowserCompute = (): Compute => new BrowserCompute();
