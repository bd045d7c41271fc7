import type { TopicMetadata } from "@millrace/client-core";
import {
  type BatchHeader,
  batchHeaders,
  errorCode,
  MillraceError,
  type RecordBatch,
  type RequestOf,
  type ResponseOf,
  readBatch,
  type WireErrorName,
} from "@millrace/protocol";
import {
  type ClientRuntime,
  type Clock,
  crc32c,
  silentDiagnostics,
  silentLogger,
  type Timer,
} from "@millrace/runtime";
import { describe, expect, it } from "vitest";
import type { ClusterPort } from "./cluster-port.js";
import { isDefinite } from "./delivery-errors.js";
import { Producer } from "./producer.js";
import type { ProducerOptions } from "./producer-config.js";

/** Time that moves only when it is told to. */
class ManualClock implements Clock {
  #nowMs = 1_000;
  readonly #timers = new Set<{ atMs: number; callback: () => void }>();
  nowMs = () => this.#nowMs;
  monotonicMs = () => this.#nowMs;
  defer = (callback: () => void) => void Promise.resolve().then(callback);
  setTimer(delayMs: number, callback: () => void): Timer {
    const timer = { atMs: this.#nowMs + delayMs, callback };
    this.#timers.add(timer);
    return { cancel: () => void this.#timers.delete(timer) };
  }
  sleep(delayMs: number): Promise<void> {
    return new Promise((resolve) => this.setTimer(delayMs, resolve));
  }
  async advance(ms: number): Promise<void> {
    this.#nowMs += ms;
    for (const timer of [...this.#timers].sort((left, right) => left.atMs - right.atMs)) {
      if (timer.atMs <= this.#nowMs) {
        this.#timers.delete(timer);
        timer.callback();
      }
    }
    await settle();
  }
}

/** Lets everything run that waits for nothing but promises. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 50; turn++) {
    await Promise.resolve();
  }
}

const TOPIC_ID = "00000000-0000-4000-8000-000000000001";
const compute: ClientRuntime["compute"] = {
  crc32c,
  codecs: ["none"],
  compress: () => Promise.reject(new Error("not here")),
  decompress: () => Promise.reject(new Error("not here")),
};

type Produce = RequestOf<"produce">;
interface Held {
  readonly batches: readonly { header: BatchHeader; values: string[]; partition: number }[];
  answer(): void;
  answerError(code: WireErrorName): void;
  fail(code: "NETWORK_EXCEPTION" | "CONNECTION_FAILED"): void;
}

/** A cluster of one node with one topic, whose produce requests the test answers. */
class ScriptedCluster implements ClusterPort {
  readonly clock = new ManualClock();
  readonly runtime: ClientRuntime;
  readonly held: Held[] = [];
  readonly logs = new Map<number, string[]>();
  isHolding = false;
  partitionCount = 1;
  maxMessageBytes = 1_000_000;
  topicError: MillraceError | undefined;
  #isTopicKnown = false;

  constructor() {
    let random = 0;
    this.runtime = {
      clock: this.clock,
      random: { fill: (target) => target, float: () => 0.5, below: (bound) => random++ % bound },
      network: { dial: () => Promise.reject(new Error("no network")) },
      compute,
      logger: silentLogger,
      diagnostics: silentDiagnostics,
    };
  }

  readonly metadata: ClusterPort["metadata"] = {
    cachedTopic: (name) => (this.#isTopicKnown && name === "t" ? this.#topic() : undefined),
    topic: async (name) => {
      if (this.topicError !== undefined || name !== "t") {
        throw this.topicError ?? new MillraceError("UNKNOWN_TOPIC_OR_PARTITION");
      }
      this.#isTopicKnown = true;
      return this.#topic();
    },
    refresh: async () => {},
  };

  maxFrameBytes = () => undefined;
  retry: ClusterPort["retry"] = (operation) => operation(0, 1_000);
  close = () => Promise.resolve();

  request: ClusterPort["request"] = (async (_target, api, body, options) => {
    if (api === "initProducerId") {
      return { body: { producerId: 7, producerEpoch: 0 }, records: new Uint8Array() };
    }
    return this.#produce(body as Produce, options?.records ?? []);
  }) as ClusterPort["request"];

  get log(): string[] {
    return this.logs.get(0) ?? [];
  }

  #topic(): TopicMetadata {
    const partitions = Array.from({ length: this.partitionCount }, (_, partition) => ({
      partition,
      leaderId: 0,
      leaderEpoch: 0,
      replicas: [0],
      isr: [0],
    }));
    const { maxMessageBytes } = this;
    return { name: "t", topicId: TOPIC_ID, isInternal: false, maxMessageBytes, partitions };
  }

  #produce(body: Produce, records: readonly Uint8Array[]): Promise<unknown> {
    const batches = records.map((bytes, index) => {
      const [first] = [...batchHeaders(bytes)];
      const batch = readBatch(bytes, 0, { compute, maxDecompressedBytes: 1 }) as RecordBatch;
      const values = [...batch].map((record) => new TextDecoder().decode(record.value!));
      return { header: first!.header, values, partition: body.partitions[index]!.partition };
    });
    return new Promise((resolve, reject) => {
      const held: Held = {
        batches,
        answer: () => resolve(this.#answer(batches, () => 0)),
        answerError: (code) => resolve(this.#answer(batches, () => errorCode(code))),
        fail: (code) => reject(new MillraceError(code)),
      };
      if (this.isHolding) {
        this.held.push(held);
      } else {
        held.answer();
      }
    });
  }

  #answer(batches: Held["batches"], code: () => number): unknown {
    const partitions = batches.map(({ partition, values }) => {
      const log = this.logs.get(partition) ?? [];
      const baseOffset = code() === 0 ? log.length : -1;
      if (code() === 0) {
        this.logs.set(partition, [...log, ...values]);
      }
      return {
        topicId: TOPIC_ID,
        partition,
        errorCode: code(),
        baseOffset,
        logAppendTime: -1,
        logStartOffset: 0,
        replicas: 1,
        fsynced: true,
        errorMessage: null,
      };
    });
    const response: ResponseOf<"produce"> = { partitions };
    return { body: response, records: new Uint8Array() };
  }
}

function create(options: ProducerOptions = {}): { cluster: ScriptedCluster; producer: Producer } {
  const cluster = new ScriptedCluster();
  return { cluster, producer: new Producer({ client: cluster, ...options }) };
}

const record = (value: string) => ({ topic: "t", value });

/** With metadata and producer id there, so that what follows is about sending alone. */
async function createWarm(options: ProducerOptions = {}) {
  const created = create(options);
  await created.producer.send(record("warm"));
  created.cluster.isHolding = true;
  return created;
}

describe("Producer", () => {
  it("gives twenty concurrent sends twenty distinct offsets, in order", async () => {
    const { producer } = create();
    const sends = Array.from({ length: 20 }, (_, index) => producer.send(record(`${index}`)));
    const sent = await Promise.all(sends);
    expect(sent.map(({ offset }) => offset)).toEqual(Array.from({ length: 20 }, (_, i) => i));
    expect(sent[0]).toMatchObject({ topic: "t", partition: 0, replicas: 1, fsynced: true });
  });

  it("sends a lone record at once, and lets others gather while something is on its way", async () => {
    const { cluster, producer } = await createWarm({ lingerMs: 10 });
    const sends = [producer.send(record("a"))];
    await settle();
    expect(cluster.held).toHaveLength(1);
    for (const value of ["b", "c"]) {
      sends.push(producer.send(record(value)));
      await settle();
    }
    expect(cluster.held).toHaveLength(1);
    await cluster.clock.advance(10);
    expect(cluster.held.map(({ batches }) => batches[0]!.values)).toEqual([["a"], ["b", "c"]]);
    for (const held of cluster.held) {
      held.answer();
    }
    await Promise.all(sends);
  });

  it("ends lingering when the answer leaves the connection idle", async () => {
    const { cluster, producer } = await createWarm({ lingerMs: 10_000 });
    void producer.send(record("a"));
    await settle();
    const second = producer.send(record("b"));
    await settle();
    cluster.held[0]!.answer();
    await settle();
    expect(cluster.held).toHaveLength(2);
    cluster.held[1]!.answer();
    await expect(second).resolves.toMatchObject({ offset: 2 });
  });

  it("sends the same bytes and sequence again after a lost answer", async () => {
    const { cluster, producer } = await createWarm();
    const send = producer.send(record("a"));
    await settle();
    cluster.held[0]!.fail("NETWORK_EXCEPTION");
    await settle();
    expect(cluster.held).toHaveLength(1);
    await cluster.clock.advance(200);
    expect(cluster.held[1]!.batches[0]!.header).toEqual(cluster.held[0]!.batches[0]!.header);
    cluster.held[1]!.answer();
    await expect(send).resolves.toMatchObject({ offset: 1 });
    expect(producer.metrics().retries).toBe(1);
  });

  it("goes on under the next epoch after a batch was refused for good", async () => {
    const { cluster, producer } = await createWarm();
    const refused = producer.send(record("bad"));
    await settle();
    cluster.held[0]!.answerError("INVALID_RECORD");
    const error = await refused.catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: "INVALID_RECORD", fatal: false });
    expect(isDefinite(error)).toBe(true);
    void producer.send(record("good"));
    await settle();
    expect(cluster.held[1]!.batches[0]!.header).toMatchObject({
      producerId: 7,
      producerEpoch: 1,
      baseSequence: 0,
    });
    cluster.held[1]!.answer();
  });

  it.each([{}, { idempotent: false, acks: 1 as const }])(
    "splits a batch that has become too large for its topic, and keeps order and offsets, with %j",
    async (options) => {
      const { cluster, producer } = await createWarm(options);
      const blocker = producer.send(record("first"));
      await settle();
      const singles = ["a", "b", "c"].map((value) => producer.send(record(value)));
      const bulk = producer.send(["d", "e"].map(record));
      let isFlushed = false;
      const flushed = producer.flush().then(() => {
        isFlushed = true;
      });
      cluster.held[0]?.answer();
      await settle();
      expect(cluster.held[1]?.batches[0]?.values).toEqual(["a", "b", "c", "d", "e"]);
      cluster.held[1]?.answerError("MESSAGE_TOO_LARGE");
      await settle();
      const later = producer.send(record("z"));
      expect(cluster.held[2]?.batches[0]?.values).toEqual(["a", "b"]);
      expect(isFlushed).toBe(false);
      for (let turn = 2; turn < cluster.held.length; turn++) {
        cluster.held[turn]?.answer();
        await settle();
      }
      await Promise.all([blocker, flushed, later]);
      expect((await Promise.all(singles)).map(({ offset }) => offset)).toEqual([2, 3, 4]);
      expect([...(await bulk)].map(({ offset }) => offset)).toEqual([5, 6]);
      expect(cluster.log).toEqual(["warm", "first", "a", "b", "c", "d", "e", "z"]);
      expect(producer.metrics()).toMatchObject({
        recordsAcknowledged: 8,
        recordsFailed: 0,
        batchesFailed: 0,
        bufferUsedBytes: 0,
      });
    },
  );

  it("fails a lone record that is too large for its topic, and splits down to it", async () => {
    const { cluster, producer } = await createWarm({ lingerMs: 5 });
    const blocker = producer.send(record("first"));
    await settle();
    const sends = ["a", "huge", "c"].map((value) => producer.send(record(value)));
    const outcomes = Promise.allSettled(sends);
    cluster.held[0]?.answer();
    await settle();
    for (let turn = 1; turn < cluster.held.length; turn++) {
      const held = cluster.held[turn];
      if (held?.batches.some(({ values }) => values.includes("huge")) === true) {
        held.answerError("MESSAGE_TOO_LARGE");
      } else {
        held?.answer();
      }
      await cluster.clock.advance(10);
    }
    await blocker;
    const [first, second, third] = await outcomes;
    expect([first?.status, third?.status]).toEqual(["fulfilled", "fulfilled"]);
    expect(second).toMatchObject({ reason: { code: "MESSAGE_TOO_LARGE" } });
    expect(second?.status === "rejected" && isDefinite(second.reason)).toBe(true);
    expect(cluster.log).toEqual(["warm", "first", "a", "c"]);
  });

  it("says that the outcome is open when time runs out with a request unanswered", async () => {
    const { cluster, producer } = await createWarm({
      deliveryTimeoutMs: 2_000,
      requestTimeoutMs: 1_000,
    });
    const send = producer.send(record("a")).catch((reason: unknown) => reason);
    await settle();
    await cluster.clock.advance(2_000);
    const error = await send;
    expect(error).toMatchObject({ code: "DELIVERY_TIMEOUT" });
    expect(isDefinite(error)).toBe(false);
  });

  it("refuses a record over the topic's limit before it is buffered, and takes one just below", async () => {
    const { cluster, producer } = create();
    cluster.maxMessageBytes = 1_000;
    const error = await producer.send(record("x".repeat(1_000))).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: "RECORD_TOO_LARGE" });
    expect(isDefinite(error)).toBe(true);
    expect(producer.metrics()).toMatchObject({ recordsBuffered: 0, bufferUsedBytes: 0 });
    await expect(producer.send(record("x".repeat(900)))).resolves.toMatchObject({ offset: 0 });
  });

