// The loads of targets.ts whose answer is a latency: awaited sends, an open loop at a fixed rate, an idle topic. A send's
// time and its arrival are read on one clock, the measuring process's.

import { setTimeout as sleep } from "node:timers/promises";
import type { Consumer, Millrace, Producer } from "millrace";
import type { Latencies } from "./latencies.js";

const RECORD_BYTES = 100;
const MARK_BYTES = 4;
/** Behind the last record of a slice: whatever takes longer than this is broken. */
const ARRIVAL_TIMEOUT_MS = 20_000;

/** One topic with a producer and a consumer at its end; every record carries its number. */
export class ReadAlong implements AsyncDisposable {
  readonly #topic: string;
  readonly #producer: Producer;
  readonly #consumer: Consumer;
  readonly #reading: Promise<void>;
  /** When each record left, or should have, by its number. */
  readonly #sentAt: number[] = [];
  #arrivals: Latencies;
  #received = 0;
  #failure: unknown;

  private constructor(
    ends: { producer: Producer; consumer: Consumer },
    topic: string,
    arrivals: Latencies,
  ) {
    this.#topic = topic;
    this.#producer = ends.producer;
    this.#consumer = ends.consumer;
    this.#arrivals = arrivals;
    this.#reading = this.#read();
  }

  static async start(client: Millrace, topic: string, arrivals: Latencies): Promise<ReadAlong> {
    await client.admin().createTopic(topic, { partitions: 1 });
    const consumer = client.consumer({ topics: topic, from: "latest" });
    await consumer.ready();
    const along = new ReadAlong({ producer: client.producer(), consumer }, topic, arrivals);
    // The first records find connections, metadata and code that is cold.
    await along.atRate(1_000, 500, undefined);
    along.#arrivals = arrivals;
    return along;
  }

  /** Sends now. */
  send(intendedAt = performance.now()): void {
    const value = new Uint8Array(RECORD_BYTES);
    new DataView(value.buffer).setUint32(0, this.#sentAt.length);
    this.#sentAt.push(intendedAt);
    this.#producer.send({ topic: this.#topic, value }).catch((error: unknown) => {
      this.#failure ??= error;
    });
  }

  /** Sends by a schedule that nothing slows down, a millisecond's records at a time, and waits until all have arrived. */
  async atRate(perSecond: number, sliceMs: number, arrivals: Latencies | undefined): Promise<void> {
    const kept = this.#arrivals;
    this.#arrivals = arrivals ?? unheard;
    const start = performance.now();
    const total = Math.round((perSecond * sliceMs) / 1000);
    for (let sent = 0; sent < total; await sleep(1)) {
      const due = Math.floor(((performance.now() - start) * perSecond) / 1000) + 1;
      for (; sent < Math.min(total, due); sent++) {
        this.send(start + (sent * 1000) / perSecond);
      }
    }
    await this.caughtUp();
    this.#arrivals = kept;
  }

  /** @throws when a send failed, or what was sent does not arrive */
  async caughtUp(): Promise<void> {
    const deadline = performance.now() + ARRIVAL_TIMEOUT_MS;
    while (this.#received < this.#sentAt.length) {
      if (this.#failure !== undefined) {
        throw this.#failure;
      }
      if (performance.now() > deadline) {
        throw new Error(`${this.#received} of ${this.#sentAt.length} records arrived`);
      }
      await sleep(5);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#producer.close();
    await this.#consumer.close();
    await this.#reading;
  }

  /** Never rejects: a failure is kept for `caughtUp`. */
  async #read(): Promise<void> {
    try {
      for await (const { value } of this.#consumer) {
        const now = performance.now();
        this.#received += 1;
        if (value !== null && value.length >= MARK_BYTES) {
          const { buffer, byteOffset } = value;
          const mark = new DataView(buffer, byteOffset, MARK_BYTES).getUint32(0);
          this.#arrivals.add(now - (this.#sentAt[mark] ?? now));
        }
      }
    } catch (error) {
      this.#failure ??= error;
    }
  }
}

const unheard = { add: (): void => {} } as Pick<Latencies, "add"> as Latencies;
