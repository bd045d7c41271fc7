// The seam's `Compute`, all of it synchronous: a thread pool would finish in an order that no seed decides.

import { type CompressionCodec, type Compute, ComputeError } from "../compute.js";
import { crc32c } from "../crc32c.js";
import { gunzip, gzip } from "./zlib.js";

export class SimCompute implements Compute {
  readonly codecs: readonly CompressionCodec[] = ["none", "gzip"];

  crc32c(bytes: Uint8Array, seed = 0): number {
    return crc32c(bytes, seed);
  }

  async compress(codec: CompressionCodec, bytes: Uint8Array): Promise<Uint8Array> {
    switch (codec) {
      case "none":
        return bytes;
      case "gzip":
        return gzip(bytes);
      default:
        throw new ComputeError("UNSUPPORTED_CODEC", `the simulation has no ${codec}`);
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
          throw new ComputeError("TOO_LARGE", `${bytes.length} bytes exceed ${maxBytes}`);
        }
        return bytes;
      case "gzip":
        return gunzip(bytes, maxBytes);
      default:
        throw new ComputeError("UNSUPPORTED_CODEC", `the simulation has no ${codec}`);
    }
  }
}