  it("makes senders wait in line while the buffer is full, and frees it with the answer", async () => {
    const { cluster, producer } = await createWarm({ bufferBytes: 1_024, batchBytes: 512 });
    const sends = Array.from({ length: 10 }, (_, index) =>
      producer.send({ topic: "t", value: `${index}`.padStart(300, "0") }),
    );
    await settle();
    expect(producer.metrics().waitingSends).toBeGreaterThan(0);
    expect(producer.metrics().bufferUsedBytes).toBeLessThanOrEqual(1_024);
    cluster.isHolding = false;
    for (const held of cluster.held) {
      held.answer();
    }
    const sent = await Promise.all(sends);
    expect(sent.map(({ offset }) => offset)).toEqual(Array.from({ length: 10 }, (_, i) => i + 1));
    expect(producer.metrics().bufferUsedBytes).toBe(0);
  });

  it("lets no later call between the records of one list that waits for the topic", async () => {
    const { cluster, producer } = create();
    const list = producer.send(["a", "b", "c"].map(record));
    const single = producer.send(record("d"));
    await Promise.all([list, single]);
    expect(cluster.log).toEqual(["a", "b", "c", "d"]);
  });

  it("lets no later call between the records of one list that waits for room", async () => {
    const { cluster, producer } = await createWarm({ bufferBytes: 1_024, batchBytes: 512 });
    const values = Array.from({ length: 12 }, (_, index) => `${index}`.padStart(300, "0"));
    const first = producer.send(values.slice(0, 5).map(record));
    const second = producer.send(record(values[5] ?? ""));
    const third = producer.send(values.slice(6, 11).map(record));
    const fourth = producer.send(record(values[11] ?? ""));
    await settle();
    expect(producer.metrics().bufferUsedBytes).toBeLessThanOrEqual(1_024);
    cluster.isHolding = false;
    for (const held of cluster.held) {
      held.answer();
    }
    await Promise.all([first, second, third, fourth]);
    expect(cluster.log).toEqual(["warm", ...values]);
    expect(producer.metrics()).toMatchObject({ bufferUsedBytes: 0, waitingSends: 0 });
  });

