// What a user hands to the producer and what comes back.

import type { Offset, RecordHeader, TimestampMs } from "@millrace/protocol";

/** A record to send. Strings travel as UTF-8. */
export interface ProducerRecord {
  readonly topic: string;
  /** Records of one key share a partition, and so keep their order. Default null. */
  readonly key?: Uint8Array | string | null | undefined;
  /** null is a tombstone: on a compacted topic it deletes the key. */
  readonly value: Uint8Array | string | null;
  /** Overrides the partitioner. */
  readonly partition?: number | undefined;
  readonly headers?: readonly RecordHeader[] | undefined;
  /** Milliseconds since 1970. Default: when `send` was called. */
  readonly timestamp?: TimestampMs | undefined;
}

/** Where a record is, and what was promised about it. */
export interface RecordMetadata {
  readonly topic: string;
  readonly partition: number;
  /** -1 with `acks: 0`, or when the broker knows only that it has the record (written before, long ago). */
  readonly offset: Offset;
  /** The record's own, or the broker's when the topic says `message.timestamp.type=LogAppendTime`. */
  readonly timestamp: TimestampMs;
  /** On how many replicas the record was when it was acknowledged; 0 with `acks: 0`. */
  readonly replicas: number;
  /** Whether each of them had it on disk (`fdatasync`). */
  readonly fsynced: boolean;
}

/** What a broker said about a batch. */
export interface BatchAcknowledgement {
  /** Offset of the batch's first record; -1 when unknown. */
  readonly baseOffset: Offset;
  /** -1: the records keep their own timestamps. */
  readonly logAppendTime: TimestampMs;
  readonly replicas: number;
  readonly fsynced: boolean;
}
