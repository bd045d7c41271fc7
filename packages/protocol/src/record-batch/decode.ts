// Reading records. Decoding is lazy: stepping from record to record reads a few varints and skips the rest;
// keys, values and headers become views when they are asked for.

import { type Compute, ComputeError, createTextDecoder } from "@millrace/runtime";
import { ProtocolError } from "../errors.js";
import type { Offset, TimestampMs } from "../ids.js";
import { type BatchHeader, readBatchHeader } from "./header.js";
import { RECORDS_AT } from "./layout.js";
import type { DecodedRecord, RecordHeader } from "./record.js";
import { VarintReader } from "./varint.js";

function corrupt(offset: Offset, problem: string): ProtocolError {
  return new ProtocolError("CORRUPT_MESSAGE", `the record at offset ${offset} ${problem}`, {
    details: { offset },
  });
}

/** One record of a batch: where its parts lie. */
class LazyRecord implements DecodedRecord {
  readonly offset: Offset;
  readonly timestamp: TimestampMs;
  private readonly bytes: Uint8Array;
  /** Where the key's length is written. */
  private readonly keyAt: number;
  private readonly end: number;

  constructor(
    place: { readonly offset: Offset; readonly timestamp: TimestampMs },
    bytes: Uint8Array,
    range: { readonly keyAt: number; readonly end: number },
  ) {
    this.offset = place.offset;
    this.timestamp = place.timestamp;
    this.bytes = bytes;
    this.keyAt = range.keyAt;
    this.end = range.end;
  }

  get key(): Uint8Array | null {
    return this.readField(this.reader());
  }

  get value(): Uint8Array | null {
    const reader = this.reader();
    this.skipField(reader);
    return this.readField(reader);
  }

  get headers(): readonly RecordHeader[] {
    const reader = this.reader();
    this.skipField(reader);
    this.skipField(reader);
    const count = reader.readInt();
    // A header takes two bytes at least.
    if (reader.isMalformed || count < 0 || count * 2 > this.end - reader.position) {
      throw corrupt(this.offset, "has an impossible number of headers");
    }
    if (count === 0) {
      return [];
    }
    const decoder = createTextDecoder();
    const headers: RecordHeader[] = [];
    for (let index = 0; index < count; index++) {
      const key = this.readField(reader);
      if (key === null) {
        throw corrupt(this.offset, "has a header without a key");
      }
      headers.push({ key: decoder.decode(key), value: this.readField(reader) });
    }
    return headers;
  }

  private reader(): VarintReader {
    return new VarintReader(this.bytes, this.keyAt, this.end);
  }

  private skipField(reader: VarintReader): void {
    const length = reader.readInt();
    if (reader.isMalformed || length < -1 || length > this.end - reader.position) {
      throw corrupt(this.offset, "has a length that does not fit");
    }
    reader.position += Math.max(length, 0);
  }

  private readField(reader: VarintReader): Uint8Array | null {
    const length = reader.readInt();
    if (reader.isMalformed || length < -1 || length > this.end - reader.position) {
      throw corrupt(this.offset, "has a length that does not fit");
    }
    if (length < 0) {
      return null;
    }
    const start = reader.position;
    reader.position += length;
    return this.bytes.subarray(start, start + length);
  }
}

class RecordIterator implements IterableIterator<DecodedRecord> {
  private readonly header: BatchHeader;
  private readonly reader: VarintReader;
  private left: number;
  private nextOffset: Offset;

  constructor(header: BatchHeader, payload: Uint8Array) {
    this.header = header;
    this.reader = new VarintReader(payload, 0, payload.length);
    this.left = header.recordCount;
    this.nextOffset = header.baseOffset;
  }

  [Symbol.iterator](): this {
    return this;
  }

  next(): IteratorResult<DecodedRecord, undefined> {
    const reader = this.reader;
    if (this.left === 0) {
      if (reader.position !== reader.end) {
        throw corrupt(this.nextOffset, "is followed by bytes that belong to no record");
      }
      return { done: true, value: undefined };
    }
    const length = reader.readInt();
    const end = reader.position + length;
    // Attributes, two deltas, two lengths and a header count take six bytes at least.
    if (reader.isMalformed || length < 6 || end > reader.end) {
      throw corrupt(this.nextOffset, "has a length that does not fit into its batch");
    }
    reader.position++;
    const timestampDelta = reader.readLong();
    const offset = this.header.baseOffset + reader.readInt();
    if (reader.isMalformed || offset < this.nextOffset || offset > this.header.lastOffset) {
      throw corrupt(this.nextOffset, "has an impossible offset or timestamp");
    }
    const timestamp =
      this.header.timestampType === "LogAppendTime"
        ? this.header.maxTimestamp
        : this.header.baseTimestamp + timestampDelta;
    const value = new LazyRecord({ offset, timestamp }, reader.bytes, {
      keyAt: reader.position,
      end,
    });
    reader.position = end;
    this.nextOffset = offset + 1;
    this.left--;
    return { done: false, value };
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
