import { describe, expect, it } from "vitest";
import {
  BROKER_URL,
  batchOf,
  createTopic,
  fetchRequest,
  offsetsOf,
  produce,
  World,
  wanted,
} from "./testing/simulated-broker.js";
import { WireClient } from "./testing/wire-client.js";

const simulated = (body: (world: World) => Promise<void>): Promise<void> => {
  const world = new World();
  return world.simulation.run(() => body(world));
};

describe("a broker that starts again", () => {
  for (const how of ["a clean stop", "kill -9", "a power cut"] as const) {
    it(`knows topics, records, configuration and producers after ${how}`, () =>
      simulated(async (world) => {
        const running = await world.start();
        const client = await world.client();
        const topicId = await createTopic(client, "t", {
          partitions: 2,
          config: { "segment.ms": "9" },
        });
        await createTopic(client, "gone");
        await client.request("deleteTopics", { topics: ["gone"], topicIds: [], timeoutMs: 1000 });
        const init = { transactionalId: null, producerId: -1, producerEpoch: -1 };
        const { body: producer } = await client.request("initProducerId", init);
        const batch = (baseSequence: number) =>
          batchOf(world.clientRuntime, ["a", "b"], { ...producer, baseSequence, timestamp: 9 });
        for (const sequence of [0, 2, 4]) {
          await produce(client, topicId, batch(sequence));
        }
        if (how === "a clean stop") {
          await running.stop();
        } else {
          world.simulation.node("broker").crash({ powerLoss: how === "a power cut" });
        }
        await world.start();
        const again = await world.client();
        const { body } = await again.request("metadata", { topics: null, topicIds: [] });
        expect(body.topics).toMatchObject([{ name: "t", topicId }]);
        expect(body.topics[0]?.partitions.map((entry) => entry.leaderEpoch)).toEqual([1, 1]);
        const { records } = await again.request("fetch", fetchRequest([wanted(topicId)]));
        expect(offsetsOf(records)).toEqual([
          [0, 1],
          [2, 3],
          [4, 5],
        ]);
        for (const sequence of [0, 2, 4]) {
          expect(await produce(again, topicId, batch(sequence))).toMatchObject({
            errorCode: 0,
            baseOffset: sequence,
          });
        }
        const described = await again.request("describeTopics", { topics: ["t"] });
        const entry = described.body.topics[0]?.config.find(({ key }) => key === "segment.ms");
        expect(entry).toMatchObject({ value: "9", source: "topic" });
        const { body: next } = await again.request("initProducerId", init);
        expect(next.producerId).toBeGreaterThan(producer.producerId);
        const stale = wanted(topicId, 0, { currentLeaderEpoch: 0 });
        const fenced = await again.request("fetch", fetchRequest([stale]));
        expect(fenced.body.partitions[0]?.errorCode).toBe(74);
      }));
  }

  it("keeps a partition whose partition.metadata is lost, with all its records", () =>
    simulated(async (world) => {
      const running = await world.start();
      const client = await world.client();
      const topicId = await createTopic(client, "t");
      await produce(client, topicId, batchOf(world.clientRuntime, ["a", "b"]));
      await running.stop();
      const { fileSystem } = world.simulation.node("broker").runtime();
      await fileSystem.removeFile("/data/t-0/partition.metadata");
      const second = await world.start();
      expect(second.logs.getLog("t", 0)).toMatchObject({ topicId, logEndOffset: 2 });
      expect(await fileSystem.readDirectory("/data/t-0")).toContainEqual({
        kind: "file",
        name: "partition.metadata",
      });
    }));

  it("sets aside a log that the metadata does not know, and deletes nothing", () =>
    simulated(async (world) => {
      const running = await world.start();
      const stray = "00000000-0000-4000-8000-00000000000f";
      const client = await world.client();
      await createTopic(client, "t");
      const log = running.logs.getLog("t", 0);
      await running.logs.createLog(
        { topic: "stray", topicId: stray, partition: 0 },
        log?.config as NonNullable<typeof log>["config"],
      );
      await running.stop();
      const second = await world.start();
      expect(second.logs.getLog("stray", 0)).toBeUndefined();
      expect(world.logLines.some((line) => line.includes("it is set aside"))).toBe(true);
      expect(second.logs.getLog("t", 0)).toBeDefined();
    }));
});

