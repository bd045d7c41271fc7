import { describe, expect, it } from "vitest";
import type { ClusterClient } from "./cluster-client.js";
import type { FakeAnswer } from "./test-support/fake-broker.js";
import { codeOf, inWorld, type World } from "./test-support/world.js";

const ask = (client: ClusterClient, timeoutMs?: number): Promise<unknown> =>
  client.request({ nodeId: 1 }, "describeCluster", {}, { timeoutMs });

describe("a connection that breaks", () => {
  it("rejects what was written as unknown, what was not as never sent, and then works again", () =>
    inWorld(async (world) => {
      let answer: FakeAnswer = "none";
      const broker = await world.broker("broker", { limits: { maxInFlightRequests: 2 } });
      const client = world.client();
      await ask(client);
      broker.handlers.describeCluster = () => answer;
      const requests = [ask(client), ask(client), ask(client), ask(client)];
      await world.simulation.sleep(50);
      broker.connections[0]?.terminate();
      expect(await Promise.all(requests.map(codeOf))).toEqual([
        "NETWORK_EXCEPTION",
        "NETWORK_EXCEPTION",
        "CONNECTION_FAILED",
        "CONNECTION_FAILED",
      ]);
      answer = { body: broker.describeCluster() };
      expect(await codeOf(ask(client))).toBe("none");
      expect(broker.seen("describeCluster")).toHaveLength(4);
    }));

  it("is never sent twice by itself: one call, one request on the wire", () =>
    inWorld(async (world) => {
      const broker = await world.broker("broker", { handlers: { describeCluster: () => "reset" } });
      const client = world.client();
      expect(await codeOf(ask(client))).toBe("NETWORK_EXCEPTION");
      await world.simulation.sleep(10_000);
      expect(broker.seen("describeCluster")).toHaveLength(1);
    }));

  it("is found again under retry, however long the broker is away, with few dials and few log lines", () =>
    inWorld(async (world) => {
      const first = await world.broker("broker");
      const client = world.client();
      await ask(client);
      await first.stop();
      const outcome = client.retry(() => ask(client));
      await world.simulation.sleep(600_000);
      const second = await world.broker("broker");
      await outcome;
      expect(second.seen("describeCluster")).toHaveLength(1);
      const warnings = world.lines.filter(({ level }) => level === "warn");
      expect(warnings.length).toBeGreaterThan(10);
      expect(warnings.length).toBeLessThanOrEqual(62);
      const suppressed = warnings.map(({ fields }) => Number(fields["suppressed"] ?? 0));
      expect(Math.max(...suppressed)).toBeGreaterThan(0);
    }));

  it("is dialed with a growing pause, at most one dial at a time", () =>
    inWorld(async (world) => {
      const inner = world.runtime();
      const dialedAtMs: number[] = [];
      let dialing = 0;
      const runtime = world.runtime({
        network: {
          dial: async (url, options, attach) => {
            dialedAtMs.push(world.simulation.nowMs);
            dialing++;
            expect(dialing).toBe(1);
            try {
              return await inner.network.dial(url, options, attach);
            } finally {
              dialing--;
            }
          },
        },
      });
      const client = world.client({ runtime, bootstrap: "broker:1" });
      world.simulation.node("broker").runtime();
      const until = Array.from({ length: 10 }, () =>
        codeOf(
          client.retry(() => client.request("any", "describeCluster", {}), { timeoutMs: 20_000 }),
        ),
      );
      expect(new Set(await Promise.all(until))).toEqual(new Set(["CONNECTION_FAILED"]));
      const pauses = dialedAtMs.slice(1).map((at, index) => at - (dialedAtMs[index] ?? 0));
      expect(Math.min(...pauses)).toBeGreaterThanOrEqual(50);
      expect(Math.min(...pauses.slice(5))).toBeGreaterThanOrEqual(500);
      expect(dialedAtMs.length).toBeLessThan(45);
    }));

  it("loses no answer and mixes up none while the network resets at random", () =>
    inWorld(
      async (world) => {
        const broker = await world.broker("broker");
        broker.handlers.initProducerId = ({ body }) => ({
          body: { producerId: body.producerId, producerEpoch: 7 },
        });
        const client = world.client();
        let attempts = 0;
        const answers = await Promise.all(
          Array.from({ length: 300 }, async (_, producerId) => {
            await world.simulation.sleep(producerId * 20);
            return client.retry(() => {
              attempts++;
              return client.request(
                { nodeId: 1 },
                "initProducerId",
                { transactionalId: null, producerId, producerEpoch: -1 },
                { timeoutMs: 3000 },
              );
            });
          }),
        );
        expect(answers.map(({ body }) => body.producerId)).toEqual(
          Array.from({ length: 300 }, (_, id) => id),
        );
        expect(attempts).toBeGreaterThan(300);
      },
      { seed: 7, faults: { network: { resetRate: 0.05, spikeRate: 0.02, maxSpikeMs: 2000 } } },
    ));
});

