import { describe, expect, it } from "vitest";
import { PartitionQueue, type TakeRules } from "./partition-queue.js";
import type { ProducerBatch } from "./producer-batch.js";

const rules: TakeRules = {
  nowMs: 0,
  lingerMs: 0,
  maxInFlight: 5,
  isIdempotent: true,
  isUrgent: true,
};

/** A queue with so many closed batches of one record each. */
function queueOf(count: number): PartitionQueue {
  const queue = new PartitionQueue("topic", 0, true);
  queue.sequence.adopt({ producerId: 1, producerEpoch: 0 });
  for (let index = 0; index < count; index++) {
    const record = { key: null, value: `${index}`, timestamp: 0 };
    queue.append(record, 100, {
      nowMs: 0,
      batchBytes: 1,
      takeBuffer: (minBytes) => new Uint8Array(minBytes),
      onClosed: () => {},
    });
  }
  return queue;
}

function takeAll(queue: PartitionQueue, nowMs = 0): ProducerBatch[] {
  const taken: ProducerBatch[] = [];
  const at = { ...rules, nowMs };
  for (let batch = queue.take(at); batch !== undefined; batch = queue.take(at)) {
    taken.push(batch);
  }
  return taken;
}

/** As `queueOf`, after the broker has acknowledged a first batch. */
function knownQueueOf(count: number): PartitionQueue {
  const queue = queueOf(count + 1);
  const [first] = takeAll(queue);
  if (first !== undefined) {
    queue.acknowledged(first);
  }
  return queue;
}

describe("the window of batches on their way", () => {
  it("is one batch until the broker knows the producer: it would take any first sequence", () => {
    const queue = queueOf(8);
    const [first, ...others] = takeAll(queue);
    expect(others).toEqual([]);
    if (first !== undefined) {
      const failure = { code: "BROKER_OVERLOADED", isRetriable: true, nowMs: 0 } as const;
      queue.attemptFailed(first, { ...failure, retryDelayMs: () => 0 });
      expect(takeAll(queue)).toEqual([first]);
      queue.acknowledged(first);
    }
    expect(takeAll(queue)).toHaveLength(5);
  });

  it("is one batch again after an idle hour: the broker may have forgotten the producer", () => {
    for (const [idleMs, expected] of [
      [3_599_999, 5],
      [3_600_000, 1],
    ] as const) {
      const queue = queueOf(9);
      const [first] = takeAll(queue);
      if (first !== undefined) {
        queue.acknowledged(first);
      }
      const [next, ...others] = takeAll(queue, idleMs);
      expect([next, ...others]).toHaveLength(expected);
      if (next !== undefined && expected === 1) {
        queue.acknowledged(next);
        expect(takeAll(queue, idleMs)).toHaveLength(5);
      }
    }
  });

  it("is counted from the oldest batch without an answer, so that the broker still knows that one", () => {
    const queue = knownQueueOf(8);
    const [oldest, ...others] = takeAll(queue);
    expect(others).toHaveLength(4);
    for (const batch of others) {
      queue.acknowledged(batch);
    }
    expect(takeAll(queue)).toEqual([]);
    if (oldest !== undefined) {
      queue.acknowledged(oldest);
    }
    expect(takeAll(queue)).toHaveLength(3);
  });

  it("moves on with each answer that comes in order", () => {
    const queue = knownQueueOf(8);
    const [oldest] = takeAll(queue);
    if (oldest !== undefined) {
      queue.acknowledged(oldest);
    }
    expect(takeAll(queue)).toHaveLength(1);
  });
});
