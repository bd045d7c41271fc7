import type { ResponseOf } from "@millrace/protocol";
import { MillraceError } from "@millrace/protocol";
import { silentLogger } from "@millrace/runtime";
import { describe, expect, it } from "vitest";
import { AbortSource } from "./abort.js";
import { MetadataCache } from "./metadata-cache.js";
import { topicId } from "./test-support/fake-broker.js";
import { codeOf } from "./test-support/world.js";

type Metadata = ResponseOf<"metadata">;

/** A cluster whose answers the test releases one by one. */
class Cluster {
  readonly asked: (readonly string[])[] = [];
  readonly topics = new Map<string, { id: string; leaderEpoch: number; partitions: number }>();
  readonly #waiting: (() => void)[] = [];
  nowMs = 0;
  timer: { readonly delayMs: number; readonly callback: () => void } | undefined;
  error: MillraceError | undefined;
  readonly cache = new MetadataCache({
    clock: {
      nowMs: () => this.nowMs,
      monotonicMs: () => this.nowMs,
      setTimer: (delayMs, callback) => {
        this.timer = { delayMs, callback };
        return {
          cancel: () => {
            this.timer = undefined;
          },
        };
      },
      sleep: () => Promise.resolve(),
      defer: () => {},
    },
    logger: silentLogger,
    maxAgeMs: 1000,
    fetch: async (names) => {
      this.asked.push(names);
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
      if (this.error !== undefined) {
        throw this.error;
      }
      return this.answer(names);
    },
  });

  create(name: string, options: { id?: string; leaderEpoch?: number; partitions?: number } = {}) {
    const { id = topicId(name), leaderEpoch = 0, partitions = 2 } = options;
    this.topics.set(name, { id, leaderEpoch, partitions });
  }

  answer(names: readonly string[]): Metadata {
    return {
      clusterId: "c",
      controllerId: 1,
      brokers: [{ nodeId: 1, url: "ws://a:1", rack: null }],
      topics: names.map((name) => {
        const topic = this.topics.get(name);
        return {
          name,
          topicId: topic?.id ?? null,
          errorCode: topic === undefined ? 3 : 0,
          errorMessage: null,
          isInternal: false,
          maxMessageBytes: 1,
          partitions: Array.from({ length: topic?.partitions ?? 0 }, (_, partition) => ({
            partition,
            leaderId: 1,
            leaderEpoch: topic?.leaderEpoch ?? 0,
            replicas: [1],
            isr: [1],
          })).reverse(),
        };
      }),
    };
  }

  /** Answers everything that is asked until nothing is. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < 50; turn++) {
      this.#waiting.shift()?.();
      await Promise.resolve();
    }
  }

  /** Lets the pending microtasks run without answering anything. */
  async turn(): Promise<void> {
    for (let turn = 0; turn < 20; turn++) {
      await Promise.resolve();
    }
  }
}

