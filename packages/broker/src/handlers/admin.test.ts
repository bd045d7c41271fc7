import { topicConfigKeys } from "@millrace/storage";
import { describe, expect, it } from "vitest";
import { batchOf, createTopic, produce, World } from "../testing/simulated-broker.js";

const unknown = "00000000-0000-4000-8000-000000000009";

describe("hello", () => {
  it("names the cluster, the APIs and the credits", () =>
    World.run(async ({ client, running }) => {
      const { body } = await client.hello({ clusterId: running.logs.clusterId });
      expect(body).toMatchObject({
        clusterId: running.logs.clusterId,
        nodeId: 0,
        softwareVersion: "1.2.3",
        authenticationRequired: false,
        limits: { maxFrameBytes: 1024 * 1024 + 12 + 64 * 1024, maxInFlightRequests: 256 },
      });
      expect(body.apis).toHaveLength(14);
    }));

  it("refuses a client that expects another cluster", () =>
    World.run(async ({ client }) => {
      expect((await client.hello({ clusterId: "other" })).error).toBe("INCONSISTENT_CLUSTER_ID");
    }));

  it("offers larger frames when a topic takes larger batches", () =>
    World.run(async ({ world, client }) => {
      await createTopic(client, "big", { config: { "max.message.bytes": "5000000" } });
      const { body } = await client.hello();
      expect(body.limits.maxFrameBytes).toBe(5_000_000 + 64 * 1024);
      const id = await createTopic(client, "other", { config: { "max.message.bytes": "5000000" } });
      const batch = batchOf(world.clientRuntime, [new Uint8Array(4_000_000)]);
      expect((await produce(client, id, batch)).errorCode).toBe(0);
    }));
});

describe("metadata", () => {
  it("finds topics by name, by id, or all, and creates nothing", () =>
    World.run(async ({ client, running }) => {
      const one = await createTopic(client, "one", { partitions: 2 });
      await createTopic(client, "two", { config: { "max.message.bytes": "99999" } });
      const all = await client.request("metadata", { topics: null, topicIds: [] });
      expect(all.body.topics.map((topic) => topic.name)).toEqual(["one", "two"]);
      expect(all.body).toMatchObject({
        clusterId: running.logs.clusterId,
        controllerId: 0,
        brokers: [{ nodeId: 0, url: "ws://broker:9092" }],
      });
      expect(all.body.topics[1]?.maxMessageBytes).toBe(99_999);
      const some = await client.request("metadata", { topics: ["none"], topicIds: [one, unknown] });
      expect(some.body.topics.map((topic) => [topic.name, topic.errorCode])).toEqual([
        ["none", 3],
        ["one", 0],
        [null, 100],
      ]);
      expect(some.body.topics[1]?.partitions).toEqual([
        { partition: 0, leaderId: 0, leaderEpoch: 0, replicas: [0], isr: [0] },
        { partition: 1, leaderId: 0, leaderEpoch: 0, replicas: [0], isr: [0] },
      ]);
      expect(running.controller.image.topicsByName.has("none")).toBe(false);
    }));

  it("answers an empty list of topics with none", () =>
    World.run(async ({ client }) => {
      await createTopic(client, "t");
      const { body } = await client.request("metadata", { topics: [], topicIds: [] });
      expect(body.topics).toEqual([]);
    }));
});

describe("a question that names one thing many times", () => {
  it("is answered once, or refused: its answer could fill the memory", () =>
    World.run(async ({ client }) => {
      const topicId = await createTopic(client, "t");
      const topics = Array.from({ length: 1000 }, () => "t");
      const topicIds = topics.map(() => topicId);
      const found = await client.request("metadata", { topics, topicIds });
      expect(found.body.topics.length).toBeLessThanOrEqual(2);
      const described = await client.request("describeTopics", { topics });
      expect(described.body.topics).toHaveLength(1);
      const resources = topics.map((name) => ({ type: "topic" as const, name, keys: null }));
      expect(await client.request("describeConfigs", { resources })).toMatchObject({
        error: "INVALID_REQUEST",
      });
    }));
});

