import { type Answer, isWorthRetrying, type TopicMetadata } from "@millrace/client-core";
import { type ApiName, errorCode, MillraceError, type WireErrorName } from "@millrace/protocol";
import { describe, expect, it } from "vitest";
import { Admin } from "./admin.js";
import type { ClusterPort } from "./cluster-port.js";

interface Asked {
  readonly target: unknown;
  readonly api: ApiName;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into bodies of every API.
  readonly body: any;
}

type Reply = (asked: Asked) => unknown;

/** A cluster that answers from a script: one reply per request, the last one again and again. */
class ScriptedCluster implements ClusterPort {
  readonly asked: Asked[] = [];
  readonly requestTimeoutMs = 30_000;
  readonly topics = new Map<string, TopicMetadata>();
  readonly refreshed: string[] = [];
  invalidations = 0;
  closed = 0;
  retryLimit = 5;
  readonly #replies: Reply[];
  readonly metadata: ClusterPort["metadata"];

  constructor(...replies: Reply[]) {
    this.#replies = replies;
    this.metadata = {
      topic: (name) => {
        const topic = this.topics.get(name);
        return topic === undefined
          ? Promise.reject(new MillraceError("UNKNOWN_TOPIC_OR_PARTITION"))
          : Promise.resolve(topic);
      },
      invalidate: () => {
        this.invalidations++;
      },
      refresh: (names) => {
        this.refreshed.push(...(names ?? []));
        return Promise.resolve();
      },
    };
  }

  get admin(): Admin {
    return new Admin({ client: this });
  }

  async request<Name extends ApiName>(
    target: unknown,
    api: Name,
    body: unknown,
  ): Promise<Answer<Name>> {
    const asked = { target, api, body };
    this.asked.push(asked);
    const reply = this.#replies.length > 1 ? this.#replies.shift() : this.#replies[0];
    return { body: reply?.(asked), records: new Uint8Array(0) } as Answer<Name>;
  }

  async retry<T>(operation: (attempt: number, remainingMs: number) => Promise<T>): Promise<T> {
    for (let attempt = 0; ; attempt++) {
      try {
        return await operation(attempt, 1000);
      } catch (error) {
        if (!isWorthRetrying(error) || attempt === this.retryLimit) {
          throw error;
        }
      }
    }
  }

  close(): Promise<void> {
    this.closed++;
    return Promise.resolve();
  }
}

const failing = (name: WireErrorName): Reply => {
  return () => {
    throw new MillraceError(name);
  };
};

const created = (errors: Readonly<Record<string, WireErrorName>> = {}): Reply => {
  return ({ body }) => ({
    topics: body.topics.map((topic: { name: string; partitions: number }) => ({
      name: topic.name,
      topicId: errors[topic.name] === undefined ? `id-${topic.name}` : null,
      errorCode: errorCode(errors[topic.name] ?? "NONE"),
      errorMessage: null,
      partitions: topic.partitions === -1 ? 1 : topic.partitions,
      replicationFactor: 1,
    })),
  });
};

const topic = (name: string, leaders: readonly number[]): TopicMetadata => ({
  name,
  topicId: `id-${name}`,
  isInternal: false,
  maxMessageBytes: 1,
  partitions: leaders.map((leaderId, partition) => ({
    partition,
    leaderId,
    leaderEpoch: 3,
    replicas: [leaderId],
    isr: [leaderId],
  })),
});

