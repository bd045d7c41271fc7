// Kafka's RecordBatch v2 (magic 2): where each header field lies, and what the attribute bits mean.
// Big-endian throughout; lengths in bytes. The CRC covers everything from `attributes` to the end, so base
// offset and leader epoch can be patched without touching it.
//
//    0  baseOffset            int64      23  lastOffsetDelta   int32
//    8  batchLength           int32      27  baseTimestamp     int64
//   12  partitionLeaderEpoch  int32      35  maxTimestamp      int64
//   16  magic                 int8       43  producerId        int64
//   17  crc                   uint32     51  producerEpoch     int16
//   21  attributes            int16      53  baseSequence      int32
//                                        57  recordCount       int32      61  records

import type { CompressionCodec } from "@millrace/runtime";

export const BASE_OFFSET_AT = 0;
export const BATCH_LENGTH_AT = 8;
export const LEADER_EPOCH_AT = 12;
export const MAGIC_AT = 16;
export const CRC_AT = 17;
export const ATTRIBUTES_AT = 21;
export const LAST_OFFSET_DELTA_AT = 23;
export const BASE_TIMESTAMP_AT = 27;
export const MAX_TIMESTAMP_AT = 35;
export const PRODUCER_ID_AT = 43;
export const PRODUCER_EPOCH_AT = 51;
export const BASE_SEQUENCE_AT = 53;
export const RECORD_COUNT_AT = 57;
export const RECORDS_AT = 61;

export const MAGIC = 2;

export const CODEC_MASK = 0b111;
export const LOG_APPEND_TIME_BIT = 1 << 3;
export const TRANSACTIONAL_BIT = 1 << 4;
export const CONTROL_BIT = 1 << 5;
/** KIP-534: base timestamp is the delete horizon. Only the compactor sets it. */
export const DELETE_HORIZON_BIT = 1 << 6;
/** Bits no version of the format uses. */
export const UNUSED_BITS = 0xff80;

const codecs: readonly CompressionCodec[] = ["none", "gzip", "snappy", "lz4", "zstd"];

/** The codec of attribute bits 0 to 2; `undefined` for the numbers nobody uses. */
export function codecOf(attributes: number): CompressionCodec | undefined {
  return codecs[attributes & CODEC_MASK];
}

export function codecNumber(codec: CompressionCodec): number {
  return codecs.indexOf(codec);
}
