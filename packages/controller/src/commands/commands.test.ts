import { describe, expect, it } from "vitest";
import { applyRecord } from "../apply.js";
import { emptyImage, type MutableMetadataImage, topicConfig } from "../metadata-image.js";
import { allocateProducerIds } from "./allocate-producer-ids.js";
import { alterConfigs, type ConfigOperation } from "./alter-configs.js";
import type { CommandContext, CommandOutcome, TopicPolicy } from "./command.js";
import { createPartitions } from "./create-partitions.js";
import { createTopics, type NewTopic } from "./create-topics.js";
import { deleteTopics } from "./delete-topics.js";
import { registerBroker } from "./register-broker.js";

const policy: TopicPolicy = {
  defaultPartitions: 3,
  defaultReplicationFactor: 1,
  clampReplication: false,
  maxPartitionsPerTopic: 100,
  maxPartitions: 150,
  topicDefaults: {},
};

let lastUuid = 0;
const context = (overrides: Partial<TopicPolicy> = {}): CommandContext => ({
  nowMs: 1000,
  randomUuid: () => {
    lastUuid += 1;
    return `${lastUuid.toString(16).padStart(8, "0")}-0000-4000-8000-000000000000`;
  },
  policy: { ...policy, ...overrides },
});

const uuid = (digit: string): string => `${digit.repeat(8)}-0000-4000-8000-${digit.repeat(12)}`;

function run<R>(image: MutableMetadataImage, outcome: CommandOutcome<R>): R {
  if (!outcome.ok) {
    throw new Error(`${outcome.error}: ${outcome.message}`);
  }
  for (const record of outcome.records) {
    applyRecord(image, record);
  }
  return outcome.response;
}

function register(image: MutableMetadataImage, nodeId = 0): void {
  const request = {
    nodeId,
    incarnationId: uuid("a"),
    directoryId: uuid("d"),
    url: null,
    rack: null,
    softwareVersion: "1.0.0",
  };
  run(image, registerBroker(image, request));
}

function cluster(brokers = 1): MutableMetadataImage {
  const image = emptyImage();
  for (let nodeId = 0; nodeId < brokers; nodeId++) {
    register(image, nodeId);
  }
  return image;
}

const topic = (name: string, rest: Partial<NewTopic> = {}): NewTopic => ({
  name,
  partitions: 1,
  replicationFactor: 1,
  config: {},
  ...rest,
});

function create(image: MutableMetadataImage, ...topics: NewTopic[]) {
  return run(image, createTopics(image, { topics, validateOnly: false }, context()));
}

const decide = (
  image: MutableMetadataImage,
  spec: NewTopic,
  overrides: Partial<TopicPolicy> = {},
) => {
  const request = { topics: [spec], validateOnly: false };
  const outcome = createTopics(image, request, context(overrides));
  if (!outcome.ok) {
    throw new Error(outcome.error);
  }
  return { result: outcome.response[0], records: outcome.records };
};

