// Writing the header of a batch whose records are known. The CRC comes last and is not written here.

import type { CompressionCodec } from "@millrace/runtime";
import {
  type LeaderEpoch,
  NO_PRODUCER_EPOCH,
  NO_PRODUCER_ID,
  NO_SEQUENCE,
  type Offset,
  type ProducerEpoch,
  type ProducerId,
  type TimestampMs,
} from "../ids.js";
import { LOG_OVERHEAD_BYTES } from "../limits.js";
import { writeInt16, writeInt32, writeInt64 } from "./big-endian.js";
import {
  ATTRIBUTES_AT,
  BASE_OFFSET_AT,
  BASE_SEQUENCE_AT,
  BASE_TIMESTAMP_AT,
  BATCH_LENGTH_AT,
  CONTROL_BIT,
  codecNumber,
  LAST_OFFSET_DELTA_AT,
  LEADER_EPOCH_AT,
  MAGIC,
  MAGIC_AT,
  MAX_TIMESTAMP_AT,
  PRODUCER_EPOCH_AT,
  PRODUCER_ID_AT,
  RECORD_COUNT_AT,
  TRANSACTIONAL_BIT,
} from "./layout.js";

/** What the one who builds a batch decides. */
export interface BuildOptions {
  readonly producerId?: ProducerId;
  readonly producerEpoch?: ProducerEpoch;
  readonly baseSequence?: number;
  readonly isTransactional?: boolean;
  readonly isControl?: boolean;
  /** Default 0: the leader assigns the real one. */
  readonly baseOffset?: Offset;
  /** Default -1: the leader writes its own. */
  readonly leaderEpoch?: LeaderEpoch;
}

/** What follows from the records. */
export interface RecordsSummary {
  readonly codec: CompressionCodec;
  /** Offset deltas are 0 to `recordCount - 1`. */
  readonly recordCount: number;
  readonly baseTimestamp: TimestampMs;
  readonly maxTimestamp: TimestampMs;
}

/** Fills the first 61 bytes of `whole`, a batch whose records are in place, except for the CRC. */
export function writeBatchHeader(
  whole: Uint8Array,
  records: RecordsSummary,
  options: BuildOptions,
): void {
  writeInt64(whole, BASE_OFFSET_AT, options.baseOffset ?? 0);
  writeInt32(whole, BATCH_LENGTH_AT, whole.length - LOG_OVERHEAD_BYTES);
  writeInt32(whole, LEADER_EPOCH_AT, options.leaderEpoch ?? -1);
  whole[MAGIC_AT] = MAGIC;
  const attributes =
    codecNumber(records.codec) |
    (options.isTransactional === true ? TRANSACTIONAL_BIT : 0) |
    (options.isControl === true ? CONTROL_BIT : 0);
  writeInt16(whole, ATTRIBUTES_AT, attributes);
  writeInt32(whole, LAST_OFFSET_DELTA_AT, records.recordCount - 1);
  writeInt64(whole, BASE_TIMESTAMP_AT, records.baseTimestamp);
  writeInt64(whole, MAX_TIMESTAMP_AT, records.maxTimestamp);
  writeInt64(whole, PRODUCER_ID_AT, options.producerId ?? NO_PRODUCER_ID);
  writeInt16(whole, PRODUCER_EPOCH_AT, options.producerEpoch ?? NO_PRODUCER_EPOCH);
  writeInt32(whole, BASE_SEQUENCE_AT, options.baseSequence ?? NO_SEQUENCE);
  writeInt32(whole, RECORD_COUNT_AT, records.recordCount);
}
