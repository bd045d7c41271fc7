import { encodeRequest } from "@millrace/protocol";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { BrokerProcess } from "../process/broker-process.js";
import { eventually } from "./eventually.js";
import { RawClient, upgradeRequest } from "./raw-client.js";
import { MIB, peakMemoryMib, resetPeakMemory, residentMemoryMib, Scene } from "./scene.js";
import { frameHeader, webSocketFrame } from "./web-socket-frames.js";
import type { Witness } from "./witness.js";

const scene = new Scene();
const RECORD_BYTES = 512 * 1024;
const RECORDS = 32;
let broker: BrokerProcess;
let witness: Witness;
let topicId = "";

beforeAll(async () => {
  broker = await scene.broker({
    arguments: [
      "--set",
      "connection.hello.timeout.ms=1500",
      "connection.partial.message.timeout.ms=1500",
      "connection.output.timeout.ms=1500",
      "connections.max.idle.ms=4000",
    ],
  });
  witness = await scene.witness(broker);
  const created = await witness.client.admin().createTopic("large", { partitions: 1 });
  topicId = String(created.topicId);
  const producer = witness.client.producer();
  await producer.send(
    Array.from({ length: RECORDS }, () => ({ topic: "large", value: Buffer.alloc(RECORD_BYTES) })),
  );
});
afterAll(() => scene.end());

function fetchEverything(correlationId: number): Buffer {
  const maxBytes = RECORDS * RECORD_BYTES;
  const partition = {
    topicId,
    partition: 0,
    fetchOffset: 0,
    maxBytes,
    currentLeaderEpoch: -1,
    lastFetchedEpoch: -1,
    flushedOffset: -1,
    logStartOffset: -1,
  };
  return webSocketFrame(
    Buffer.concat(
      encodeRequest("fetch", correlationId, {
        replicaId: -1,
        maxWaitMs: 0,
        minBytes: 1,
        maxBytes,
        isolationLevel: 0,
        sessionId: 0,
        sessionEpoch: -1,
        partitions: [partition],
        forgotten: [],
        rack: null,
      }),
    ),
  );
}

describe("a client that asks for much and reads nothing", () => {
  it("is cut, costs the broker less than 160 MiB though ten ask for 5 GiB, and others go on", async () => {
    resetPeakMemory(broker.pid);
    const before = residentMemoryMib(broker.pid);
    await witness.during(async () => {
      const clients = await Promise.all(
        Array.from({ length: 10 }, () => RawClient.greeted(broker.port)),
      );
      const requests = Buffer.concat(Array.from({ length: 32 }, (_, id) => fetchEverything(id)));
      for (const client of clients) {
        client.socket.pause();
        client.write(requests);
      }
      await eventually(
        () => broker.log.split("the client does not read its answers").length > clients.length,
        "the broker to cut all of them",
      );
      for (const client of clients) {
        client.socket.resume();
        await client.ended();
        expect(client.receivedBytes).toBeLessThan(64 * MIB);
      }
    });
    expect(peakMemoryMib(broker.pid) - before).toBeLessThan(160);
  });

  it("is served when it reads after all, late but steadily", async () => {
    await witness.during(async () => {
      const client = await RawClient.greeted(broker.port);
      client.write(Buffer.concat([fetchEverything(1), fetchEverything(2)]));
      for (let answers = 0; answers < 2; answers++) {
        const { error, body, records } = await client.answer("fetch");
        expect(error).toBe("NONE");
        expect(records.length).toBe(body.partitions[0]?.recordsLength);
        expect(records.length).toBeGreaterThan(8 * MIB);
      }
      client.destroy();
    });
  });
});

/** Sends one byte a second until the broker has had enough. */
async function drip(client: RawClient, bytes: Uint8Array): Promise<void> {
  let position = 0;
  const timer = setInterval(() => {
    client.write(bytes.subarray(position, position + 1));
    position += 1;
  }, 1_000);
  try {
    await client.ended();
  } finally {
    clearInterval(timer);
  }
  expect(position).toBeLessThan(bytes.length);
}

describe("a client that sends a byte a second", () => {
  it("is cut within the HTTP head, the hello, a frame's header, its payload and between fragments", async () => {
    await witness.during(async () => {
      const head = await RawClient.tcp(broker.port);
      const unintroduced = await RawClient.open(broker.port);
      const header = await RawClient.greeted(broker.port);
      const payload = await RawClient.greeted(broker.port);
      payload.write(frameHeader(100_000));
      const fragments = await RawClient.greeted(broker.port);
      fragments.write(webSocketFrame("x", { isFinal: false }));
      const silent = await RawClient.tcp(broker.port);
      const hello = webSocketFrame(Buffer.alloc(200));
      const emptyFragments = Buffer.concat(
        Array.from({ length: 30 }, () => webSocketFrame("", { isFinal: false, opcode: 0 })),
      );
      await Promise.all([
        drip(head, Buffer.from(upgradeRequest(broker.port, { subProtocol: "millrace.v1" }))),
        drip(unintroduced, hello),
        drip(header, frameHeader(100_000)),
        drip(payload, Buffer.alloc(1_000)),
        drip(fragments, emptyFragments),
        silent.ended(),
      ]);
      expect(head.httpText).toContain("HTTP/1.1 408");
      expect((await unintroduced.closing()).reason).toMatch(/no hello in time|^$/);
    });
    expect(broker.log).toContain("the request head took too long");
    expect(broker.log).toContain("an unfinished message made no progress for 1500 ms");
  });

  it("is cut with 1008 when it opened a WebSocket and says nothing", async () => {
    await witness.during(async () => {
      const client = await RawClient.open(broker.port);
      expect(await client.closing()).toMatchObject({ code: 1008, reason: "no hello in time" });
    });
  });

  it("is not the one that pauses between whole requests: that is fine", async () => {
    await witness.during(async () => {
      const client = await RawClient.greeted(broker.port);
      for (let count = 0; count < 2; count++) {
        await new Promise((resolve) => setTimeout(resolve, 2_000));
        expect((await client.request("describeCluster", {})).error).toBe("NONE");
      }
      client.destroy();
    });
  });
});