describe("MetadataCache", () => {
  it("asks once for a topic that many want, and not again while it is fresh", async () => {
    const cluster = new Cluster();
    cluster.create("orders");
    const wanted = Promise.all([1, 2, 3].map(() => cluster.cache.topic("orders")));
    await cluster.settle();
    const topics = await wanted;
    expect(topics[0]?.partitions.map(({ partition }) => partition)).toEqual([0, 1]);
    await cluster.cache.topic("orders");
    expect(cluster.asked).toEqual([["orders"]]);
    expect(cluster.cache.topicById(topicId("orders"))).toBe(topics[0]);
    expect(cluster.cache.brokers).toEqual([{ nodeId: 1, url: "ws://a:1", rack: null }]);
  });

  it("gathers what is wanted while a request is under way into one next request", async () => {
    const cluster = new Cluster();
    const names = ["a", "b", "c", "d"];
    for (const name of names) {
      cluster.create(name);
    }
    const wanted = Promise.all(names.map((name) => cluster.cache.topic(name)));
    await cluster.settle();
    await wanted;
    expect(cluster.asked).toEqual([["a"], ["b", "c", "d"]]);
  });

  it("asks again when a topic is older than the maximum age", async () => {
    const cluster = new Cluster();
    cluster.create("orders");
    const first = cluster.cache.topic("orders");
    await cluster.settle();
    await first;
    cluster.nowMs = 999;
    await cluster.cache.topic("orders");
    cluster.nowMs = 1000;
    const again = cluster.cache.topic("orders");
    await cluster.settle();
    await again;
    expect(cluster.asked).toHaveLength(2);
  });

  it("does not take an answer for fresh that was asked for before the doubt", async () => {
    const cluster = new Cluster();
    cluster.create("orders");
    const early = cluster.cache.topic("orders");
    cluster.cache.invalidate("NOT_LEADER_OR_FOLLOWER");
    const late = cluster.cache.topic("orders");
    await cluster.settle();
    await Promise.all([early, late]);
    expect(cluster.asked).toEqual([["orders"], ["orders"]]);
    expect(cluster.cache.cachedTopic("orders")).toBeDefined();
  });

  it("says how to create a topic that does not exist, and sees it as soon as it does", async () => {
    const cluster = new Cluster();
    const missing = cluster.cache.topic("orders");
    const message = missing.catch((error: Error) => error.message);
    await cluster.settle();
    expect(await message).toContain("millrace topics create orders");
    cluster.create("orders");
    const found = cluster.cache.topic("orders");
    await cluster.settle();
    expect((await found).name).toBe("orders");
  });

  it("refuses an illegal name without asking", async () => {
    const cluster = new Cluster();
    expect(await codeOf(cluster.cache.topic("../etc"))).toBe("INVALID_TOPIC_EXCEPTION");
    expect(cluster.asked).toEqual([]);
  });

  it("forgets a topic that is gone, and one that was created again gets its new id", async () => {
    const cluster = new Cluster();
    cluster.create("orders");
    const first = cluster.cache.topic("orders");
    await cluster.settle();
    const { topicId: oldId } = await first;
    cluster.create("orders", { id: topicId("other"), leaderEpoch: 0 });
    const refreshed = cluster.cache.refresh();
    await cluster.settle();
    await refreshed;
    expect(cluster.cache.topicById(oldId)).toBeUndefined();
    expect(cluster.cache.topicById(topicId("other"))?.name).toBe("orders");
    cluster.topics.clear();
    const gone = cluster.cache.refresh();
    await cluster.settle();
    await gone;
    expect(cluster.cache.cachedTopic("orders")).toBeUndefined();
  });

  it("does not believe a broker that lags behind: the larger leader epoch stays", async () => {
    const cluster = new Cluster();
    cluster.create("orders", { leaderEpoch: 5 });
    const first = cluster.cache.topic("orders");
    await cluster.settle();
    await first;
    cluster.create("orders", { leaderEpoch: 4 });
    const refreshed = cluster.cache.refresh(["orders"]);
    await cluster.settle();
    await refreshed;
    expect(cluster.cache.cachedTopic("orders")?.partitions[0]?.leaderEpoch).toBe(5);
  });

  it("stops asking for topics that nobody used for the maximum age", async () => {
    const cluster = new Cluster();
    cluster.create("used");
    cluster.create("unused");
    const both = cluster.cache.refresh(["used", "unused"]);
    await cluster.settle();
    await both;
    for (const nowMs of [500, 1600, 2700]) {
      cluster.nowMs = nowMs;
      cluster.cache.cachedTopic("used");
      const refreshed = cluster.cache.refresh();
      await cluster.settle();
      await refreshed;
    }
    expect(cluster.asked.at(-1)).toEqual(["used"]);
  });

  it("sees partitions added elsewhere within the maximum age, without being asked", async () => {
    const cluster = new Cluster();
    cluster.create("orders", { partitions: 2 });
    const first = cluster.cache.topic("orders");
    await cluster.settle();
    await first;
    cluster.create("orders", { partitions: 5 });
    expect(cluster.timer?.delayMs).toBe(1000);
    cluster.nowMs = 1000;
    cluster.timer?.callback();
    await cluster.settle();
    expect(cluster.cache.cachedTopic("orders")?.partitions).toHaveLength(5);
  });

  it("goes on asking while the cluster cannot be reached, and not after close", async () => {
    const cluster = new Cluster();
    cluster.create("orders");
    const first = cluster.cache.topic("orders");
    await cluster.settle();
    await first;
    cluster.error = new MillraceError("CONNECTION_FAILED");
    const { timer } = cluster;
    cluster.timer = undefined;
    timer?.callback();
    await cluster.settle();
    expect(cluster.timer).toBeDefined();
    cluster.cache.close();
    expect(cluster.timer).toBeUndefined();
  });

  it("ends only the wait whose signal aborts, and leaves no listener", async () => {
    const cluster = new Cluster();
    cluster.create("orders");
    const source = new AbortSource();
    const impatient = cluster.cache.topic("orders", { signal: source.signal });
    const patient = cluster.cache.topic("orders");
    await cluster.turn();
    source.abort(new Error("enough"));
    expect(await codeOf(impatient)).toBe("ABORTED");
    await cluster.settle();
    expect((await patient).name).toBe("orders");
    const calm = new AbortSource();
    await cluster.cache.topic("orders", { signal: calm.signal });
    const refreshed = cluster.cache.refresh(["orders"], { signal: calm.signal });
    await cluster.settle();
    await refreshed;
    expect(calm.listenerCount).toBe(0);
  });

  it("fails everyone who waited for a request that failed, and asks anew for the next", async () => {
    const cluster = new Cluster();
    cluster.create("orders");
    cluster.error = new MillraceError("CONNECTION_FAILED");
    const codes = [cluster.cache.topic("orders"), cluster.cache.topic("other")].map(codeOf);
    await cluster.settle();
    expect(await Promise.all(codes)).toEqual(["CONNECTION_FAILED", "CONNECTION_FAILED"]);
    cluster.error = undefined;
    const found = cluster.cache.topic("orders");
    await cluster.settle();
    expect((await found).name).toBe("orders");
  });

  it("refuses metadata with gaps between partitions", async () => {
    const cluster = new Cluster();
    cluster.create("orders", { partitions: 3 });
    const answer = cluster.answer.bind(cluster);
    cluster.answer = (names) => {
      const whole = answer(names);
      return {
        ...whole,
        topics: whole.topics.map((topic) => ({
          ...topic,
          partitions: topic.partitions.filter(({ partition }) => partition !== 1),
        })),
      };
    };
    const code = codeOf(cluster.cache.topic("orders"));
    await cluster.settle();
    expect(await code).toBe("PROTOCOL_VIOLATION");
  });
});
