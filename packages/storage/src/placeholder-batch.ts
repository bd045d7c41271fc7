// A record batch without records: what stands for offsets whose records are gone. Kafka's log cleaner leaves such batches
// too, so every reader of the format knows them; offsets stay contiguous, and no scan needs to be told of a gap.

import type { BatchHeader } from "@millrace/protocol";
import type { Compute } from "@millrace/runtime";

const BATCH_BYTES = 61;
/** Base offset and length field, which the length does not count. */
const LOG_OVERHEAD_BYTES = 12;
/** What the CRC covers begins here. */
const ATTRIBUTES_AT = 21;
const OFFSET_DELTA_MAX = 0x7fffffff;

export interface PlaceholderRange {
  readonly firstOffset: number;
  readonly lastOffset: number;
  readonly leaderEpoch: number;
  /** Of the records before it; -1 for none. A search by timestamp never ends here because of it. */
  readonly maxTimestamp: number;
}

/** Whether the batch stands for offsets only: no record, and no producer whose sequence it would tell. */
export function isPlaceholder(header: Pick<BatchHeader, "recordCount" | "producerId">): boolean {
  return header.recordCount === 0 && header.producerId < 0;
}

/** One batch, or several where the range is wider than a batch can say. */
export function placeholderBatches(
  range: PlaceholderRange,
  compute: Pick<Compute, "crc32c">,
): Uint8Array[] {
  const batches: Uint8Array[] = [];
  let { firstOffset } = range;
  while (firstOffset <= range.lastOffset) {
    const lastOffset = Math.min(range.lastOffset, firstOffset + OFFSET_DELTA_MAX);
    batches.push(placeholderBatch({ ...range, firstOffset, lastOffset }, compute));
    firstOffset = lastOffset + 1;
  }
  return batches;
}

function placeholderBatch(range: PlaceholderRange, compute: Pick<Compute, "crc32c">): Uint8Array {
  const bytes = new Uint8Array(BATCH_BYTES);
  const view = new DataView(bytes.buffer);
  view.setBigInt64(0, BigInt(range.firstOffset));
  view.setInt32(8, BATCH_BYTES - LOG_OVERHEAD_BYTES);
  view.setInt32(12, range.leaderEpoch);
  view.setInt8(16, 2); // magic
  view.setInt16(ATTRIBUTES_AT, 0);
  view.setInt32(23, range.lastOffset - range.firstOffset);
  view.setBigInt64(27, BigInt(range.maxTimestamp)); // base timestamp
  view.setBigInt64(35, BigInt(range.maxTimestamp));
  view.setBigInt64(43, -1n); // producer id
  view.setInt16(51, -1); // producer epoch
  view.setInt32(53, -1); // base sequence
  view.setInt32(57, 0); // records
  view.setUint32(17, compute.crc32c(bytes.subarray(ATTRIBUTES_AT)));
  return bytes;
}