describe("createTopics", () => {
  it("makes a topic with its partitions, led by their first replica, all in sync", () => {
    const image = cluster(3);
    const [created] = create(image, topic("orders", { partitions: 4, replicationFactor: 2 }));
    expect(created).toMatchObject({ error: "NONE", partitions: 4, replicationFactor: 2 });
    const stored = image.topicsByName.get("orders");
    expect(stored?.topicId).toBe(created?.topicId);
    expect(stored?.partitions).toHaveLength(4);
    for (const partition of stored?.partitions ?? []) {
      expect(new Set(partition.replicas).size).toBe(2);
      expect(partition.isr).toEqual(partition.replicas);
      expect(partition.leader).toBe(partition.replicas[0]);
      expect(partition.leaderEpoch).toBe(0);
    }
  });

  it("fills in the defaults for -1", () => {
    const image = cluster();
    const [created] = create(image, topic("orders", { partitions: -1, replicationFactor: -1 }));
    expect(created).toMatchObject({ partitions: 3, replicationFactor: 1 });
  });

  it.each([
    "__cluster_metadata",
    "",
    ".",
    "..",
    "a/b",
    "../x",
    "a b",
    "a\u0000",
    "ü",
    "x".repeat(250),
  ])("refuses the name %j", (name) => {
    const { result, records } = decide(cluster(), topic(name));
    expect(result?.error).toBe("INVALID_TOPIC_EXCEPTION");
    expect(records).toEqual([]);
  });

  it("refuses a name that exists", () => {
    const image = cluster();
    create(image, topic("orders"));
    expect(decide(image, topic("orders")).result?.error).toBe("TOPIC_ALREADY_EXISTS");
  });

  it("refuses names that differ only in . and _, in the cluster and in one request", () => {
    const image = cluster();
    create(image, topic("a.b"));
    const { result } = decide(image, topic("a_b"));
    expect(result?.error).toBe("INVALID_TOPIC_EXCEPTION");
    expect(result?.message).toContain("collides with a.b");
    const [first, second] = create(image, topic("x.y"), topic("x_y"));
    expect([first?.error, second?.error]).toEqual(["NONE", "INVALID_TOPIC_EXCEPTION"]);
  });

  it("refuses both of two topics with one name in a request", () => {
    const image = cluster();
    const results = create(image, topic("twice"), topic("twice"), topic("once"));
    expect(results.map((result) => result.error)).toEqual([
      "INVALID_REQUEST",
      "INVALID_REQUEST",
      "NONE",
    ]);
    expect(image.topicsByName.has("twice")).toBe(false);
  });

  it.each([0, -2, 101])("refuses %i partitions", (partitions) => {
    expect(decide(cluster(), topic("t", { partitions })).result?.error).toBe("INVALID_PARTITIONS");
  });

  it("counts the partitions of earlier topics of the request against the cluster's bound", () => {
    const image = cluster();
    const results = create(
      image,
      topic("one", { partitions: 100 }),
      topic("two", { partitions: 51 }),
      topic("three", { partitions: 50 }),
    );
    expect(results.map((result) => result.error)).toEqual(["NONE", "POLICY_VIOLATION", "NONE"]);
    expect(image.partitionCount).toBe(150);
  });

  it("refuses a replication factor above the number of brokers and names the way out", () => {
    const { result } = decide(cluster(), topic("t", { replicationFactor: 3 }));
    expect(result?.error).toBe("INVALID_REPLICATION_FACTOR");
    expect(result?.message).toContain("needs 3 brokers, and this cluster has 1 broker;");
    expect(result?.message).toContain("--clamp-replication");
  });

  it("lowers the replication factor when told to clamp, and says so", () => {
    const spec = topic("t", { replicationFactor: 3 });
    const { result } = decide(cluster(), spec, { clampReplication: true });
    expect(result).toMatchObject({ error: "NONE", replicationFactor: 1 });
  });

  it.each([0, -5])("refuses a replication factor of %i, clamped or not", (replicationFactor) => {
    for (const clampReplication of [true, false]) {
      const { result } = decide(cluster(), topic("t", { replicationFactor }), { clampReplication });
      expect(result?.error).toBe("INVALID_REPLICATION_FACTOR");
    }
  });

  it.each([
    { "no.such.key": "1" },
    { "retention.ms": "soon" },
    { "retention.ms": "-2" },
    { flush: "never" },
  ])("refuses the configuration %j", (config) => {
    const { result } = decide(cluster(), topic("t", { config: config as Record<string, string> }));
    expect(result?.error).toBe("INVALID_CONFIG");
    expect(result?.message).toContain(Object.keys(config)[0]);
  });

  it("keeps the topic's own configuration and nothing of the defaults", () => {
    const image = cluster();
    create(image, topic("t", { config: { "retention.ms": "1000" } }));
    expect([...topicConfig(image, "t")]).toEqual([["retention.ms", "1000"]]);
  });

  it("writes nothing when it only validates", () => {
    const image = cluster();
    const request = { topics: [topic("t")], validateOnly: true };
    const outcome = createTopics(image, request, context());
    expect(outcome).toMatchObject({
      ok: true,
      records: [],
      response: [{ error: "NONE", topicId: null }],
    });
  });

  it("gives a topic that is created again another id", () => {
    const image = cluster();
    const [first] = create(image, topic("t", { config: { "retention.ms": "1" } }));
    run(image, deleteTopics(image, { names: ["t"], topicIds: [] }));
    const [second] = create(image, topic("t"));
    expect(second?.topicId).not.toBe(first?.topicId);
    expect(topicConfig(image, "t").size).toBe(0);
  });
});