describe("createTopics and createPartitions", () => {
  it("answer when the partitions can be written", () =>
    World.run(async ({ world, client }) => {
      const topicId = await createTopic(client, "t", { partitions: 20 });
      const batch = () => batchOf(world.clientRuntime, ["a"]);
      expect((await produce(client, topicId, batch(), { partition: 19 })).errorCode).toBe(0);
      const { body } = await client.request("createPartitions", {
        topics: [{ name: "t", totalCount: 25 }],
        validateOnly: false,
        timeoutMs: 1000,
      });
      expect(body.topics).toMatchObject([{ name: "t", topicId, errorCode: 0 }]);
      expect((await produce(client, topicId, batch(), { partition: 24 })).errorCode).toBe(0);
    }));

  it("answer each topic for itself, with the reason", () =>
    World.run(async ({ client }) => {
      const topic = { partitions: 1, replicationFactor: 1, config: {} };
      const { body } = await client.request("createTopics", {
        topics: [
          { ...topic, name: "good" },
          { ...topic, name: "../evil" },
          { ...topic, name: "three", replicationFactor: 3 },
        ],
        validateOnly: false,
        timeoutMs: 1000,
      });
      expect(body.topics.map((entry) => entry.errorCode)).toEqual([0, 17, 38]);
      expect(body.topics[2]?.errorMessage).toContain("--clamp-replication");
    }));

  it("use the node's defaults", () =>
    World.run(
      async ({ client }) => {
        const { body } = await client.request("createTopics", {
          topics: [{ name: "t", partitions: -1, replicationFactor: -1, config: {} }],
          validateOnly: true,
          timeoutMs: 1000,
        });
        expect(body.topics[0]).toMatchObject({
          partitions: 7,
          replicationFactor: 1,
          topicId: null,
        });
      },
      { "num.partitions": "7" },
    ));
});

describe("describeTopics and configurations", () => {
  it("show every key with its source", () =>
    World.run(
      async ({ client }) => {
        await createTopic(client, "t", { config: { "retention.ms": "77" } });
        const { body } = await client.request("describeTopics", { topics: ["t", "none"] });
        const [topic, none] = body.topics;
        expect(none?.errorCode).toBe(3);
        expect(topic?.config).toHaveLength(Object.keys(topicConfigKeys).length);
        const entries = Object.fromEntries(
          (topic?.config ?? []).map(({ key, value, source }) => [key, [value, source]]),
        );
        expect(entries["retention.ms"]).toEqual(["77", "topic"]);
        expect(entries["segment.bytes"]).toEqual(["1000000", "broker"]);
        expect(entries["retention.bytes"]).toEqual(["-1", "default"]);
      },
      { "log.segment.bytes": "1000000" },
    ));

  it("show what is in a partition", () =>
    World.run(async ({ world, client }) => {
      const topicId = await createTopic(client, "t");
      await produce(client, topicId, batchOf(world.clientRuntime, ["a", "b"]));
      const { body } = await client.request("describeTopics", { topics: null });
      const [partition] = body.topics[0]?.partitions ?? [];
      expect(partition).toMatchObject({
        logStartOffset: 0,
        highWatermark: 2,
        logEndOffset: 2,
        flushedOffset: 2,
        segmentCount: 1,
        state: "online",
      });
      expect(partition?.sizeBytes).toBeGreaterThan(60);
    }));

  it("change while the broker runs, and take effect at once", () =>
    World.run(async ({ world, client }) => {
      const topicId = await createTopic(client, "t");
      const alter = (value: string) =>
        client.request("alterConfigs", {
          resources: [
            {
              type: "topic",
              name: "t",
              operations: [{ operation: "set", key: "max.message.bytes", value }],
            },
          ],
          validateOnly: false,
        });
      expect((await alter("100")).body.resources[0]?.errorCode).toBe(0);
      const batch = () => batchOf(world.clientRuntime, ["x".repeat(200)]);
      expect((await produce(client, topicId, batch())).errorCode).toBe(10);
      expect((await alter("many")).body.resources[0]?.errorCode).toBe(40);
      expect((await alter("1000")).body.resources[0]?.errorCode).toBe(0);
      expect((await produce(client, topicId, batch())).errorCode).toBe(0);
    }));

  it("are described by resource and key", () =>
    World.run(
      async ({ client }) => {
        await createTopic(client, "t");
        const ask = (
          type: "topic" | "broker" | "cluster",
          name: string,
          keys: string[] | null,
        ) => ({
          type,
          name,
          keys,
        });
        const { body } = await client.request("describeConfigs", {
          resources: [
            ask("topic", "t", ["retention.ms"]),
            ask("broker", "0", ["num.partitions", "connections.max"]),
            ask("topic", "none", null),
            ask("broker", "9", null),
            ask("cluster", "", null),
          ],
        });
        expect(body.resources.map((entry) => entry.errorCode)).toEqual([0, 0, 3, 42, 0]);
        expect(body.resources[0]?.entries).toMatchObject([
          { key: "retention.ms", value: "604800000", source: "default", isReadOnly: false },
        ]);
        expect(body.resources[1]?.entries).toMatchObject([
          { key: "num.partitions", value: "4", source: "broker", isReadOnly: true },
          { key: "connections.max", value: "10000", source: "default" },
        ]);
      },
      { "num.partitions": "4" },
    ));
});

