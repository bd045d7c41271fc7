// Reading the 61 bytes of a batch's header, of one batch or of all in a row. Nothing here looks at records or
// verifies the CRC.

import type { CompressionCodec } from "@millrace/runtime";
import { ProtocolError } from "../errors.js";
import type { LeaderEpoch, Offset, ProducerEpoch, ProducerId, TimestampMs } from "../ids.js";
import { LOG_OVERHEAD_BYTES } from "../limits.js";
import { readInt16, readInt32, readInt64, readUint32 } from "./big-endian.js";
import {
  ATTRIBUTES_AT,
  BASE_OFFSET_AT,
  BASE_SEQUENCE_AT,
  BASE_TIMESTAMP_AT,
  BATCH_LENGTH_AT,
  CONTROL_BIT,
  CRC_AT,
  codecOf,
  LAST_OFFSET_DELTA_AT,
  LEADER_EPOCH_AT,
  LOG_APPEND_TIME_BIT,
  MAGIC,
  MAGIC_AT,
  MAX_TIMESTAMP_AT,
  PRODUCER_EPOCH_AT,
  PRODUCER_ID_AT,
  RECORD_COUNT_AT,
  RECORDS_AT,
  TRANSACTIONAL_BIT,
} from "./layout.js";

export type TimestampType = "CreateTime" | "LogAppendTime";

export interface BatchHeader {
  readonly baseOffset: Offset;
  /** Of the whole batch, base offset and length field included. */
  readonly sizeBytes: number;
  readonly leaderEpoch: LeaderEpoch;
  readonly magic: number;
  /** CRC-32C, unsigned. */
  readonly crc: number;
  /** The raw attribute bits. */
  readonly attributes: number;
  readonly codec: CompressionCodec;
  readonly timestampType: TimestampType;
  readonly isTransactional: boolean;
  readonly isControl: boolean;
  readonly lastOffsetDelta: number;
  readonly lastOffset: Offset;
  readonly baseTimestamp: TimestampMs;
  readonly maxTimestamp: TimestampMs;
  /** -1: not from an idempotent producer. */
  readonly producerId: ProducerId;
  readonly producerEpoch: ProducerEpoch;
  /** Sequence number of the first record; -1 for none. Wraps from 2^31-1 to 0. */
  readonly baseSequence: number;
  readonly lastSequence: number;
  /** Less than `lastOffsetDelta + 1` after compaction, possibly 0. */
  readonly recordCount: number;
}

const SEQUENCE_MODULUS = 0x80000000;

function corrupt(position: number, problem: string): ProtocolError {
  return new ProtocolError("CORRUPT_MESSAGE", `the record batch at byte ${position} ${problem}`, {
    details: { position },
  });
}

/**
 * Reads the header at `position`. The records behind it need not be there.
 * @throws ProtocolError `CORRUPT_MESSAGE` when it cannot be a header: too short, not magic 2, counts or offsets
 *   out of range, an unknown codec.
 */
export function readBatchHeader(bytes: Uint8Array, position = 0): BatchHeader {
  if (bytes.length - position < RECORDS_AT) {
    throw corrupt(position, `has ${bytes.length - position} bytes, a header takes ${RECORDS_AT}`);
  }
  const magic = bytes[position + MAGIC_AT] as number;
  if (magic !== MAGIC) {
    throw corrupt(position, `is of format version ${magic}; only ${MAGIC} is supported`);
  }
  const sizeBytes = readInt32(bytes, position + BATCH_LENGTH_AT) + LOG_OVERHEAD_BYTES;
  if (sizeBytes < RECORDS_AT) {
    throw corrupt(position, `claims a size of ${sizeBytes} bytes, less than its header`);
  }
  const attributes = readInt16(bytes, position + ATTRIBUTES_AT) & 0xffff;
  const codec = codecOf(attributes);
  if (codec === undefined) {
    throw corrupt(position, `names an unknown compression codec (${attributes & 7})`);
  }
  const baseOffset = readInt64(bytes, position + BASE_OFFSET_AT);
  const lastOffsetDelta = readInt32(bytes, position + LAST_OFFSET_DELTA_AT);
  const recordCount = readInt32(bytes, position + RECORD_COUNT_AT);
  const lastOffset = baseOffset + lastOffsetDelta;
  if (lastOffsetDelta < 0 || baseOffset < 0 || !Number.isSafeInteger(lastOffset)) {
    throw corrupt(
      position,
      `has impossible offsets (${baseOffset}, last delta ${lastOffsetDelta})`,
    );
  }
  if (recordCount < 0 || recordCount > lastOffsetDelta + 1) {
    throw corrupt(position, `claims ${recordCount} records in ${lastOffsetDelta + 1} offsets`);
  }
  const baseSequence = readInt32(bytes, position + BASE_SEQUENCE_AT);
  return {
    baseOffset,
    sizeBytes,
    leaderEpoch: readInt32(bytes, position + LEADER_EPOCH_AT),
    magic,
    crc: readUint32(bytes, position + CRC_AT),
    attributes,
    codec,
    timestampType: (attributes & LOG_APPEND_TIME_BIT) === 0 ? "CreateTime" : "LogAppendTime",
    isTransactional: (attributes & TRANSACTIONAL_BIT) !== 0,
    isControl: (attributes & CONTROL_BIT) !== 0,
    lastOffsetDelta,
    lastOffset,
    baseTimestamp: safe(bytes, position, BASE_TIMESTAMP_AT),
    maxTimestamp: safe(bytes, position, MAX_TIMESTAMP_AT),
    producerId: safe(bytes, position, PRODUCER_ID_AT),
    producerEpoch: readInt16(bytes, position + PRODUCER_EPOCH_AT),
    baseSequence,
    lastSequence:
      baseSequence < 0 ? baseSequence : (baseSequence + lastOffsetDelta) % SEQUENCE_MODULUS,
    recordCount,
  };
}

function safe(bytes: Uint8Array, position: number, at: number): number {
  const value = readInt64(bytes, position + at);
  if (!Number.isSafeInteger(value)) {
    throw corrupt(position, `has a 64-bit field at +${at} outside the safe integers`);
  }
  return value;
}

/** One batch of several in a row. */
export interface BatchAt {
  readonly position: number;
  readonly header: BatchHeader;
}

/**
 * The headers of batches back to back, stopping before a partial batch at the end (as a read bounded by bytes
 * leaves one).
 * @throws ProtocolError `CORRUPT_MESSAGE` as `readBatchHeader`.
 */
export function* batchHeaders(bytes: Uint8Array): Generator<BatchAt, void, undefined> {
  let position = 0;
  while (bytes.length - position >= RECORDS_AT) {
    const header = readBatchHeader(bytes, position);
    if (header.sizeBytes > bytes.length - position) {
      return;
    }
    yield { position, header };
    position += header.sizeBytes;
  }
}