describe("deleteTopics", () => {
  it("deletes by name and by id, and answers for what is missing", () => {
    const image = cluster();
    const [one, two] = create(image, topic("one"), topic("two", { partitions: 5 }));
    const response = run(
      image,
      deleteTopics(image, { names: ["one", "none"], topicIds: [two?.topicId ?? "", uuid("f")] }),
    );
    expect(response.map((result) => result.error)).toEqual([
      "NONE",
      "UNKNOWN_TOPIC_OR_PARTITION",
      "NONE",
      "UNKNOWN_TOPIC_ID",
    ]);
    expect(response[0]?.topicId).toBe(one?.topicId);
    expect(image.topicsById.size).toBe(0);
    expect(image.partitionCount).toBe(0);
  });

  it("deletes a topic that is named twice once", () => {
    const image = cluster();
    const [one] = create(image, topic("one"));
    const outcome = deleteTopics(image, { names: ["one", "one"], topicIds: [one?.topicId ?? ""] });
    expect(outcome).toMatchObject({ records: [{ kind: "removeTopic" }] });
  });

  it("keeps internal topics", () => {
    const image = cluster();
    applyRecord(image, {
      kind: "topic",
      body: { name: "__internal", topicId: uuid("1"), isInternal: true },
    });
    const [result] = run(image, deleteTopics(image, { names: ["__internal"], topicIds: [] }));
    expect(result?.error).toBe("POLICY_VIOLATION");
  });
});

describe("createPartitions", () => {
  const extend = (image: MutableMetadataImage, totalCount: number, name = "t") =>
    run(
      image,
      createPartitions(image, { topics: [{ name, totalCount }], validateOnly: false }, context()),
    )[0];

  it("adds partitions behind the existing ones", () => {
    const image = cluster(2);
    create(image, topic("t", { partitions: 2, replicationFactor: 2 }));
    expect(extend(image, 5)?.error).toBe("NONE");
    const partitions = image.topicsByName.get("t")?.partitions ?? [];
    expect(partitions.map(({ partition }) => partition)).toEqual([0, 1, 2, 3, 4]);
    expect(partitions.every(({ replicas }) => replicas.length === 2)).toBe(true);
  });

  it.each([1, 2])("refuses to go from 2 to %i", (count) => {
    const image = cluster();
    create(image, topic("t", { partitions: 2 }));
    expect(extend(image, count)?.error).toBe("INVALID_PARTITIONS");
  });

  it("keeps to the bounds of the topic and of the cluster", () => {
    const image = cluster();
    create(image, topic("t"), topic("big", { partitions: 100 }));
    expect(extend(image, 101)?.error).toBe("INVALID_PARTITIONS");
    expect(extend(image, 51)?.error).toBe("POLICY_VIOLATION");
    expect(extend(image, 50)?.error).toBe("NONE");
  });

  it("answers for unknown topics and for topics named twice", () => {
    const image = cluster();
    create(image, topic("t"));
    const request = {
      topics: [
        { name: "none", totalCount: 2 },
        { name: "t", totalCount: 2 },
        { name: "t", totalCount: 3 },
      ],
      validateOnly: false,
    };
    const response = run(image, createPartitions(image, request, context()));
    expect(response.map((result) => result.error)).toEqual([
      "UNKNOWN_TOPIC_OR_PARTITION",
      "NONE",
      "INVALID_REQUEST",
    ]);
  });

  it("writes nothing when it only validates", () => {
    const image = cluster();
    create(image, topic("t"));
    const request = { topics: [{ name: "t", totalCount: 2 }], validateOnly: true };
    expect(createPartitions(image, request, context())).toMatchObject({ ok: true, records: [] });
  });
});