describe("createTopic", () => {
  it("asks the controller, with -1 for what the broker decides and text for every value", async () => {
    const cluster = new ScriptedCluster(created());
    const config = { "retention.ms": 5, "cleanup.policy": "delete" };
    const result = await cluster.admin.createTopic("orders", { config });
    expect(result).toEqual({
      name: "orders",
      topicId: "id-orders",
      partitions: 1,
      replicationFactor: 1,
      created: true,
    });
    expect(cluster.asked[0]).toMatchObject({
      target: "controller",
      body: {
        topics: [
          {
            name: "orders",
            partitions: -1,
            replicationFactor: -1,
            config: { "retention.ms": "5", "cleanup.policy": "delete" },
          },
        ],
        validateOnly: false,
      },
    });
    expect(cluster.invalidations).toBe(1);
  });

  it("throws the topic's error", async () => {
    const cluster = new ScriptedCluster(created({ orders: "TOPIC_ALREADY_EXISTS" }));
    await expect(cluster.admin.createTopic("orders")).rejects.toMatchObject({
      code: "TOPIC_ALREADY_EXISTS",
      details: { topic: "orders" },
    });
  });

  it("takes an existing topic for success with ifNotExists, and says that it was there", async () => {
    const cluster = new ScriptedCluster(created({ orders: "TOPIC_ALREADY_EXISTS" }));
    cluster.topics.set("orders", topic("orders", [0, 0, 0]));
    const result = await cluster.admin.createTopic("orders", { ifNotExists: true, partitions: 9 });
    expect(result).toMatchObject({ topicId: "id-orders", partitions: 3, created: false });
  });

  it("does not ask again when the topic is created but the disk refused its logs", async () => {
    const cluster = new ScriptedCluster(
      created({ orders: "KAFKA_STORAGE_ERROR" }),
      created({ orders: "TOPIC_ALREADY_EXISTS" }),
    );
    await expect(cluster.admin.createTopic("orders")).rejects.toMatchObject({
      code: "KAFKA_STORAGE_ERROR",
      retriable: false,
    });
  });

  it("admits that it may have created the topic itself when the first answer got lost", async () => {
    const cluster = new ScriptedCluster(
      failing("NETWORK_EXCEPTION"),
      created({ orders: "TOPIC_ALREADY_EXISTS" }),
    );
    await expect(cluster.admin.createTopic("orders")).rejects.toMatchObject({
      code: "TOPIC_ALREADY_EXISTS",
      details: { mayBeOwn: true },
    });
  });

  it("refuses an illegal name without asking anybody", async () => {
    const cluster = new ScriptedCluster(created());
    await expect(cluster.admin.createTopic("a/b")).rejects.toMatchObject({
      code: "INVALID_TOPIC_EXCEPTION",
    });
    expect(cluster.asked).toEqual([]);
  });
});

describe("calls about several topics", () => {
  it("return one result each, in order", async () => {
    const cluster = new ScriptedCluster(created({ b: "INVALID_CONFIG" }));
    const results = await cluster.admin.createTopics([{ name: "a" }, { name: "b" }, { name: "c" }]);
    expect(results.map(({ ok, name }) => [ok, name])).toEqual([
      [true, "a"],
      [false, "b"],
      [true, "c"],
    ]);
    expect(results[1]).toMatchObject({ error: { code: "INVALID_CONFIG" } });
  });

  it("ask again only for those whose error is worth it", async () => {
    const cluster = new ScriptedCluster(
      created({ b: "INVALID_CONFIG", c: "BROKER_OVERLOADED" }),
      created(),
    );
    const results = await cluster.admin.createTopics([{ name: "a" }, { name: "b" }, { name: "c" }]);
    expect(results.map(({ ok }) => ok)).toEqual([true, false, true]);
    expect(cluster.asked[1]?.body.topics.map(({ name }: { name: string }) => name)).toEqual(["c"]);
  });

  it("give the last error of an item that never succeeded, beside the results of the others", async () => {
    const cluster = new ScriptedCluster(created({ b: "BROKER_OVERLOADED" }));
    const results = await cluster.admin.createTopics([{ name: "a" }, { name: "b" }]);
    expect(results[0]).toMatchObject({ ok: true, name: "a" });
    expect(results[1]).toMatchObject({ ok: false, error: { code: "BROKER_OVERLOADED" } });
    expect(cluster.asked).toHaveLength(6);
  });

  it("throw when the request as a whole failed", async () => {
    const cluster = new ScriptedCluster(failing("CLUSTER_AUTHORIZATION_FAILED"));
    await expect(cluster.admin.createTopics([{ name: "a" }])).rejects.toMatchObject({
      code: "CLUSTER_AUTHORIZATION_FAILED",
    });
  });

  describe("that delete", () => {
    const gone: Reply = ({ body }) => ({
      topics: body.topics.map((name: string) => ({
        name,
        topicId: null,
        errorCode: errorCode("UNKNOWN_TOPIC_OR_PARTITION"),
        errorMessage: null,
      })),
    });

    it.each(["NETWORK_EXCEPTION", "REQUEST_TIMED_OUT"] as const)(
      "succeed when the topic is gone and the first answer was lost (%s)",
      async (lost) => {
        const cluster = new ScriptedCluster(failing(lost), gone);
        const [result] = await cluster.admin.deleteTopics(["orders"]);
        expect(result).toEqual({ ok: true, name: "orders", topicId: null });
      },
    );

    it("fail when the topic was never there, or an earlier attempt surely did nothing", async () => {
      for (const cluster of [
        new ScriptedCluster(gone),
        new ScriptedCluster(failing("NOT_CONTROLLER"), gone),
      ]) {
        const [result] = await cluster.admin.deleteTopics(["orders"]);
        expect(result).toMatchObject({
          ok: false,
          error: { code: "UNKNOWN_TOPIC_OR_PARTITION" },
        });
      }
    });
  });

  it("report a topic that the answer leaves out", async () => {
    const cluster = new ScriptedCluster(() => ({ topics: [] }));
    const [result] = await cluster.admin.deleteTopics(["orders"]);
    expect(result).toMatchObject({ ok: false, error: { code: "PROTOCOL_VIOLATION" } });
  });

  it("ask nobody about nothing", async () => {
    const cluster = new ScriptedCluster(created());
    expect(await cluster.admin.createTopics([])).toEqual([]);
    expect(cluster.asked).toEqual([]);
  });
});