  it("lets no later call in when one of a list takes less room than was set aside for it", async () => {
    const { cluster, producer } = await createWarm({ bufferBytes: 4_096, batchBytes: 1_024 });
    const values = Array.from({ length: 150 }, (_, index) => `record ${index}`);
    const sends: Promise<unknown>[] = [];
    for (let at = 0; at < values.length; at += 7) {
      sends.push(producer.send(values.slice(at, at + 6).map(record)));
      sends.push(producer.send(values.slice(at + 6, at + 7).map(record)));
    }
    await settle();
    cluster.isHolding = false;
    for (const held of cluster.held) {
      held.answer();
    }
    await Promise.all(sends);
    expect(cluster.log).toEqual(["warm", ...values]);
  });

  it("keeps the order of each topic's records when one list names several topics", async () => {
    const { cluster, producer } = create();
    const list = producer.send([record("a"), { topic: "nope", value: "x" }, record("b")]);
    const single = producer.send(record("c"));
    await expect(list).rejects.toMatchObject({ details: { failed: 1, acknowledged: 2 } });
    await single;
    expect(cluster.log).toEqual(["a", "b", "c"]);
  });

  it("gives up waiting for room after maxBlockMs", async () => {
    const { cluster, producer } = await createWarm({
      bufferBytes: 1_024,
      batchBytes: 512,
      maxBlockMs: 50,
    });
    const kept = producer.send({ topic: "t", value: "x".repeat(900) });
    const waiting = producer.send({ topic: "t", value: "y".repeat(900) });
    const error = waiting.catch((reason: unknown) => reason);
    await settle();
    await cluster.clock.advance(50);
    expect(await error).toMatchObject({ code: "BUFFER_FULL" });
    cluster.held[0]!.answer();
    await kept;
  });

