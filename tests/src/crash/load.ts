// Producers that never stop sending while brokers die under them. What they send is the records' business.

import { type Millrace, MillraceError } from "millrace";
import type { RoundRecords, TopicPlace } from "./round-records.js";

export interface LoadOptions extends TopicPlace {
  readonly producers: number;
  /** Sends without an answer, per producer. */
  readonly outstandingMax: number;
}

export class Load {
  readonly #client: Millrace;
  readonly #records: RoundRecords;
  readonly #options: LoadOptions;
  readonly #loops: Promise<void>[] = [];
  #isRunning = true;
  #isPaused = true;
  #outstanding = 0;
  /** Sends that failed for good; their records may or may not be stored. */
  failures = 0;
  lastFailure = "";

  constructor(client: Millrace, records: RoundRecords, options: LoadOptions) {
    this.#client = client;
    this.#records = records;
    this.#options = options;
  }

  start(): void {
    for (let index = 0; index < this.#options.producers; index++) {
      this.#loops.push(this.#loop(`p${index}`));
    }
  }

  resume(): void {
    this.#isPaused = false;
  }

  /** Resolves when every send has been answered, one way or the other. */
  async pause(): Promise<void> {
    this.#isPaused = true;
    while (this.#outstanding > 0) {
      await pauseMs(5);
    }
  }

  async stop(): Promise<void> {
    this.#isRunning = false;
    await Promise.all(this.#loops);
  }

  async #loop(name: string): Promise<void> {
    const producer = this.#client.producer({ lingerMs: 2, deliveryTimeoutMs: 60_000 });
    const { outstandingMax, partitions, topic } = this.#options;
    let mine = 0;
    let turn = 0;
    while (this.#isRunning) {
      if (this.#isPaused || mine >= outstandingMax) {
        await pauseMs(1);
        continue;
      }
      const partition = turn++ % partitions;
      const { acknowledged, ...record } = this.#records.next(name, partition);
      mine++;
      this.#outstanding++;
      producer
        .send({ topic, partition, ...record })
        .then(
          ({ offset }) => acknowledged(offset),
          (error: unknown) => this.#fail(error),
        )
        .finally(() => {
          mine--;
          this.#outstanding--;
        });
      if (turn % 20 === 0) {
        await pauseMs(0);
      }
    }
    await producer.close();
  }

  #fail(error: unknown): void {
    this.failures++;
    this.lastFailure = error instanceof MillraceError ? error.message : String(error);
  }
}

export function pauseMs(delayMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, delayMs));
}
