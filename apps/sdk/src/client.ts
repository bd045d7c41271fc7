// The client both entries share: one set of connections, and the producers, consumers and admins that stand on
// it. The entries add the platform's runtime.

import { Admin, type AdminOptions } from "@millrace/client-admin";
import { Consumer, type ConsumerOptions } from "@millrace/client-consumer";
import { ClusterClient, type ClusterClientOptions } from "@millrace/client-core";
import { type CloseOptions, Producer, type ProducerOptions } from "@millrace/client-producer";
import { MillraceError } from "@millrace/protocol";
import type { ClientRuntime, Logger } from "@millrace/runtime";
import { Topic, type TopicTypes } from "./typed/topic.js";

/** Bootstrap addresses, or those and more. */
export interface MillraceOptions extends Omit<ClusterClientOptions, "runtime"> {
  /** Receives log lines. Default: warnings and worse on standard error, or on the browser's console. */
  readonly logger?: Logger | undefined;
  /** Replaces the platform altogether: clock, network, randomness, compression. Default: the platform's own. */
  readonly runtime?: ClientRuntime | undefined;
}

/** Keys of a topic whose types say nothing of them. */
type AnyKey = Uint8Array | null;

export type RuntimeFactory = (logger: Logger | undefined) => ClientRuntime;

interface Child {
  close(options: CloseOptions): Promise<void>;
}

export abstract class Client implements AsyncDisposable {
  readonly #cluster: ClusterClient;
  readonly #children = new Children();
  #closed: Promise<void> | undefined;

  /** @throws MillraceError `INVALID_ARGUMENT`, `INVALID_CONFIG_VALUE` */
  constructor(
    options: string | readonly string[] | MillraceOptions,
    createRuntime: RuntimeFactory,
  ) {
    const { logger, runtime, ...rest } = withBootstrap(options);
    const platform = runtime ?? createRuntime(logger);
    this.#cluster = new ClusterClient({
      ...rest,
      runtime: logger === undefined ? platform : { ...platform, logger },
    });
  }

  /** The cluster's id; null until a broker has answered. */
  get clusterId(): string | null {
    return this.#cluster.clusterId;
  }

  /** From the first call of `close` on. */
  get isClosed(): boolean {
    return this.#closed !== undefined;
  }

  /**
   * A producer: make one and keep it, it batches what is sent through it.
   * @throws MillraceError `INVALID_CONFIG_VALUE`, `CLOSED`
   */
  producer(options: ProducerOptions = {}): Producer {
    return this.#adopt(new Producer({ ...options, client: this.#open }));
  }

  /**
   * A consumer of topics or partitions: `for await (const record of client.consumer({ topics: ["orders"] }))`.
   * @throws MillraceError `INVALID_CONFIG_VALUE`, `CLOSED`
   */
  consumer(options: ConsumerOptions): Consumer {
    return this.#adopt(new Consumer({ ...options, client: this.#open }));
  }

  /**
   * A topic with types: what fits is checked when it is sent and when it is read.
   * `client.topic("orders", { key: text(), value: json<Order>() })`; a Standard Schema validator (zod, valibot, ...)
   * can stand for a serde. Creates nothing in the cluster.
   */
  topic<ValueIn, ValueOut, KeyIn = AnyKey, KeyOut = AnyKey>(
    name: string,
    types: TopicTypes<KeyIn, KeyOut, ValueIn, ValueOut>,
  ): Topic<KeyIn, KeyOut, ValueIn, ValueOut> {
    return new Topic(this, name, types);
  }

  /** @throws MillraceError `CLOSED` */
  admin(options: AdminOptions = {}): Admin {
    return this.#adopt(new Admin({ ...options, client: this.#open }));
  }

  /**
   * Closes every producer (which first sends what it holds, for at most `timeoutMs`, default 30,000; then those
   * records fail with `CLOSED`), consumer and admin, then the connections. Idempotent: the first call's options
   * hold.
   */
  close(options: CloseOptions = {}): Promise<void> {
    this.#closed ??= this.#close(options);
    return this.#closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  get #open(): ClusterClient {
    if (this.#closed !== undefined) {
      throw new MillraceError("CLOSED");
    }
    return this.#cluster;
  }

  #adopt<T extends Child>(child: T): T {
    this.#children.add(child);
    return child;
  }

  async #close(options: CloseOptions): Promise<void> {
    try {
      await this.#children.close(options);
    } finally {
      await this.#cluster.close();
    }
  }
}

/**
 * What has to be closed with the client, as long as anybody holds it. A producer that nobody holds has nothing
 * left to send: records on their way hold it.
 */
class Children {
  readonly #references = new Set<WeakRef<Child>>();
  readonly #registry = new FinalizationRegistry<WeakRef<Child>>((reference) => {
    this.#references.delete(reference);
  });

  add(child: Child): void {
    const reference = new WeakRef(child);
    this.#references.add(reference);
    this.#registry.register(child, reference);
  }

  /** Closes all, whatever happens to one; then throws the first error. */
  async close(options: CloseOptions): Promise<void> {
    const open = [...this.#references].flatMap((reference) => reference.deref() ?? []);
    const outcomes = await Promise.allSettled(open.map((child) => child.close(options)));
    for (const outcome of outcomes) {
      if (outcome.status === "rejected") {
        throw outcome.reason;
      }
    }
  }
}

function withBootstrap(options: string | readonly string[] | MillraceOptions): MillraceOptions {
  return typeof options === "string" || isList(options) ? { bootstrap: options } : options;
}

function isList(options: readonly string[] | MillraceOptions): options is readonly string[] {
  return Array.isArray(options);
}