describe("a broker that is slow or silent", () => {
  it("fails the request when hello takes longer than connectTimeoutMs", () =>
    inWorld(async (world) => {
      const broker = await world.broker("broker", { handlers: { hello: () => "none" } });
      const client = world.client({ connectTimeoutMs: 500 });
      const startMs = world.simulation.nowMs;
      await expect(ask(client)).rejects.toMatchObject({
        code: "CONNECTION_FAILED",
        retriable: true,
      });
      expect(world.simulation.nowMs - startMs).toBeLessThan(1000);
      await world.simulation.sleep(2000);
      expect(broker.openConnections).toBe(0);
    }));

  it("times out a request that is not answered, and cuts a connection on which nothing came", () =>
    inWorld(async (world) => {
      const broker = await world.broker("broker", { handlers: { describeCluster: () => "none" } });
      const client = world.client();
      await client.metadata.refresh([]);
      expect(await codeOf(ask(client, 300))).toBe("REQUEST_TIMED_OUT");
      await world.simulation.sleep(10);
      expect(broker.openConnections).toBe(0);
    }));

  it("keeps a connection on which other answers came, and ignores the late one", () =>
    inWorld(async (world) => {
      const broker = await world.broker("broker");
      broker.handlers.describeCluster = async () => {
        await world.simulation.sleep(1000);
        return { body: broker.describeCluster() };
      };
      const client = world.client();
      await client.metadata.refresh([]);
      const slow = codeOf(ask(client, 400));
      await world.simulation.sleep(200);
      await client.metadata.refresh([]);
      expect(await slow).toBe("REQUEST_TIMED_OUT");
      await world.simulation.sleep(2000);
      await client.metadata.refresh([]);
      expect(broker.connections).toHaveLength(1);
      expect(broker.openConnections).toBe(1);
    }));

  it("says that a request was never sent when it timed out waiting for its turn", () =>
    inWorld(async (world) => {
      const broker = await world.broker("broker", {
        limits: { maxInFlightRequests: 1 },
        handlers: { describeCluster: () => "none" },
      });
      const client = world.client();
      const first = codeOf(ask(client, 1000));
      expect(await codeOf(ask(client, 400))).toBe("CONNECTION_FAILED");
      expect(broker.seen("describeCluster")).toHaveLength(1);
      await first;
    }));

  it("bounds the requests that wait", () =>
    inWorld(async (world) => {
      await world.broker("broker", { handlers: { hello: () => "none" } });
      const client = world.client();
      const codes = Array.from({ length: 10_010 }, () => codeOf(ask(client, 500)));
      const counted = (await Promise.all(codes)).filter((code) => code === "BROKER_OVERLOADED");
      expect(counted).toHaveLength(10);
    }));
});

