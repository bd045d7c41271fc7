// What a broker checks before it appends a batch that a client produced: the header, the CRC, and for
// uncompressed batches one walk over the records' lengths and deltas, so that a lying count cannot poison a
// partition. No key or value is looked at, except for null keys where the topic is compacted.

import type { Compute } from "@millrace/runtime";
import { ProtocolError, type WireErrorName } from "../errors.js";
import type { TimestampMs } from "../ids.js";
import { type BatchHeader, readBatchHeader } from "./header.js";
import { DELETE_HORIZON_BIT, RECORDS_AT, UNUSED_BITS } from "./layout.js";
import { isBatchCrcValid } from "./patch.js";
import { VarintReader } from "./varint.js";

export interface ProducedBatchLimits {
  readonly compute: Compute;
  /** The topic's `max.message.bytes`: bound of one batch, header included. */
  readonly maxMessageBytes: number;
  /** Compacted topics: a record without a key is refused. */
  readonly requireKeys?: boolean;
  /** Bounds of CreateTime timestamps, inclusive; absent: none. */
  readonly minTimestampMs?: TimestampMs;
  readonly maxTimestampMs?: TimestampMs;
}

function refuse(code: WireErrorName, problem: string): ProtocolError {
  return new ProtocolError(code, `the record batch ${problem}`);
}

/**
 * Checks the batch at `position` and returns its header.
 * @throws ProtocolError `CORRUPT_MESSAGE` (size, magic, CRC, lengths), `MESSAGE_TOO_LARGE`, `INVALID_RECORD`
 *   (counts, deltas, attributes, null key), `INVALID_TIMESTAMP`, `UNSUPPORTED_COMPRESSION_TYPE`.
 */
export function validateProducedBatch(
  bytes: Uint8Array,
  position: number,
  limits: ProducedBatchLimits,
): BatchHeader {
  const header = readBatchHeader(bytes, position);
  if (header.sizeBytes > bytes.length - position) {
    throw refuse(
      "CORRUPT_MESSAGE",
      `claims ${header.sizeBytes} bytes, ${bytes.length - position} are there`,
    );
  }
  if (header.sizeBytes > limits.maxMessageBytes) {
    throw refuse(
      "MESSAGE_TOO_LARGE",
      `has ${header.sizeBytes} bytes; the topic takes ${limits.maxMessageBytes} (max.message.bytes)`,
    );
  }
  if (!isBatchCrcValid(bytes, position, limits.compute)) {
    throw refuse("CORRUPT_MESSAGE", "does not have the CRC it claims");
  }
  checkHeader(header, limits);
  if (header.codec === "none") {
    const payload = bytes.subarray(position + RECORDS_AT, position + header.sizeBytes);
    walkRecords(header, payload, limits);
  }
  return header;
}

/**
 * The walk over a compressed batch's records, once they are decompressed.
 * @throws ProtocolError as `validateProducedBatch`.
 */
export function validateDecompressed(
  header: BatchHeader,
  payload: Uint8Array,
  limits: Omit<ProducedBatchLimits, "compute">,
): void {
  walkRecords(header, payload, limits);
}

function checkHeader(header: BatchHeader, limits: ProducedBatchLimits): void {
  if ((header.attributes & (UNUSED_BITS | DELETE_HORIZON_BIT)) !== 0) {
    throw refuse("INVALID_RECORD", "sets attribute bits that no producer may set");
  }
  if (header.isControl) {
    throw refuse("INVALID_RECORD", "is a control batch, which only brokers write");
  }
  if (header.recordCount === 0 || header.lastOffsetDelta !== header.recordCount - 1) {
    throw refuse(
      "INVALID_RECORD",
      `has ${header.recordCount} records but a last offset delta of ${header.lastOffsetDelta}`,
    );
  }
  if (header.baseOffset !== 0) {
    throw refuse("INVALID_RECORD", `has base offset ${header.baseOffset}; producers write 0`);
  }
  if (!limits.compute.codecs.includes(header.codec)) {
    throw refuse("UNSUPPORTED_COMPRESSION_TYPE", `is compressed with ${header.codec}`);
  }
  checkProducer(header);
  checkTimestamps(header, limits);
}

