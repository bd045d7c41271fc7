// One record batch of one partition, as the user sees it: iterate it for its records, as often as you like.

import {
  isMillraceError,
  MillraceError,
  type Offset,
  type RecordBatch,
  RecordWalker,
  type TimestampMs,
} from "@millrace/protocol";
import { ConsumerRecord } from "./consumer-record.js";

export interface CorruptPlace {
  readonly topic: string;
  readonly partition: number;
  /** The first record that could not be read. */
  readonly offset: Offset;
  /** Of the batch it is in, when that is known. */
  readonly lastOffset?: Offset | undefined;
}

/** The partition's records cannot be read here; `seek` beyond, or read with `onCorrupt: "skip"`. */
export function corruptRecord(place: CorruptPlace, cause: unknown): MillraceError {
  const { topic, partition, offset } = place;
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new MillraceError("CORRUPT_RECORD", `${topic}-${partition}@${offset}: ${reason}`, {
    cause,
    details: { ...place },
  });
}

/** The records of one batch, as the producer made it: all of one partition, decoded one by one while they are read. */
export class ConsumerBatch implements Iterable<ConsumerRecord> {
  readonly topic: string;
  readonly partition: number;
  /** The first record handed out: those below the position asked for are left out. */
  readonly firstOffset: Offset;
  readonly lastOffset: Offset;
  /** The partition's end as consumers see it, when the batch was fetched. */
  readonly highWatermark: Offset;
  readonly #batch: RecordBatch;
  readonly #onCorrupt: (error: MillraceError) => void;

  /** @internal `onCorrupt` throws, or returns to skip the rest of the batch. */
  constructor(
    place: {
      readonly topic: string;
      readonly partition: number;
      readonly position: Offset;
      readonly highWatermark: Offset;
    },
    batch: RecordBatch,
    onCorrupt: (error: MillraceError) => void,
  ) {
    this.topic = place.topic;
    this.partition = place.partition;
    this.firstOffset = Math.max(place.position, batch.header.baseOffset);
    this.lastOffset = batch.header.lastOffset;
    this.highWatermark = place.highWatermark;
    this.#batch = batch;
    this.#onCorrupt = onCorrupt;
  }

  /** Records in the batch; those left out at its beginning included. */
  get recordCount(): number {
    return this.#batch.header.recordCount;
  }

  /** The largest of the records' timestamps, milliseconds since 1970. */
  get maxTimestamp(): TimestampMs {
    return this.#batch.header.maxTimestamp;
  }

  /** @throws MillraceError `CORRUPT_RECORD` unless the consumer skips what it cannot read. */
  [Symbol.iterator](): IterableIterator<ConsumerRecord> {
    const { header, payload } = this.#batch;
    return new BatchRecords(this, new RecordWalker(header, payload), this.#onCorrupt);
  }
}

class BatchRecords implements IterableIterator<ConsumerRecord> {
  readonly #batch: ConsumerBatch;
  readonly #walker: RecordWalker;
  readonly #onCorrupt: (error: MillraceError) => void;
  #isSkipped = false;

  constructor(
    batch: ConsumerBatch,
    walker: RecordWalker,
    onCorrupt: (error: MillraceError) => void,
  ) {
    this.#batch = batch;
    this.#walker = walker;
    this.#onCorrupt = onCorrupt;
  }

  [Symbol.iterator](): this {
    return this;
  }

  next(): IteratorResult<ConsumerRecord, undefined> {
    const batch = this.#batch;
    const walker = this.#walker;
    while (!this.#isSkipped) {
      try {
        if (!walker.next()) {
          break;
        }
        if (walker.offset >= batch.firstOffset) {
          return { done: false, value: new ConsumerRecord(batch, walker) };
        }
      } catch (error) {
        this.#isSkipped = true;
        this.#onCorrupt(this.#describe(error));
      }
    }
    return { done: true, value: undefined };
  }

  #describe(error: unknown): MillraceError {
    const { topic, partition, firstOffset, lastOffset } = this.#batch;
    const said = isMillraceError(error) ? error.details["offset"] : undefined;
    const offset = typeof said === "number" ? Math.max(said, firstOffset) : firstOffset;
    return corruptRecord({ topic, partition, offset, lastOffset }, error);
  }
}
