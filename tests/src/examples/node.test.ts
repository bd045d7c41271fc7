import { setTimeout as sleep } from "node:timers/promises";
import { createTestBroker, type TestBroker } from "@millrace/testing";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ExampleProcess } from "./example-process.js";

/** Long enough for several attempts, with nothing open in between. */
const AWAY_MS = 1_200;

let broker: TestBroker;

beforeEach(async () => {
  broker = await createTestBroker();
});

afterEach(() => broker.close());

describe("examples/node", () => {
  it("sends ten greetings, reads them, and leaves on Ctrl-C", async () => {
    const producer = new ExampleProcess("node/producer.js", broker.url);
    expect(await producer.ended).toEqual({ code: 0, signal: null });
    expect(producer.lines).toHaveLength(10);
    expect(producer.lines[0]).toMatch(/^partition [0-2], offset 0, on disk$/);
    const consumer = new ExampleProcess("node/consumer.js", broker.url);
    await consumer.printed(10);
    consumer.signal("SIGINT");
    expect(await consumer.ended).toEqual({ code: 0, signal: null });
    const greetings = consumer.lines.map((line) => line.replace(/^\d+\/\d+ \w+: /, "")).sort();
    const sent = (await broker.records("greetings")).map((record) => record.text()).sort();
    expect(greetings).toEqual(sent);
    expect(consumer.errors + producer.errors).toBe("");
  });
});

describe("a process that does nothing but wait for its broker", () => {
  it("outlives the broker's absence when it waits for records", async () => {
    await broker.createTopic("greetings");
    const consumer = new ExampleProcess("node/consumer.js", broker.url);
    const producer = broker.client().producer();
    await producer.send({ topic: "greetings", value: "before" });
    await consumer.printed(1);
    await broker.kill();
    await sleep(AWAY_MS);
    await broker.restart();
    await producer.send({ topic: "greetings", value: "after" });
    await consumer.printed(2);
    consumer.signal("SIGINT");
    expect(await consumer.ended).toEqual({ code: 0, signal: null });
  });

  it("outlives the broker's absence when it waits for an acknowledgement", async () => {
    const { url } = broker;
    await broker.kill();
    const producer = new ExampleProcess("node/producer.js", url);
    await sleep(AWAY_MS);
    await broker.restart();
    expect(await producer.ended).toEqual({ code: 0, signal: null });
    expect(producer.lines).toHaveLength(10);
  });
});

describe("examples/order-pipeline", () => {
  const orders = (from: number, count: number) =>
    Array.from({ length: count }, (_, index) => ({
      topic: "orders",
      value: JSON.stringify({
        id: `order ${from + index}`,
        items: [{ price: 1.25, quantity: from + index }],
      }),
    }));

  const invoices = async (): Promise<unknown[]> =>
    (await broker.records("invoices")).map((record) => record.json());

  const expected = (count: number) =>
    Array.from({ length: count }, (_, index) => ({
      order: `order ${index}`,
      orderOffset: index,
      totalCents: index * 125,
    }));

  async function until(count: number): Promise<void> {
    for await (const record of broker
      .client()
      .consumer({ topics: ["invoices"], from: "earliest" })) {
      if (record.offset === count - 1) {
        return;
      }
    }
  }

  it("writes one invoice for each order over a stop, a kill and a lost broker", async () => {
    await broker.createTopic("orders");
    await broker.createTopic("invoices");
    const producer = broker.client().producer();
    await producer.send(orders(0, 50));

    const first = new ExampleProcess("order-pipeline/pipeline.js", broker.url);
    await until(50);
    first.signal("SIGTERM");
    expect(await first.ended).toEqual({ code: 0, signal: null });
    expect(first.lines).toEqual(["going on at order 0", "stopped after 50 invoices"]);

    const second = new ExampleProcess("order-pipeline/pipeline.js", broker.url);
    await second.printed(1);
    await producer.send(orders(50, 300));
    second.signal("SIGKILL");
    await second.ended;
    expect(second.lines[0]).toBe("going on at order 50");

    const third = new ExampleProcess("order-pipeline/pipeline.js", broker.url);
    await third.printed(1);
    await broker.kill();
    await broker.restart({ loseUnsynced: true });
    await until(350);
    third.signal("SIGINT");
    expect(await third.ended).toEqual({ code: 0, signal: null });
    expect(await invoices()).toEqual(expected(350));
  });
});
