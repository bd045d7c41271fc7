// The loads of targets.ts whose answer is a latency: awaited sends, an open loop at a fixed rate, an idle topic. A send's
// time and its arrival are read on one clock, the measuring process's.

import { setTimeout as sleep } from "node:timers/promises";
import type { Consumer, Millrace, Producer } from "millrace";
import type { Echo } from "./echo.js";
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
    await openLoop(perSecond, sliceMs, (dueAt) => {
      for (const at of dueAt) {
        this.send(at);
      }
    });
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

/** Calls `send` each millisecond with the moments at which records have become due since, whatever became of the others. */
async function openLoop(
  perSecond: number,
  sliceMs: number,
  send: (dueAt: readonly number[]) => void,
): Promise<void> {
  const start = performance.now();
  const total = Math.round((perSecond * sliceMs) / 1000);
  for (let sent = 0; sent < total; await sleep(1)) {
    const due = Math.floor(((performance.now() - start) * perSecond) / 1000) + 1;
    const dueAt: number[] = [];
    for (; sent < Math.min(total, due); sent++) {
      dueAt.push(start + (sent * 1000) / perSecond);
    }
    send(dueAt);
  }
}

/** The load of `ReadAlong.atRate`, a millisecond's records as one message, to a server that does nothing else. */
export async function bareAtRate(
  bare: Echo,
  { perSecond, sliceMs }: { readonly perSecond: number; readonly sliceMs: number },
  latencies: Latencies,
): Promise<void> {
  const answers: Promise<void>[] = [];
  await openLoop(perSecond, sliceMs, (dueAt) => {
    if (dueAt.length > 0) {
      const answered = bare.roundTrip(new Uint8Array(RECORD_BYTES * dueAt.length));
      answers.push(
        answered.then(() => {
          const now = performance.now();
          for (const at of dueAt) {
            latencies.add(now - at);
          }
        }),
      );
    }
  });
  await Promise.all(answers);
}

const unheard = { add: (): void => {} } as Pick<Latencies, "add"> as Latencies;
