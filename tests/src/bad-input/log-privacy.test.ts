import { encodeCbor, RecordBatchBuilder } from "@millrace/protocol";
import { nodeCompute } from "@millrace/runtime/node";
import { afterAll, describe, expect, it } from "vitest";
import type { BrokerProcess } from "../process/broker-process.js";
import { RawClient } from "./raw-client.js";
import { Scene } from "./scene.js";
import { webSocketFrame } from "./web-socket-frames.js";

const scene = new Scene();
afterAll(() => scene.end());

const canaries = {
  key: "canary-key-7f3a",
  value: "canary-value-9b1c",
  header: "canary-header-44d0",
  headerValue: "canary-header-value-2e6f",
  malformed: "canary-malformed-c5aa",
  text: "canary-text-frame-81f2",
  cookie: "canary-cookie-0b77",
  credentials: "canary-credentials-d94e",
};
const ESCAPE = "\u001b";
const nasty = `${ESCAPE}[31mred${ESCAPE}[0m\r\n{"level":"fatal","msg":"forged"}\u0000\u0007\u202e\u009b`;

function batch(): Uint8Array {
  const builder = new RecordBatchBuilder();
  const headers = [{ key: canaries.header, value: Buffer.from(canaries.headerValue) }];
  builder.append({ key: canaries.key, value: canaries.value, headers, timestamp: Date.now() });
  return builder.build({ compute: nodeCompute });
}

async function createTopic(client: RawClient, name: string): Promise<string> {
  const { body } = await client.request("createTopics", {
    topics: [{ name, partitions: 1, replicationFactor: 1, config: {} }],
    validateOnly: false,
    timeoutMs: 10_000,
  });
  return body.topics[0]?.topicId ?? "";
}

/** Sends the canaries on every way that ends in the log: accepted, refused, malformed, cut. */
async function provoke(broker: BrokerProcess): Promise<void> {
  const client = await RawClient.greeted(broker.port, `client ${nasty}`);
  const topicId = await createTopic(client, "private");
  await createTopic(client, `topic ${nasty}`);
  const good = batch();
  const bad = batch();
  bad[17] = (bad[17] ?? 0) ^ 1;
  for (const records of [good, bad, good.subarray(0, 70)]) {
    const partitions = [{ topicId, partition: 0, recordsLength: records.length }];
    await client.request("produce", { acks: -1, timeoutMs: 10_000, partitions }, records);
  }
  client.send(encodeCbor([0, 0, 9, { acks: canaries.value, [canaries.key]: canaries.value }]));
  await client.answer("produce");
  client.send(Buffer.from(`\u00ff${canaries.malformed}`));
  await client.closing();

  const unknown = await RawClient.open(broker.port);
  const hello = { software: nasty, softwareVersion: nasty, clientId: nasty, clusterId: nasty };
  await unknown.request("hello", hello);
  unknown.write(webSocketFrame(canaries.text, { opcode: 1 }));
  await unknown.closing();

  const page = await RawClient.tcp(broker.port);
  page.write(
    [
      `GET /?token=${canaries.credentials} HTTP/1.1`,
      "Host: localhost",
      "Connection: Upgrade",
      "Upgrade: websocket",
      "Sec-WebSocket-Version: 13",
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
      "Sec-WebSocket-Protocol: millrace.v1",
      `Cookie: session=${canaries.cookie}`,
      `Authorization: Bearer ${canaries.credentials}`,
      'Origin: http://evil.example"\u009b31m\u00e9',
      "",
      "",
    ].join("\r\n"),
  );
  await page.ended();
}

describe.each(["json", "text"])("the log as %s, at its most talkative", (format) => {
  it("holds no key, value, header, malformed bytes, cookie or credentials, and no control characters", async () => {
    const broker = await scene.broker({
      dataDirectory: scene.folder(format),
      arguments: ["--log-level", "trace", "--log-format", format],
      environment: { NO_COLOR: "1" },
    });
    await provoke(broker);
    await broker.kill("SIGTERM");
    const { log } = broker;

    expect(log.length).toBeLessThan(65_000);
    for (const [name, canary] of Object.entries(canaries)) {
      expect([name, log.includes(canary)]).toEqual([name, false]);
      const base64 = Buffer.from(canary).toString("base64").slice(0, -4);
      expect([name, log.includes(base64)]).toEqual([name, false]);
    }
    // What was done is there all the same.
    expect(log).toContain("client connected");
    expect(log).toContain("malformed frame");
    expect(log).toContain("a web page was refused");
    expect(log).toContain("[31mred");
    // Line feeds end lines; nothing else that a terminal would act on.
    expect([...log].filter((character) => /[\p{Cc}\p{Cf}]/u.test(character))).toEqual(
      [...log].filter((character) => character === "\n"),
    );
    // And no client can write a line of its own.
    expect(log.split("\n").filter((line) => line.startsWith('{"level":"fatal"'))).toEqual([]);
    const linePattern =
      format === "json" ? /^\{"level":"\w+","time":.*\}$/ : /^\[?\d{2}:\d{2}:\d{2}/;
    for (const line of log.split("\n").filter((text) => text !== "")) {
      expect(line).toMatch(linePattern);
    }
  });
});
