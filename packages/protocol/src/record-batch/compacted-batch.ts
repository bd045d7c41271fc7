// What the log cleaner makes of a batch: the same batch with fewer records, or with none. Base offset, last offset delta,
// epochs, codec, producer and sequence stay; record count, largest timestamp and CRC follow from what is left. Which
// records stay is the cleaner's decision.

import type { Compute } from "@millrace/runtime";
import type { TimestampMs } from "../ids.js";
import { LOG_OVERHEAD_BYTES } from "../limits.js";
import { readInt16, writeInt16, writeInt32, writeInt64 } from "./big-endian.js";
import type { BatchHeader } from "./header.js";
import {
  ATTRIBUTES_AT,
  BASE_TIMESTAMP_AT,
  BATCH_LENGTH_AT,
  CODEC_MASK,
  CRC_AT,
  DELETE_HORIZON_BIT,
  MAX_TIMESTAMP_AT,
  RECORD_COUNT_AT,
  RECORDS_AT,
} from "./layout.js";
import { computeBatchCrc } from "./patch.js";
import { RecordWalker } from "./record-walker.js";
import { varintSize, writeVarint } from "./varint.js";

type Checksum = Pick<Compute, "crc32c">;

/** A length and a timestamp delta at their largest. */
const RECORD_GROWTH_BYTES_MAX = 15;

/** When the batch's tombstones may go (KIP-534); undefined when the cleaner has not seen them yet. */
export function deleteHorizonMs(
  header: Pick<BatchHeader, "attributes" | "baseTimestamp">,
): TimestampMs | undefined {
  return (header.attributes & DELETE_HORIZON_BIT) === 0 ? undefined : header.baseTimestamp;
}

/**
 * The payload's records counted from another base timestamp (a delete horizon takes its place in the header).
 * @throws ProtocolError `CORRUPT_MESSAGE`
 */
export function rebaseTimestamps(
  header: BatchHeader,
  payload: Uint8Array,
  baseTimestamp: TimestampMs,
): Uint8Array {
  const target = new Uint8Array(payload.length + header.recordCount * RECORD_GROWTH_BYTES_MAX);
  const walker = new RecordWalker(header, payload);
  // Records with LogAppendTime have deltas too, which nobody reads: they count from the new base as the others do.
  let at = 0;
  while (walker.next()) {
    const delta = walker.timestamp - baseTimestamp;
    const rest = payload.subarray(walker.offsetDeltaAt, walker.end);
    at = writeVarint(target, at, 1 + varintSize(delta) + rest.length);
    target[at++] = 0; // attributes
    at = writeVarint(target, at, delta);
    target.set(rest, at);
    at += rest.length;
  }
  return target.subarray(0, at);
}

export interface CompactedRecords {
  /** As it goes into the batch: compressed by the batch's codec. */
  readonly payload: Uint8Array;
  readonly recordCount: number;
  /** Of the records that are left. */
  readonly maxTimestamp: TimestampMs;
  /** Written into the header when given; `payload` counts from it then (`rebaseTimestamps`). */
  readonly deleteHorizonMs?: TimestampMs | undefined;
}

/** The batch that begins at `batch[0]`, with these records in place of its own. */
export function compactedBatch(
  batch: Uint8Array,
  records: CompactedRecords,
  compute: Checksum,
): Uint8Array {
  const whole = new Uint8Array(RECORDS_AT + records.payload.length);
  whole.set(batch.subarray(0, RECORDS_AT));
  whole.set(records.payload, RECORDS_AT);
  writeInt32(whole, BATCH_LENGTH_AT, whole.length - LOG_OVERHEAD_BYTES);
  writeInt64(whole, MAX_TIMESTAMP_AT, records.maxTimestamp);
  writeInt32(whole, RECORD_COUNT_AT, records.recordCount);
  if (records.deleteHorizonMs !== undefined) {
    writeInt16(whole, ATTRIBUTES_AT, readInt16(batch, ATTRIBUTES_AT) | DELETE_HORIZON_BIT);
    writeInt64(whole, BASE_TIMESTAMP_AT, records.deleteHorizonMs);
  }
  writeInt32(whole, CRC_AT, computeBatchCrc(whole, 0, compute));
  return whole;
}

/** The batch without any record: it says which offsets and sequence numbers were its own (as Kafka's cleaner writes it). */
export function emptiedBatch(batch: Uint8Array, compute: Checksum): Uint8Array {
  const whole = batch.slice(0, RECORDS_AT);
  const kept = ~(CODEC_MASK | DELETE_HORIZON_BIT);
  writeInt32(whole, BATCH_LENGTH_AT, RECORDS_AT - LOG_OVERHEAD_BYTES);
  writeInt16(whole, ATTRIBUTES_AT, readInt16(batch, ATTRIBUTES_AT) & kept);
  writeInt64(whole, BASE_TIMESTAMP_AT, -1);
  writeInt32(whole, RECORD_COUNT_AT, 0);
  writeInt32(whole, CRC_AT, computeBatchCrc(whole, 0, compute));
  return whole;
}
