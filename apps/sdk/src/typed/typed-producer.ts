// A producer of one typed topic: checks and encodes, and hands on to a producer.

import type {
  CloseOptions,
  Producer,
  ProducerMetrics,
  RecordMetadata,
  SendOptions,
  SentRecords,
} from "@millrace/client-producer";
import { serialize, type TopicSerdes, type TypedProducerRecord } from "./typed-record.js";

/** Sends what fits the topic's types. */
export class TypedProducer<Key, Value> implements AsyncDisposable {
  /** The producer it stands on. */
  readonly untyped: Producer;
  readonly #topic: string;
  readonly #serdes: TopicSerdes<Key, unknown, Value, unknown>;

  /** @internal */
  constructor(
    topic: string,
    serdes: TopicSerdes<Key, unknown, Value, unknown>,
    producer: Producer,
  ) {
    this.#topic = topic;
    this.#serdes = serdes;
    this.untyped = producer;
  }

  /**
   * As `Producer.send`. A record that does not fit rejects, and with it the whole list: nothing of it is sent.
   * @throws MillraceError `INVALID_RECORD` with `details.issues`, and what `Producer.send` throws
   */
  send(record: TypedProducerRecord<Key, Value>, options?: SendOptions): Promise<RecordMetadata>;
  send(
    records: readonly TypedProducerRecord<Key, Value>[],
    options?: SendOptions,
  ): Promise<SentRecords>;
  send(
    input: TypedProducerRecord<Key, Value> | readonly TypedProducerRecord<Key, Value>[],
    options?: SendOptions,
  ): Promise<RecordMetadata | SentRecords>;
  async send(
    input: TypedProducerRecord<Key, Value> | readonly TypedProducerRecord<Key, Value>[],
    options?: SendOptions,
  ): Promise<RecordMetadata | SentRecords> {
    if (isList(input)) {
      const records = input.map((record) => serialize(this.#topic, this.#serdes, record));
      return this.untyped.send(records, options);
    }
    return this.untyped.send(serialize(this.#topic, this.#serdes, input), options);
  }

  /** As `Producer.flush`. */
  flush(): Promise<void> {
    return this.untyped.flush();
  }

  /** As `Producer.metrics`. */
  metrics(): ProducerMetrics {
    return this.untyped.metrics();
  }

  /** As `Producer.close`. */
  close(options?: CloseOptions): Promise<void> {
    return this.untyped.close(options);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

function isList<T>(input: T | readonly T[]): input is readonly T[] {
  return Array.isArray(input);
}
