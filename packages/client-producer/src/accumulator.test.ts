import { describe, expect, it } from "vitest";
import { Accumulator, type Leaders } from "./accumulator.js";
import type { ProducerBatch } from "./producer-batch.js";

const TIMEOUT_MS = 1_000;
const LINGER_MS = 5;
const ACKNOWLEDGED = { baseOffset: 0, logAppendTime: -1, replicas: 1, fsynced: true };

/** One node that leads everything, with nothing on its way to it. */
function nodeWith(maxRequestBytes: number, requestsOut = 0): Leaders {
  return {
    leaderOf: () => 1,
    requestsInFlight: () => requestsOut,
    maxRequestBytes: () => maxRequestBytes,
  };
}

function accumulatorOf(done: ProducerBatch[] = []): Accumulator {
  const accumulator = new Accumulator({
    batchBytes: 100_000,
    lingerMs: LINGER_MS,
    maxInFlight: 5,
    deliveryTimeoutMs: TIMEOUT_MS,
    isIdempotent: true,
    takeBuffer: (minBytes) => new Uint8Array(minBytes),
    onOpened: () => {},
    onClosed: () => {},
    onDone: (batch) => done.push(batch),
  });
  accumulator.identity = { producerId: 1, producerEpoch: 0 };
  return accumulator;
}

function append(accumulator: Accumulator, partition: number, nowMs: number): ProducerBatch {
  const place = { topic: "topic", partition, estimatedBytes: 1_100, maxMessageBytes: 0 };
  const value = new Uint8Array(1_000);
  return accumulator.append(place, { key: null, value, timestamp: nowMs }, nowMs);
}

const partitionsOf = (requests: Map<number, ProducerBatch[]>): number[] =>
  (requests.get(1) ?? []).map(({ partition }) => partition);

describe("a drain of many partitions", () => {
  it("puts the batches of all partitions that are ready into one request", () => {
    const accumulator = accumulatorOf();
    const all = Array.from({ length: 1_000 }, (_, partition) => partition);
    for (const partition of all) {
      append(accumulator, partition, 0);
    }
    const node = nodeWith(10_000_000);
    expect(partitionsOf(accumulator.drain(0, node))).toEqual(all);
    expect(accumulator.drain(0, node).size).toBe(0);
  });

  it("serves those first, the next time, whose batches did not fit", () => {
    const accumulator = accumulatorOf();
    const room = nodeWith(3_500);
    const served: number[] = [];
    for (let round = 0; round < 5; round++) {
      for (let partition = 0; partition < 7; partition++) {
        append(accumulator, partition, 0);
      }
      const requests = accumulator.drain(0, room);
      served.push(...partitionsOf(requests));
      for (const batch of requests.get(1) ?? []) {
        accumulator.acknowledged(batch, ACKNOWLEDGED);
      }
    }
    const times = Array.from(
      { length: 7 },
      (_, partition) => served.filter((one) => one === partition).length,
    );
    // The batches of those who wait grow, so that fewer and fewer fit; still nobody is left out.
    expect(Math.min(...times)).toBeGreaterThan(0);
  });

  it("takes nothing while as many requests are out as may be, and says when lingering ends", () => {
    const accumulator = accumulatorOf();
    append(accumulator, 0, 10);
    append(accumulator, 1, 12);
    expect(accumulator.drain(12, nodeWith(10_000, 5)).size).toBe(0);
    expect(accumulator.nextWakeMs(12)).toBe(10 + LINGER_MS);
    expect(partitionsOf(accumulator.drain(15, nodeWith(10_000, 4)))).toEqual([0]);
    expect(accumulator.nextWakeMs(15)).toBe(12 + LINGER_MS);
  });
});

describe("the delivery timeout", () => {
  it("ends each batch at its own time, whether it left or not", () => {
    const accumulator = accumulatorOf();
    const sent = append(accumulator, 0, 0);
    accumulator.drain(0, nodeWith(10_000));
    const waiting = append(accumulator, 1, 100);
    const later = append(accumulator, 2, 200);
    accumulator.expire(TIMEOUT_MS - 1, undefined);
    expect([sent, waiting, later].map(({ isSettled }) => isSettled)).toEqual([false, false, false]);
    accumulator.expire(TIMEOUT_MS, undefined);
    expect([sent, waiting, later].map(({ isSettled }) => isSettled)).toEqual([true, false, false]);
    expect(accumulator.nextWakeMs(TIMEOUT_MS)).toBe(TIMEOUT_MS + 100);
    accumulator.expire(TIMEOUT_MS + 100, undefined);
    expect([waiting, later].map(({ error }) => error?.code)).toEqual([
      "DELIVERY_TIMEOUT",
      undefined,
    ]);
    accumulator.expire(TIMEOUT_MS + 200, undefined);
    expect(later.error?.code).toBe("DELIVERY_TIMEOUT");
  });

  it("holds for a batch that came when all before it were done", () => {
    const done: ProducerBatch[] = [];
    const accumulator = accumulatorOf(done);
    const first = append(accumulator, 0, 0);
    accumulator.drain(0, nodeWith(10_000));
    accumulator.acknowledged(first, ACKNOWLEDGED);
    expect(accumulator.nextWakeMs(0)).toBe(Number.POSITIVE_INFINITY);
    accumulator.expire(TIMEOUT_MS * 5, undefined);
    const second = append(accumulator, 0, TIMEOUT_MS * 5);
    accumulator.expire(TIMEOUT_MS * 6 - 1, undefined);
    expect(second.isSettled).toBe(false);
    accumulator.expire(TIMEOUT_MS * 6, undefined);
    expect(second.error?.code).toBe("DELIVERY_TIMEOUT");
    expect(done).toEqual([first, second]);
  });
});
