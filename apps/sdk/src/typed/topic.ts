// A topic with types: `client.topic("orders", { key: text(), value: json<Order>() })`.

import type { Consumer, ConsumerOptions } from "@millrace/client-consumer";
import type {
  Producer,
  ProducerOptions,
  RecordMetadata,
  SendOptions,
  SentRecords,
} from "@millrace/client-producer";
import { bytes, nullable, type Serde, type SerdeLike, toSerde } from "./serde.js";
import { TypedConsumer, type TypedConsumerOptions } from "./typed-consumer.js";
import { TypedProducer } from "./typed-producer.js";
import type { TopicSerdes, TypedProducerRecord } from "./typed-record.js";

/** What makes producers and consumers: the client. */
export interface TopicClient {
  producer(options?: ProducerOptions): Producer;
  consumer(options: ConsumerOptions): Consumer;
}

/** How a topic's keys and values are written, read and checked. */
export interface TopicTypes<KeyIn, KeyOut, ValueIn, ValueOut> {
  /** Default: `nullable(bytes())`. */
  readonly key?: SerdeLike<KeyIn, KeyOut> | undefined;
  readonly value: SerdeLike<ValueIn, ValueOut>;
}

/** A topic whose records have types. Makes typed producers and consumers, and sends through a producer of its own. */
export class Topic<KeyIn, KeyOut, ValueIn, ValueOut> {
  readonly name: string;
  readonly #client: TopicClient;
  readonly #serdes: TopicSerdes<KeyIn, KeyOut, ValueIn, ValueOut>;
  #producer: TypedProducer<KeyIn, ValueIn> | undefined;

  /** @internal */
  constructor(
    client: TopicClient,
    name: string,
    types: TopicTypes<KeyIn, KeyOut, ValueIn, ValueOut>,
  ) {
    this.name = name;
    this.#client = client;
    const keys = types.key === undefined ? anyKey<KeyIn, KeyOut>() : toSerde(types.key);
    this.#serdes = { key: keys, value: toSerde(types.value) };
  }

  /**
   * Sends through a producer with default options, made at the first call and closed with the client.
   * @throws MillraceError `INVALID_RECORD` when the record does not fit, and what `Producer.send` throws
   */
  send(record: TypedProducerRecord<KeyIn, ValueIn>, options?: SendOptions): Promise<RecordMetadata>;
  send(
    records: readonly TypedProducerRecord<KeyIn, ValueIn>[],
    options?: SendOptions,
  ): Promise<SentRecords>;
  send(
    input: TypedProducerRecord<KeyIn, ValueIn> | readonly TypedProducerRecord<KeyIn, ValueIn>[],
    options?: SendOptions,
  ): Promise<RecordMetadata | SentRecords> {
    this.#producer ??= this.producer();
    return this.#producer.send(input, options);
  }

  /** @throws MillraceError `INVALID_CONFIG_VALUE`, `CLOSED` */
  producer(options: ProducerOptions = {}): TypedProducer<KeyIn, ValueIn> {
    return new TypedProducer(this.name, this.#serdes, this.#client.producer(options));
  }

  /** @throws MillraceError `INVALID_CONFIG_VALUE`, `CLOSED` */
  consumer(options: TypedConsumerOptions = {}): TypedConsumer<KeyOut, ValueOut> {
    const { onInvalid = "fail", partitions, ...rest } = options;
    const topic = this.name;
    const place =
      partitions === undefined
        ? { topics: [topic] }
        : { partitions: partitions.map((partition) => ({ topic, partition })) };
    const consumer = this.#client.consumer({ ...rest, ...place });
    return new TypedConsumer(this.#serdes, consumer, onInvalid);
  }
}

/** Keys nobody described: bytes, or none. `Client.topic` fixes the types to these. */
const anyKey = <In, Out>(): Serde<In, Out> => nullable(bytes()) as unknown as Serde<In, Out>;
