import { describe, expect, it } from "vitest";
import type { CloseReason, Connection } from "../network.js";
import type { SimNode } from "./sim-node.js";
import { Simulation, type SimulationOptions } from "./simulation.js";

const limits = {
  maxMessageBytes: 1 << 24,
  maxPartialBytes: 1 << 26,
  partialMessageTimeoutMs: 10_000,
  maxConnections: 100,
  handshakeTimeoutMs: 1_000,
};
const dialOptions = { maxMessageBytes: 1 << 24, connectTimeoutMs: 5_000 };

/** One end, with what it saw. */
class End {
  connection: Connection | undefined;
  readonly messages: Uint8Array[] = [];
  readonly closes: CloseReason[] = [];

  attach = (connection: Connection) => {
    this.connection = connection;
    return {
      onMessage: (message: Uint8Array) => void this.messages.push(message),
      onClose: (reason: CloseReason) => void this.closes.push(reason),
    };
  };

  send(...bytes: number[]): void {
    this.connection?.send([Uint8Array.from(bytes)]);
  }

  get firsts(): (number | undefined)[] {
    return this.messages.map((message) => message[0]);
  }
}

interface Scene {
  readonly simulation: Simulation;
  readonly client: SimNode;
  readonly server: SimNode;
  readonly near: End;
  readonly far: End;
}

async function listenOn(node: SimNode, end: End, host = "0.0.0.0"): Promise<void> {
  await node.runtime().network.listen({
    host,
    port: 9092,
    limits,
    allowUpgrade: (request) => (request.headers["origin"] === "http://evil" ? "origin" : true),
    onConnection: end.attach,
    onHttpRequest: (request) => ({ status: 200, body: `${request.method} ${request.path}` }),
  });
}

/** A client connected to a server. */
async function withScene(
  body: (scene: Scene) => Promise<void>,
  options: Partial<SimulationOptions> = {},
): Promise<void> {
  const simulation = new Simulation({ seed: 11, ...options });
  const [client, server] = [simulation.node("client"), simulation.node("server")];
  const [near, far] = [new End(), new End()];
  await simulation.run(async () => {
    await listenOn(server, far);
    await client.runtime().network.dial("ws://server:9092/", dialOptions, near.attach);
    await body({ simulation, client, server, near, far });
  });
  expect(simulation.handlerErrors).toEqual([]);
}

describe("a partition", () => {
  it("holds messages back both ways and delivers all of them, in order, after it heals", () =>
    withScene(async ({ simulation, near, far }) => {
      simulation.network.partition("client", "server");
      for (let index = 0; index < 5; index++) {
        near.send(index);
        far.send(index);
        await simulation.sleep(1_000);
      }
      expect([near.messages.length, far.messages.length]).toEqual([0, 0]);
      simulation.network.heal("client", "server");
      near.send(5);
      await simulation.sleep(1_000);
      expect(far.firsts).toEqual([0, 1, 2, 3, 4, 5]);
      expect(near.firsts).toEqual([0, 1, 2, 3, 4]);
    }));

  it("of one way lets the other pass", () =>
    withScene(async ({ simulation, near, far }) => {
      simulation.network.partition("client", "server", { oneWay: true });
      near.send(1);
      far.send(2);
      await simulation.sleep(1_000);
      expect(far.firsts).toEqual([]);
      expect(near.firsts).toEqual([2]);
    }));

  it("fills the sender's buffer, since nothing is acknowledged", () =>
    withScene(async ({ simulation, near, far }) => {
      simulation.network.partition("server", "client", { oneWay: true });
      for (let index = 0; index < 64; index++) {
        near.connection?.send([new Uint8Array(65_536)]);
      }
      await simulation.sleep(1_000);
      expect(far.messages.length).toBeLessThan(16);
      expect(near.connection?.bufferedBytes).toBeGreaterThan(2_000_000);
      simulation.network.heal();
      await simulation.sleep(1_000);
      expect(far.messages.length).toBe(64);
    }));

  it("makes a dial time out, and succeed when it heals in time", () =>
    withScene(async ({ simulation, client, server }) => {
      const { network } = client.runtime();
      simulation.network.isolate(server);
      const dial = () => network.dial("ws://server:9092", dialOptions, new End().attach);
      await expect(dial()).rejects.toMatchObject({ code: "TIMEOUT" });
      const work = dial();
      await simulation.sleep(2_000);
      simulation.network.heal();
      expect((await work).isOpen).toBe(true);
    }));

  it("keeps the news of a crash away until it heals", () =>
    withScene(async ({ simulation, server, near }) => {
      simulation.network.partition("client", "server");
      server.crash();
      await simulation.sleep(60_000);
      expect(near.closes).toEqual([]);
      simulation.network.heal();
      await simulation.sleep(1_000);
      expect(near.closes[0]?.code).toBe(1_006);
    }));
});

