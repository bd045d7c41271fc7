import { encodeCbor, encodeRequest, PRE_HELLO_FRAME_BYTES_MAX } from "@millrace/protocol";
import type { AcceptedConnection, Logger } from "@millrace/runtime";
import { describe, expect, it } from "vitest";
import { ClientConnection } from "./connection.js";
import type { BrokerServices } from "./handlers/handler.js";
import type { RequestBudget } from "./request-budget.js";
import {
  BROKER_URL,
  batchOf,
  createTopic,
  fetchRequest,
  produce,
  World,
  wanted,
} from "./testing/simulated-broker.js";
import { WireClient } from "./testing/wire-client.js";

const hello = (rest: object = {}) => ({ software: "s", softwareVersion: "1", ...rest });

describe("a connection", () => {
  it("must say hello first", () =>
    World.run(async ({ world }) => {
      const client = await WireClient.connect(world.clientRuntime.network, BROKER_URL);
      const answer = await client.request("metadata", { topics: null, topicIds: [] });
      expect(answer.error).toBe("ILLEGAL_SASL_STATE");
      expect((await client.closed).code).toBe(1008);
      expect(world.logLines.some((line) => line.includes("first request must be hello"))).toBe(
        true,
      );
    }));

  it("has a deadline for hello", () =>
    World.run(async ({ world }) => {
      const client = await WireClient.connect(world.clientRuntime.network, BROKER_URL);
      const startedMs = world.simulation.nowMs;
      expect((await client.closed).reason).toBe("no hello in time");
      expect(world.simulation.nowMs - startedMs).toBeGreaterThanOrEqual(9_999);
    }));

  it("may send little before hello", () =>
    World.run(async ({ world }) => {
      const client = await WireClient.connect(world.clientRuntime.network, BROKER_URL);
      client.connection.send([new Uint8Array(PRE_HELLO_FRAME_BYTES_MAX + 1)]);
      expect((await client.closed).code).toBe(1009);
    }));

  it.each([
    ["garbage", new Uint8Array([0xff, 0xff, 0xff])],
    ["nothing", new Uint8Array(0)],
    ["a map", encodeCbor({ a: 1 })],
    ["a short list", encodeCbor([18, 0])],
    ["a cut item", encodeCbor([18, 0, 1, hello()]).subarray(0, 10)],
    ["trailing bytes", new Uint8Array([...encodeCbor([18, 0, 1, hello()]), 0])],
    ["a lying length", new Uint8Array([0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff])],
    ["deep nesting", new Uint8Array(12_000).fill(0x81)],
    ["a float", encodeCbor([18, 0, 1.5, hello()])],
    [
      "a dangerous key",
      new Uint8Array([0x84, 0x12, 0, 1, 0xa1, 0x69, ...Buffer.from("__proto__"), 0]),
    ],
  ])("ends with %s, with an error and the reason in the log, and harms nobody", (_what, bytes) =>
    World.run(async ({ world, client }) => {
      const hostile = await world.client();
      hostile.connection.send([bytes]);
      expect((await hostile.closed).code).toBe(1002);
      expect(hostile.answered).toContain(0);
      expect(world.logLines.some((line) => line.includes("malformed frame"))).toBe(true);
      expect((await client.request("describeCluster", {})).error).toBe("NONE");
    }),
  );

  it("goes on after an unknown API, an unknown version and a body that does not fit", () =>
    World.run(async ({ client }) => {
      const send = (correlationId: number, item: unknown[]) =>
        client.exchange("hello", correlationId, [encodeCbor(item)]);
      expect((await send(500, [999, 0, 500, {}])).error).toBe("UNSUPPORTED_VERSION");
      expect((await send(501, [3, 9, 501, {}])).error).toBe("UNSUPPORTED_VERSION");
      const unfit = await send(502, [3, 0, 502, { topics: 5 }]);
      expect(unfit).toMatchObject({ error: "INVALID_REQUEST" });
      expect(unfit.message).toContain("body/topics");
      expect((await client.request("describeCluster", {})).error).toBe("NONE");
    }));

  it("is closed when it is idle for long, and not while it waits for an answer", () =>
    World.run(
      async ({ world, client }) => {
        const topicId = await createTopic(client, "t");
        const waiting = await world.client();
        const fetch = waiting.request(
          "fetch",
          fetchRequest([wanted(topicId)], { maxWaitMs: 30_000 }),
        );
        expect((await client.closed).reason).toBe("idle");
        expect((await fetch).error).toBe("NONE");
      },
      { "connections.max.idle.ms": "5000" },
    ));

  it("escapes what clients say about themselves", () =>
    World.run(async ({ world, client }) => {
      await client.hello({ clientId: "evil\n\u001b[31m{}", software: "x\r\n" });
      await client.request("createTopics", { topics: [], validateOnly: true, timeoutMs: 1 });
      await client.request("initProducerId", {
        transactionalId: "secret-payload",
        producerId: -1,
        producerEpoch: -1,
      });
      const all = world.logLines.join("\n");
      expect(all).toContain("evil\\\\u000a");
      expect(all).not.toContain("\u001b");
      expect(all).not.toContain("secret-payload");
    }));

  it("lets answers overtake each other", () =>
    World.run(async ({ world, client }) => {
      const topicId = await createTopic(client, "t");
      const slow = client.request("fetch", fetchRequest([wanted(topicId)], { maxWaitMs: 5000 }));
      const startedMs = world.simulation.nowMs;
      await client.request("describeCluster", {});
      expect(world.simulation.nowMs - startedMs).toBeLessThan(1000);
      expect((await slow).error).toBe("NONE");
    }));

  it("is not read from beyond its credits, and everything is answered all the same", () =>
    World.run(
      async ({ world, client }) => {
        const topicId = await createTopic(client, "t");
        const fetches = Array.from({ length: 200 }, () =>
          client.request("fetch", fetchRequest([wanted(topicId)], { maxWaitMs: 100 })),
        );
        const answers = await Promise.all(fetches);
        expect(answers.every((answer) => answer.error === "NONE")).toBe(true);
        // Eight at a time and 100 ms each: far more than one round.
        expect(world.simulation.nowMs).toBeGreaterThan(1000);
      },
      { "connection.max.in.flight.requests": "8" },
    ));

  it("is refused with BROKER_OVERLOADED beyond the broker's budget, and served again later", () =>
    World.run(
      async ({ world, client, running }) => {
        const topicId = await createTopic(client, "t");
        expect(running.broker.status).toBe("running");
        const batch = () => batchOf(world.clientRuntime, [new Uint8Array(100_000)]);
        const clients = await Promise.all(Array.from({ length: 40 }, () => world.client()));
        const outcomes = await Promise.all(
          clients.map((each) =>
            produce(each, topicId, batch()).then(
              (produced) => produced.errorCode,
              (error: Error) => error.message,
            ),
          ),
        );
        const refused = outcomes.filter((outcome) => String(outcome).includes("BROKER_OVERLOADED"));
        expect(outcomes.filter((outcome) => outcome === 0).length).toBeGreaterThan(5);
        expect(refused.length).toBeGreaterThan(0);
        expect(refused.length + outcomes.filter((outcome) => outcome === 0).length).toBe(40);
        expect((await produce(client, topicId, batch())).errorCode).toBe(0);
      },
      {
        "queued.max.request.bytes": "1200000",
        "connection.max.in.flight.bytes": "1100000",
      },
    ));

  it("that never reads is cut, and costs the broker no more than its output bound", () =>
    World.run(
      async ({ world, client }) => {
        const topicId = await createTopic(client, "t");
        for (let index = 0; index < 20; index++) {
          await produce(client, topicId, batchOf(world.clientRuntime, [new Uint8Array(100_000)]));
        }
        const deaf = await world.client();
        deaf.connection.pauseReading();
        for (let index = 0; index < 50; index++) {
          deaf.connection.send(
            encodeRequest("fetch", index + 100, fetchRequest([wanted(topicId)])),
          );
        }
        await deaf.closed;
        expect(world.logLines.some((line) => line.includes("does not read its answers"))).toBe(
          true,
        );
        expect((await client.request("describeCluster", {})).error).toBe("NONE");
      },
      { "connection.max.output.bytes": "65536", "connection.output.timeout.ms": "5000" },
    ));

  it("serves nothing that it sent behind a malformed frame, however much waits", () =>
    World.run(async ({ running, client }) => {
      const { broker } = running;
      const { services, budget, logger } = broker as unknown as Insides;
      const accepted = {
        remoteAddress: "1.2.3.4",
        host: "broker",
        isOpen: true,
        bufferedBytes: 0,
        send() {},
        close() {},
        terminate() {},
        pauseReading() {},
        resumeReading() {},
        setMaxMessageBytes() {},
      };
      const hostile = new ClientConnection({
        connection: accepted as unknown as AcceptedConnection,
        broker: services,
        budget,
        logger,
        isStopping: () => false,
        onClosed: () => {},
      });
      const usedBefore = budget.usedBytes;
      const topics = [{ name: "late", partitions: 1, replicationFactor: 1, config: {} }];
      const create = { topics, validateOnly: false, timeoutMs: 1_000 };
      hostile.introduce({ clientId: "c", software: "s" });
      accepted.bufferedBytes = 1_000_000_000;
      hostile.onMessage(new Uint8Array([0xff]));
      hostile.onMessage(joined(encodeRequest("createTopics", 7, create)));
      accepted.bufferedBytes = 0;
      hostile.onDrain();
      await hostile.whenIdle();
      const { body } = await client.request("metadata", { topics: null, topicIds: [] });
      expect(body.topics.map(({ name }) => name)).not.toContain("late");
      expect(budget.usedBytes).toBe(usedBefore);
    }));
});

interface Insides {
  readonly services: BrokerServices;
  readonly budget: RequestBudget;
  readonly logger: Logger;
}

function joined(chunks: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(chunks));
}
