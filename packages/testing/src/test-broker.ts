// The broker a test holds: start, clients, faults, kill, restart, close. Real code over real sockets; only the
// files and the faults are arranged. Nothing is global: any number of brokers live side by side.

import { MillraceError } from "@millrace/protocol";
import { type ServerRuntime, silentLogger } from "@millrace/runtime";
import { createNodeRuntime } from "@millrace/runtime/node";
import type { NodeConfig } from "@millrace/server";
import { type ConsumerRecord, Millrace, type MillraceOptions, type TopicSettings } from "millrace";
import { type BrokerFiles, memoryFiles, temporaryFiles } from "./broker-files.js";
import { BrokerLife } from "./broker-life.js";
import { Faults } from "./faults.js";
import { readTopic } from "./read-topic.js";
import { nodeConfig, type TestBrokerOptions } from "./test-broker-options.js";

/** Like the SDK's own, without the address. The logger is silent unless one is given. */
export type TestClientOptions = Omit<MillraceOptions, "bootstrap">;

/** How a broker is restarted. */
export interface RestartOptions {
  /**
   * Power is lost instead of the broker being stopped: what was written but not synced is gone. Only with files
   * in memory. Default false.
   */
  readonly loseUnsynced?: boolean;
}

/** How long `close()` waits for clients whose broker is gone. */
const ORPHANS_GRACE_MS = 500;

interface Parts {
  readonly runtime: ServerRuntime;
  readonly files: BrokerFiles;
  readonly faults: Faults;
  readonly config: NodeConfig;
}

/** A broker in this process; `createTestBroker` makes one. */
export class TestBroker implements AsyncDisposable {
  /** `ws://127.0.0.1:PORT`; the same for as long as this object lives. */
  readonly url: string;
  readonly port: number;
  readonly #parts: Parts;
  readonly #clients = new Set<Millrace>();
  #life: BrokerLife;
  #own: Millrace | undefined;
  /** Starts, stops and kills happen one after the other. */
  #last: Promise<unknown> = Promise.resolve();
  #closing: Promise<void> | undefined;

  private constructor(parts: Parts, life: BrokerLife) {
    this.#life = life;
    this.url = life.node.url;
    this.port = life.node.port;
    this.#parts = { ...parts, config: { ...parts.config, port: life.node.port } };
  }

  /** See `createTestBroker`. */
  static async start(options: TestBrokerOptions): Promise<TestBroker> {
    const runtime = createNodeRuntime({ logger: options.logger ?? silentLogger });
    const files =
      options.dataDirectory === "temporary" ? await temporaryFiles(runtime) : memoryFiles(runtime);
    try {
      const config = nodeConfig(options, files.path);
      const parts = { runtime, files, faults: new Faults(options.faults), config };
      return new TestBroker(parts, await BrokerLife.begin(parts));
    } catch (error) {
      await files.remove();
      throw error;
    }
  }

  /** False between `kill()` and `restart()`, after a failed sync, and after `close()`. */
  get isRunning(): boolean {
    return this.#life.isServing;
  }

  /** The directory of the log; `/data` when files are in memory. */
  get dataDirectory(): string {
    return this.#parts.files.path;
  }

  /** Resolves when the broker of this moment stopped by itself (its disk failed), after it did. Never rejects. */
  get failed(): Promise<Error> {
    return this.#life.node.failed;
  }

  /**
   * A client of this broker, closed with it.
   * @throws MillraceError `CLOSED`
   */
  client(options: TestClientOptions = {}): Millrace {
    this.#checkOpen();
    const client = new Millrace({ logger: silentLogger, ...options, bootstrap: this.url });
    this.#clients.add(client);
    return client;
  }

  /** @throws MillraceError `TOPIC_ALREADY_EXISTS`, `INVALID_TOPIC_EXCEPTION`, `INVALID_CONFIG`, ... */
  async createTopic(name: string, settings: TopicSettings = {}): Promise<void> {
    await this.#admission().admin().createTopic(name, settings);
  }

