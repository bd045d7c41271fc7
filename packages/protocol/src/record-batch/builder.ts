// Encodes records once, straight into the bytes of the batch they will travel in. What is known only when the
// batch leaves (producer id, sequence, CRC) is written into the header by `build`.
//
// Record := length varint, attributes int8 (0), timestampDelta varlong, offsetDelta varint,
//           keyLength varint (-1 null), key, valueLength varint (-1 null), value,
//           headerCount varint, (keyLength varint, key, valueLength varint (-1 null), value)*

import {
  type CompressionCodec,
  type Compute,
  createTextEncoder,
  type TextEncoderLike,
} from "@millrace/runtime";
import { MillraceError } from "../errors.js";
import { NO_TIMESTAMP } from "../ids.js";
import { writeInt32 } from "./big-endian.js";
import { type BuildOptions, writeBatchHeader } from "./header-writer.js";
import { CRC_AT, RECORDS_AT } from "./layout.js";
import { computeBatchCrc } from "./patch.js";
import type { RecordInput } from "./record.js";
import { varintSize, writeVarint } from "./varint.js";

const INITIAL_BYTES_DEFAULT = 4096;
/** Length, attributes, timestamp and offset deltas, two lengths, header count: each at its largest. */
const RECORD_OVERHEAD_BYTES_MAX = 5 + 1 + 10 + 5 + 5 + 5 + 5;
const HEADER_OVERHEAD_BYTES_MAX = 10;
/** Up to here copying byte by byte beats the call of a built-in. */
const SHORT_BYTES = 24;
const SHORT_TEXT = 48;

export class RecordBatchBuilder {
  private bytes: Uint8Array;
  private position = RECORDS_AT;
  private count = 0;
  private baseTimestamp = NO_TIMESTAMP;
  private maxTimestamp = NO_TIMESTAMP;
  private isBuilt = false;
  private readonly encoder: TextEncoderLike;

  /** `buffer`, whatever it holds, is written to instead of fresh memory; the builder owns it from now on. */
  constructor(options: { readonly initialBytes?: number; readonly buffer?: Uint8Array } = {}) {
    const size = Math.max(RECORDS_AT, options.initialBytes ?? INITIAL_BYTES_DEFAULT);
    const { buffer } = options;
    this.bytes =
      buffer !== undefined && buffer.length >= RECORDS_AT ? buffer : new Uint8Array(size);
    this.encoder = createTextEncoder();
  }

  get recordCount(): number {
    return this.count;
  }

  /** Header and records so far, uncompressed. */
  get sizeBytes(): number {
    return this.position;
  }

  /** The records so far, uncompressed: a view, which stays after `build`, until `takeBuffer`. */
  get recordBytes(): Uint8Array {
    return this.bytes.subarray(RECORDS_AT, this.position);
  }

  /** At most so many bytes `append(record)` adds. */
  static estimateBytes(record: RecordInput): number {
    let size = RECORD_OVERHEAD_BYTES_MAX + fieldBytesMax(record.key) + fieldBytesMax(record.value);
    if (record.headers !== undefined) {
      for (const header of record.headers) {
        size += HEADER_OVERHEAD_BYTES_MAX + fieldBytesMax(header.key) + fieldBytesMax(header.value);
      }
    }
    return size;
  }

  /**
   * Encodes the record and returns its offset delta (0, 1, 2, ...). The record's bytes are copied: the caller may
   * reuse them.
   * @throws MillraceError `INVALID_ARGUMENT` for a timestamp that is not a safe integer of at least -1.
   */
  append(record: RecordInput): number {
    this.assertOpen();
    const timestamp = record.timestamp;
    if (!Number.isSafeInteger(timestamp) || timestamp < NO_TIMESTAMP) {
      throw new MillraceError(
        "INVALID_ARGUMENT",
        `timestamp: expected milliseconds since 1970, got ${timestamp}`,
      );
    }
    if (this.count === 0) {
      this.baseTimestamp = timestamp;
    }
    const roomBytes = RecordBatchBuilder.estimateBytes(record);
    if (this.bytes.length - this.position < roomBytes) {
      this.grow(this.position + roomBytes);
    }
    this.position = this.encode(record, timestamp - this.baseTimestamp);
    if (timestamp > this.maxTimestamp) {
      this.maxTimestamp = timestamp;
    }
    return this.count++;
  }

  /**
   * The finished batch, uncompressed, with its CRC. The builder must not be used afterwards.
   * @throws MillraceError `INVALID_ARGUMENT` when there is no record, or it was built before.
   */
  build(options: BuildOptions & { readonly compute: Pick<Compute, "crc32c"> }): Uint8Array {
    const records = this.take();
    const whole = records.length < this.bytes.length >> 1 ? records.slice() : records;
    return this.finish(whole, options, "none");
  }

  /** Like `build`, with the records compressed: always by the codec asked for, also when that gains nothing. */
  async buildCompressed(
    options: BuildOptions & {
      readonly compute: Compute;
      readonly codec: CompressionCodec;
      /** As `Compute.compress` takes it. */
      readonly level?: number | undefined;
    },
  ): Promise<Uint8Array> {
    if (options.codec === "none") {
      return this.build(options);
    }
    const records = this.take().subarray(RECORDS_AT);
    const compressed = await options.compute.compress(options.codec, records, options.level);
    const whole = new Uint8Array(RECORDS_AT + compressed.length);
    whole.set(compressed, RECORDS_AT);
    return this.finish(whole, options, options.codec);
  }

