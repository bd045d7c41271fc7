import { MillraceError } from "@millrace/protocol";
import { describe, expect, it } from "vitest";
import { Consumer } from "./consumer.js";
import type { ConsumerOptions } from "./consumer-config.js";
import { create, Partition, read, ScriptedCluster } from "./test-support/scripted-cluster.js";

const MIB = 1024 * 1024;

describe("Consumer", () => {
  it("yields records in order across batches, with key, text and offset", async () => {
    const { consumer, log } = create();
    log.append(["a", "b"]);
    log.append(["c"]);
    const records = [];
    for await (const record of consumer) {
      records.push([record.offset, record.keyText(), record.text(), record.topic]);
      if (records.length === 3) {
        break;
      }
    }
    expect(records).toEqual([
      [0, "ka", "a", "t"],
      [1, "kb", "b", "t"],
      [2, "kc", "c", "t"],
    ]);
  });

  it("names only changed partitions once it has a session", async () => {
    const { cluster, consumer, log } = create();
    cluster.partitions.push(new Partition());
    log.append(["a"]);
    log.append(["b"]);
    await read(consumer, 2);
    const [first, second] = cluster.fetches;
    expect(first).toMatchObject({ sessionId: 0, sessionEpoch: 0 });
    expect(first!.partitions).toHaveLength(2);
    expect(second).toMatchObject({ sessionId: 5, sessionEpoch: 1 });
    expect(second!.partitions).toMatchObject([{ partition: 0, fetchOffset: 1 }]);
  });

  it.each([
    ["earliest", ["2", "3", "4", "5"]],
    [{ offset: 3 }, ["3", "4", "5"]],
    [{ timestamp: 4 }, ["4", "5"]],
    [{ last: 1 }, ["5"]],
    [{ last: 100 }, ["2", "3", "4", "5"]],
  ] as const)("begins from %j", async (from, expected) => {
    const { consumer, log } = create({ from });
    log.append(["0", "1"]);
    log.append(["2", "3", "4", "5"]);
    log.startOffset = 2;
    expect(await read(consumer, expected.length)).toEqual(expected);
  });

  it("from latest reads what arrives once it is ready, and wakes for it", async () => {
    const { cluster, consumer, log } = create({ from: "latest" });
    log.append(["old"]);
    await consumer.ready();
    const reading = read(consumer, 1);
    log.append(["new"]);
    cluster.wake();
    expect(await reading).toEqual(["new"]);
  });

  it("counts a record as processed when the next is asked for; after break goes on behind the last", async () => {
    const { consumer, log } = create();
    log.append(["a", "b", "c"]);
    expect(await read(consumer, 2)).toEqual(["a", "b"]);
    expect(consumer.processedPosition("t", 0)).toBe(1);
    expect(consumer.position("t", 0)).toBe(2);
    expect(await read(consumer, 1)).toEqual(["c"]);
    expect(await consumer.lag()).toEqual([
      { topic: "t", partition: 0, position: 3, endOffset: 3, lag: 0 },
    ]);
  });

  it("takes partitions in turn", async () => {
    const { cluster, consumer, log } = create();
    const other = new Partition();
    cluster.partitions.push(other);
    for (let count = 0; count < 3; count++) {
      log.append(["a"]);
      other.append(["b"]);
    }
    expect((await read(consumer, 6)).join("")).toBe("ababab");
  });

  it("seeks while records of the old place are at hand", async () => {
    const { consumer, log } = create();
    log.append(["a", "b", "c"]);
    const values: string[] = [];
    for await (const record of consumer) {
      values.push(record.text()!);
      if (values.length === 2) {
        consumer.seek("t", 0, 0);
      }
      if (values.length === 4) {
        break;
      }
    }
    expect(values).toEqual(["a", "b", "a", "b"]);
  });

  it("hands out nothing of a paused partition, and all of it after resume", async () => {
    const { cluster, consumer, log } = create();
    const other = new Partition();
    cluster.partitions.push(other);
    log.append(["a1", "a2", "a3"]);
    other.append(["b1"]);
    const values: string[] = [];
    for await (const record of consumer) {
      values.push(record.text()!);
      if (record.text() === "a1") {
        consumer.pause([{ topic: "t", partition: 0 }]);
      }
      if (record.text() === "b1") {
        consumer.resume();
      }
      if (values.length === 4) {
        break;
      }
    }
    expect(values).toEqual(["a1", "b1", "a2", "a3"]);
  });

  it("skips control batches and batches() begins at the position", async () => {
    const { consumer, log } = create({ from: { offset: 1 } });
    log.append(["a", "b"]);
    log.append(["marker"], { isControl: true });
    log.append(["c"]);
    const seen: unknown[] = [];
    for await (const batch of consumer.batches()) {
      seen.push([batch.firstOffset, batch.lastOffset, [...batch].map((record) => record.text())]);
      if (batch.lastOffset === 3) {
        break;
      }
    }
    expect(seen).toEqual([
      [1, 1, ["b"]],
      [3, 3, ["c"]],
    ]);
  });

  it("fails with the offset of a damaged batch, or skips it", async () => {
    for (const onCorrupt of ["fail", "skip"] as const) {
      const { consumer, log } = create({ onCorrupt });
      log.append(["a"]);
      const damaged = log.append(["b", "c"]);
      damaged.bytes[damaged.bytes.length - 3]! ^= 1;
      log.append(["d"]);
      const reading = read(consumer, 2);
      if (onCorrupt === "skip") {
        expect(await reading).toEqual(["a", "d"]);
      } else {
        await expect(reading).rejects.toMatchObject({
          code: "CORRUPT_RECORD",
          fatal: true,
          details: { topic: "t", partition: 0, offset: 1, lastOffset: 2 },
        });
      }
    }
  });

  it("survives lost connections, lost sessions and moved leaders", async () => {
    const { cluster, consumer, log } = create();
    cluster.failures.push(
      new MillraceError("NETWORK_EXCEPTION"),
      new MillraceError("FETCH_SESSION_ID_NOT_FOUND"),
    );
    log.append(["a"]);
    cluster.runtime.clock.setTimer = ((_delayMs: number, callback: () => void) => {
      void Promise.resolve().then(callback);
      return { cancel: () => {} };
    }) as never;
    let nowMs = 0;
    cluster.runtime.clock.monotonicMs = () => (nowMs += 1_000);
    expect(await read(consumer, 1)).toEqual(["a"]);
    expect(cluster.fetches.slice(0, 3).map(({ sessionEpoch }) => sessionEpoch)).toEqual([0, 0, 0]);
    await consumer.close();
  });

  it("follows onOutOfRange, and can go on by seek after it failed", async () => {
    const reset = create({ from: { offset: 0 }, onOutOfRange: "earliest" });
    reset.log.append(["a", "b"]);
    reset.log.append(["c"]);
    reset.log.startOffset = 2;
    expect(await read(reset.consumer, 1)).toEqual(["c"]);

    const failing = create({ from: { offset: 9 } });
    failing.log.append(["a"]);
    await expect(read(failing.consumer, 1)).rejects.toMatchObject({
      code: "OFFSET_OUT_OF_RANGE",
      details: { offset: 9 },
    });
    failing.consumer.seek("t", 0, "earliest");
    expect(await read(failing.consumer, 1)).toEqual(["a"]);
  });

  it("ends with an error when the topic is unknown, or was created again", async () => {
    const unknown = create({ topics: "nope" });
    await expect(read(unknown.consumer, 1)).rejects.toMatchObject({
      code: "UNKNOWN_TOPIC_OR_PARTITION",
      fatal: true,
    });
    const { cluster, consumer } = create();
    await consumer.ready();
    cluster.topicId = "00000000-0000-4000-8000-000000000002";
    cluster.failures.push("UNKNOWN_TOPIC_ID");
    await expect(read(consumer, 1)).rejects.toMatchObject({ code: "UNKNOWN_TOPIC_ID" });
  });

  it("ends a waiting loop on close, which may be called twice", async () => {
    const { consumer } = create();
    const reading = read(consumer, 1);
    await consumer.ready();
    await Promise.all([consumer.close(), consumer.close()]);
    expect(await reading).toEqual([]);
    await expect(consumer.ready()).rejects.toMatchObject({ code: "CLOSED" });
  });

  it("ends a wait on abort, and leaves the consumer usable", async () => {
    const { consumer, log } = create();
    const controller = new AbortController();
    const waiting = consumer.records({ signal: controller.signal }).next();
    await consumer.ready();
    controller.abort();
    await expect(waiting).rejects.toMatchObject({ code: "ABORTED", fatal: false });
    log.append(["a"]);
    consumer.seek("t", 0, 0);
    expect(await read(consumer, 1)).toEqual(["a"]);
  });

  it("refuses a second loop beside the first", async () => {
    const { consumer, log } = create();
    log.append(["a", "b"]);
    await consumer.records().next();
    await expect(consumer.records().next()).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  });

  it("keeps calls of next that do not wait for each other in order", async () => {
    const { consumer, log } = create();
    log.append(["a", "b"]);
    log.append(["c"]);
    const iteration = consumer.records();
    const results = await Promise.all([iteration.next(), iteration.next(), iteration.next()]);
    expect(results.map(({ value }) => value?.text())).toEqual(["a", "b", "c"]);
  });

  it("stops fetching while nobody reads, within maxPrefetchBytes", async () => {
    const { cluster, consumer, log } = create({ maxPrefetchBytes: 300, maxPartitionBytes: 300 });
    for (let count = 0; count < 50; count++) {
      log.append([`${count}`.padStart(100, "0")]);
    }
    const iteration = consumer.records();
    await iteration.next();
    await new Promise((resolve) => setImmediate(resolve));
    expect(cluster.fetches.length).toBeLessThanOrEqual(4);
    for (let count = 1; count < 50; count++) {
      expect((await iteration.next()).value?.offset).toBe(count);
    }
  });

  it("asks for more at once while answers come full and quickly, and shares that among partitions", async () => {
    const askedFor = async (partitions: number, options: ConsumerOptions): Promise<number[]> => {
      const { cluster, consumer, log } = create(options);
      while (cluster.partitions.length < partitions) {
        cluster.partitions.push(new Partition());
      }
      for (let count = 0; count < 4; count++) {
        log.append([`${count}`.padStart(1.2 * MIB, "0")]);
      }
      await read(consumer, 4);
      await consumer.close();
      return cluster.fetches.flatMap((fetch) =>
        fetch.partitions.flatMap(({ partition, maxBytes }) => (partition === 0 ? maxBytes : [])),
      );
    };
    const alone = await askedFor(1, {});
    expect(alone.slice(0, 3)).toEqual([MIB, 2 * MIB, 2 * MIB]);
    expect(new Set(await askedFor(2, {}))).toEqual(new Set([MIB]));
    expect(new Set(await askedFor(1, { maxPartitionBytes: 5 }))).toEqual(new Set([5]));
  });

  it("lets timers and sockets have a turn after each MiB or a batch more, however much is at hand", async () => {
    const { cluster, consumer, log } = create();
    // Key and value.
    const batchBytes = 60_000;
    for (let count = 0; count < 60; count++) {
      log.append(["0".repeat(batchBytes / 2)]);
    }
    const { clock } = cluster.runtime;
    const { defer } = clock;
    let inTurn = 0;
    clock.defer = (callback) =>
      defer(() => {
        inTurn = 0;
        callback();
      });
    let most = 0;
    for await (const batch of consumer.batches()) {
      inTurn += batchBytes;
      most = Math.max(most, inTurn);
      if (batch.lastOffset === 59) {
        break;
      }
    }
    expect(most).toBeGreaterThan(MIB / 2);
    expect(most).toBeLessThanOrEqual(MIB + batchBytes);
  });

  it("copies a record so that it no longer shares the broker's bytes", async () => {
    const { consumer, log } = create();
    log.append(['{"a":1}']);
    for await (const record of consumer) {
      const copy = record.copy();
      expect(copy.value!.buffer).not.toBe(record.value!.buffer);
      expect(copy.value!.buffer.byteLength).toBeLessThan(32);
      expect(copy.json<{ a: number }>()).toEqual({ a: 1 });
      break;
    }
  });
});

describe("consumer options", () => {
  it.each([
    [{ topics: [] }, /topics, partitions: expected exactly one/],
    [{ topics: "t", partitions: [{ topic: "t", partition: 0 }] }, /expected exactly one/],
    [{ topics: "t", from: { last: -1 } }, /from: expected "earliest"/],
    [{ topics: "t", maxPrefetchBytes: 0 }, /maxPrefetchBytes: expected an integer from 1/],
    [{ topics: "t", onCorrupt: "ignore" }, /onCorrupt: expected/],
  ])("refuses %j", (options, message) => {
    const client = new ScriptedCluster();
    expect(() => new Consumer({ client, ...(options as ConsumerOptions) })).toThrow(message);
  });
});
