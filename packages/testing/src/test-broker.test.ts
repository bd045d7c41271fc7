import { existsSync } from "node:fs";
import { type ConsumerRecord, isMillraceError, type Millrace } from "millrace";
import { describe, expect, it } from "vitest";
import { createTestBroker, type TestBroker } from "./index.js";

const texts = (records: readonly ConsumerRecord[]): (string | null)[] =>
  records.map((record) => record.text());

async function fill(client: Millrace, topic: string, values: readonly string[]): Promise<void> {
  await client.producer().send(values.map((value) => ({ topic, value })));
}

/** The next records of a topic, from its first on. */
async function take(client: Millrace, topic: string, count: number): Promise<(string | null)[]> {
  const values: (string | null)[] = [];
  await using consumer = client.consumer({ topics: [topic], from: "earliest" });
  for await (const record of consumer) {
    values.push(record.text());
    if (values.length === count) {
      break;
    }
  }
  return values;
}

describe("a test broker", () => {
  it("serves real clients over a real socket", async () => {
    await using broker = await createTestBroker({ topics: ["orders"] });
    expect(broker.url).toBe(`ws://127.0.0.1:${broker.port}`);
    const sent = await broker.client().producer().send({ topic: "orders", value: "one" });
    expect(sent).toMatchObject({ offset: 0, fsynced: true, replicas: 1 });
    expect(await take(broker.client(), "orders", 1)).toEqual(["one"]);
  });

  it("has the topics and the configuration it was asked for", async () => {
    await using broker = await createTestBroker({
      topics: ["plain", { name: "wide", partitions: 4, config: { "retention.ms": "1000" } }],
      config: { "num.partitions": "2" },
    });
    await broker.createTopic("made", { partitions: 3 });
    const topics = await broker.client().admin().listTopics();
    expect(topics.map(({ name, partitions }) => [name, partitions]).sort()).toEqual([
      ["made", 3],
      ["plain", 2],
      ["wide", 4],
    ]);
    const config = await broker.client().admin().describeConfig({ topic: "wide" });
    expect(config.entries.find(({ key }) => key === "retention.ms")?.value).toBe("1000");
  });

  it("gives all records of a topic, by partition and offset", async () => {
    await using broker = await createTestBroker({ topics: [{ name: "t", partitions: 3 }] });
    expect(await broker.records("t")).toEqual([]);
    const producer = broker.client().producer();
    for (let index = 0; index < 9; index++) {
      await producer.send({ topic: "t", partition: 2 - (index % 3), value: `${index}` });
    }
    expect(texts(await broker.records("t"))).toEqual([..."258147036"]);
    await expect(broker.records("missing")).rejects.toMatchObject({
      code: "UNKNOWN_TOPIC_OR_PARTITION",
    });
  });

  it("lives beside others that know nothing of it", async () => {
    const brokers = await Promise.all(
      Array.from({ length: 8 }, () => createTestBroker({ topics: ["same"] })),
    );
    await Promise.all(
      brokers.map((broker, index) => fill(broker.client(), "same", [`broker ${index}`])),
    );
    const all = await Promise.all(brokers.map((broker) => broker.records("same")));
    expect(all.map(texts)).toEqual(brokers.map((_, index) => [`broker ${index}`]));
    expect(new Set(brokers.map(({ port }) => port)).size).toBe(8);
    await Promise.all(brokers.map((broker) => broker.close()));
  });

  it("closes twice, with its clients, and refuses everything afterwards", async () => {
    const broker = await createTestBroker({ topics: ["t"] });
    const client = broker.client();
    const sending = client.producer({ lingerMs: 1000 }).send({ topic: "t", value: "held" });
    await Promise.all([broker.close(), broker.close()]);
    expect(await sending).toMatchObject({ offset: 0 });
    expect(client.isClosed).toBe(true);
    expect(broker.isRunning).toBe(false);
    expect(() => broker.client()).toThrow(expect.objectContaining({ code: "CLOSED" }));
    expect(() => broker.restart()).toThrow(expect.objectContaining({ code: "CLOSED" }));
    await expect(broker.records("t")).rejects.toMatchObject({ code: "CLOSED" });
  });

  it("closes although a client still sends to a broker that is gone", async () => {
    const broker = await createTestBroker({ topics: ["t"] });
    const client = broker.client();
    const producer = client.producer();
    await producer.send({ topic: "t", value: "one" });
    await broker.kill();
    producer.send({ topic: "t", value: "never" }).catch(() => {});
    await broker.close();
    expect(client.isClosed).toBe(true);
  });

  it("refuses options that make no sense", async () => {
    await expect(createTestBroker({ config: { "no.such.key": "1" } })).rejects.toSatisfy(
      (error) => isMillraceError(error) && error.code === "INVALID_CONFIG",
    );
    await expect(createTestBroker({ topics: ["not a name"] })).rejects.toSatisfy(isMillraceError);
  });
});

