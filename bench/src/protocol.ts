// How fast the protocol is on this machine: records, batches, frames, checksums. `--json` prints one object.
// Run: `node bench/dist/protocol.js [--json]`.

import { crc32c } from "@millrace/runtime";
import { createNodeRuntime } from "@millrace/runtime/node";
import { frameCases } from "./protocol-frames.js";
import { type Measurement, measure, printTable } from "./protocol-measure.js";
import { recordCases } from "./protocol-records.js";

const { compute } = createNodeRuntime();

function checksumCases(): Measurement[] {
  const kibibyte = new Uint8Array(1024).fill(7);
  const mebibyte = new Uint8Array(1024 * 1024).fill(7);
  return [
    measure("crc32c, 1 KiB, this platform", "B", 1024, () => compute.crc32c(kibibyte)),
    measure("crc32c, 1 MiB, this platform", "B", mebibyte.length, () => compute.crc32c(mebibyte)),
    measure("crc32c, 1 MiB, portable", "B", mebibyte.length, () => crc32c(mebibyte)),
  ];
}

const measurements = [...recordCases(compute), ...frameCases(), ...checksumCases()];
if (process.argv.includes("--json")) {
  process.stdout.write(`${JSON.stringify({ node: process.version, measurements })}\n`);
} else {
  printTable(measurements);
}
