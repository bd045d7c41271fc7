// What a producer does for an application, against a real broker: codecs, a shrunken limit, diagnostics.

import { subscribe, unsubscribe } from "node:diagnostics_channel";
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

const directory = mkdtempSync(join(tmpdir(), "millrace-producing-"));
let server: RunningServer;
let client: Millrace;

beforeAll(async () => {
  server = await startServer({ port: 0, dataDirectory: directory, logger: silentLogger });
  client = new Millrace({ bootstrap: server.url, logger: silentLogger });
});

afterAll(async () => {
  await client.close();
  await server.stop();
  rmSync(directory, { recursive: true });
});

const createBrowserClient = (): BrowserMillrace =>
  new BrowserMillrace({
    bootstrap: server.url,
    runtime: createBrowserRuntime({ logger: silentLogger, webSocket: WebSocket as never }),
  });

async function readTexts(
  records: AsyncIterable<ConsumerRecord>,
  count: number,
): Promise<(string | null)[]> {
  const texts: (string | null)[] = [];
  for await (const record of records) {
    texts.push(record.text());
    if (texts.length === count) {
      break;
    }
  }
  return texts;
}

describe("compression", () => {
  const values = Array.from({ length: 200 }, (_, index) => `the mill grinds slowly ${index % 9}`);

  it.each(["none", "gzip", "snappy", "lz4", "zstd"] as const)(
    "by %s travels from Node to Node and to a browser, smaller than it was",
    async (compression) => {
      const topic = `packed-${compression}`;
      await client.admin().createTopic(topic);
      const producer = client.producer({ compression });
      await producer.send(values.map((value) => ({ topic, value })));
      const { bytesSent } = producer.metrics();
      if (compression !== "none") {
        expect(bytesSent).toBeLessThan(values.join("").length);
      }
      await using consumer = client.consumer({ topics: topic, from: "earliest" });
      expect(await readTexts(consumer, 200)).toEqual(values);
      await using page = createBrowserClient();
      const inPage = page.consumer({ topics: topic, from: "earliest" });
      expect(await readTexts(inPage, 200)).toEqual(values);
    },
  );

  it.each(["gzip", "snappy", "lz4"] as const)(
    "by %s works in a browser, too",
    async (compression) => {
      const topic = `from-page-${compression}`;
      await client.admin().createTopic(topic);
      await using page = createBrowserClient();
      await page.producer({ compression }).send(values.map((value) => ({ topic, value })));
      await using consumer = client.consumer({ topics: topic, from: "earliest" });
      expect(await readTexts(consumer, 200)).toEqual(values);
    },
  );

  it("by zstd is refused in a browser at once, with what it has instead", async () => {
    await using page = createBrowserClient();
    expect(() => page.producer({ compression: "zstd" })).toThrow(
      expect.objectContaining({
        code: "UNSUPPORTED_COMPRESSION_TYPE",
        message: expect.stringMatching(/cannot write zstd; choose one of none, gzip, snappy, lz4/),
      }),
    );
  });
});

describe("a producer", () => {
  it("splits its batch when the topic's limit has shrunk since it looked", async () => {
    const topic = "shrunken";
    const admin = client.admin();
    await admin.createTopic(topic);
    const producer = client.producer();
    await producer.send({ topic, value: "first" });
    await admin.alterConfig({ topic }, { set: { "max.message.bytes": 2_000 } });
    const values = Array.from({ length: 40 }, (_, index) => `${index}`.padEnd(400, "."));
    const sent = await producer.send(values.map((value) => ({ topic, value })));
    expect([...sent].map(({ offset }) => offset)).toEqual(values.map((_, index) => index + 1));
    expect(producer.metrics()).toMatchObject({ recordsAcknowledged: 41, recordsFailed: 0 });
    await using consumer = client.consumer({ topics: topic, from: { offset: 1 } });
    expect(await readTexts(consumer, 40)).toEqual(values);
  });

  it("tells subscribers of node:diagnostics_channel of each batch, good or bad", async () => {
    const topic = "observed";
    await client.admin().createTopic(topic);
    const heard: Record<string, unknown>[] = [];
    const listener = (message: unknown): void => {
      heard.push(message as Record<string, unknown>);
    };
    subscribe("millrace:producer:batch", listener);
    try {
      const producer = client.producer();
      await producer.send({ topic, value: "good" });
      const tooOld = producer.send({ topic, value: "bad", timestamp: Date.now() + 1e12 });
      await expect(tooOld).rejects.toMatchObject({ code: "INVALID_TIMESTAMP" });
    } finally {
      unsubscribe("millrace:producer:batch", listener);
    }
    expect(heard).toMatchObject([
      { topic, partition: 0, records: 1, attempts: 1, baseOffset: 0, error: undefined },
      { topic, partition: 0, records: 1, attempts: 1, error: "INVALID_TIMESTAMP" },
    ]);
  });
});
