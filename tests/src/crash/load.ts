// Producers that never stop sending while brokers die under them, and the reading back. Each record is
// `producer:number:filling`; numbers of one producer grow by one per partition.

import { type Millrace, MillraceError } from "millrace";
import type { Ledger } from "./ledger.js";

export interface LoadOptions {
  readonly topic: string;
  readonly partitions: number;
  readonly producers: number;
  readonly recordBytes: number;
  /** Sends without an answer, per producer. */
  readonly outstandingMax: number;
}

export class Load {
  readonly #client: Millrace;
  readonly #ledger: Ledger;
  readonly #options: LoadOptions;
  readonly #filling: string;
  readonly #loops: Promise<void>[] = [];
  #isRunning = true;
  #isPaused = true;
  #outstanding = 0;
  /** Sends that failed for good; their records may or may not be stored. */
  failures = 0;
  lastFailure = "";

  constructor(client: Millrace, ledger: Ledger, options: LoadOptions) {
    this.#client = client;
    this.#ledger = ledger;
    this.#options = options;
    this.#filling = "x".repeat(Math.max(0, options.recordBytes - 16));
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
    const numbers = new Array<number>(this.#options.partitions).fill(0);
    let mine = 0;
    let turn = 0;
    while (this.#isRunning) {
      if (this.#isPaused || mine >= this.#options.outstandingMax) {
        await pauseMs(1);
        continue;
      }
      const partition = turn++ % this.#options.partitions;
      const number = numbers[partition] ?? 0;
      numbers[partition] = number + 1;
      mine++;
      this.#outstanding++;
      producer
        .send({
          topic: this.#options.topic,
          partition,
          value: `${name}:${number}:${this.#filling}`,
        })
        .then(
          (sent) => this.#ledger.acknowledge(partition, sent.offset, name, number),
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

/** Reads every partition from where the ledger stands to its end as it is now. */
export async function readBack(
  client: Millrace,
  ledger: Ledger,
  options: LoadOptions,
): Promise<void> {
  const ends = await client.admin().listOffsets(options.topic, "latest");
  for (const { partition, offset } of ends) {
    const end = offset ?? 0;
    const start = ledger.nextOffset(partition);
    if (start >= end) {
      continue;
    }
    const consumer = client.consumer({
      partitions: [{ topic: options.topic, partition }],
      from: { offset: start },
    });
    for await (const record of consumer) {
      const [producer = "", number = ""] = (record.text() ?? "").split(":", 2);
      ledger.read(partition, record.offset, producer, Number(number));
      if (record.offset >= end - 1) {
        break;
      }
    }
    await consumer.close();
  }
}

export function pauseMs(delayMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, delayMs));
}