describe("createPartitions", () => {
  it("lets the same client's producers see the new partitions at once", async () => {
    const cluster = new ScriptedCluster(({ body }) => ({
      topics: body.topics.map(({ name }: { name: string }) => ({
        name,
        topicId: `id-${name}`,
        errorCode: 0,
        errorMessage: null,
      })),
    }));
    await cluster.admin.createPartitions("orders", 8);
    expect(cluster.asked[0]?.body.topics).toEqual([{ name: "orders", totalCount: 8 }]);
    expect(cluster.refreshed).toEqual(["orders"]);
  });
});

describe("listTopics", () => {
  it("sorts by name and leaves internal topics out unless asked", async () => {
    const answer = {
      topics: ["b", "__internal", "a"].map((name) => ({
        ...topic(name, [1, 1]),
        errorCode: 0,
        errorMessage: null,
        isInternal: name.startsWith("__"),
      })),
    };
    const cluster = new ScriptedCluster(() => answer);
    const names = (await cluster.admin.listTopics()).map(({ name }) => name);
    const all = await cluster.admin.listTopics({ includeInternal: true });
    expect(names).toEqual(["a", "b"]);
    expect(all.map(({ name }) => name)).toEqual(["__internal", "a", "b"]);
  });
});

describe("listOffsets", () => {
  const found: Reply = ({ body }) => ({
    partitions: body.partitions.map((asked: { topicId: string; partition: number }) => ({
      ...asked,
      errorCode: 0,
      timestamp: asked.partition === 0 ? 1234 : -1,
      offset: asked.partition === 1 ? -1 : 10 + asked.partition,
      leaderEpoch: 3,
      errorMessage: null,
    })),
  });

  it("asks each leader about its partitions and puts the answers in order", async () => {
    const cluster = new ScriptedCluster(found);
    cluster.topics.set("orders", topic("orders", [7, 8, 7]));
    const offsets = await cluster.admin.listOffsets("orders", { timestamp: 1000 });
    expect(offsets).toEqual([
      { partition: 0, offset: 10, timestamp: 1234, leaderEpoch: 3 },
      { partition: 1, offset: null, timestamp: null, leaderEpoch: 3 },
      { partition: 2, offset: 12, timestamp: null, leaderEpoch: 3 },
    ]);
    expect(cluster.asked.map(({ target }) => target)).toEqual([{ nodeId: 7 }, { nodeId: 8 }]);
    expect(cluster.asked[0]?.body.partitions[0]).toMatchObject({
      timestamp: 1000,
      currentLeaderEpoch: 3,
    });
  });

  it("asks a leader several times for more than one request may look up", async () => {
    const cluster = new ScriptedCluster(found);
    cluster.topics.set("orders", topic("orders", Array(25_000).fill(7)));
    const offsets = await cluster.admin.listOffsets("orders", { timestamp: 1000 });
    expect(offsets.map(({ partition }) => partition)).toEqual([...Array(25_000).keys()]);
    const counts = cluster.asked.map(({ body }) => body.partitions.length);
    expect(counts).toEqual([10_000, 10_000, 5_000]);
  });

  it.each([
    ["earliest", -2],
    ["latest", -1],
    ["maxTimestamp", -3],
  ] as const)("asks for %s as %d", async (at, timestamp) => {
    const cluster = new ScriptedCluster(found);
    cluster.topics.set("orders", topic("orders", [1]));
    await cluster.admin.listOffsets("orders", at);
    expect(cluster.asked[0]?.body.partitions[0].timestamp).toBe(timestamp);
  });

  it("refuses a timestamp that would mean something else on the wire", async () => {
    const cluster = new ScriptedCluster(found);
    cluster.topics.set("orders", topic("orders", [1]));
    await expect(cluster.admin.listOffsets("orders", { timestamp: -2 })).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
    });
  });

  it("waits for a leader, and names a partition that does not exist", async () => {
    const cluster = new ScriptedCluster(found);
    cluster.topics.set("orders", topic("orders", [-1]));
    await expect(cluster.admin.listOffsets("orders", "latest")).rejects.toMatchObject({
      code: "LEADER_NOT_AVAILABLE",
    });
    await expect(
      cluster.admin.listOffsets("orders", "latest", { partitions: [5] }),
    ).rejects.toMatchObject({ code: "UNKNOWN_TOPIC_OR_PARTITION", details: { partition: 5 } });
    expect(cluster.asked).toEqual([]);
  });

  it("asks once more when the topic was created again under a new id", async () => {
    const stale: Reply = ({ body }) => ({
      partitions: body.partitions.map((asked: object) => ({
        ...asked,
        errorCode: errorCode("UNKNOWN_TOPIC_ID"),
        offset: -1,
        leaderEpoch: -1,
        errorMessage: null,
      })),
    });
    const cluster = new ScriptedCluster(stale, found);
    cluster.topics.set("orders", topic("orders", [1]));
    expect((await cluster.admin.listOffsets("orders", "latest"))[0]?.offset).toBe(10);
    const hopeless = new ScriptedCluster(stale);
    hopeless.topics.set("orders", topic("orders", [1]));
    await expect(hopeless.admin.listOffsets("orders", "latest")).rejects.toMatchObject({
      code: "UNKNOWN_TOPIC_ID",
    });
    expect(hopeless.asked).toHaveLength(2);
  });
});