  it("withdraws a waiting record on abort, and says that one on its way cannot be recalled", async () => {
    const { cluster, producer } = await createWarm({ bufferBytes: 1_024, batchBytes: 512 });
    const controller = new AbortController();
    const { signal } = controller;
    const sends = ["x", "y"].map((value) =>
      producer.send({ topic: "t", value: value.repeat(900) }, { signal }).catch((error) => error),
    );
    await settle();
    controller.abort();
    const [onItsWay, waiting] = await Promise.all(sends);
    expect(isDefinite(onItsWay)).toBe(false);
    expect(isDefinite(waiting)).toBe(true);
    cluster.held[0]!.answer();
    await producer.flush();
    expect(cluster.log).toEqual(["warm", "x".repeat(900)]);
  });

  it("fails at once for a topic that does not exist", async () => {
    const { producer } = create();
    await expect(producer.send({ topic: "nope", value: "x" })).rejects.toMatchObject({
      code: "UNKNOWN_TOPIC_OR_PARTITION",
    });
  });

  it("returns the metadata of many records in the order given, from all their partitions", async () => {
    const { cluster, producer } = create({ partitioner: "roundRobin" });
    cluster.partitionCount = 3;
    const sent = await producer.send(["a", "b", "c", "d", "e"].map(record));
    expect(sent).toHaveLength(5);
    for (const [index, value] of ["a", "b", "c", "d", "e"].entries()) {
      const { partition, offset } = sent.at(index)!;
      expect(cluster.logs.get(partition)![offset]).toBe(value);
    }
    expect(sent.toArray().map(({ partition }) => partition)).toEqual([0, 1, 2, 0, 1]);
    expect(sent.at(5)).toBeUndefined();
  });

