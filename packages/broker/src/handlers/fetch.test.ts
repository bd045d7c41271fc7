import { describe, expect, it } from "vitest";
import {
  batchOf,
  createTopic,
  fetchRequest,
  offsetsOf,
  produce,
  World,
  wanted,
} from "../testing/simulated-broker.js";

const outOfRange = 1;

describe("fetch", () => {
  it("brings whole batches from the one that holds the offset", () =>
    World.run(async ({ world, client }) => {
      const topicId = await createTopic(client, "t");
      await produce(client, topicId, batchOf(world.clientRuntime, ["a", "b", "c"]));
      await produce(client, topicId, batchOf(world.clientRuntime, ["d"]));
      const { body, records } = await client.request("fetch", fetchRequest([wanted(topicId, 1)]));
      expect(offsetsOf(records)).toEqual([
        [0, 2],
        [3, 3],
      ]);
      expect(body).toMatchObject({
        sessionId: 0,
        partitions: [
          { errorCode: 0, highWatermark: 4, lastStableOffset: 4, logStartOffset: 0, leaderId: 0 },
        ],
      });
      expect(body.partitions[0]?.recordsLength).toBe(records.length);
    }));

  it("waits for data and wakes at once when it comes", () =>
    World.run(async ({ world, client }) => {
      const topicId = await createTopic(client, "t");
      const startedMs = world.simulation.nowMs;
      const waiting = client.request(
        "fetch",
        fetchRequest([wanted(topicId)], { maxWaitMs: 60_000 }),
      );
      await world.simulation.sleep(5000);
      const producer = await world.client();
      await produce(producer, topicId, batchOf(world.clientRuntime, ["a"]));
      const { records } = await waiting;
      expect(offsetsOf(records)).toEqual([[0, 0]]);
      expect(world.simulation.nowMs - startedMs).toBeLessThan(6000);
    }));

  it("answers empty when maxWaitMs is over, and not before", () =>
    World.run(async ({ world, client }) => {
      const topicId = await createTopic(client, "t");
      const startedMs = world.simulation.nowMs;
      const { body } = await client.request(
        "fetch",
        fetchRequest([wanted(topicId)], { maxWaitMs: 3000 }),
      );
      expect(world.simulation.nowMs - startedMs).toBeGreaterThanOrEqual(3000);
      expect(body.partitions).toMatchObject([{ errorCode: 0, recordsLength: 0, highWatermark: 0 }]);
    }));

  it("waits for minBytes over all partitions together", () =>
    World.run(async ({ world, client }) => {
      const topicId = await createTopic(client, "t", { partitions: 2 });
      const batch = () => batchOf(world.clientRuntime, ["x".repeat(100)]);
      const size = batch().length;
      const request = fetchRequest([wanted(topicId), wanted(topicId, 0, { partition: 1 })], {
        maxWaitMs: 60_000,
        minBytes: size + 1,
      });
      let isAnswered = false;
      const waiting = client.request("fetch", request).then((answer) => {
        isAnswered = true;
        return answer;
      });
      const producer = await world.client();
      await produce(producer, topicId, batch());
      await world.simulation.sleep(1000);
      expect(isAnswered).toBe(false);
      await produce(producer, topicId, batch(), { partition: 1 });
      const { body } = await waiting;
      expect(body.partitions.map((entry) => entry.recordsLength)).toEqual([size, size]);
    }));

  it("brings one whole batch at least, and then keeps to the bounds", () =>
    World.run(async ({ world, client }) => {
      const topicId = await createTopic(client, "t", { partitions: 2 });
      for (const partition of [0, 1, 0, 1]) {
        await produce(client, topicId, batchOf(world.clientRuntime, ["x".repeat(500)]), {
          partition,
        });
      }
      const both = [wanted(topicId), wanted(topicId, 0, { partition: 1 })];
      const tiny = await client.request("fetch", fetchRequest(both, { maxBytes: 1 }));
      expect(tiny.body.partitions.map((entry) => entry.recordsLength > 0)).toEqual([true, false]);
      expect(offsetsOf(tiny.records)).toEqual([[0, 0]]);
      const perPartition = await client.request(
        "fetch",
        fetchRequest([
          wanted(topicId, 0, { maxBytes: 1 }),
          wanted(topicId, 0, { partition: 1, maxBytes: 700 }),
        ]),
      );
      expect(offsetsOf(perPartition.records)).toEqual([
        [0, 0],
        [0, 0],
      ]);
    }));

  it("brings no more than the broker has room for, over all connections", () =>
    World.run(
      async ({ world, client }) => {
        const topicId = await createTopic(client, "t");
        for (let count = 0; count < 4; count++) {
          await produce(client, topicId, batchOf(world.clientRuntime, ["x".repeat(400_000)]));
        }
        const all = [wanted(topicId, 0, { maxBytes: 10_000_000 })];
        const { records } = await client.request("fetch", fetchRequest(all));
        expect(offsetsOf(records)).toHaveLength(2);
      },
      { "queued.max.response.bytes": "1048576" },
    ));

  it("answers errors at once and for each partition", () =>
    World.run(async ({ world, client }) => {
      const topicId = await createTopic(client, "t");
      await produce(client, topicId, batchOf(world.clientRuntime, ["a"]));
      const unknown = "00000000-0000-4000-8000-000000000009";
      const { body } = await client.request(
        "fetch",
        fetchRequest(
          [
            wanted(topicId, 2),
            wanted(topicId, 0, { partition: 1 }),
            wanted(unknown),
            wanted(topicId, 0, { currentLeaderEpoch: 7 }),
            wanted(topicId, 1),
          ],
          { maxWaitMs: 60_000 },
        ),
      );
      expect(body.partitions.map((entry) => entry.errorCode)).toEqual([outOfRange, 3, 100, 75, 0]);
      expect(body.partitions[0]?.errorMessage).toContain("outside 0 to 1");
    }));

  it("wakes with UNKNOWN_TOPIC_ID when the topic is deleted meanwhile", () =>
    World.run(async ({ world, client }) => {
      const topicId = await createTopic(client, "t");
      const waiting = client.request(
        "fetch",
        fetchRequest([wanted(topicId)], { maxWaitMs: 60_000 }),
      );
      const admin = await world.client();
      await admin.request("deleteTopics", { topics: ["t"], topicIds: [], timeoutMs: 1000 });
      expect((await waiting).body.partitions[0]?.errorCode).toBe(100);
      expect(world.simulation.nowMs).toBeLessThan(10_000);
    }));

  it("refuses a fetch that claims to be a replica's", () =>
    World.run(async ({ client }) => {
      const answer = await client.request("fetch", fetchRequest([], { replicaId: 1 }));
      expect(answer.error).toBe("CLUSTER_AUTHORIZATION_FAILED");
    }));

  it("never shows what is not yet flushed", () =>
    World.run(async ({ world, client }) => {
      const topicId = await createTopic(client, "t");
      await produce(client, topicId, batchOf(world.clientRuntime, ["a"]));
      world.simulation.node("broker").disk.stallNext(5000);
      const stalled = produce(client, topicId, batchOf(world.clientRuntime, ["b"]));
      await world.simulation.sleep(1000);
      const reader = await world.client();
      const { body, records } = await reader.request("fetch", fetchRequest([wanted(topicId)]));
      expect(offsetsOf(records)).toEqual([[0, 0]]);
      expect(body.partitions[0]?.highWatermark).toBe(1);
      const latest = { topicId, partition: 0, timestamp: -1, currentLeaderEpoch: -1 };
      const ends = await reader.request("listOffsets", {
        isolationLevel: 0,
        partitions: [latest],
      });
      expect(ends.body.partitions[0]?.offset).toBe(1);
      const { body: described } = await reader.request("describeTopics", { topics: ["t"] });
      expect(described.topics[0]?.partitions[0]).toMatchObject({
        logEndOffset: 2,
        flushedOffset: 1,
      });
      expect((await stalled).baseOffset).toBe(1);
    }));
});

