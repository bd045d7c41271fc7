// What goes into a batch and what comes out of one.

import type { Offset, TimestampMs } from "../ids.js";

/** A named value beside a record's key and value. Names may repeat. */
export interface RecordHeader {
  readonly key: string;
  readonly value: Uint8Array | null;
}

/** A record to encode; strings become UTF-8. */
export interface RecordInput {
  readonly key: Uint8Array | string | null;
  readonly value: Uint8Array | string | null;
  readonly headers?: readonly RecordHeader[] | undefined;
  readonly timestamp: TimestampMs;
}

/** A record as read. Byte arrays are views into the batch: copy what outlives it. */
export interface DecodedRecord {
  readonly offset: Offset;
  readonly timestamp: TimestampMs;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  /** Parsed at each access. @throws ProtocolError `CORRUPT_MESSAGE` */
  readonly headers: readonly RecordHeader[];
}