describe("a broker that stops", () => {
  it("answers what is in flight, and ends the waits of parked fetches", () =>
    simulated(async (world) => {
      const running = await world.start();
      const client = await world.client();
      const topicId = await createTopic(client, "t");
      const parked = client.request(
        "fetch",
        fetchRequest([wanted(topicId)], { maxWaitMs: 60_000 }),
      );
      await world.simulation.sleep(100);
      const sends = Array.from({ length: 10 }, () =>
        produce(client, topicId, batchOf(world.clientRuntime, ["a"])),
      );
      await world.simulation.sleep(1);
      const startedMs = world.simulation.nowMs;
      const stopped = running.stop();
      expect((await parked).error).toBe("NONE");
      await Promise.allSettled(sends);
      expect((await client.closed).code).toBe(1001);
      await stopped;
      expect(world.simulation.nowMs - startedMs).toBeLessThan(5000);
      expect(running.broker.status).toBe("stopped");
    }));

  it("lets nobody in any more, and may be stopped twice", () =>
    simulated(async (world) => {
      const running = await world.start();
      await Promise.all([running.broker.stop(), running.broker.stop()]);
      await expect(WireClient.connect(world.clientRuntime.network, BROKER_URL)).rejects.toThrow();
      await running.stop();
    }));

  it("keeps every acknowledged record", () =>
    simulated(async (world) => {
      const running = await world.start();
      const client = await world.client();
      const topicId = await createTopic(client, "t");
      const acknowledged: number[] = [];
      for (let index = 0; index < 100; index++) {
        void produce(client, topicId, batchOf(world.clientRuntime, ["a"])).then(
          (produced) => {
            if (produced.errorCode === 0) {
              acknowledged.push(produced.baseOffset);
            }
          },
          () => {
            // Cut off by the stop: nothing was promised.
          },
        );
      }
      await world.simulation.sleep(2);
      await running.stop();
      await world.start();
      const again = await world.client();
      const { records } = await again.request("fetch", fetchRequest([wanted(topicId)]));
      const stored = new Set(offsetsOf(records).map(([offset]) => offset));
      expect(acknowledged.every((offset) => stored.has(offset))).toBe(true);
    }));
});

describe("GET /health", () => {
  const get = (world: World, path = "/health", method = "GET") =>
    world.simulation.node("client").request(`http://broker:9092${path}`, { method });

  it("tells a running broker's state", () =>
    simulated(async (world) => {
      const running = await world.start();
      await createTopic(await world.client(), "t", { partitions: 3 });
      const response = await get(world);
      expect(response.status).toBe(200);
      expect(JSON.parse(String(response.body))).toMatchObject({
        status: "running",
        clusterId: running.logs.clusterId,
        nodeId: 0,
        topics: 1,
        partitions: 3,
        quarantined: [],
        uncleanable: [],
        cleaner: { passes: 0, removedBytes: 0, lastPassMs: -1 },
        scrub: { passes: 0, verifiedBytes: 0, damages: 0 },
        version: "1.2.3",
      });
    }));

  it("is all there is", () =>
    simulated(async (world) => {
      await world.start();
      expect((await get(world, "/")).status).toBe(404);
      expect((await get(world, "/health?x=1")).status).toBe(200);
      expect((await get(world, "/health", "POST")).status).toBe(405);
    }));
});

describe("web pages", () => {
  const connect = (world: World, origin: string) =>
    WireClient.connect(world.simulation.node("browser").runtime({ origin }).network, BROKER_URL);

  it("of other origins are refused, of loopback and of the listener's host let in", () =>
    simulated(async (world) => {
      await world.start();
      for (const origin of ["null", "http://evil.example", "http://localhost.evil.example"]) {
        await expect(connect(world, origin)).rejects.toMatchObject({ status: 403 });
      }
      for (const origin of ["http://localhost:5173", "http://127.0.0.1", "http://broker:9092"]) {
        await expect(connect(world, origin)).resolves.toBeDefined();
      }
    }));
});

describe("retention", () => {
  it("lets go of old segments on the broker's timer", () =>
    simulated(async (world) => {
      await world.start({ "log.retention.check.interval.ms": "1000" });
      const client = await world.client();
      const config = { "retention.ms": "2000", "segment.bytes": "300" };
      const topicId = await createTopic(client, "t", { config });
      for (let index = 0; index < 5; index++) {
        const batch = batchOf(world.clientRuntime, ["x".repeat(100)]);
        expect((await produce(client, topicId, batch)).errorCode).toBe(0);
      }
      await world.simulation.sleep(10_000);
      const { body } = await client.request("describeTopics", { topics: ["t"] });
      expect(body.topics[0]?.partitions[0]?.logStartOffset).toBeGreaterThan(2);
    }));
});

describe("a failed disk", () => {
  it("stops the broker with an error, and acknowledges nothing more", () =>
    simulated(async (world) => {
      const running = await world.start();
      const client = await world.client();
      const topicId = await createTopic(client, "t");
      world.simulation.node("broker").disk.failNext("sync");
      const outcome = await produce(client, topicId, batchOf(world.clientRuntime, ["a"])).then(
        (produced) => produced.errorCode,
        () => "closed",
      );
      expect(outcome).not.toBe(0);
      expect((await running.broker.failed).message).toContain("storage failed");
      expect(running.broker.health().status).toBe("failed");
    }));
});
