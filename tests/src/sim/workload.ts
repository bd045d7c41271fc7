// What clients do in the simulation: producers with several sends open, a reader that follows the log through
// every fault, and a last read from the start. The ledger compares.

import { Consumer } from "@millrace/client-consumer";
import { Producer } from "@millrace/client-producer";
import { isMillraceError } from "@millrace/protocol";
import type { ServerRuntime } from "@millrace/runtime";
import type { Simulation } from "@millrace/runtime/sim";
import type { Ledger } from "../crash/ledger.js";

export const topic = "journal";

export interface WorkloadOptions {
  readonly bootstrap: string;
  readonly partitions: number;
  /** Mean pause between two bursts of a producer. */
  readonly burstEveryMs: number;
  readonly burstMax: number;
  readonly lingerMs: number;
  readonly valueBytesMax: number;
}

/** Where promises are written down. */
export type Acknowledgements = Pick<Ledger, "acknowledge" | "sent">;

/** Sends that may be open at once, per producer. */
const OPEN_MAX = 100;

export class SimProducer {
  failures = 0;
  /** Names of errors seen, for the report. */
  readonly errors = new Map<string, number>();
  readonly #simulation: Simulation;
  readonly #producer: Producer;
  readonly #name: string;
  readonly #ledger: Acknowledgements;
  readonly #options: WorkloadOptions;
  readonly #numbers: number[];
  readonly #loop: Promise<void>;
  #isRunning = true;
  #open = 0;

  constructor(
    simulation: Simulation,
    runtime: ServerRuntime,
    settings: { name: string; ledger: Acknowledgements; options: WorkloadOptions },
  ) {
    this.#simulation = simulation;
    this.#name = settings.name;
    this.#ledger = settings.ledger;
    this.#options = settings.options;
    this.#numbers = new Array<number>(settings.options.partitions).fill(0);
    this.#producer = new Producer({
      runtime,
      bootstrap: settings.options.bootstrap,
      lingerMs: settings.options.lingerMs,
      requestTimeoutMs: 5_000,
      deliveryTimeoutMs: 600_000,
    });
    this.#loop = this.#run();
  }

  /** No new records; resolves when every send was answered. */
  async stop(): Promise<void> {
    this.#isRunning = false;
    await this.#loop;
    while (this.#open > 0) {
      await this.#simulation.sleep(50);
    }
    await this.#producer.close();
  }

  async #run(): Promise<void> {
    const { random } = this.#simulation;
    while (this.#isRunning) {
      const burst = 1 + random.below(this.#options.burstMax);
      for (let count = 0; count < burst && this.#open < OPEN_MAX; count++) {
        this.#send(random.below(this.#options.partitions));
      }
      await this.#simulation.sleep(random.float() * 2 * this.#options.burstEveryMs);
    }
  }

  #send(partition: number): void {
    const number = this.#numbers[partition] ?? 0;
    this.#numbers[partition] = number + 1;
    const filling = "x".repeat(this.#simulation.random.below(this.#options.valueBytesMax));
    this.#open++;
    this.#ledger.sent(partition, this.#name, number);
    this.#producer
      .send({ topic, partition, value: `${this.#name}:${number}:${filling}` })
      .then(
        (sent) => this.#ledger.acknowledge(partition, sent.offset, this.#name, number),
        (error: unknown) => {
          this.failures++;
          const name = isMillraceError(error) ? error.code : String(error);
          this.errors.set(name, (this.errors.get(name) ?? 0) + 1);
        },
      )
      .finally(() => {
        this.#open--;
      });
  }
}

export interface ReadAllOptions {
  readonly simulation: Simulation;
  readonly runtime: ServerRuntime;
  readonly bootstrap: string;
  readonly ledger: Ledger;
  /** Where each partition ends. */
  readonly ends: readonly number[];
}

/** So long without a record, in calm weather, and the rest will not come. */
const STALL_MS = 60_000;

/** Reads the whole topic into the ledger, from the start to the given ends; what does not come in time is left out. */
export async function readAll(options: ReadAllOptions): Promise<void> {
  const { simulation, runtime, ledger, ends } = options;
  const isDone = (): boolean => ends.every((end, partition) => ledger.nextOffset(partition) >= end);
  if (isDone()) {
    return;
  }
  const consumer = new Consumer({
    runtime,
    bootstrap: options.bootstrap,
    topics: [topic],
    from: "earliest",
  });
  let lastReadAtMs = simulation.nowMs;
  let isReading = true;
  const watch = async (): Promise<void> => {
    while (isReading && simulation.nowMs - lastReadAtMs < STALL_MS) {
      await simulation.sleep(1_000);
    }
    await consumer.close();
  };
  const watching = watch();
  for await (const record of consumer) {
    lastReadAtMs = simulation.nowMs;
    noteRecord(ledger, record.partition, record.offset, record.text() ?? "");
    if (isDone()) {
      break;
    }
  }
  isReading = false;
  await watching;
}

/** Follows the log from the start through all faults, into a ledger of its own. */
export class SimFollower {
  readonly ledger: Ledger;
  error: unknown;
  readonly #consumer: Consumer;
  readonly #loop: Promise<void>;

  constructor(runtime: ServerRuntime, options: { bootstrap: string; ledger: Ledger }) {
    this.ledger = options.ledger;
    this.#consumer = new Consumer({
      runtime,
      bootstrap: options.bootstrap,
      topics: [topic],
      from: "earliest",
    });
    this.#loop = this.#run();
  }

  async stop(): Promise<void> {
    await this.#consumer.close();
    await this.#loop;
  }

  async #run(): Promise<void> {
    try {
      for await (const record of this.#consumer) {
        noteRecord(this.ledger, record.partition, record.offset, record.text() ?? "");
      }
    } catch (error) {
      this.error = error;
    }
  }
}

function noteRecord(ledger: Ledger, partition: number, offset: number, value: string): void {
  const [producer = "", number = ""] = value.split(":", 2);
  ledger.read(partition, offset, producer, Number(number));
}
