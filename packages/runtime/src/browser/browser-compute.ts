// CRC-32C in TypeScript, gzip by the Compression Streams of the platform, where it has them.

import { type CompressionCodec, type Compute, ComputeError } from "../compute.js";
import { crc32c } from "../crc32c.js";

const tooLarge = (maxBytes: number): ComputeError =>
  new ComputeError("TOO_LARGE", `the decompressed bytes exceed ${maxBytes}`);

const unsupported = (codec: CompressionCodec): ComputeError =>
  new ComputeError("UNSUPPORTED_CODEC", `this browser has no codec ${codec}`);

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
    throw new ComputeError("MALFORMED", "an empty input is no gzip stream");
  }
  try {
    return await pipe(new DecompressionStream("gzip"), bytes, maxBytes);
  } catch (error) {
    if (error instanceof ComputeError) {
      throw error;
    }
    throw new ComputeError("MALFORMED", `not a gzip stream: ${String(error)}`, { cause: error });
  }
}

export function createBrowserCompute(): Compute {
  const hasGzip = "CompressionStream" in globalThis && "DecompressionStream" in globalThis;
  return {
    crc32c,
    codecs: hasGzip ? ["none", "gzip"] : ["none"],
    async compress(codec, bytes) {
      if (codec === "none") {
        return bytes;
      }
      if (codec !== "gzip" || !hasGzip) {
        throw unsupported(codec);
      }
      return await pipe(new CompressionStream("gzip"), bytes, Number.POSITIVE_INFINITY);
    },
    async decompress(codec, bytes, maxBytes) {
      if (codec === "none") {
        if (bytes.length > maxBytes) {
          throw tooLarge(maxBytes);
        }
        return bytes;
      }
      if (codec !== "gzip" || !hasGzip) {
        throw unsupported(codec);
      }
      return await gunzip(bytes, maxBytes);
    },
  };
}
