// The CRC-32C of @node-rs/crc32, which uses the processor's own instruction, where somebody installed it (the server
// and the CLI name it as an optional dependency); else the portable one. What was loaded is believed only after it
// gave the right answers: a wrong checksum would be found by every reader, but too late.

import { createRequire } from "node:module";
import { crc32c as portable } from "../crc32c.js";

export type Crc32c = (bytes: Uint8Array, seed?: number) => number;

/** Below it the call into native code costs more than it wins: 96 ns against 72 for 128 bytes, 223 against 493 for 1 KiB. */
const NATIVE_FROM_BYTES = 512;

/** Lengths around which implementations switch between loops. */
const PROBE_BYTES = [0, 1, 7, 8, 9, 255, 512, 1_025, 70_001];

/** The module, or undefined where it is not installed or does not load (another platform's binary, say). */
function load(): unknown {
  try {
    return createRequire(import.meta.url)("@node-rs/crc32");
  } catch {
    // Optional.
    return undefined;
  }
}

function isRight(native: Crc32c): boolean {
  const bytes = Uint8Array.from(
    { length: Math.max(...PROBE_BYTES) + 1 },
    (_, at) => at * 31 + (at >> 8),
  );
  try {
    return PROBE_BYTES.every((length, index) => {
      // From the second byte on: not aligned.
      const probe = bytes.subarray(1, 1 + length);
      const seed = index % 2 === 0 ? 0 : 0xfedc_ba98;
      return native(probe, seed) === portable(probe, seed);
    });
  } catch {
    return false;
  }
}

/** The fastest that `module` makes possible; whatever `module` is, the results are right. */
export function fastestCrc32c(module: unknown = load()): Crc32c {
  const native = (module as { crc32c?: unknown } | undefined)?.crc32c;
  if (typeof native !== "function" || !isRight(native as Crc32c)) {
    return portable;
  }
  const crc32c = native as Crc32c;
  return (bytes, seed = 0) =>
    bytes.length < NATIVE_FROM_BYTES ? portable(bytes, seed) : crc32c(bytes, seed);
}
