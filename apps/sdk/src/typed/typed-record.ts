// Records of a typed topic: what is sent, what is read, and the error for what does not fit.

import type { ConsumerRecord } from "@millrace/client-consumer";
import type { ProducerRecord } from "@millrace/client-producer";
import {
  MillraceError,
  type Offset,
  type RecordHeader,
  type TimestampMs,
} from "@millrace/protocol";
import { InvalidDataError, type Serde } from "./serde.js";
import type { Issue } from "./standard-schema.js";

/** The serdes of a topic. */
export interface TopicSerdes<KeyIn, KeyOut, ValueIn, ValueOut> {
  readonly key: Serde<KeyIn, KeyOut>;
  readonly value: Serde<ValueIn, ValueOut>;
}

type WithKey<Key> = null extends Key ? { readonly key?: Key | undefined } : { readonly key: Key };

/** A record to send to a typed topic. The key may be left out where it may be null. */
export type TypedProducerRecord<Key, Value> = Omit<ProducerRecord, "topic" | "key" | "value"> &
  WithKey<Key> & { readonly value: Value };

/** A record read from a typed topic. */
export interface TypedRecord<Key, Value> {
  readonly topic: string;
  readonly partition: number;
  readonly offset: Offset;
  /** Milliseconds since 1970; -1 for none. */
  readonly timestamp: TimestampMs;
  readonly headers: readonly RecordHeader[];
  readonly key: Key;
  readonly value: Value;
  /** The record with its bytes. */
  readonly untyped: ConsumerRecord;
}

/** @throws MillraceError `INVALID_RECORD`: nothing was sent */
export function serialize<KeyIn, ValueIn>(
  topic: string,
  serdes: TopicSerdes<KeyIn, unknown, ValueIn, unknown>,
  record: TypedProducerRecord<KeyIn, ValueIn>,
): ProducerRecord {
  const { key, value, ...rest } = record;
  return {
    ...rest,
    topic,
    key: fitting(topic, "key", () => serdes.key.serialize((key ?? null) as KeyIn)),
    value: fitting(topic, "value", () => serdes.value.serialize(value)),
  };
}

function fitting<T>(topic: string, part: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof InvalidDataError) {
      throw invalidRecord(`${topic}: the ${part} does not fit: ${error.message}`, error, { topic });
    }
    throw error;
  }
}

/** @throws InvalidDataError */
export function deserialize<KeyOut, ValueOut>(
  serdes: TopicSerdes<never, KeyOut, never, ValueOut>,
  record: ConsumerRecord,
): TypedRecord<KeyOut, ValueOut> {
  return {
    topic: record.topic,
    partition: record.partition,
    offset: record.offset,
    timestamp: record.timestamp,
    get headers() {
      return record.headers;
    },
    key: serdes.key.deserialize(record.key),
    value: serdes.value.deserialize(record.value),
    untyped: record,
  };
}

/** What was read does not fit, and `onInvalid` is `"fail"`. */
export function unreadable(record: ConsumerRecord, error: InvalidDataError): MillraceError {
  const { topic, partition, offset } = record;
  const place = { topic, partition, offset };
  return invalidRecord(
    `${topic}-${partition}@${offset} does not fit: ${error.message}`,
    error,
    place,
  );
}

function invalidRecord(
  message: string,
  error: InvalidDataError,
  place: Readonly<Record<string, unknown>>,
): MillraceError {
  const issues: readonly Issue[] = error.issues;
  return new MillraceError("INVALID_RECORD", message, {
    cause: error,
    fatal: false,
    retriable: false,
    details: { ...place, issues, definite: true },
  });
}