describe("a broken connection", () => {
  it("by reset loses what is on the way, and both ends see 1006", () =>
    withScene(async ({ simulation, near, far }) => {
      near.send(1);
      await simulation.sleep(0.05);
      simulation.network.reset("client", "server");
      await simulation.sleep(100);
      expect(far.messages).toEqual([]);
      expect(near.closes.map((close) => close.code)).toEqual([1_006]);
      expect(far.closes.map((close) => close.code)).toEqual([1_006]);
      expect(simulation.network.connectionCount).toBe(0);
    }));

  it("by a black hole tells nobody; a new connection works", () =>
    withScene(async ({ simulation, client, near, far }) => {
      simulation.network.blackHole("client", "server");
      near.send(1);
      await simulation.sleep(60_000);
      expect(far.messages).toEqual([]);
      expect([...near.closes, ...far.closes]).toEqual([]);
      near.connection?.terminate();
      const second = new End();
      await client.runtime().network.dial("ws://server:9092", dialOptions, second.attach);
      second.send(2);
      await simulation.sleep(10);
      expect(far.firsts).toEqual([2]);
    }));

  it("happens at the rates of the fault model", () =>
    withScene(
      async ({ simulation, client }) => {
        const { network } = client.runtime();
        for (let round = 0; round < 60; round++) {
          const end = new End();
          const connection = await network.dial("ws://server:9092", dialOptions, end.attach);
          end.send(1);
          await simulation.sleep(100);
          connection.terminate();
        }
        for (const kind of ["net.reset", "net.blackHole", "net.spike"]) {
          expect(simulation.faultCounts.get(kind), kind).toBeGreaterThan(3);
        }
      },
      {
        faults: { network: { resetRate: 0.2, blackHoleRate: 0.2, spikeRate: 0.1, maxSpikeMs: 50 } },
      },
    ));
});

describe("a server that goes down", () => {
  it("resets its connections when killed, and refuses dials until it listens again", () =>
    withScene(async ({ simulation, client, server, near, far }) => {
      server.crash();
      await simulation.sleep(10);
      expect(near.closes[0]?.code).toBe(1_006);
      expect(far.closes).toEqual([]);
      const { network } = client.runtime();
      const dial = () => network.dial("ws://server:9092", dialOptions, new End().attach);
      await expect(dial()).rejects.toMatchObject({ code: "REFUSED" });
      await listenOn(server, new End());
      expect((await dial()).isOpen).toBe(true);
    }));

  it("says nothing when its power goes silently: its peers wait until it is back", () =>
    withScene(async ({ simulation, client, server, near }) => {
      server.crash({ powerLoss: true, isSilent: true });
      near.send(1);
      await simulation.sleep(60_000);
      expect(near.closes).toEqual([]);
      const dial = client.runtime().network.dial("ws://server:9092", dialOptions, near.attach);
      await expect(dial).rejects.toMatchObject({ code: "TIMEOUT" });
      server.runtime();
      await simulation.sleep(1_000);
      expect(near.closes[0]?.code).toBe(1_006);
    }));

  it("does not exist under another name", () =>
    withScene(async ({ client }) => {
      const dial = client.runtime().network.dial("ws://nobody:9092", dialOptions, new End().attach);
      await expect(dial).rejects.toMatchObject({ code: "UNREACHABLE" });
    }));
});

