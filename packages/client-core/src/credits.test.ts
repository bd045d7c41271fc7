import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CreditQueue } from "./credits.js";

interface Item {
  readonly id: number;
  readonly sizeBytes: number;
}

const takeAllThatFit = (queue: CreditQueue<Item>): Item[] => {
  const taken: Item[] = [];
  for (let next = queue.takeNext(); next !== undefined; next = queue.takeNext()) {
    taken.push(next);
  }
  return taken;
};

describe("CreditQueue", () => {
  it("lets nothing go before it knows the limits", () => {
    const queue = new CreditQueue<Item>();
    queue.add({ id: 1, sizeBytes: 1 });
    expect(queue.takeNext()).toBeUndefined();
    queue.open({ maxRequests: 1, maxBytes: 10 });
    expect(queue.takeNext()?.id).toBe(1);
  });

  it("lets a single request go however large it is, and nothing beside it", () => {
    const queue = new CreditQueue<Item>();
    queue.open({ maxRequests: 10, maxBytes: 100 });
    queue.add({ id: 1, sizeBytes: 5000 });
    queue.add({ id: 2, sizeBytes: 1 });
    expect(takeAllThatFit(queue).map(({ id }) => id)).toEqual([1]);
    queue.release(5000);
    expect(takeAllThatFit(queue).map(({ id }) => id)).toEqual([2]);
  });

  it("never lets a small one overtake a large one that waits", () => {
    const queue = new CreditQueue<Item>();
    queue.open({ maxRequests: 10, maxBytes: 100 });
    queue.add({ id: 1, sizeBytes: 60 });
    queue.add({ id: 2, sizeBytes: 60 });
    queue.add({ id: 3, sizeBytes: 1 });
    expect(takeAllThatFit(queue).map(({ id }) => id)).toEqual([1]);
    queue.remove({ id: 9, sizeBytes: 1 });
    queue.release(60);
    expect(takeAllThatFit(queue).map(({ id }) => id)).toEqual([2, 3]);
  });

  it("forgets what was outstanding when the connection is gone, and keeps who waits", () => {
    const queue = new CreditQueue<Item>();
    queue.open({ maxRequests: 1, maxBytes: 100 });
    queue.add({ id: 1, sizeBytes: 10 });
    queue.add({ id: 2, sizeBytes: 10 });
    takeAllThatFit(queue);
    queue.close();
    expect(queue.outstandingRequests).toBe(0);
    expect(queue.takeAll().map(({ id }) => id)).toEqual([2]);
  });

  it("keeps within its limits, in order, and serves everyone, under any history", () => {
    const step = fc.oneof(
      fc.record({ type: fc.constant("add" as const), sizeBytes: fc.nat(150) }),
      fc.record({ type: fc.constant("answer" as const), index: fc.nat(20) }),
      fc.record({ type: fc.constant("giveUp" as const), index: fc.nat(20) }),
    );
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 200 }),
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 1, max: 300 }),
        (steps, maxRequests, maxBytes) => {
          const queue = new CreditQueue<Item>();
          queue.open({ maxRequests, maxBytes });
          const waiting: Item[] = [];
          const outstanding: Item[] = [];
          const flush = (): void => {
            for (const item of takeAllThatFit(queue)) {
              expect(item).toBe(waiting.shift());
              outstanding.push(item);
            }
            const bytes = outstanding.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
            expect(queue.outstandingBytes).toBe(bytes);
            expect(queue.outstandingRequests).toBe(outstanding.length);
            expect(outstanding.length).toBeLessThanOrEqual(maxRequests);
            expect(outstanding.length <= 1 || bytes <= maxBytes).toBe(true);
            expect(queue.waitingCount).toBe(waiting.length);
            expect(waiting.length === 0 || outstanding.length > 0).toBe(true);
          };
          steps.forEach((one, id) => {
            if (one.type === "add") {
              const item = { id, sizeBytes: one.sizeBytes };
              waiting.push(item);
              queue.add(item);
            } else if (one.type === "answer") {
              const [item] = outstanding.splice(one.index % Math.max(1, outstanding.length), 1);
              if (item !== undefined) {
                queue.release(item.sizeBytes);
              }
            } else {
              const [item] = waiting.splice(one.index % Math.max(1, waiting.length), 1);
              expect(item === undefined || queue.remove(item)).toBe(true);
            }
            flush();
          });
        },
      ),
    );
  });
});
