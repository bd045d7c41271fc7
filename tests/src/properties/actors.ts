// Who acts in a world: producers that follow a plan and note what became of each record, and a reader that notes
// what it sees.

import { Consumer } from "@millrace/client-consumer";
import { ClusterClient, type ClusterClientOptions } from "@millrace/client-core";
import {
  type CloseOptions,
  type ClusterPort,
  isDefinite,
  Producer,
  type ProducerOptions,
  type ProducerRecord,
} from "@millrace/client-producer";
import { type ClientWorld, topic } from "./client-world.js";
import type { ProducerPlan } from "./plans.js";
import type { Sent, Stored } from "./sent-log.js";

type Open = { -readonly [Key in keyof Sent]: Sent[Key] };

/** Stands between a producer and its cluster client: a mistake that the properties must notice. */
export type Spoiler = (client: ClusterPort) => ClusterPort;

export interface PlannedProducerOptions {
  readonly name: string;
  readonly plan: ProducerPlan;
  readonly spoil?: Spoiler | undefined;
  /** Instead of a machine of its own. */
  readonly connect?: ClusterClientOptions | undefined;
  /** Beside the plan's. */
  readonly options?: ProducerOptions | undefined;
}

export class PlannedProducer {
  readonly sent: Open[] = [];
  readonly producer: Producer;
  readonly #world: ClientWorld;
  readonly #name: string;
  readonly #plan: ProducerPlan;
  readonly #client: ClusterClient;
  readonly #calls: Promise<void>[] = [];

  constructor(world: ClientWorld, settings: PlannedProducerOptions) {
    const { name, plan, spoil, options, connect = world.connect(name) } = settings;
    this.#world = world;
    this.#name = name;
    this.#plan = plan;
    this.#client = new ClusterClient(connect);
    const client = spoil === undefined ? this.#client : spoil(this.#client);
    this.producer = new Producer({ client, ...plan.options, ...options });
  }

  /** Hands in all records of the plan, not waiting for their answers. */
  async handIn(): Promise<void> {
    const { records, atOnce, pauseMs, perCall } = this.#plan;
    while (this.sent.length < records) {
      for (let call = 0; call < atOnce && this.sent.length < records; call++) {
        this.#call(Math.min(perCall, records - this.sent.length));
      }
      await this.#world.simulation.sleep(pauseMs);
    }
  }

  /** Every promise is settled. */
  async answered(): Promise<void> {
    await Promise.all(this.#calls);
  }

  async close(options?: CloseOptions): Promise<void> {
    await this.producer.close(options);
    await this.#client.close();
  }

  #call(count: number): void {
    const entries = Array.from({ length: count }, () => this.#next());
    const records = entries.map((entry): ProducerRecord => {
      return { topic, key: entry.key, value: `${entry.producer}:${entry.number}` };
    });
    const [first] = records;
    const sending =
      count === 1 && first !== undefined
        ? this.producer.send(first).then((metadata) => [metadata])
        : this.producer.send(records).then((list) => list.toArray());
    this.#calls.push(
      sending.then(
        (answers) => {
          for (const [index, { partition, offset }] of answers.entries()) {
            const entry = entries[index];
            if (entry !== undefined) {
              entry.outcome = { kind: "acknowledged", partition, offset };
            }
          }
        },
        (error: unknown) => {
          // Of a list some may be stored; which ones is not asked here.
          const definite = count === 1 && isDefinite(error);
          for (const entry of entries) {
            entry.outcome = { kind: "failed", isDefinite: definite, error };
          }
        },
      ),
    );
  }

  #next(): Open {
    const number = this.sent.length;
    const entry: Open = {
      producer: this.#name,
      number,
      key: `${this.#name}-key-${number % this.#plan.keys}`,
      outcome: { kind: "pending" },
    };
    this.sent.push(entry);
    return entry;
  }
}

/** Reads the topic from its beginning, through whatever happens, and keeps what it saw. */
export class Reader {
  readonly read: Stored[] = [];
  readonly #consumer: Consumer;
  readonly #loop: Promise<void>;
  readonly #world: ClientWorld;

  constructor(world: ClientWorld, machine: string) {
    this.#world = world;
    this.#consumer = new Consumer({ ...world.connect(machine), topics: [topic], from: "earliest" });
    this.#loop = this.#run();
  }

  /** Goes on until each partition is read up to its end, then closes. */
  async finish(ends: readonly number[]): Promise<Stored[]> {
    const isThere = (): boolean =>
      ends.every((end, partition) => this.#nextOffset(partition) >= end);
    while (!isThere()) {
      await this.#world.simulation.sleep(20);
    }
    await this.#consumer.close();
    await this.#loop;
    return this.read;
  }

  #nextOffset(partition: number): number {
    const last = this.read.findLast((stored) => stored.partition === partition);
    return last === undefined ? 0 : last.offset + 1;
  }

  async #run(): Promise<void> {
    const decoder = new TextDecoder();
    for await (const record of this.#consumer) {
      const [producer = "", number = ""] = (record.text() ?? "").split(":");
      const key = record.key === null ? "" : decoder.decode(record.key);
      const { partition, offset } = record;
      this.read.push({ partition, offset, key, producer, number: Number(number) });
    }
  }
}

/** The whole log, as a reader in calm weather sees it. */
export async function readLog(world: ClientWorld): Promise<Stored[]> {
  return await new Reader(world, "auditor").finish(await world.ends());
}
