// Gzip without a thread: the only use of `node:zlib` in a simulation, declared as far as it is needed.

import { ComputeError } from "../compute.js";

interface SyncZlib {
  gzipSync(bytes: Uint8Array, options: { level: number }): Uint8Array;
  gunzipSync(bytes: Uint8Array, options: { maxOutputLength: number }): Uint8Array;
}

interface BuiltinModules {
  readonly process: { getBuiltinModule(id: string): unknown };
}

const zlib = (globalThis as unknown as BuiltinModules).process.getBuiltinModule(
  "node:zlib",
) as SyncZlib;

/** A plain `Uint8Array` of its own memory: Node's buffers are a subclass, and may share a pool. */
const plain = (bytes: Uint8Array): Uint8Array => Uint8Array.prototype.slice.call(bytes);

/** `level`: 1 to 9; default zlib's own. */
export const gzip = (bytes: Uint8Array, level = -1): Uint8Array =>
  plain(zlib.gzipSync(bytes, { level }));

/** @throws ComputeError */
export function gunzip(bytes: Uint8Array, maxBytes: number): Uint8Array {
  try {
    // zlib wants a positive bound; an output of 1 byte is refused below when 0 are allowed.
    const output = plain(zlib.gunzipSync(bytes, { maxOutputLength: Math.max(1, maxBytes) }));
    if (output.length <= maxBytes) {
      return output;
    }
  } catch (error) {
    if ((error as { code?: unknown }).code !== "ERR_BUFFER_TOO_LARGE") {
      throw new ComputeError("MALFORMED", "not valid gzip", { cause: error });
    }
  }
  throw new ComputeError("TOO_LARGE", `the output exceeds ${maxBytes} bytes`);
}