  /**
   * All records of a topic as it is now: by partition, then by offset.
   * @throws MillraceError `UNKNOWN_TOPIC_OR_PARTITION`, `INVALID_ARGUMENT` (the broker is down or refuses)
   */
  async records(topic: string): Promise<ConsumerRecord[]> {
    return await readTopic(this.#admission(), topic);
  }

  /** Cuts every connection without a word; clients come back by themselves. */
  dropConnections(): void {
    this.#life.network.dropConnections();
  }

  /** From now on every message to the broker arrives `ms` later, in order. 0 ends that. */
  delay({ ms }: { readonly ms: number }): void {
    if (!(ms >= 0)) {
      throw new MillraceError("INVALID_ARGUMENT", `delay: expected ms >= 0, not ${ms}`);
    }
    this.#parts.faults.delayMs = ms;
  }

  /** From now on new connections are cut as soon as they are made. Those that are open stay. */
  refuse(): void {
    this.#parts.faults.refuse = true;
  }

  /**
   * The next sync fails. To a broker that is final: it acknowledges nothing that waits for the sync, and stops.
   * `failed` tells; `restart()` brings it back, and forgets a sync that did not come to fail.
   */
  failNextSync(): void {
    this.#parts.faults.failNextSync();
  }

  /** From now on nothing can be written: producers get `STORAGE_FULL` and retry, consumers read on. */
  fullDisk(): void {
    this.#parts.faults.fullDisk = true;
  }

  /** Ends `delay`, `refuse` and `fullDisk`, and forgets a sync that was to fail. */
  heal(): void {
    this.#parts.faults.heal();
  }

  /** Like `kill -9`: what was written stays, nothing more is answered. `restart()` brings it back. */
  kill(): Promise<void> {
    return this.#next(async () => {
      if (this.isRunning) {
        await this.#life.kill();
      }
    });
  }

  /**
   * Stops the broker, unless it is down, and starts it again over the same files, at the same address.
   * @throws MillraceError `CLOSED`, `INVALID_ARGUMENT`; and what a start throws
   */
  restart(options: RestartOptions = {}): Promise<void> {
    this.#checkOpen();
    return this.#next(async () => {
      if (options.loseUnsynced === true) {
        await this.#losePower();
      } else if (this.isRunning) {
        await this.#life.stop();
      }
      this.#parts.faults.forgetSyncFailure();
      this.#life = await BrokerLife.begin(this.#parts);
    });
  }

  /** Heals, closes its clients, stops, and removes the files. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#next(() => this.#close());
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    this.heal();
    try {
      await this.#closeClients();
    } finally {
      if (this.isRunning) {
        await this.#life.stop();
      }
      await this.#parts.files.remove();
    }
  }

  /** Producers send what they hold first. What was meant for a broker that is gone goes nowhere, though. */
  async #closeClients(): Promise<void> {
    const closing = Promise.allSettled([...this.#clients].map((client) => client.close()));
    const { clock } = this.#parts.runtime;
    if (this.isRunning) {
      await closing;
    } else {
      await Promise.race([closing, clock.sleep(ORPHANS_GRACE_MS)]);
    }
  }

  async #losePower(): Promise<void> {
    const { files } = this.#parts;
    if (this.isRunning) {
      await this.#life.kill();
    }
    files.losePower();
  }

  /** The broker's own client. Faults are true for it as well, so it says so instead of waiting for ever. */
  #admission(): Millrace {
    this.#checkOpen();
    if (!this.isRunning || this.#parts.faults.refuse) {
      const why = this.isRunning ? "refuses connections: heal() it" : "is down: restart() it";
      throw new MillraceError("INVALID_ARGUMENT", `the test broker ${why} first`);
    }
    this.#own ??= this.client();
    return this.#own;
  }

  #checkOpen(): void {
    if (this.#closing !== undefined) {
      throw new MillraceError("CLOSED", "the test broker is closed");
    }
  }

  #next(work: () => Promise<void>): Promise<void> {
    const run = this.#last.then(work);
    this.#last = run.catch(() => {});
    return run;
  }
}

/**
 * Starts a real broker in this process, on a free loopback port, with its files in memory.
 * `await using broker = await createTestBroker({ topics: ["orders"] })`
 * @throws MillraceError `INVALID_CONFIG`, `INVALID_TOPIC_EXCEPTION`; ListenError (the port is taken)
 */
export function createTestBroker(options: TestBrokerOptions = {}): Promise<TestBroker> {
  return TestBroker.start(options);
}
