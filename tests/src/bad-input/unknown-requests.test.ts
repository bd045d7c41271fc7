import { encodeCbor } from "@millrace/protocol";
import { Millrace } from "millrace";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { BrokerProcess } from "../process/broker-process.js";
import { RawClient } from "./raw-client.js";
import { Scene, withGreeted } from "./scene.js";
import type { Witness } from "./witness.js";

const scene = new Scene();
const nobody = "00000000-0000-4000-8000-000000000001";
let broker: BrokerProcess;
let witness: Witness;
let topicId = "";

beforeAll(async () => {
  broker = await scene.broker();
  witness = await scene.witness(broker);
  const created = await witness.client.admin().createTopic("small", { partitions: 1 });
  topicId = String(created.topicId);
  const producer = witness.client.producer();
  await producer.send({ topic: "small", value: "zero" });
  await producer.send({ topic: "small", value: "one" });
});
afterAll(() => scene.end());

const fetchOf = (id: string, partition: number, fetchOffset: number) => ({
  replicaId: -1,
  maxWaitMs: 0,
  minBytes: 1,
  maxBytes: 65_536,
  isolationLevel: 0,
  sessionId: 0,
  sessionEpoch: -1,
  partitions: [
    {
      topicId: id,
      partition,
      fetchOffset,
      maxBytes: 65_536,
      currentLeaderEpoch: -1,
      lastFetchedEpoch: -1,
      flushedOffset: -1,
      logStartOffset: -1,
    },
  ],
  forgotten: [],
  rack: null,
});

describe("a request of an unknown kind", () => {
  it("names an API nobody has: UNSUPPORTED_VERSION, and the connection goes on", async () => {
    await witness.during(() =>
      withGreeted(broker.port, async (client) => {
        for (const key of [4, 999, 2 ** 31 - 1, -1]) {
          client.send(encodeCbor([key, 0, 7, {}]));
          const answer = await client.answer("metadata");
          expect(answer.error).toBe("UNSUPPORTED_VERSION");
          expect(answer.message).toContain(`there is no API ${key}`);
        }
        expect((await client.request("describeCluster", {})).error).toBe("NONE");
      }),
    );
  });

  it("has a version nobody speaks: UNSUPPORTED_VERSION with those there are", async () => {
    await witness.during(() =>
      withGreeted(broker.port, async (client) => {
        for (const version of [1, 99, -1]) {
          client.send(encodeCbor([3, version, 7, {}]));
          const answer = await client.answer("metadata");
          expect(answer.error).toBe("UNSUPPORTED_VERSION");
          expect(answer.message).toContain(`metadata has versions 0 to 0, not ${version}`);
        }
        expect((await client.request("describeCluster", {})).error).toBe("NONE");
      }),
    );
  });

  it("comes before hello: refused with the reason, and closed with 1008", async () => {
    await witness.during(async () => {
      for (const key of [3, 0, 999]) {
        const client = await RawClient.open(broker.port);
        client.send(encodeCbor([key, 0, 7, {}]));
        const end = await client.closing();
        expect(end).toMatchObject({ error: "ILLEGAL_SASL_STATE", code: 1008 });
        expect(end.message).toContain("the first request must be hello");
      }
    });
  });

  it("is a hello for another cluster: INCONSISTENT_CLUSTER_ID, and nothing else is served", async () => {
    await witness.during(async () => {
      const client = await RawClient.open(broker.port);
      const hello = { software: "raw", softwareVersion: "1", clientId: null };
      const answer = await client.request("hello", { ...hello, clusterId: "elsewhere" });
      expect(answer.error).toBe("INCONSISTENT_CLUSTER_ID");
      expect(answer.message).toContain("not the one expected");
      const next = await client.request("describeCluster", {});
      expect(next.error).toBe("ILLEGAL_SASL_STATE");
      client.destroy();
    });
  });
});