describe("a hostile broker", () => {
  const garbage: readonly (readonly [string, Uint8Array])[] = [
    ["bytes that are no CBOR", Uint8Array.of(0xff, 0x00, 0x13)],
    ["nothing at all", new Uint8Array(0)],
    ["a list that claims 4 billion elements", Uint8Array.of(0x9a, 0xff, 0xff, 0xff, 0xff)],
    ["nesting without end", new Uint8Array(10_000).fill(0x81)],
  ];

  async function expectViolation(world: World, raw: Uint8Array): Promise<void> {
    const broker = await world.broker("broker");
    broker.handlers.describeCluster = () => ({ raw });
    const client = world.client();
    await expect(ask(client)).rejects.toMatchObject({ code: "PROTOCOL_VIOLATION", fatal: true });
    await world.simulation.sleep(2000);
    expect(broker.openConnections).toBe(0);
    expect(world.lines.some(({ message }) => message.includes("broke the protocol"))).toBe(true);
    broker.handlers.describeCluster = () => ({ body: broker.describeCluster() });
    expect(await codeOf(ask(client))).toBe("none");
  }

  it.each(garbage)("that sends %s is cut off", (_name, raw) =>
    inWorld((world) => expectViolation(world, raw)),
  );

  it("that answers what nobody asked is cut off", () =>
    inWorld(async (world) => {
      const broker = await world.broker("broker");
      broker.handlers.describeCluster = () => ({
        raw: Uint8Array.of(0x83, 0x18, 99, 0x00, 0xa0),
      });
      await expect(ask(world.client())).rejects.toThrow("request 99, which is not in flight");
    }));

  it("that answers in the wrong shape is cut off, and the caller hears which field", () =>
    inWorld(async (world) => {
      const broker = await world.broker("broker");
      broker.handlers.describeCluster = ({ correlationId }) => ({
        raw: Uint8Array.of(0x83, correlationId, 0x00, 0xa0),
      });
      const error = ask(world.client());
      await expect(error).rejects.toMatchObject({ code: "PROTOCOL_VIOLATION" });
      await expect(error).rejects.toThrow("describeCluster/clusterId");
    }));

  it("that answers hello with more than 16 KiB is cut off", () =>
    inWorld(async (world) => {
      const broker = await world.broker("broker");
      const padding = { apiKey: 9999, minVersion: 0, maxVersion: 0 };
      const hello = broker.hello();
      broker.handlers.hello = () => ({
        body: { ...hello, apis: [...hello.apis, ...Array.from({ length: 4000 }, () => padding)] },
      });
      const error = ask(world.client());
      await expect(error).rejects.toMatchObject({ code: "PROTOCOL_VIOLATION" });
      await expect(error).rejects.toThrow("bytes before hello");
    }));

  it("that sends more than maxMessageBytes is cut off", () =>
    inWorld(async (world) => {
      const broker = await world.broker("broker");
      broker.handlers.describeCluster = () => ({ raw: new Uint8Array(100_000) });
      const client = world.client({ maxMessageBytes: 65_536 });
      expect(await codeOf(ask(client))).toBe("NETWORK_EXCEPTION");
    }));
});

describe("close", () => {
  it("rejects everything with CLOSED, wherever it waits, and resolves when the sockets are gone", () =>
    inWorld(async (world) => {
      const broker = await world.broker("broker", {
        limits: { maxInFlightRequests: 1 },
        handlers: { describeCluster: () => "none" },
      });
      const client = world.client();
      const waiting = [
        ask(client),
        ask(client),
        client.request({ nodeId: 9 }, "describeCluster", {}),
        client.request("controller", "describeCluster", {}, { channel: "other" }),
        client.metadata.topic("orders"),
      ];
      const codes = waiting.map(codeOf);
      await world.simulation.sleep(100);
      await client.close();
      expect(broker.openConnections).toBe(0);
      expect(new Set(await Promise.all(codes))).toEqual(new Set(["CLOSED"]));
    }));

  it("may be called twice, and before anything was connected", () =>
    inWorld(async (world) => {
      const client = world.client();
      await Promise.all([client.close(), client.close()]);
      await client.close();
      expect(client.isClosed).toBe(true);
      expect(await codeOf(ask(client))).toBe("CLOSED");
      expect(await codeOf(client.retry(() => ask(client)))).toBe("CLOSED");
      expect(await codeOf(client.metadata.topic("orders"))).toBe("CLOSED");
    }));

  it("ends a retry that pauses, and a dial that is under way", () =>
    inWorld(async (world) => {
      await world.broker("broker", { handlers: { hello: () => "none" } });
      const pausing = world.client({
        bootstrap: "broker:1",
        retryBackoffMs: 60_000,
        retryBackoffMaxMs: 60_000,
      });
      const dialing = world.client();
      const codes = [
        codeOf(pausing.retry(() => pausing.request("any", "describeCluster", {}))),
        codeOf(dialing.request("any", "describeCluster", {})),
      ];
      await world.simulation.sleep(1000);
      const startMs = world.simulation.nowMs;
      await Promise.all([pausing.close(), dialing.close()]);
      expect(await Promise.all(codes)).toEqual(["CLOSED", "CLOSED"]);
      expect(world.simulation.nowMs - startMs).toBeLessThan(1500);
      await world.simulation.sleep(100);
      expect(world.simulation.network.connectionCount).toBe(0);
    }));

  it("cuts a connection whose peer does not answer the close", () =>
    inWorld(async (world) => {
      await world.broker("broker");
      const client = world.client();
      await ask(client);
      world.simulation.network.partition("client", "broker");
      const startMs = world.simulation.nowMs;
      await client.close();
      expect(world.simulation.nowMs - startMs).toBeLessThan(1500);
    }));
});