describe("an incremental fetch", () => {
  it("carries only what changed, in both directions", () =>
    World.run(async ({ world, client }) => {
      const topicId = await createTopic(client, "t", { partitions: 3 });
      const all = [0, 1, 2].map((partition) => wanted(topicId, 0, { partition }));
      const first = await client.request("fetch", fetchRequest(all, { sessionEpoch: 0 }));
      const { sessionId } = first.body;
      expect(sessionId).toBeGreaterThan(0);
      expect(first.body.partitions).toHaveLength(3);
      const nothing = await client.request(
        "fetch",
        fetchRequest([], { sessionId, sessionEpoch: 1 }),
      );
      expect(nothing.body.partitions).toEqual([]);
      const waiting = client.request(
        "fetch",
        fetchRequest([], { sessionId, sessionEpoch: 2, maxWaitMs: 60_000 }),
      );
      const producer = await world.client();
      await produce(producer, topicId, batchOf(world.clientRuntime, ["a"]), { partition: 1 });
      const woken = await waiting;
      expect(woken.body.partitions.map((entry) => entry.partition)).toEqual([1]);
      const moved = [wanted(topicId, 1, { partition: 1 })];
      const after = await client.request(
        "fetch",
        fetchRequest(moved, { sessionId, sessionEpoch: 3, maxWaitMs: 10 }),
      );
      expect(after.records).toHaveLength(0);
    }));

  it("is refused with a wrong epoch or on another connection", () =>
    World.run(async ({ world, client }) => {
      const topicId = await createTopic(client, "t");
      const { body } = await client.request(
        "fetch",
        fetchRequest([wanted(topicId)], { sessionEpoch: 0 }),
      );
      const { sessionId } = body;
      const wrong = fetchRequest([], { sessionId, sessionEpoch: 5 });
      expect((await client.request("fetch", wrong)).error).toBe("INVALID_FETCH_SESSION_EPOCH");
      const other = await world.client();
      const right = fetchRequest([], { sessionId, sessionEpoch: 1 });
      expect((await other.request("fetch", right)).error).toBe("FETCH_SESSION_ID_NOT_FOUND");
      expect((await client.request("fetch", right)).error).toBe("NONE");
    }));

  it("ends the wait of an older fetch of its session", () =>
    World.run(async ({ world, client }) => {
      const topicId = await createTopic(client, "t");
      const { body } = await client.request(
        "fetch",
        fetchRequest([wanted(topicId)], { sessionEpoch: 0 }),
      );
      const next = (sessionEpoch: number, maxWaitMs: number) =>
        client.request(
          "fetch",
          fetchRequest([], { sessionId: body.sessionId, sessionEpoch, maxWaitMs }),
        );
      const startedMs = world.simulation.nowMs;
      const older = next(1, 60_000);
      const newer = next(2, 100);
      await Promise.all([older, newer]);
      expect(world.simulation.nowMs - startedMs).toBeLessThan(5000);
    }));

  it("is answered in full when there is no slot", () =>
    World.run(
      async ({ client }) => {
        const topicId = await createTopic(client, "t");
        const { body } = await client.request(
          "fetch",
          fetchRequest([wanted(topicId)], { sessionEpoch: 0 }),
        );
        expect(body.sessionId).toBe(0);
        expect(body.partitions).toHaveLength(1);
      },
      { "max.incremental.fetch.session.cache.slots": "0" },
    ));
});
