import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { BrokerProcess } from "../process/broker-process.js";
import { eventually } from "./eventually.js";
import { RawClient } from "./raw-client.js";
import { peakMemoryMib, resetPeakMemory, residentMemoryMib, Scene } from "./scene.js";
import { webSocketFrame } from "./web-socket-frames.js";
import type { Witness } from "./witness.js";

const scene = new Scene();
const COUNT = 1_000;
const QUEUED_MIB = 64;
/** Garbage that is not collected yet, most of it; without the bound it would be 1,000 MiB. */
const OVERHEAD_MIB = 192;
let broker: BrokerProcess;
let witness: Witness;

beforeAll(async () => {
  const queued = QUEUED_MIB * 1024 * 1024;
  broker = await scene.broker({
    arguments: ["--set", `queued.max.request.bytes=${queued}`, "connections.max=1050"],
  });
  witness = await scene.witness(broker);
});
afterAll(() => scene.end());

async function crowd(count: number): Promise<RawClient[]> {
  return await Promise.all(Array.from({ length: count }, () => RawClient.greeted(broker.port)));
}

async function disperse(clients: readonly RawClient[]): Promise<void> {
  for (const client of clients) {
    client.destroy();
  }
  await eventually(async () => (await openConnections()) < 20, "the broker to notice");
}

async function openConnections(): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${broker.port}/health`);
  const { connections } = (await response.json()) as { connections: number };
  return connections;
}

describe("a thousand connections at once", () => {
  it("are all served, and so are the clients that were there", async () => {
    await witness.during(async () => {
      const clients = await crowd(COUNT);
      const answers = await Promise.all(
        clients.map((client) => client.request("describeCluster", {})),
      );
      expect(answers.filter(({ error }) => error === "NONE")).toHaveLength(COUNT);
      expect(await openConnections()).toBeGreaterThanOrEqual(COUNT);
      await disperse(clients);
    });
  });

  it("beyond connections.max get 503, and are let in when others have left", async () => {
    await witness.during(async () => {
      const clients = await crowd(COUNT);
      const late = await Promise.all(
        Array.from({ length: 100 }, () => RawClient.knock(broker.port)),
      );
      const refused = late.filter(({ status }) => status === 503);
      expect(refused.length).toBeGreaterThanOrEqual(50);
      expect(refused[0]?.httpText).toContain("too many connections");
      await disperse([...clients, ...late]);
      const later = await RawClient.greeted(broker.port);
      expect((await later.request("describeCluster", {})).error).toBe("NONE");
      later.destroy();
    });
  });

  it("that are reset in the middle of the upgrade leave nothing behind", async () => {
    await witness.during(async () => {
      const clients = await Promise.all(
        Array.from({ length: COUNT }, () => RawClient.tcp(broker.port)),
      );
      for (const client of clients) {
        client.write("GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n");
        client.socket.resetAndDestroy();
      }
      await disperse(clients);
    });
  });
});

describe("a thousand connections that each send all but one byte of a maximal frame", () => {
  it("cost queued.max.request.bytes and overhead, not a gigabyte; the oldest are cut", async () => {
    const clients = await crowd(COUNT);
    const [first] = clients;
    const { maxFrameBytes } = (await first?.hello())?.body.limits ?? { maxFrameBytes: 0 };
    expect(maxFrameBytes).toBeGreaterThan(1024 * 1024);
    const frame = webSocketFrame(Buffer.alloc(maxFrameBytes, 0xa0));
    const start = frame.subarray(0, -1);
    resetPeakMemory(broker.pid);
    const before = residentMemoryMib(broker.pid);
    await witness.during(async () => {
      await Promise.all(
        clients.map(
          (client) =>
            new Promise<void>((resolve) => {
              client.socket.once("close", () => resolve());
              client.socket.write(start, () => resolve());
            }),
        ),
      );
      await eventually(
        () => clients.filter(({ isClosed }) => isClosed).length >= COUNT - 2 * QUEUED_MIB,
        "the broker to cut the oldest",
      );
    });
    expect(peakMemoryMib(broker.pid) - before).toBeLessThan(QUEUED_MIB + OVERHEAD_MIB);
    expect(broker.log).toContain("unfinished messages exceed");

    await witness.during(async () => {
      const survivors = clients.filter(({ isClosed }) => !isClosed);
      expect(survivors.length).toBeGreaterThan(0);
      const last = survivors.at(-1);
      last?.write(frame.subarray(-1));
      expect((await last?.closing())?.error).toBe("INVALID_REQUEST");
      await disperse(clients);
    });
  });
});
