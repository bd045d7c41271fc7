// Reads one partition's part of a fetch answer into the partition's state. Pure: says what has to happen next.

import { batchHeaders, type ErrorName, errorName, type ResponseOf } from "@millrace/protocol";
import type { PartitionState } from "./partition-state.js";
import type { PrefetchBuffer } from "./prefetch-buffer.js";

export type FetchedPartition = ResponseOf<"fetch">["partitions"][number];

/** undefined: taken in. */
export type FetchProblem =
  | { readonly code: ErrorName; readonly message: string | undefined }
  | undefined;

export function applyFetched(
  state: PartitionState,
  entry: FetchedPartition,
  records: Uint8Array,
  buffer: PrefetchBuffer,
): FetchProblem {
  if (entry.errorCode !== 0) {
    return { code: errorName(entry.errorCode), message: entry.errorMessage ?? undefined };
  }
  state.failures = 0;
  state.highWatermark = entry.highWatermark;
  state.logStartOffset = entry.logStartOffset;
  if (records.length === 0) {
    return undefined;
  }
  const end = endOffsetOf(records);
  // Not one batch can be told from the next: the reader will say so when it gets there.
  state.isUnreadable = end === undefined;
  state.fetchOffset = Math.max(state.fetchOffset, end ?? state.fetchOffset);
  buffer.add(state, records);
  return undefined;
}

/** The offset behind the last whole batch. */
function endOffsetOf(records: Uint8Array): number | undefined {
  let end: number | undefined;
  try {
    for (const { header } of batchHeaders(records)) {
      end = header.lastOffset + 1;
    }
    return end;
  } catch {
    // Damaged in the middle: what comes before is readable, and the reader stops at the damage.
    return undefined;
  }
}