describe("a test broker with a temporary directory", () => {
  it("keeps records over a restart, and removes the directory in the end", async () => {
    const broker = await createTestBroker({ dataDirectory: "temporary", topics: ["t"] });
    await fill(broker.client(), "t", ["a", "b"]);
    expect(existsSync(`${broker.dataDirectory}/t-0`)).toBe(true);
    await broker.restart();
    await broker.kill();
    await broker.restart();
    expect(texts(await broker.records("t"))).toEqual(["a", "b"]);
    await expect(broker.restart({ loseUnsynced: true })).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
    });
    await broker.close();
    expect(existsSync(broker.dataDirectory)).toBe(false);
  });
});

describe("a restart", () => {
  it("keeps the address, the cluster and every record; clients go on by themselves", async () => {
    await using broker = await createTestBroker({ topics: ["t"] });
    const { url } = broker;
    const client = broker.client();
    const producer = client.producer();
    await producer.send({ topic: "t", value: "before" });
    const { clusterId } = client;
    await broker.restart();
    await producer.send({ topic: "t", value: "after" });
    expect(broker.url).toBe(url);
    expect(client.clusterId).toBe(clusterId);
    expect(texts(await broker.records("t"))).toEqual(["before", "after"]);
  });

  it("after a power cut keeps what was synced and nothing else", async () => {
    await using broker = await createTestBroker({
      topics: ["safe", { name: "fast", config: { flush: "os", "flush.ms": "3600000" } }],
    });
    const producer = broker.client().producer();
    expect(await producer.send({ topic: "safe", value: "kept" })).toMatchObject({ fsynced: true });
    expect(await producer.send({ topic: "fast", value: "lost" })).toMatchObject({ fsynced: false });
    await broker.restart({ loseUnsynced: true });
    expect(texts(await broker.records("safe"))).toEqual(["kept"]);
    expect(texts(await broker.records("fast"))).toEqual([]);
  });

  it("after a kill keeps what was written, synced or not", async () => {
    await using broker = await createTestBroker({
      topics: [{ name: "fast", config: { flush: "os", "flush.ms": "3600000" } }],
    });
    await fill(broker.client(), "fast", ["kept"]);
    await broker.kill();
    expect(broker.isRunning).toBe(false);
    await expect(broker.records("fast")).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await broker.restart();
    expect(texts(await broker.records("fast"))).toEqual(["kept"]);
  });

  it("loses and repeats no acknowledged record over kills in the middle of sending", async () => {
    await using broker = await createTestBroker({ topics: ["t"] });
    const producer = broker.client().producer();
    const sending: Promise<unknown>[] = [];
    for (let index = 0; index < 60; index++) {
      sending.push(producer.send({ topic: "t", value: `${index}` }));
      if (index % 20 === 10) {
        await broker.kill();
        await broker.restart({ loseUnsynced: index === 30 });
      }
    }
    await Promise.all(sending);
    const expected = Array.from({ length: 60 }, (_, index) => `${index}`);
    expect(texts(await broker.records("t"))).toEqual(expected);
  });
});

