// A record as the user sees it. Nothing is decoded before it is asked for; bytes are views into what the broker
// sent, so that reading costs no copy.

import {
  MillraceError,
  type Offset,
  type RecordHeader,
  type RecordWalker,
  readRecordHeaders,
  type TimestampMs,
} from "@millrace/protocol";
import { createTextDecoder } from "@millrace/runtime";

const decoder = createTextDecoder();

type RecordSource = Pick<ConsumerRecord, "topic" | "partition">;
type RecordPlace = Pick<
  RecordWalker,
  "offset" | "timestamp" | "bytes" | "keyStart" | "keyLength" | "valueStart" | "valueLength" | "end"
>;

/** One record, where it is, and what it carries. Key and value are views of the answer they came in. */
export class ConsumerRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: Offset;
  /** Milliseconds since 1970; -1 for none. */
  readonly timestamp: TimestampMs;
  readonly #bytes: Uint8Array;
  readonly #keyStart: number;
  readonly #keyLength: number;
  readonly #valueStart: number;
  readonly #valueLength: number;
  readonly #end: number;

  /** @internal Takes what it needs of `at`, which moves on. */
  constructor({ topic, partition }: RecordSource, at: RecordPlace) {
    this.topic = topic;
    this.partition = partition;
    this.offset = at.offset;
    this.timestamp = at.timestamp;
    this.#bytes = at.bytes;
    this.#keyStart = at.keyStart;
    this.#keyLength = at.keyLength;
    this.#valueStart = at.valueStart;
    this.#valueLength = at.valueLength;
    this.#end = at.end;
  }

  /** A view: it keeps the whole answer it came in alive. `copy()` what is kept for long. */
  get key(): Uint8Array | null {
    return fieldOf(this.#bytes, this.#keyStart, this.#keyLength);
  }

  /** A view, like `key`. null: a tombstone. */
  get value(): Uint8Array | null {
    return fieldOf(this.#bytes, this.#valueStart, this.#valueLength);
  }

  /** Parsed at each access. */
  get headers(): readonly RecordHeader[] {
    const start = this.#valueStart + Math.max(0, this.#valueLength);
    const { offset } = this;
    return readRecordHeaders({ bytes: this.#bytes, start, end: this.#end, offset });
  }

  /** The value as UTF-8 text; null for a tombstone. */
  text(): string | null {
    const { value } = this;
    return value === null ? null : decoder.decode(value);
  }

  /**
   * The value parsed as JSON; null for a tombstone.
   * @throws MillraceError `CORRUPT_RECORD`, not fatal, when it is not JSON.
   */
  json<T = unknown>(): T | null {
    const text = this.text();
    if (text === null) {
      return null;
    }
    try {
      return JSON.parse(text) as T;
    } catch (error) {
      const { topic, partition, offset } = this;
      throw new MillraceError(
        "CORRUPT_RECORD",
        `${topic}-${partition}@${offset}: the value is not JSON`,
        { cause: error, fatal: false, details: { topic, partition, offset } },
      );
    }
  }

  /** The key as UTF-8 text; null when there is none. */
  keyText(): string | null {
    const { key } = this;
    return key === null ? null : decoder.decode(key);
  }

  /** The same record with bytes of its own. */
  copy(): ConsumerRecord {
    const { offset, timestamp } = this;
    const from = this.#keyStart;
    return new ConsumerRecord(this, {
      offset,
      timestamp,
      bytes: this.#bytes.slice(from, this.#end),
      keyStart: 0,
      keyLength: this.#keyLength,
      valueStart: this.#valueStart - from,
      valueLength: this.#valueLength,
      end: this.#end - from,
    });
  }
}

function fieldOf(bytes: Uint8Array, start: number, length: number): Uint8Array | null {
  return length < 0 ? null : bytes.subarray(start, start + length);
}
