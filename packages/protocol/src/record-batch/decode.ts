// Reading records as objects. Decoding is lazy: stepping from record to record reads a few varints and skips the rest;
// keys, values and headers become views when they are asked for.

import { type Compute, ComputeError, createTextDecoder } from "@millrace/runtime";
import { ProtocolError } from "../errors.js";
import type { Offset, TimestampMs } from "../ids.js";
import { type BatchHeader, readBatchHeader } from "./header.js";
import { RECORDS_AT } from "./layout.js";
import type { DecodedRecord, RecordHeader } from "./record.js";
import { RecordWalker } from "./record-walker.js";
import { VarintReader } from "./varint.js";

function corrupt(offset: Offset, problem: string): ProtocolError {
  return new ProtocolError("CORRUPT_MESSAGE", `the record at offset ${offset} ${problem}`, {
    details: { offset },
  });
}

/** Where the headers of a record lie: their count first. */
export interface HeadersPlace {
  readonly bytes: Uint8Array;
  readonly start: number;
  /** Behind the record. */
  readonly end: number;
  /** The record's, for errors. */
  readonly offset: Offset;
}

/**
 * The headers of one record.
 * @throws ProtocolError `CORRUPT_MESSAGE`
 */
export function readRecordHeaders({ bytes, start, end, offset }: HeadersPlace): RecordHeader[] {
  const reader = new VarintReader(bytes, start, end);
  const count = reader.readInt();
  // A header takes two bytes at least.
  if (reader.isMalformed || count < 0 || count * 2 > end - reader.position) {
    throw corrupt(offset, "has an impossible number of headers");
  }
  if (count === 0) {
    return [];
  }
  const decoder = createTextDecoder();
  const headers: RecordHeader[] = [];
  for (let index = 0; index < count; index++) {
    const key = readField(reader, offset);
    if (key === null) {
      throw corrupt(offset, "has a header without a key");
    }
    headers.push({ key: decoder.decode(key), value: readField(reader, offset) });
  }
  return headers;
}

function readField(reader: VarintReader, offset: Offset): Uint8Array | null {
  const length = reader.readInt();
  if (reader.isMalformed || length < -1 || length > reader.end - reader.position) {
    throw corrupt(offset, "has a length that does not fit");
  }
  if (length < 0) {
    return null;
  }
  const start = reader.position;
  reader.position += length;
  return reader.bytes.subarray(start, start + length);
}

/** One record of a batch: where its parts lie. */
class LazyRecord implements DecodedRecord {
  readonly offset: Offset;
  readonly timestamp: TimestampMs;
  private readonly bytes: Uint8Array;
  private readonly keyStart: number;
  private readonly keyLength: number;
  private readonly valueStart: number;
  private readonly valueLength: number;
  private readonly end: number;

  constructor(at: RecordWalker) {
    this.offset = at.offset;
    this.timestamp = at.timestamp;
    this.bytes = at.bytes;
    this.keyStart = at.keyStart;
    this.keyLength = at.keyLength;
    this.valueStart = at.valueStart;
    this.valueLength = at.valueLength;
    this.end = at.end;
  }

  get key(): Uint8Array | null {
    const { keyStart, keyLength } = this;
    return keyLength < 0 ? null : this.bytes.subarray(keyStart, keyStart + keyLength);
  }

  get value(): Uint8Array | null {
    const { valueStart, valueLength } = this;
    return valueLength < 0 ? null : this.bytes.subarray(valueStart, valueStart + valueLength);
  }

  get headers(): readonly RecordHeader[] {
    const { bytes, end, offset } = this;
    const start = this.valueStart + Math.max(0, this.valueLength);
    return readRecordHeaders({ bytes, start, end, offset });
  }
}

class RecordIterator implements IterableIterator<DecodedRecord> {
  private readonly walker: RecordWalker;

  constructor(header: BatchHeader, payload: Uint8Array) {
    this.walker = new RecordWalker(header, payload);
  }

  [Symbol.iterator](): this {
    return this;
  }

  next(): IteratorResult<DecodedRecord, undefined> {
    return this.walker.next()
      ? { done: false, value: new LazyRecord(this.walker) }
      : { done: true, value: undefined };
  }
}

/**
 * The records of a batch, from its (decompressed) payload: what follows the header. Can be iterated again and
 * again; each pass yields fresh views.
 * @throws ProtocolError `CORRUPT_MESSAGE` while iterating, with the offset in `details`.
 */
export function decodeRecords(header: BatchHeader, payload: Uint8Array): Iterable<DecodedRecord> {
  return { [Symbol.iterator]: () => new RecordIterator(header, payload) };
}

/** A whole batch, its payload decompressed. */
export class RecordBatch implements Iterable<DecodedRecord> {
  readonly header: BatchHeader;
  /** The records' bytes, decompressed. */
  readonly payload: Uint8Array;

  constructor(header: BatchHeader, payload: Uint8Array) {
    this.header = header;
    this.payload = payload;
  }

  [Symbol.iterator](): IterableIterator<DecodedRecord> {
    return new RecordIterator(this.header, this.payload);
  }
}

export interface ReadBatchOptions {
  readonly compute: Compute;
  /** A batch that decompresses to more is refused. */
  readonly maxDecompressedBytes: number;
}

/**
 * Reads the batch at `position`: synchronously when it is not compressed. The CRC is not verified
 * (`isBatchCrcValid`).
 * @throws ProtocolError `CORRUPT_MESSAGE`, `UNSUPPORTED_COMPRESSION_TYPE`
 */
export function readBatch(
  bytes: Uint8Array,
  position: number,
  options: ReadBatchOptions,
): RecordBatch | Promise<RecordBatch> {
  const header = readBatchHeader(bytes, position);
  if (header.sizeBytes > bytes.length - position) {
    throw corrupt(header.baseOffset, "is in a batch whose end is missing");
  }
  const payload = bytes.subarray(position + RECORDS_AT, position + header.sizeBytes);
  if (header.codec === "none") {
    return new RecordBatch(header, payload);
  }
  return decompressBatch(header, payload, options);
}

async function decompressBatch(
  header: BatchHeader,
  payload: Uint8Array,
  options: ReadBatchOptions,
): Promise<RecordBatch> {
  try {
    const records = await options.compute.decompress(
      header.codec,
      payload,
      options.maxDecompressedBytes,
    );
    return new RecordBatch(header, records);
  } catch (error) {
    if (error instanceof ComputeError) {
      throw new ProtocolError(
        error.code === "UNSUPPORTED_CODEC" ? "UNSUPPORTED_COMPRESSION_TYPE" : "CORRUPT_MESSAGE",
        `the record batch at offset ${header.baseOffset}: ${error.message}`,
        { cause: error, details: { offset: header.baseOffset, codec: header.codec } },
      );
    }
    throw error;
  }
}