describe("a topic or partition that is not there", () => {
  it("is UNKNOWN_TOPIC_OR_PARTITION by name, says how to create it, and is not created", async () => {
    await witness.during(() =>
      withGreeted(broker.port, async (client) => {
        const { body } = await client.request("metadata", { topics: ["ghost"], topicIds: [] });
        expect(body.topics).toMatchObject([{ name: "ghost", errorCode: 3, topicId: null }]);
        expect(body.topics[0]?.errorMessage).toContain("millrace topics create");
        const all = await client.request("metadata", { topics: null, topicIds: [] });
        expect(all.body.topics.map(({ name }) => name).sort()).toEqual(["honest", "small"]);
      }),
    );
  });

  it("fails an SDK's send at once, with the way to create it", async () => {
    const client = new Millrace(broker.url);
    try {
      await witness.during(async () => {
        const sent = client.producer().send({ topic: "ghost", value: "x" });
        await expect(sent).rejects.toMatchObject({ code: "UNKNOWN_TOPIC_OR_PARTITION" });
        await expect(sent).rejects.toThrow("create");
      });
    } finally {
      await client.close();
    }
  });

  it("is refused alone by produce, fetch, listOffsets and deleteRecords: the rest is served", async () => {
    await witness.during(() =>
      withGreeted(broker.port, async (client) => {
        const targets = [
          { topicId: nobody, partition: 0 },
          { topicId, partition: 1 },
          { topicId, partition: 2 ** 31 - 1 },
        ];
        const expected = [100, 3, 3];
        const produced = await client.request("produce", {
          acks: -1,
          timeoutMs: 1_000,
          partitions: targets.map((target) => ({ ...target, recordsLength: 0 })),
        });
        expect(produced.body.partitions.map(({ errorCode }) => errorCode)).toEqual(expected);
        const listed = await client.request("listOffsets", {
          isolationLevel: 0,
          partitions: [...targets, { topicId, partition: 0 }].map((target) => ({
            ...target,
            timestamp: -1,
            currentLeaderEpoch: -1,
          })),
        });
        expect(listed.body.partitions.map(({ errorCode }) => errorCode)).toEqual([...expected, 0]);
        expect(listed.body.partitions.at(-1)?.offset).toBe(2);
        const deleted = await client.request("deleteRecords", {
          timeoutMs: 1_000,
          partitions: targets.map((target) => ({ ...target, beforeOffset: 0 })),
        });
        expect(deleted.body.partitions.map(({ errorCode }) => errorCode)).toEqual(expected);
        for (const [index, { topicId: id, partition }] of targets.entries()) {
          const { body } = await client.request("fetch", fetchOf(id, partition, 0));
          expect(body.partitions[0]?.errorCode).toBe(expected[index]);
          expect(body.partitions[0]?.errorMessage).toBeTruthy();
        }
      }),
    );
  });
});

describe("an offset out of range", () => {
  it("is OFFSET_OUT_OF_RANGE with the range that there is, at both ends and beyond all reason", async () => {
    await witness.during(() =>
      withGreeted(broker.port, async (client) => {
        for (const offset of [-1, 3, 2 ** 31, Number.MAX_SAFE_INTEGER, -Number.MAX_SAFE_INTEGER]) {
          const { body } = await client.request("fetch", fetchOf(topicId, 0, offset));
          expect(body.partitions[0]?.errorCode).toBe(1);
          expect(body.partitions[0]?.errorMessage).toContain("outside 0 to 2");
        }
        const last = await client.request("fetch", fetchOf(topicId, 0, 1));
        expect(last.body.partitions[0]).toMatchObject({ errorCode: 0, highWatermark: 2 });
        expect(last.records.length).toBeGreaterThan(0);
      }),
    );
  });

  it("is refused by deleteRecords, which deletes nothing then", async () => {
    await witness.during(() =>
      withGreeted(broker.port, async (client) => {
        for (const beforeOffset of [3, Number.MAX_SAFE_INTEGER, -2]) {
          const partitions = [{ topicId, partition: 0, beforeOffset }];
          const { body } = await client.request("deleteRecords", { timeoutMs: 1_000, partitions });
          expect(body.partitions[0]?.errorCode).toBe(1);
        }
        const { body } = await client.request("fetch", fetchOf(topicId, 0, 0));
        expect(body.partitions[0]).toMatchObject({ errorCode: 0, logStartOffset: 0 });
      }),
    );
  });

  it("ends an SDK's consumer with OFFSET_OUT_OF_RANGE unless it said what to do then", async () => {
    await witness.during(async () => {
      const partitions = [{ topic: "small", partition: 0, offset: 99 }];
      const failing = witness.client.consumer({ partitions, onOutOfRange: "fail" });
      await expect(failing[Symbol.asyncIterator]().next()).rejects.toMatchObject({
        code: "OFFSET_OUT_OF_RANGE",
      });
      await failing.close();
      const resetting = witness.client.consumer({ partitions, onOutOfRange: "earliest" });
      const { value } = await resetting[Symbol.asyncIterator]().next();
      expect(value?.text()).toBe("zero");
      await resetting.close();
    });
  });
});
