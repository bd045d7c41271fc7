// A record as the user sees it. Nothing is decoded before it is asked for; bytes are views into what the broker
// sent, so that reading costs no copy.

import {
  type DecodedRecord,
  MillraceError,
  type Offset,
  type RecordHeader,
  type TimestampMs,
} from "@millrace/protocol";
import { createTextDecoder } from "@millrace/runtime";

const decoder = createTextDecoder();

/** One record, where it is, and what it carries. Key and value are views of the answer they came in. */
export class ConsumerRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: Offset;
  /** Milliseconds since 1970; -1 for none. */
  readonly timestamp: TimestampMs;
  readonly #decoded: DecodedRecord;

  /** @internal */
  constructor(topic: string, partition: number, decoded: DecodedRecord) {
    this.topic = topic;
    this.partition = partition;
    this.offset = decoded.offset;
    this.timestamp = decoded.timestamp;
    this.#decoded = decoded;
  }

  /** A view: it keeps the whole answer it came in alive. `copy()` what is kept for long. */
  get key(): Uint8Array | null {
    return this.#decoded.key;
  }

  /** A view, like `key`. null: a tombstone. */
  get value(): Uint8Array | null {
    return this.#decoded.value;
  }

  /** Parsed at each access. */
  get headers(): readonly RecordHeader[] {
    return this.#decoded.headers;
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
    const detached: DecodedRecord = {
      offset,
      timestamp,
      key: this.key?.slice() ?? null,
      value: this.value?.slice() ?? null,
      headers: this.headers.map((header) => ({
        key: header.key,
        value: header.value?.slice() ?? null,
      })),
    };
    return new ConsumerRecord(this.topic, this.partition, detached);
  }
}