  /**
   * The builder's memory, for another builder; the builder must not be used afterwards. What `build` gave is a view
   * of it: only for callers who know that nobody reads that any more.
   */
  takeBuffer(): Uint8Array {
    const { bytes } = this;
    this.isBuilt = true;
    this.bytes = new Uint8Array(0);
    return bytes;
  }

  private finish(
    whole: Uint8Array,
    options: BuildOptions & { readonly compute: Pick<Compute, "crc32c"> },
    codec: CompressionCodec,
  ): Uint8Array {
    writeBatchHeader(
      whole,
      {
        codec,
        recordCount: this.count,
        baseTimestamp: this.baseTimestamp,
        maxTimestamp: this.maxTimestamp,
      },
      options,
    );
    writeInt32(whole, CRC_AT, computeBatchCrc(whole, 0, options.compute));
    return whole;
  }

  private take(): Uint8Array {
    this.assertOpen();
    if (this.count === 0) {
      throw new MillraceError("INVALID_ARGUMENT", "a record batch holds at least one record");
    }
    this.isBuilt = true;
    return this.bytes.subarray(0, this.position);
  }

  private assertOpen(): void {
    if (this.isBuilt) {
      throw new MillraceError("INVALID_ARGUMENT", "this record batch was built already");
    }
  }

  private grow(needed: number): void {
    const larger = new Uint8Array(Math.max(needed, this.bytes.length * 2));
    larger.set(this.bytes.subarray(0, this.position));
    this.bytes = larger;
  }

  /**
   * Writes the record behind the last one. Its length comes first but is known last: room is left for the length
   * of an ASCII record, and in the rare other case the body moves by a byte or two.
   */
  private encode(record: RecordInput, timestampDelta: number): number {
    const start = this.position;
    const room = varintSize(this.likelyBodyBytes(record, timestampDelta));
    const bodyAt = start + room;
    const bytes = this.bytes;
    bytes[bodyAt] = 0;
    let at = writeVarint(bytes, bodyAt + 1, timestampDelta);
    at = writeVarint(bytes, at, this.count);
    at = this.writeField(at, record.key);
    at = this.writeField(at, record.value);
    const headers = record.headers;
    if (headers === undefined || headers.length === 0) {
      bytes[at++] = 0;
    } else {
      at = writeVarint(bytes, at, headers.length);
      for (const header of headers) {
        at = this.writeField(at, header.key);
        at = this.writeField(at, header.value);
      }
    }
    const bodyBytes = at - bodyAt;
    const size = varintSize(bodyBytes);
    if (size !== room) {
      bytes.copyWithin(start + size, bodyAt, at);
    }
    writeVarint(bytes, start, bodyBytes);
    return start + size + bodyBytes;
  }

  private likelyBodyBytes(record: RecordInput, timestampDelta: number): number {
    let size = 1 + varintSize(timestampDelta) + varintSize(this.count);
    size += likelyFieldBytes(record.key) + likelyFieldBytes(record.value);
    const headers = record.headers;
    if (headers === undefined) {
      return size + 1;
    }
    size += varintSize(headers.length);
    for (const header of headers) {
      size += likelyFieldBytes(header.key) + likelyFieldBytes(header.value);
    }
    return size;
  }

  private writeField(at: number, field: Uint8Array | string | null): number {
    const bytes = this.bytes;
    if (field === null) {
      bytes[at] = 1; // zigzag of -1
      return at + 1;
    }
    if (typeof field === "string") {
      return this.writeText(at, field);
    }
    const length = field.length;
    const contentAt = writeVarint(bytes, at, length);
    if (length <= SHORT_BYTES) {
      for (let index = 0; index < length; index++) {
        bytes[contentAt + index] = field[index] as number;
      }
    } else {
      bytes.set(field, contentAt);
    }
    return contentAt + length;
  }

  private writeText(at: number, text: string): number {
    const bytes = this.bytes;
    const length = text.length;
    const contentAt = at + varintSize(length);
    let index = 0;
    if (length <= SHORT_TEXT) {
      while (index < length) {
        const unit = text.charCodeAt(index);
        if (unit >= 0x80) {
          break;
        }
        bytes[contentAt + index++] = unit;
      }
      if (index === length) {
        return writeVarint(bytes, at, length) + length;
      }
    }
    const { written } = this.encoder.encodeInto(text, bytes.subarray(contentAt));
    const size = varintSize(written);
    if (at + size !== contentAt) {
      bytes.copyWithin(at + size, contentAt, contentAt + written);
    }
    return writeVarint(bytes, at, written) + written;
  }
}

/** UTF-8 takes at most three bytes a UTF-16 unit. */
function fieldBytesMax(field: Uint8Array | string | null): number {
  if (field === null) {
    return 0;
  }
  return typeof field === "string" ? field.length * 3 : field.length;
}

function likelyFieldBytes(field: Uint8Array | string | null): number {
  return field === null ? 1 : varintSize(field.length) + field.length;
}
