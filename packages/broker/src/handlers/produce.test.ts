import { encodeCbor } from "@millrace/protocol";
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

const code = {
  corrupt: 2,
  tooLarge: 10,
  invalidRecord: 87,
  unknownId: 100,
  unknownPartition: 3,
  timedOut: 7,
};

describe("produce", () => {
  it("answers with offsets once the batch is fsynced", () =>
    World.run(async ({ world, client }) => {
      const topicId = await createTopic(client, "t");
      const first = await produce(client, topicId, batchOf(world.clientRuntime, ["a", "b"]));
      expect(first).toMatchObject({ errorCode: 0, baseOffset: 0, replicas: 1, fsynced: true });
      const second = await produce(client, topicId, batchOf(world.clientRuntime, ["c"]), {
        acks: 1,
      });
      expect(second).toMatchObject({ errorCode: 0, baseOffset: 2, logStartOffset: 0 });
    }));

  it("says that nothing was fsynced where the topic does not sync", () =>
    World.run(async ({ world, client }) => {
      const topicId = await createTopic(client, "t", { config: { flush: "os" } });
      const produced = await produce(client, topicId, batchOf(world.clientRuntime, ["a"]));
      expect(produced).toMatchObject({ errorCode: 0, fsynced: false, replicas: 1 });
    }));

  it("promises nothing with acks 0, and stores the batch", () =>
    World.run(async ({ world, client }) => {
      const topicId = await createTopic(client, "t");
      const produced = await produce(client, topicId, batchOf(world.clientRuntime, ["a"]), {
        acks: 0,
      });
      expect(produced).toMatchObject({ errorCode: 0, baseOffset: -1, replicas: 0, fsynced: false });
      const { records } = await client.request(
        "fetch",
        fetchRequest([wanted(topicId)], { maxWaitMs: 1000 }),
      );
      expect(offsetsOf(records)).toEqual([[0, 0]]);
    }));

  it("takes effect in the order sent, over one connection and many requests in flight", () =>
    World.run(async ({ world, client }) => {
      const topicId = await createTopic(client, "t");
      const sends = Array.from({ length: 50 }, (_, index) =>
        produce(client, topicId, batchOf(world.clientRuntime, [`${index}`])),
      );
      const offsets = (await Promise.all(sends)).map((produced) => produced.baseOffset);
      expect(offsets).toEqual(Array.from({ length: 50 }, (_, index) => index));
    }));

  it("answers each partition for itself", () =>
    World.run(async ({ world, client }) => {
      const topicId = await createTopic(client, "t", { partitions: 2 });
      const good = batchOf(world.clientRuntime, ["good"]);
      const bad = batchOf(world.clientRuntime, ["bad"]);
      bad[bad.length - 1] = (bad.at(-1) ?? 0) ^ 1;
      const unknown = "00000000-0000-4000-8000-000000000009";
      const targets: [string, number, Uint8Array][] = [
        [topicId, 0, good],
        [topicId, 1, bad],
        [topicId, 2, good],
        [unknown, 0, good],
      ];
      const { body } = await client.request(
        "produce",
        {
          acks: -1,
          timeoutMs: 1000,
          partitions: targets.map(([id, partition, bytes]) => ({
            topicId: id,
            partition,
            recordsLength: bytes.length,
          })),
        },
        new Uint8Array(Buffer.concat(targets.map(([, , bytes]) => bytes))),
      );
      expect(body.partitions.map((entry) => entry.errorCode)).toEqual([
        0,
        code.corrupt,
        code.unknownPartition,
        code.unknownId,
      ]);
      expect(body.partitions[1]?.errorMessage).toContain("CRC");
    }));

  it("refuses a batch above max.message.bytes, and takes it when the topic allows it", () =>
    World.run(async ({ world, client }) => {
      const small = await createTopic(client, "small", { config: { "max.message.bytes": "200" } });
      const big = await createTopic(client, "big");
      const batch = batchOf(world.clientRuntime, ["x".repeat(300)]);
      const refused = await produce(client, small, batch);
      expect(refused).toMatchObject({ errorCode: code.tooLarge, baseOffset: -1 });
      expect((await produce(client, big, batch)).errorCode).toBe(0);
    }));

  it("refuses more than one batch for a partition", () =>
    World.run(async ({ world, client }) => {
      const topicId = await createTopic(client, "t");
      const batch = batchOf(world.clientRuntime, ["a"]);
      const two = new Uint8Array(Buffer.concat([batch, batch]));
      const produced = await produce(client, topicId, two);
      expect(produced.errorCode).toBe(code.invalidRecord);
      expect(produced.errorMessage).toContain("exactly one batch");
    }));

  it.each([
    ["nothing", (_batch: Uint8Array) => new Uint8Array(0), code.corrupt],
    ["a cut batch", (batch: Uint8Array) => batch.subarray(0, batch.length - 1), code.corrupt],
    ["another magic", (batch: Uint8Array) => batch.fill(1, 16, 17), code.corrupt],
    ["an unknown codec", (batch: Uint8Array) => batch.fill(7, 22, 23), code.corrupt],
  ])("refuses %s", (_what, change, errorCode) =>
    World.run(async ({ world, client }) => {
      const topicId = await createTopic(client, "t");
      const changed = change(batchOf(world.clientRuntime, ["abc"]));
      expect((await produce(client, topicId, changed)).errorCode).toBe(errorCode);
      const after = await produce(client, topicId, batchOf(world.clientRuntime, ["fine"]));
      expect(after).toMatchObject({ errorCode: 0, baseOffset: 0 });
    }),
  );

  it("refuses timestamps too far in the future", () =>
    World.run(async ({ world, client }) => {
      const topicId = await createTopic(client, "t");
      const timestamp = world.clientRuntime.clock.nowMs() + 2 * 3_600_000;
      const batch = batchOf(world.clientRuntime, ["a"], { timestamp });
      expect((await produce(client, topicId, batch)).errorCode).toBe(32);
    }));

  it("answers a retried batch with its original offset, durable again", () =>
    World.run(async ({ world, client }) => {
      const topicId = await createTopic(client, "t");
      const { body } = await client.request("initProducerId", {
        transactionalId: null,
        producerId: -1,
        producerEpoch: -1,
      });
      const make = (baseSequence: number) =>
        batchOf(world.clientRuntime, ["a", "b"], { ...body, baseSequence, timestamp: 5 });
      const sends = [make(0), make(2), make(0), make(2)].map((batch) =>
        produce(client, topicId, batch),
      );
      const answers = await Promise.all(sends);
      expect(answers.map((entry) => [entry.errorCode, entry.baseOffset, entry.fsynced])).toEqual([
        [0, 0, true],
        [0, 2, true],
        [0, 0, true],
        [0, 2, true],
      ]);
      const gap = await produce(client, topicId, make(10));
      expect(gap.errorCode).toBe(45);
    }));

  it("refuses acks=all when min.insync.replicas cannot be met, and takes acks=1", () =>
    World.run(async ({ world, client }) => {
      const topicId = await createTopic(client, "t", { config: { "min.insync.replicas": "2" } });
      const batch = () => batchOf(world.clientRuntime, ["a"]);
      expect((await produce(client, topicId, batch(), { acks: -1 })).errorCode).toBe(19);
      expect((await produce(client, topicId, batch(), { acks: 1 })).errorCode).toBe(0);
    }));

  it("refuses a request whose lengths do not add up, or that names a partition twice", () =>
    World.run(async ({ world, client }) => {
      const topicId = await createTopic(client, "t");
      const batch = batchOf(world.clientRuntime, ["a"]);
      const target = (recordsLength: number) => ({ topicId, partition: 0, recordsLength });
      for (const partitions of [
        [target(batch.length + 1)],
        [target(1)],
        [target(batch.length), target(0)],
      ]) {
        const answer = await client.request(
          "produce",
          { acks: 1, timeoutMs: 1, partitions },
          batch,
        );
        expect(answer.error).toBe("INVALID_REQUEST");
      }
      expect((await produce(client, topicId, batch)).baseOffset).toBe(0);
    }));

  it("answers when the time is over with what is known by then, and goes on", () =>
    World.run(async ({ world, client }) => {
      const topicId = await createTopic(client, "t");
      world.simulation.node("broker").disk.stallNext(3_000);
      const batch = batchOf(world.clientRuntime, ["a"]);
      const { body } = await client.request(
        "produce",
        {
          acks: -1,
          timeoutMs: 500,
          partitions: [
            { topicId, partition: 0, recordsLength: batch.length },
            { topicId, partition: 9, recordsLength: batch.length },
          ],
        },
        new Uint8Array([...batch, ...batch]),
      );
      expect(body.partitions.map((entry) => entry.errorCode)).toEqual([
        code.timedOut,
        code.unknownPartition,
      ]);
      const later = await produce(client, topicId, batchOf(world.clientRuntime, ["b"]));
      expect(later).toMatchObject({ errorCode: 0, baseOffset: 1 });
    }));

  it("answers a request for no partitions at once", () =>
    World.run(async ({ client }) => {
      const request = { acks: -1, timeoutMs: 60_000, partitions: [] };
      const { body } = await client.request("produce", request);
      expect(body.partitions).toEqual([]);
    }));

  it("refuses acks other than 0, 1 and -1", () =>
    World.run(async ({ client }) => {
      const frame = encodeCbor([0, 0, 77, { acks: 2, timeoutMs: 1, partitions: [] }]);
      const answer = await client.exchange("produce", 77, [frame]);
      expect(answer).toMatchObject({ error: "INVALID_REQUEST" });
      expect(answer.message).toContain("acks");
    }));

  it("stamps records itself where the topic says LogAppendTime", () =>
    World.run(async ({ world, client }) => {
      const config = { "message.timestamp.type": "LogAppendTime" };
      const topicId = await createTopic(client, "t", { config });
      const batch = batchOf(world.clientRuntime, ["a"], { timestamp: 1 });
      const produced = await produce(client, topicId, batch);
      expect(produced.logAppendTime).toBeGreaterThan(1_000_000);
    }));

  it("answers UNKNOWN_TOPIC_ID once the topic is deleted", () =>
    World.run(async ({ world, client }) => {
      const topicId = await createTopic(client, "t");
      const request = { topics: ["t"], topicIds: [], timeoutMs: 1000 };
      const [deletion] = await Promise.all([client.request("deleteTopics", request)]);
      expect(deletion.body.topics[0]?.errorCode).toBe(0);
      const produced = await produce(client, topicId, batchOf(world.clientRuntime, ["a"]));
      expect(produced.errorCode).toBe(code.unknownId);
      const again = await createTopic(client, "t");
      expect(again).not.toBe(topicId);
      expect((await produce(client, again, batchOf(world.clientRuntime, ["a"]))).baseOffset).toBe(
        0,
      );
    }));
});