describe("alterConfigs", () => {
  const alter = (
    image: MutableMetadataImage,
    operations: ConfigOperation[],
    resource: { type: "topic" | "broker" | "cluster"; name: string } = { type: "topic", name: "t" },
  ) =>
    run(
      image,
      alterConfigs(
        image,
        { resources: [{ ...resource, operations }], validateOnly: false },
        context(),
      ),
    )[0];
  const set = (key: string, value: string | null): ConfigOperation => ({
    operation: "set",
    key,
    value,
  });

  it("changes the keys it names and leaves the others", () => {
    const image = cluster();
    create(image, topic("t", { config: { "retention.ms": "1000", "segment.ms": "500" } }));
    alter(image, [
      set("retention.bytes", "7"),
      { operation: "delete", key: "segment.ms", value: null },
    ]);
    expect(Object.fromEntries(topicConfig(image, "t"))).toEqual({
      "retention.ms": "1000",
      "retention.bytes": "7",
    });
  });

  it("changes nothing when one of the operations is wrong", () => {
    const image = cluster();
    create(image, topic("t"));
    expect(alter(image, [set("retention.ms", "5"), set("retention.bytes", "x")])?.error).toBe(
      "INVALID_CONFIG",
    );
    expect(topicConfig(image, "t").size).toBe(0);
  });

  it.each([
    [[set("retention.ms", null)], "INVALID_CONFIG"],
    [[set("nope", "1")], "INVALID_CONFIG"],
    [[{ operation: "delete", key: "nope", value: null }], "INVALID_CONFIG"],
    [[{ operation: "append", key: "retention.ms", value: "1" }], "INVALID_CONFIG"],
    [[set("retention.ms", "1"), set("retention.ms", "2")], "INVALID_REQUEST"],
  ] as [ConfigOperation[], string][])("refuses %j", (operations, error) => {
    const image = cluster();
    create(image, topic("t"));
    expect(alter(image, operations)?.error).toBe(error);
  });

  it("treats cleanup.policy as a list", () => {
    const image = cluster();
    create(image, topic("t"));
    const append: ConfigOperation = { operation: "append", key: "cleanup.policy", value: "delete" };
    expect(alter(image, [append])?.error).toBe("NONE");
    expect(topicConfig(image, "t").get("cleanup.policy")).toBe("delete");
  });

  it("refuses unknown topics, and resources that are configured at start", () => {
    const image = cluster();
    const ask = (type: "topic" | "broker" | "cluster") => alter(image, [], { type, name: "x" });
    expect(ask("topic")?.error).toBe("UNKNOWN_TOPIC_OR_PARTITION");
    expect(ask("broker")?.error).toBe("INVALID_REQUEST");
    expect(ask("cluster")?.error).toBe("INVALID_REQUEST");
  });

  it("writes nothing when nothing changes", () => {
    const image = cluster();
    create(image, topic("t", { config: { "retention.ms": "1000" } }));
    const resources = [
      { type: "topic" as const, name: "t", operations: [set("retention.ms", "1000")] },
    ];
    expect(alterConfigs(image, { resources, validateOnly: false }, context())).toMatchObject({
      records: [],
    });
  });
});

describe("registerBroker", () => {
  it("counts incarnations and elects the node again under a new epoch", () => {
    const image = cluster();
    create(image, topic("t", { partitions: 2 }));
    register(image);
    expect(image.brokers.get(0)?.brokerEpoch).toBe(1);
    expect(image.topicsByName.get("t")?.partitions).toMatchObject([
      { leader: 0, leaderEpoch: 1, partitionEpoch: 1 },
      { leader: 0, leaderEpoch: 1, partitionEpoch: 1 },
    ]);
  });

  it("elects nobody who is not in the ISR", () => {
    const image = cluster(2);
    const [created] = create(image, topic("t", { replicationFactor: 2 }));
    applyRecord(image, {
      kind: "partitionChange",
      body: {
        topicId: created?.topicId ?? "",
        partition: 0,
        leader: -1,
        leaderEpoch: 1,
        partitionEpoch: 1,
        isr: [1],
      },
    });
    register(image, 0);
    expect(image.topicsByName.get("t")?.partitions[0]?.leader).toBe(-1);
    register(image, 1);
    expect(image.topicsByName.get("t")?.partitions[0]).toMatchObject({ leader: 1, leaderEpoch: 2 });
  });

  it("refuses a node that comes with another data directory", () => {
    const image = cluster();
    const outcome = registerBroker(image, {
      nodeId: 0,
      incarnationId: uuid("b"),
      directoryId: uuid("e"),
      url: null,
      rack: null,
      softwareVersion: "1.0.0",
    });
    expect(outcome).toMatchObject({ ok: false, error: "INCONSISTENT_CLUSTER_ID" });
  });
});

describe("allocateProducerIds", () => {
  it("gives blocks of 1000 that never overlap", () => {
    const image = cluster();
    const blocks = [0, 0, 1].map((nodeId) => run(image, allocateProducerIds(image, { nodeId })));
    expect(blocks.map((block) => block.firstProducerId)).toEqual([0, 1000, 2000]);
    expect(blocks.every((block) => block.size === 1000)).toBe(true);
  });

  it("refuses when the numbers are used up", () => {
    const image = cluster();
    image.nextProducerId = Number.MAX_SAFE_INTEGER - 10;
    expect(allocateProducerIds(image, { nodeId: 0 })).toMatchObject({ ok: false });
  });
});