describe("deleteRecords", () => {
  it("writes the high watermark as -1 and gives the new first offset", async () => {
    const cluster = new ScriptedCluster(({ body }) => ({
      partitions: body.partitions.map((asked: { partition: number }) => ({
        ...asked,
        errorCode: 0,
        lowWatermark: 40 + asked.partition,
        errorMessage: null,
      })),
    }));
    cluster.topics.set("orders", topic("orders", [1, 1]));
    const deleted = await cluster.admin.deleteRecords("orders", [
      { partition: 1, beforeOffset: 41 },
      { partition: 0, beforeOffset: "highWatermark" },
    ]);
    expect(deleted).toEqual([
      { partition: 1, lowWatermark: 41 },
      { partition: 0, lowWatermark: 40 },
    ]);
    const asked = cluster.asked[0]?.body.partitions;
    expect(asked.map(({ beforeOffset }: { beforeOffset: number }) => beforeOffset)).toEqual([
      41, -1,
    ]);
  });
});

describe("configurations", () => {
  const echoed: Reply = ({ body }) => ({
    resources: body.resources.map((resource: { type: string; name: string }) => ({
      type: resource.type,
      name: resource.name,
      errorCode: 0,
      errorMessage: null,
      entries: [],
    })),
  });

  it("are changed key by key: set, delete, append, subtract", async () => {
    const cluster = new ScriptedCluster(echoed);
    await cluster.admin.alterConfig(
      { topic: "orders" },
      {
        set: { "retention.ms": 5 },
        delete: ["segment.bytes"],
        append: { "cleanup.policy": "compact" },
        subtract: { "cleanup.policy": "delete" },
      },
    );
    expect(cluster.asked[0]).toMatchObject({ target: "controller", api: "alterConfigs" });
    expect(cluster.asked[0]?.body.resources).toEqual([
      {
        type: "topic",
        name: "orders",
        operations: [
          { operation: "delete", key: "segment.bytes", value: null },
          { operation: "set", key: "retention.ms", value: "5" },
          { operation: "append", key: "cleanup.policy", value: "compact" },
          { operation: "subtract", key: "cleanup.policy", value: "delete" },
        ],
      },
    ]);
  });

  it("refuse a change that changes nothing", async () => {
    const cluster = new ScriptedCluster(echoed);
    await expect(cluster.admin.alterConfig({ topic: "orders" }, {})).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
    });
  });

  it("of a broker are asked for at that broker, the others anywhere", async () => {
    const cluster = new ScriptedCluster(echoed);
    const results = await cluster.admin.describeConfigs(
      [{ topic: "orders" }, { broker: 3 }, "cluster"],
      { keys: ["a"] },
    );
    expect(results.map((result) => (result.ok ? result.name : "error"))).toEqual([
      "orders",
      "3",
      "cluster",
    ]);
    expect(cluster.asked.map(({ target }) => target)).toEqual(["any", { nodeId: 3 }]);
    expect(cluster.asked[0]?.body.resources).toEqual([
      { type: "topic", name: "orders", keys: ["a"] },
      { type: "cluster", name: "", keys: ["a"] },
    ]);
  });
});

describe("close", () => {
  it("leaves a client alone that is not its own, and refuses further calls", async () => {
    const cluster = new ScriptedCluster(created());
    const { admin } = cluster;
    await Promise.all([admin.close(), admin.close()]);
    expect(cluster.closed).toBe(0);
    await expect(admin.createTopic("orders")).rejects.toMatchObject({ code: "CLOSED" });
  });
});