function checkProducer(header: BatchHeader): void {
  const isIdempotent = header.producerId >= 0;
  if (isIdempotent && (header.producerEpoch < 0 || header.baseSequence < 0)) {
    throw refuse("INVALID_RECORD", "names a producer id without an epoch and a sequence number");
  }
  if (!isIdempotent && header.isTransactional) {
    throw refuse("INVALID_RECORD", "is transactional but names no producer id");
  }
}

function checkTimestamps(header: BatchHeader, limits: Omit<ProducedBatchLimits, "compute">): void {
  if (header.timestampType === "LogAppendTime") {
    throw refuse("INVALID_TIMESTAMP", "claims LogAppendTime, which only brokers set");
  }
  if (header.maxTimestamp < -1 || header.baseTimestamp < -1) {
    throw refuse("INVALID_TIMESTAMP", "has a timestamp before 1970");
  }
  if (header.maxTimestamp > (limits.maxTimestampMs ?? Number.MAX_SAFE_INTEGER)) {
    throw refuse("INVALID_TIMESTAMP", "has a timestamp too far in the future");
  }
}

function walkRecords(
  header: BatchHeader,
  payload: Uint8Array,
  limits: Omit<ProducedBatchLimits, "compute">,
): void {
  const reader = new VarintReader(payload, 0, payload.length);
  const minTimestamp = limits.minTimestampMs ?? -1;
  let maxTimestamp = -1;
  for (let index = 0; index < header.recordCount; index++) {
    const length = reader.readInt();
    const end = reader.position + length;
    if (reader.isMalformed || length < 6 || end > payload.length) {
      throw refuse("CORRUPT_MESSAGE", `has a record (${index}) whose length does not fit`);
    }
    reader.position++;
    const timestamp = header.baseTimestamp + reader.readLong();
    if (reader.readInt() !== index) {
      throw refuse("INVALID_RECORD", `has a record (${index}) with a wrong offset delta`);
    }
    if (timestamp < -1 || (timestamp !== -1 && timestamp < minTimestamp)) {
      throw refuse("INVALID_TIMESTAMP", `has a record (${index}) with an impossible timestamp`);
    }
    maxTimestamp = Math.max(maxTimestamp, timestamp);
    const keyLength = walkField(reader, end, index);
    if (keyLength < 0 && limits.requireKeys === true) {
      throw refuse(
        "INVALID_RECORD",
        `has a record (${index}) without a key; the topic is compacted`,
      );
    }
    walkField(reader, end, index);
    walkHeaders(reader, end, index);
    if (reader.isMalformed || reader.position !== end) {
      throw refuse("CORRUPT_MESSAGE", `has a record (${index}) whose parts do not fill its length`);
    }
  }
  if (reader.position !== payload.length) {
    throw refuse("CORRUPT_MESSAGE", "has bytes behind its last record");
  }
  if (maxTimestamp !== header.maxTimestamp) {
    throw refuse("INVALID_TIMESTAMP", "does not have the largest timestamp it claims");
  }
}

/** Skips a key or value; returns its length, -1 for null. */
function walkField(reader: VarintReader, end: number, index: number): number {
  const length = reader.readInt();
  if (length < -1 || length > end - reader.position) {
    throw refuse("CORRUPT_MESSAGE", `has a record (${index}) with a length that does not fit`);
  }
  if (length > 0) {
    reader.position += length;
  }
  return length;
}

function walkHeaders(reader: VarintReader, end: number, index: number): void {
  const count = reader.readInt();
  if (count < 0 || count * 2 > end - reader.position) {
    throw refuse("CORRUPT_MESSAGE", `has a record (${index}) with an impossible header count`);
  }
  for (let header = 0; header < count; header++) {
    if (walkField(reader, end, index) < 0) {
      throw refuse("CORRUPT_MESSAGE", `has a record (${index}) with a header without a key`);
    }
    walkField(reader, end, index);
  }
}