describe("listOffsets", () => {
  it("refuses more look-ups by timestamp than one request may have, and lets others in between", () =>
    World.run(async ({ world, client }) => {
      const topicId = await createTopic(client, "t");
      await produce(client, topicId, batchOf(world.clientRuntime, ["a"]));
      const many = (count: number, timestamp: number) => ({
        isolationLevel: 0,
        partitions: Array.from({ length: count }, () => ({
          topicId,
          partition: 0,
          timestamp,
          currentLeaderEpoch: -1,
        })),
      });
      const refused = await client.request("listOffsets", many(10_001, 1));
      expect(refused.error).toBe("INVALID_REQUEST");
      const other = await world.client();
      const order: string[] = [];
      const long = client.request("listOffsets", many(10_000, 1)).then(({ body }) => {
        order.push("long");
        return body;
      });
      const ends = other.request("listOffsets", many(1, -1)).then(() => order.push("short"));
      expect((await long).partitions).toHaveLength(10_000);
      await ends;
      expect(order).toEqual(["short", "long"]);
    }));

  it("finds both ends, the youngest record and records by time", () =>
    World.run(async ({ world, client }) => {
      const topicId = await createTopic(client, "t");
      const now = world.clientRuntime.clock.nowMs();
      for (const timestamp of [now - 30, now - 10, now - 20]) {
        await produce(client, topicId, batchOf(world.clientRuntime, ["a"], { timestamp }));
      }
      const ask = (timestamp: number, rest: object = {}) => ({
        topicId,
        partition: 0,
        timestamp,
        currentLeaderEpoch: -1,
        ...rest,
      });
      const { body } = await client.request("listOffsets", {
        isolationLevel: 0,
        partitions: [
          ask(-1),
          ask(-2),
          ask(-3),
          ask(now - 25),
          ask(now),
          ask(-9),
          ask(-1, { partition: 4 }),
          ask(-1, { topicId: unknown }),
          ask(-1, { currentLeaderEpoch: 3 }),
        ],
      });
      expect(body.partitions.map((entry) => [entry.errorCode, entry.offset])).toEqual([
        [0, 3],
        [0, 0],
        [0, 1],
        [0, 1],
        [0, -1],
        [42, -1],
        [3, -1],
        [100, -1],
        [75, -1],
      ]);
    }));
});

describe("deleteRecords", () => {
  it("moves the log start, never past the high watermark, never back", () =>
    World.run(async ({ world, client }) => {
      const topicId = await createTopic(client, "t");
      await produce(client, topicId, batchOf(world.clientRuntime, ["a", "b", "c"]));
      const remove = async (beforeOffset: number, partition = 0) => {
        const { body } = await client.request("deleteRecords", {
          partitions: [{ topicId, partition, beforeOffset }],
          timeoutMs: 1000,
        });
        return [body.partitions[0]?.errorCode, body.partitions[0]?.lowWatermark];
      };
      expect(await remove(2)).toEqual([0, 2]);
      expect(await remove(1)).toEqual([0, 2]);
      expect(await remove(4)).toEqual([1, -1]);
      expect(await remove(-5)).toEqual([1, -1]);
      expect(await remove(-1)).toEqual([0, 3]);
      expect(await remove(0, 7)).toEqual([3, -1]);
    }));
});

describe("initProducerId", () => {
  it("gives every producer its own id, and the next epoch to one that asks again", () =>
    World.run(async ({ client }) => {
      const init = (producerId = -1, producerEpoch = -1, transactionalId: string | null = null) =>
        client.request("initProducerId", { transactionalId, producerId, producerEpoch });
      const answers = await Promise.all(Array.from({ length: 1500 }, () => init()));
      const ids = answers.map((answer) => answer.body.producerId);
      expect(new Set(ids).size).toBe(1500);
      expect((await init(3, 4)).body).toEqual({ producerId: 3, producerEpoch: 5 });
      const exhausted = (await init(3, 32_766)).body;
      expect(exhausted.producerEpoch).toBe(0);
      expect(ids).not.toContain(exhausted.producerId);
      expect((await init(999_999, 0)).error).toBe("UNKNOWN_PRODUCER_ID");
      expect((await init(3, -1)).error).toBe("INVALID_REQUEST");
      expect((await init(-1, -1, "tx")).error).toBe("INVALID_REQUEST");
    }));
});

describe("describeCluster", () => {
  it("counts topics and partitions and names the voters", () =>
    World.run(async ({ client }) => {
      await createTopic(client, "t", { partitions: 3 });
      const { body } = await client.request("describeCluster", {});
      expect(body).toMatchObject({
        controllerId: 0,
        nodeId: 0,
        softwareVersion: "1.2.3",
        topicCount: 1,
        partitionCount: 3,
        voters: [{ nodeId: 0, url: "ws://broker:9092" }],
      });
    }));
});
