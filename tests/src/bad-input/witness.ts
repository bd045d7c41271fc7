// An honest client that goes on sending while others misbehave, remembers what was acknowledged, and reads all of
// it back: the proof that abuse harms nobody else and loses nothing.

import { Millrace, type Producer } from "millrace";
import { expect } from "vitest";
import { pauseMs } from "./eventually.js";

const TOPIC = "honest";
const INTERVAL_MS = 5;

export class Witness {
  readonly client: Millrace;
  readonly #producer: Producer;
  /** Values by offset, as acknowledged. */
  readonly #acknowledged = new Map<number, string>();
  #number = 0;

  private constructor(client: Millrace) {
    this.client = client;
    this.#producer = client.producer({ deliveryTimeoutMs: 20_000, requestTimeoutMs: 10_000 });
  }

  static async start(url: string): Promise<Witness> {
    const client = new Millrace({ bootstrap: url, clientId: "witness" });
    await client.admin().createTopic(TOPIC, { partitions: 1 });
    const witness = new Witness(client);
    await witness.send();
    return witness;
  }

  /** Goes on where another one was, with another connection: what that one was promised still holds. */
  static resume(url: string, before: Witness): Witness {
    const witness = new Witness(new Millrace({ bootstrap: url, clientId: "witness" }));
    for (const [offset, value] of before.#acknowledged) {
      witness.#acknowledged.set(offset, value);
    }
    witness.#number = before.#number;
    return witness;
  }

  async send(): Promise<void> {
    const value = `record ${this.#number++}`;
    const { offset, fsynced } = await this.#producer.send({ topic: TOPIC, value });
    expect(fsynced).toBe(true);
    expect(this.#acknowledged.has(offset)).toBe(false);
    this.#acknowledged.set(offset, value);
  }

  /**
   * Sends while `abuse` runs and once more after it, then reads everything back. Fails when a send fails, or a
   * record that was acknowledged is missing, doubled or changed.
   */
  async during<T>(abuse: () => Promise<T>): Promise<T> {
    let isRunning = true;
    const sending = (async () => {
      do {
        await this.send();
        await pauseMs(INTERVAL_MS);
      } while (isRunning);
    })();
    try {
      return await abuse();
    } finally {
      isRunning = false;
      await sending;
      await this.send();
      await this.verify();
    }
  }

  async verify(): Promise<void> {
    expect(await this.#readAll()).toEqual(
      new Map([...this.#acknowledged].sort(([a], [b]) => a - b)),
    );
  }

  async close(): Promise<void> {
    await this.client.close();
  }

  async #readAll(): Promise<Map<number, string>> {
    const found = new Map<number, string>();
    const last = Math.max(...this.#acknowledged.keys());
    const consumer = this.client.consumer({ topics: TOPIC, from: "earliest" });
    for await (const record of consumer) {
      expect(found.has(record.offset)).toBe(false);
      found.set(record.offset, record.text() ?? "");
      if (record.offset >= last) {
        break;
      }
    }
    await consumer.close();
    return found;
  }
}