  it("tells of many records how many failed", async () => {
    const { producer } = create();
    const send = producer.send([record("a"), { topic: "t", value: "b", partition: 9 }]);
    await expect(send).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      details: { failed: 1, acknowledged: 1, definite: false },
    });
  });

  it("flushes on close, refuses afterwards, and closes twice without harm", async () => {
    const { cluster, producer } = create({ lingerMs: 1_000 });
    const sends = ["a", "b"].map((value) => producer.send(record(value)));
    await Promise.all([producer.close(), producer.close()]);
    await Promise.all(sends);
    expect(cluster.log).toEqual(["a", "b"]);
    await expect(producer.send(record("c"))).rejects.toMatchObject({ code: "CLOSED" });
  });

  it("gives up what is unanswered when close runs out of time", async () => {
    const { cluster, producer } = await createWarm();
    const send = producer.send(record("a")).catch((reason: unknown) => reason);
    await settle();
    const closing = producer.close({ timeoutMs: 100 });
    await cluster.clock.advance(100);
    await closing;
    const error = await send;
    expect(error).toMatchObject({ code: "CLOSED" });
    expect(isDefinite(error)).toBe(false);
  });

  it("with acks 0 resolves without an offset once the record is handed over", async () => {
    const { cluster, producer } = create({ acks: 0 });
    cluster.isHolding = true;
    await expect(producer.send(record("a"))).resolves.toMatchObject({ offset: -1, replicas: 0 });
  });

  it("has one batch of a partition out at a time without idempotence", async () => {
    const { cluster, producer } = await createWarm({ idempotent: false, lingerMs: 0 });
    for (const value of ["a", "b"]) {
      void producer.send(record(value));
      await settle();
    }
    expect(cluster.held).toHaveLength(1);
    expect(cluster.held[0]!.batches[0]!.header.producerId).toBe(-1);
    cluster.held[0]!.answer();
    await settle();
    expect(cluster.held[1]!.batches[0]!.values).toEqual(["b"]);
    cluster.held[1]!.answer();
    await producer.flush();
  });
});

describe("producer options", () => {
  it.each([
    [{ acks: 1, idempotent: true }, /idempotent: needs acks "all"/],
    [{ lingerMs: -1 }, /lingerMs: expected a number from 0/],
    [{ deliveryTimeoutMs: 10 }, /deliveryTimeoutMs: expected at least lingerMs/],
    [{ batchBytes: 2_000_000 }, /batchBytes: expected at most maxRequestBytes/],
    [{ compression: "zstd" }, /cannot write zstd; choose one of none/],
    [{ compression: "brotli" as never }, /compression: expected one of none/],
    [{ compressionLevel: 3 }, /none has no levels/],
    [{ maxInFlight: 6 }, /maxInFlight: expected a number from 1 to 5/],
    [{ partitioner: "random" }, /partitioner: expected "sticky"/],
  ])("refuses %j", (options, message) => {
    expect(() => create(options as ProducerOptions)).toThrow(message);
  });
});
