// The SDK against a real broker in this process, over real sockets and files.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLogger } from "@millrace/runtime";
import { createBrowserRuntime } from "@millrace/runtime/browser";
import { type RunningServer, startServer } from "@millrace/server";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { Millrace as BrowserMillrace } from "./browser.js";
import { type ConsumerRecord, Millrace } from "./index.js";

const directory = mkdtempSync(join(tmpdir(), "millrace-sdk-"));
let server: RunningServer;

const start = (port: number): Promise<RunningServer> =>
  startServer({ port, dataDirectory: join(directory, "data"), logger: silentLogger });

const quiet = (bootstrap: string): Millrace => new Millrace({ bootstrap, logger: silentLogger });

async function read(
  records: AsyncIterable<ConsumerRecord>,
  count: number,
): Promise<ConsumerRecord[]> {
  const all: ConsumerRecord[] = [];
  for await (const record of records) {
    all.push(record);
    if (all.length === count) {
      break;
    }
  }
  return all;
}

beforeAll(async () => {
  server = await start(0);
});

afterAll(async () => {
  await server.stop();
  rmSync(directory, { recursive: true });
});

describe("Millrace", () => {
  it("creates a topic, sends to it and reads it back in order", async () => {
    await using client = quiet(server.url);
    expect(client.clusterId).toBeNull();
    await client.admin().createTopic("orders", { partitions: 3 });
    const producer = client.producer();
    const sent = await Promise.all(
      Array.from({ length: 300 }, (_, number) =>
        producer.send({ topic: "orders", key: `${number % 10}`, value: `${number}` }),
      ),
    );
    expect(client.clusterId).toBe(server.clusterId);
    const places = new Set(sent.map(({ partition, offset }) => `${partition}/${offset}`));
    expect(places.size).toBe(300);
    expect(sent.every(({ fsynced, replicas }) => fsynced && replicas === 1)).toBe(true);
    const records = await read(client.consumer({ topics: ["orders"], from: "earliest" }), 300);
    for (let key = 0; key < 10; key++) {
      const values = records
        .filter((record) => record.keyText() === `${key}`)
        .map((record) => Number(record.text()));
      expect(values).toEqual(Array.from({ length: 30 }, (_, index) => index * 10 + key));
    }
  });

  it("speaks from the browser entry too, over a browser's WebSocket", async () => {
    const runtime = createBrowserRuntime({ logger: silentLogger, webSocket: WebSocket as never });
    await using client = new BrowserMillrace({ bootstrap: server.url, runtime });
    await client.admin().createTopic("from-a-page");
    await client.producer().send({ topic: "from-a-page", value: "hello" });
    const [record] = await read(client.consumer({ topics: ["from-a-page"], from: "earliest" }), 1);
    expect(record?.text()).toBe("hello");
  });

  it("goes on by itself after the broker was stopped and started again", async () => {
    await using client = quiet(server.url);
    await client.admin().createTopic("steady");
    const producer = client.producer();
    const consumer = client.consumer({ topics: ["steady"], from: "earliest" });
    await producer.send({ topic: "steady", value: "before" });
    const reading = read(consumer, 2);
    const { port } = server;
    await server.stop();
    const sending = producer.send({ topic: "steady", value: "after" });
    server = await start(port);
    expect((await sending).offset).toBe(1);
    expect((await reading).map((record) => record.text())).toEqual(["before", "after"]);
  });

  it("gives up what cannot be sent when the time given to close is over", async () => {
    const client = quiet("ws://127.0.0.1:1");
    const lost = client
      .producer()
      .send({ topic: "orders", value: "never" })
      .catch((error: unknown) => error);
    await client.close({ timeoutMs: 20 });
    expect(await lost).toMatchObject({ code: "CLOSED", details: { definite: true } });
  });

  it("sends what producers hold before it closes, and then is closed for everybody", async () => {
    const client = quiet(server.url);
    const admin = client.admin();
    await admin.createTopic("last-words");
    const producer = client.producer({ lingerMs: 10_000 });
    const consumer = client.consumer({ topics: ["last-words"], from: "earliest" });
    const waiting = read(consumer, 1000).catch((error: unknown) => error);
    const sending = Array.from({ length: 100 }, (_, number) =>
      producer.send({ topic: "last-words", value: `${number}` }),
    );
    await Promise.all([client.close(), client.close()]);
    expect((await Promise.all(sending)).map(({ offset }) => offset)).toEqual(
      Array.from({ length: 100 }, (_, offset) => offset),
    );
    await waiting;
    expect(client.isClosed).toBe(true);
    await expect(producer.send({ topic: "last-words", value: "x" })).rejects.toMatchObject({
      code: "CLOSED",
    });
    await expect(admin.listTopics()).rejects.toMatchObject({ code: "CLOSED" });
    expect(() => client.producer()).toThrow("CLOSED");
    await client.close();
  });

  it("says how to create a topic that does not exist, from producer and consumer", async () => {
    await using client = quiet(server.url);
    const hint = "millrace topics create nowhere";
    await expect(client.producer().send({ topic: "nowhere", value: "x" })).rejects.toThrow(hint);
    await expect(read(client.consumer({ topics: ["nowhere"] }), 1)).rejects.toThrow(hint);
  });

  it("administers topics, configurations and offsets", async () => {
    await using client = quiet(server.url);
    const admin = client.admin();
    await admin.createTopic("ledger", { partitions: 2, config: { "retention.ms": 60_000 } });
    expect(await admin.createTopic("ledger", { ifNotExists: true })).toMatchObject({
      partitions: 2,
      created: false,
    });
    await expect(admin.createTopic("ledger")).rejects.toMatchObject({
      code: "TOPIC_ALREADY_EXISTS",
    });
    await admin.alterConfig({ topic: "ledger" }, { set: { "retention.ms": 120_000 } });
    const { entries } = await admin.describeConfig({ topic: "ledger" }, { keys: ["retention.ms"] });
    expect(entries).toMatchObject([{ key: "retention.ms", value: "120000", source: "topic" }]);
    await admin.createPartitions("ledger", 4);
    const producer = client.producer();
    for (let number = 0; number < 5; number++) {
      await producer.send({
        topic: "ledger",
        partition: 3,
        value: `${number}`,
        timestamp: number + 1,
      });
    }
    const at = async (spec: Parameters<typeof admin.listOffsets>[1]) =>
      (await admin.listOffsets("ledger", spec, { partitions: [3] }))[0]?.offset;
    expect(await at("latest")).toBe(5);
    expect(await at({ timestamp: 3 })).toBe(2);
    expect(await at({ timestamp: 999 })).toBeNull();
    expect(await at("maxTimestamp")).toBe(4);
    expect(await admin.deleteRecords("ledger", [{ partition: 3, beforeOffset: 2 }])).toEqual([
      { partition: 3, lowWatermark: 2 },
    ]);
    expect(await at("earliest")).toBe(2);
    const { partitions } = await admin.describeTopic("ledger");
    expect(partitions[3]).toMatchObject({ logStartOffset: 2, highWatermark: 5, state: "online" });
    const results = await admin.deleteTopics(["ledger", "nowhere"]);
    expect(results.map(({ ok }) => ok)).toEqual([true, false]);
    await expect(admin.describeTopic("ledger")).rejects.toMatchObject({
      code: "UNKNOWN_TOPIC_OR_PARTITION",
    });
  });

  it("refuses an address that cannot be one, at once", () => {
    expect(() => new Millrace("http://127.0.0.1:9092")).toThrow("write ws:// instead");
    expect(() => new Millrace([])).toThrow("at least one");
  });
});
