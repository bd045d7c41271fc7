// Whether one batch fits where it stands: its CRC, its records, its offsets after those before it, its epoch.
// Kafka's CRC does not cover base offset and leader epoch; contiguity is what protects them.

import { type BatchHeader, isBatchCrcValid, readBatch } from "@millrace/protocol";
import type { Compute } from "@millrace/runtime";

/** What the batches so far in a partition lead us to expect. */
export interface Continuity {
  /** -1: nothing read yet. */
  nextOffset: number;
  leaderEpoch: number;
}

export interface BatchProblem {
  readonly severity: "damage" | "warning";
  readonly problem: string;
}

const DECOMPRESSED_BYTES_MAX = 256 * 1024 * 1024;

/** Updates `continuity` to what the next batch must look like. */
export function checkContinuity(
  header: BatchHeader,
  continuity: Continuity,
): BatchProblem | undefined {
  const { nextOffset, leaderEpoch } = continuity;
  continuity.nextOffset = Math.max(nextOffset, header.lastOffset + 1);
  continuity.leaderEpoch = Math.max(leaderEpoch, header.leaderEpoch);
  if (nextOffset >= 0 && header.baseOffset < nextOffset) {
    return {
      severity: "damage",
      problem: `offset ${header.baseOffset} comes after ${nextOffset - 1}`,
    };
  }
  if (header.leaderEpoch < leaderEpoch) {
    return {
      severity: "damage",
      problem: `leader epoch ${header.leaderEpoch} comes after ${leaderEpoch}`,
    };
  }
  if (nextOffset >= 0 && header.baseOffset > nextOffset) {
    const missing = header.baseOffset - nextOffset;
    return {
      severity: "warning",
      problem: `${missing} offsets are missing before ${header.baseOffset}: expected only in a compacted topic`,
    };
  }
  return undefined;
}

/** CRC, then one walk over the records (decompressed when need be); keys and values are not looked at. */
export async function checkContent(
  bytes: Uint8Array,
  compute: Compute,
): Promise<string | undefined> {
  if (!isBatchCrcValid(bytes, 0, compute)) {
    return "the CRC does not match: the bytes are not those that were written";
  }
  try {
    const read = readBatch(bytes, 0, { compute, maxDecompressedBytes: DECOMPRESSED_BYTES_MAX });
    const batch = read instanceof Promise ? await read : read;
    // Iterating is the check: a record that does not fit throws.
    for (const _ of batch) {
    }
    return undefined;
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    return text.replace(/^[A-Z_]+: /, "");
  }
}
