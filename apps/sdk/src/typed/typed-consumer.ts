// A consumer of one typed topic: decodes, checks, and does what its user wants with records that do not fit.

import type {
  Consumer,
  ConsumerOptions,
  ConsumerRecord,
  IterationOptions,
  RunOptions,
} from "@millrace/client-consumer";
import { InvalidDataError } from "./serde.js";
import type { Issue } from "./standard-schema.js";
import { deserialize, type TopicSerdes, type TypedRecord, unreadable } from "./typed-record.js";

/**
 * For a record whose key or value does not fit. `"fail"`: the loop ends with `INVALID_RECORD`, and the record is not
 * processed. `"skip"`: the next one. A function is called and awaited, and then the record is skipped, unless it
 * throws: the place for a dead-letter topic.
 */
export type OnInvalid =
  | "fail"
  | "skip"
  | ((record: ConsumerRecord, issues: readonly Issue[]) => unknown);

/** As a consumer's, for the one topic, and what becomes of records that do not fit. */
export interface TypedConsumerOptions extends Omit<ConsumerOptions, "topics" | "partitions"> {
  /** Default: all partitions, also those added later. */
  readonly partitions?: readonly number[] | undefined;
  /** Default `"fail"`. */
  readonly onInvalid?: OnInvalid | undefined;
}

/** Reads records as the topic's types. Seeking, pausing, positions and lag are `untyped`'s. */
export class TypedConsumer<Key, Value>
  implements AsyncIterable<TypedRecord<Key, Value>>, AsyncDisposable
{
  /** The consumer it stands on. */
  readonly untyped: Consumer;
  readonly #serdes: TopicSerdes<never, Key, never, Value>;
  readonly #onInvalid: OnInvalid;

  /** @internal */
  constructor(
    serdes: TopicSerdes<never, Key, never, Value>,
    consumer: Consumer,
    onInvalid: OnInvalid,
  ) {
    this.#serdes = serdes;
    this.untyped = consumer;
    this.#onInvalid = onInvalid;
  }

  [Symbol.asyncIterator](): AsyncGenerator<TypedRecord<Key, Value>, void, undefined> {
    return this.records();
  }

  /** @throws MillraceError `INVALID_RECORD` (with `onInvalid: "fail"`), and what ends a loop of `Consumer` */
  async *records(
    options: IterationOptions = {},
  ): AsyncGenerator<TypedRecord<Key, Value>, void, undefined> {
    for await (const record of this.untyped.records(options)) {
      const typed = await this.#read(record);
      if (typed !== undefined) {
        yield typed;
      }
    }
  }

  /** As `Consumer.run`. A record that does not fit fails the run, or counts as handled, as `onInvalid` says. */
  run(handler: (record: TypedRecord<Key, Value>) => unknown, options?: RunOptions): Promise<void> {
    return this.untyped.run(async (record) => {
      const typed = await this.#read(record);
      if (typed !== undefined) {
        await handler(typed);
      }
    }, options);
  }

  /** As `Consumer.ready`. */
  ready(): Promise<void> {
    return this.untyped.ready();
  }

  /** As `Consumer.close`. */
  close(): Promise<void> {
    return this.untyped.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** undefined: it does not fit, and was dealt with. */
  async #read(record: ConsumerRecord): Promise<TypedRecord<Key, Value> | undefined> {
    try {
      return deserialize(this.#serdes, record);
    } catch (error) {
      if (!(error instanceof InvalidDataError)) {
        throw error;
      }
      if (this.#onInvalid === "fail") {
        throw unreadable(record, error);
      }
      if (this.#onInvalid !== "skip") {
        await this.#onInvalid(record, error.issues);
      }
      return undefined;
    }
  }
}
