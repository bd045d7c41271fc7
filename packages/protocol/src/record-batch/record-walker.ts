// A cursor over the records of a batch's payload that makes no object per record: where each record, its key and its
// value lie. Everything that reads records goes by it: who wants objects makes them from it, the log cleaner needs none.
// Keys, values and headers are not read.

import { ProtocolError } from "../errors.js";
import type { Offset, TimestampMs } from "../ids.js";
import type { BatchHeader } from "./header.js";
import { VarintReader } from "./varint.js";

/** Attributes, two deltas, two lengths and a header count. */
const RECORD_BYTES_MIN = 6;

export class RecordWalker {
  /** The payload. */
  readonly bytes: Uint8Array;
  /** Of the current record: its first byte (of the length) and the one behind its last. */
  start = 0;
  end = 0;
  /** Behind the timestamp delta: the offset delta begins here. */
  offsetDeltaAt = 0;
  offset: Offset = -1;
  timestamp: TimestampMs = -1;
  keyStart = 0;
  /** -1: the key is null. */
  keyLength = -1;
  valueStart = 0;
  /** -1: the value is null, the record is a tombstone. The headers follow it, up to `end`. */
  valueLength = -1;
  private readonly header: BatchHeader;
  private readonly reader: VarintReader;
  private left: number;

  /** `payload`: what follows the header, decompressed. */
  constructor(header: BatchHeader, payload: Uint8Array) {
    this.bytes = payload;
    this.header = header;
    this.reader = new VarintReader(payload, 0, payload.length);
    this.left = header.recordCount;
    this.offset = header.baseOffset - 1;
  }

  /**
   * Goes to the next record; false behind the last one.
   * @throws ProtocolError `CORRUPT_MESSAGE`
   */
  next(): boolean {
    const { reader, header } = this;
    if (this.left === 0) {
      if (reader.position !== this.bytes.length) {
        throw this.corrupt("is followed by bytes that belong to no record");
      }
      return false;
    }
    this.start = reader.position;
    const length = reader.readInt();
    const end = reader.position + length;
    if (reader.isMalformed || length < RECORD_BYTES_MIN || end > this.bytes.length) {
      throw this.corrupt("has a length that does not fit into its batch");
    }
    reader.position++;
    const timestampDelta = reader.readLong();
    this.offsetDeltaAt = reader.position;
    const offset = header.baseOffset + reader.readInt();
    if (reader.isMalformed || offset <= this.offset || offset > header.lastOffset) {
      throw this.corrupt("has an impossible offset or timestamp");
    }
    this.offset = offset;
    this.timestamp =
      header.timestampType === "LogAppendTime"
        ? header.maxTimestamp
        : header.baseTimestamp + timestampDelta;
    this.keyLength = reader.readInt();
    this.keyStart = reader.position;
    reader.position += Math.max(0, this.keyLength);
    this.valueLength = reader.readInt();
    this.valueStart = reader.position;
    const valueEnd = reader.position + Math.max(0, this.valueLength);
    if (reader.isMalformed || this.keyLength < -1 || this.valueLength < -1 || valueEnd >= end) {
      throw this.corrupt("has a length that does not fit");
    }
    reader.position = end;
    this.end = end;
    this.left--;
    return true;
  }

  private corrupt(problem: string): ProtocolError {
    const offset = this.offset + 1;
    return new ProtocolError("CORRUPT_MESSAGE", `the record at offset ${offset} ${problem}`, {
      details: { offset },
    });
  }
}