describe("a connection", () => {
  it("sends what the chunks hold when they leave, so that a reused buffer shows", () =>
    withScene(async ({ simulation, near, far }) => {
      const reused = Uint8Array.of(1);
      near.connection?.send([reused]);
      reused[0] = 2;
      await simulation.sleep(10);
      reused[0] = 3;
      expect(far.firsts).toEqual([2]);
    }));

  it("takes the time that its link's bandwidth needs", () =>
    withScene(async ({ simulation, near, far }) => {
      simulation.network.setLink("client", "server", { bytesPerMs: 1_000 });
      near.connection?.send([new Uint8Array(1_000_000)]);
      await simulation.sleep(900);
      expect(far.messages.length).toBe(0);
      await simulation.sleep(200);
      expect(far.messages.length).toBe(1);
      simulation.network.setLink("client", "server", { minLatencyMs: 500, maxLatencyMs: 500 });
      near.send(1);
      await simulation.sleep(499);
      expect(far.messages.length).toBe(1);
      await simulation.sleep(2);
      expect(far.messages.length).toBe(2);
    }));

  it("stays in order through delay spikes", () =>
    withScene(
      async ({ simulation, near, far }) => {
        for (let index = 0; index < 200; index++) {
          near.send(index);
          await simulation.sleep(0.3);
        }
        await simulation.sleep(1_000);
        expect(far.firsts).toEqual(Array.from({ length: 200 }, (_, index) => index));
        expect(simulation.faultCounts.get("net.spike")).toBeGreaterThan(5);
      },
      { faults: { network: { spikeRate: 0.1, maxSpikeMs: 100 } } },
    ));

  it("shows the listener its origin, and is refused for a wrong one", async () => {
    const simulation = new Simulation({ seed: 1 });
    const end = new End();
    await simulation.run(async () => {
      await listenOn(simulation.node("server"), end);
      const evil = simulation.node("browser").runtime({ origin: "http://evil" }).network;
      await expect(
        evil.dial("ws://server:9092", dialOptions, new End().attach),
      ).rejects.toMatchObject({ code: "REJECTED", status: 403 });
      const good = simulation.node("browser").runtime({ origin: "http://good" }).network;
      await good.dial("ws://server:9092", dialOptions, new End().attach);
    });
    expect(end.connection).toMatchObject({ origin: "http://good", host: "server:9092" });
  });

  it("reaches a loopback listener from its own machine only", async () => {
    const simulation = new Simulation({ seed: 1 });
    const server = simulation.node("server");
    await simulation.run(async () => {
      await listenOn(server, new End(), "127.0.0.1");
      const other = simulation.node("other").runtime().network;
      const dial = other.dial("ws://server:9092", dialOptions, new End().attach);
      await expect(dial).rejects.toMatchObject({ code: "REFUSED" });
      await server.runtime().network.dial("ws://127.0.0.1:9092", dialOptions, new End().attach);
      await expect(
        server.runtime().network.listen({
          host: "elsewhere",
          port: 0,
          limits,
          allowUpgrade: () => true,
          onConnection: new End().attach,
          onHttpRequest: () => ({ status: 200, body: "" }),
        }),
      ).rejects.toMatchObject({ code: "ADDRESS_NOT_AVAILABLE" });
    });
  });

  it("answers plain HTTP on the same port", () =>
    withScene(async ({ client }) => {
      const response = await client.request("http://server:9092/health");
      expect(response).toEqual({ status: 200, body: "GET /health" });
      await expect(client.request("http://server:1/")).rejects.toMatchObject({ code: "REFUSED" });
    }));

  it("is lost alone when its handler throws, and the test can see why", async () => {
    const simulation = new Simulation({ seed: 1 });
    const bug = new Error("a bug in the handler");
    await simulation.run(async () => {
      await listenOn(simulation.node("server"), new End());
      await simulation
        .node("client")
        .runtime()
        .network.dial("ws://server:9092", dialOptions, () => ({
          onMessage: () => {},
          onClose: () => {
            throw bug;
          },
        }))
        .then((connection) => connection.terminate());
      await simulation.sleep(10);
    });
    expect(simulation.handlerErrors).toEqual([bug]);
  });
});

describe("the weather", () => {
  it("partitions, pauses and jumps by itself, and stops when it is calmed", async () => {
    const simulation = new Simulation({
      seed: 21,
      faults: {
        network: { partitionEveryMs: 500, maxPartitionMs: 300 },
        node: { pauseEveryMs: 500, maxPauseMs: 100, clockJumpEveryMs: 500, maxClockJumpMs: 1_000 },
      },
    });
    await simulation.run(async () => {
      for (const name of ["one", "two", "three"]) {
        simulation.node(name).runtime();
      }
      await simulation.sleep(60_000);
      const kinds = ["net.partition", "net.oneWayPartition", "node.pause", "node.clockJump"];
      for (const kind of kinds) {
        expect(simulation.faultCounts.get(kind), kind).toBeGreaterThan(5);
      }
      simulation.calm();
      const before = [...simulation.faultCounts];
      await simulation.sleep(60_000);
      expect([...simulation.faultCounts]).toEqual(before);
    });
  });
});