describe("a fault", () => {
  const withBroker =
    (body: (broker: TestBroker, client: Millrace) => Promise<void>): (() => Promise<void>) =>
    async () => {
      await using broker = await createTestBroker({ topics: ["t"] });
      await body(broker, broker.client());
    };

  it(
    "of the connection is survived by a producer and a consumer",
    withBroker(async (broker, client) => {
      const consumer = client.consumer({ topics: ["t"], from: "earliest" });
      const records = consumer[Symbol.asyncIterator]();
      const producer = client.producer();
      for (let index = 0; index < 5; index++) {
        await producer.send({ topic: "t", value: `${index}` });
        const { value } = await records.next();
        expect(value?.text()).toBe(`${index}`);
        broker.dropConnections();
      }
      expect(texts(await broker.records("t"))).toEqual([..."01234"]);
    }),
  );

  it(
    "of refused connections lasts until it is healed",
    withBroker(async (broker, client) => {
      broker.refuse();
      await expect(broker.records("t")).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
      const refused = broker.client().admin().listTopics({ timeoutMs: 200 });
      await expect(refused).rejects.toMatchObject({ retriable: true });
      const sending = client.producer().send({ topic: "t", value: "patient" });
      broker.heal();
      expect(await sending).toMatchObject({ offset: 0 });
    }),
  );

  it(
    "of delay makes a short timeout fail, keeps the order, and ends when it is healed",
    withBroker(async (broker, client) => {
      const producer = client.producer();
      await producer.send({ topic: "t", value: "first" });
      broker.delay({ ms: 400 });
      await expect(client.admin().listTopics({ timeoutMs: 50 })).rejects.toMatchObject({
        retriable: true,
      });
      broker.delay({ ms: 30 });
      await Promise.all([1, 2, 3].map((value) => producer.send({ topic: "t", value: `${value}` })));
      broker.heal();
      expect(texts(await broker.records("t"))).toEqual(["first", "1", "2", "3"]);
      expect(() => broker.delay({ ms: Number.NaN })).toThrow(/ms >= 0/);
    }),
  );

  it(
    "of a failed sync acknowledges nothing and stops the broker",
    withBroker(async (broker, client) => {
      const producer = client.producer();
      await producer.send({ topic: "t", value: "kept" });
      const { failed } = broker;
      broker.failNextSync();
      const sending = producer.send({ topic: "t", value: "retried" });
      expect((await failed).message).toMatch(/sync/);
      expect(broker.isRunning).toBe(false);
      await broker.restart({ loseUnsynced: true });
      expect(await sending).toMatchObject({ offset: 1 });
      expect(texts(await broker.records("t"))).toEqual(["kept", "retried"]);
    }),
  );

  it(
    "of a full disk lets producers wait and consumers read on",
    withBroker(async (broker, client) => {
      const producer = client.producer();
      await producer.send({ topic: "t", value: "kept" });
      broker.fullDisk();
      const refused = client.producer({ deliveryTimeoutMs: 300, requestTimeoutMs: 200 });
      await expect(refused.send({ topic: "t", value: "refused" })).rejects.toSatisfy(
        isMillraceError,
      );
      expect(texts(await broker.records("t"))).toEqual(["kept"]);
      const sending = producer.send({ topic: "t", value: "patient" });
      broker.heal();
      await sending;
      expect(texts(await broker.records("t"))).toEqual(["kept", "patient"]);
    }),
  );

  it("can be there from the start", async () => {
    await using broker = await createTestBroker({ topics: ["t"], faults: { refuse: true } });
    await expect(broker.records("t")).rejects.toThrow(/heal\(\)/);
    broker.heal();
    expect(await broker.records("t")).toEqual([]);
  });
});
