// Compression in the thread pool, by node:zlib. The CRC is the portable one: a native module wins a factor of
// two at 1 KiB alone, but a checksum is a few percent of a broker's time, which is not worth native code.

import { gunzip, gzip } from "node:zlib";
import { type CompressionCodec, type Compute, ComputeError } from "../compute.js";
import { crc32c } from "../crc32c.js";

const unsupported = (codec: CompressionCodec): ComputeError =>
  new ComputeError("UNSUPPORTED_CODEC", `this runtime has no codec ${codec}`);

const tooLarge = (maxBytes: number): ComputeError =>
  new ComputeError("TOO_LARGE", `the decompressed bytes exceed ${maxBytes}`);

/** A view that is a plain Uint8Array: Buffer's `slice` and `toString` differ from it. */
const plain = (buffer: Buffer): Uint8Array =>
  new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.length);

function gunzipBounded(bytes: Uint8Array, maxBytes: number): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    if (bytes.length === 0) {
      // zlib takes no input for no output; but a gzip stream has a header.
      reject(new ComputeError("MALFORMED", "an empty input is no gzip stream"));
      return;
    }
    // zlib wants a positive bound, so 0 is checked afterwards.
    gunzip(bytes, { maxOutputLength: Math.max(1, maxBytes) }, (error, result) => {
      if (error === null && result.length <= maxBytes) {
        resolve(plain(result));
      } else if (error === null || errorCode(error) === "ERR_BUFFER_TOO_LARGE") {
        reject(tooLarge(maxBytes));
      } else {
        reject(
          new ComputeError("MALFORMED", `not a gzip stream: ${error.message}`, { cause: error }),
        );
      }
    });
  });
}

const errorCode = (error: Error): unknown => ("code" in error ? error.code : undefined);

/** Node's Compute: CRC-32C in place, gzip in the thread pool. */
export const nodeCompute: Compute = {
  crc32c,
  codecs: ["none", "gzip"],
  compress(codec, bytes) {
    if (codec === "none") {
      return Promise.resolve(bytes);
    }
    if (codec !== "gzip") {
      return Promise.reject(unsupported(codec));
    }
    return new Promise((resolve, reject) => {
      gzip(bytes, (error, result) => (error === null ? resolve(plain(result)) : reject(error)));
    });
  },
  decompress(codec, bytes, maxBytes) {
    if (codec === "none") {
      return bytes.length <= maxBytes ? Promise.resolve(bytes) : Promise.reject(tooLarge(maxBytes));
    }
    return codec === "gzip" ? gunzipBounded(bytes, maxBytes) : Promise.reject(unsupported(codec));
  },
};
