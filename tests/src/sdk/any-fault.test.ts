// The SDK against a real broker whose world goes wrong in any order: what was acknowledged is there, once, at the
// offset that was promised, and in the order of sending for each key.

import { createTestBroker, type TestBroker } from "@millrace/testing";
import fc from "fast-check";
import type { Producer, RecordMetadata } from "millrace";
import { describe, expect, it } from "vitest";

const TOPIC = "t";
const KEYS = 4;

type Action =
  | { readonly kind: "send"; readonly count: number; readonly gzip: boolean }
  | { readonly kind: "drop" | "kill" | "powerCut" | "failedSync" | "heal" | "pause" }
  | { readonly kind: "delay"; readonly ms: number };

const actions = fc.array(
  fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant("send" as const),
        count: fc.integer({ min: 1, max: 40 }),
        gzip: fc.boolean(),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constantFrom("drop", "kill", "powerCut", "failedSync", "heal", "pause"),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant("delay" as const), ms: fc.nat({ max: 20 }) }),
    },
  ),
  { minLength: 4, maxLength: 14 },
);

interface Sent {
  readonly key: number;
  readonly value: string;
  readonly acknowledged: Promise<RecordMetadata>;
}

/** Sends through one producer for each codec; a key always takes the same one, so its order is promised. */
class Load {
  readonly sent: Sent[] = [];
  readonly #producers: { readonly none: Producer; readonly gzip: Producer };

  constructor(broker: TestBroker) {
    const client = broker.client();
    this.#producers = {
      none: client.producer({ lingerMs: 1 }),
      gzip: client.producer({ lingerMs: 1, compression: "gzip" }),
    };
  }

  send(count: number, gzip: boolean): void {
    for (let index = 0; index < count; index++) {
      const key = (index % KEYS) + (gzip ? KEYS : 0);
      const value = `${this.sent.length}`;
      const producer = gzip ? this.#producers.gzip : this.#producers.none;
      const acknowledged = producer.send({ topic: TOPIC, key: `${key}`, value });
      acknowledged.catch(() => {});
      this.sent.push({ key, value, acknowledged });
    }
  }
}

async function act(broker: TestBroker, load: Load, action: Action): Promise<void> {
  switch (action.kind) {
    case "send":
      load.send(action.count, action.gzip);
      break;
    case "drop":
      broker.dropConnections();
      break;
    case "kill":
      await broker.kill();
      await broker.restart();
      break;
    case "powerCut":
      await broker.restart({ loseUnsynced: true });
      break;
    case "failedSync":
      broker.failNextSync();
      break;
    case "heal":
      broker.heal();
      break;
    case "pause":
      await new Promise((resolve) => setTimeout(resolve, 5));
      break;
    case "delay":
      broker.delay({ ms: action.ms });
      break;
  }
  if (!broker.isRunning) {
    await broker.restart({ loseUnsynced: true });
  }
}

/** A sync that was to fail may still stop the broker; what is on its way then waits for the next one. */
async function settle(broker: TestBroker, load: Load): Promise<RecordMetadata[]> {
  broker.heal();
  const all = Promise.all(load.sent.map(({ acknowledged }) => acknowledged));
  let isSettled = false;
  void all.finally(() => {
    isSettled = true;
  });
  while (!isSettled) {
    if (!broker.isRunning) {
      await broker.restart({ loseUnsynced: true });
    }
    await Promise.race([all, new Promise((resolve) => setTimeout(resolve, 10))]);
  }
  return await all;
}

/** Lost, repeated, misplaced, out of order: in words. */
async function problems(broker: TestBroker, load: Load): Promise<string[]> {
  const acknowledgements = await settle(broker, load);
  const stored = await broker.records(TOPIC);
  const place = (partition: number, offset: number): string => `${partition}/${offset}`;
  const valueAt = new Map(
    stored.map((record) => [place(record.partition, record.offset), record.text()]),
  );
  const found: string[] = [];
  if (stored.length !== load.sent.length) {
    found.push(`${load.sent.length} acknowledged, ${stored.length} stored`);
  }
  for (const [index, { partition, offset }] of acknowledgements.entries()) {
    const there = valueAt.get(place(partition, offset));
    if (there !== load.sent[index]?.value) {
      found.push(`record ${index} should be at ${place(partition, offset)}; there is ${there}`);
    }
  }
  for (let key = 0; key < 2 * KEYS; key++) {
    const read = stored.filter((record) => record.keyText() === `${key}`);
    const sent = load.sent.filter((one) => one.key === key);
    if (read.map((record) => record.text()).join() !== sent.map(({ value }) => value).join()) {
      found.push(`the records of key ${key} are not those sent, in order`);
    }
  }
  return found;
}

describe("the SDK under any mix of faults", () => {
  it("stores each record once, where it was acknowledged, in order for each key", async () => {
    await fc.assert(
      fc.asyncProperty(actions, async (steps) => {
        await using broker = await createTestBroker({ topics: [{ name: TOPIC, partitions: 3 }] });
        const load = new Load(broker);
        for (const step of steps) {
          await act(broker, load, step);
        }
        expect(await problems(broker, load)).toEqual([]);
      }),
      { numRuns: 30, interruptAfterTimeLimit: 20_000, markInterruptAsFailure: false },
    );
  });

  it("would not be said to, if a topic that never syncs lost its records", async () => {
    const config = { flush: "os", "flush.ms": "3600000" };
    await using broker = await createTestBroker({ topics: [{ name: TOPIC, config }] });
    const load = new Load(broker);
    load.send(20, false);
    await Promise.all(load.sent.map(({ acknowledged }) => acknowledged));
    await broker.restart({ loseUnsynced: true });
    expect(await problems(broker, load)).toContain("20 acknowledged, 0 stored");
  });
});
