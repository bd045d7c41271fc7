import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EventQueue, type SimEvent } from "./event-queue.js";

const input = (isBackground = false) => ({ delayMs: 0, kind: "test", run: () => {}, isBackground });

function drain(queue: EventQueue): SimEvent[] {
  const taken: SimEvent[] = [];
  for (let event = queue.take(); event !== undefined; event = queue.take()) {
    taken.push(event);
  }
  return taken;
}

describe("the event queue", () => {
  it("gives events by time, and those of one time in the order they were added, less the cancelled", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat({ max: 20 }), fc.boolean()), { maxLength: 300 }),
        (plan) => {
          const queue = new EventQueue();
          const events = plan.map(([at]) => queue.add(at, input()));
          const kept = events.filter((event, index) => {
            const isCancelled = plan[index]?.[1] === true;
            if (isCancelled) {
              queue.cancel(event);
            }
            return !isCancelled;
          });
          const expected = kept.toSorted((a, b) => a.at - b.at || a.sequence - b.sequence);
          expect(queue.isIdle).toBe(kept.length === 0);
          expect(drain(queue).map((event) => event.sequence)).toEqual(
            expected.map((event) => event.sequence),
          );
          expect(queue.isIdle).toBe(true);
        },
      ),
    );
  });

  it("keeps its order when thousands of cancelled events are thrown out", () => {
    const queue = new EventQueue();
    const events = Array.from({ length: 10_000 }, (_, index) =>
      queue.add((index * 7_919) % 10_007, input()),
    );
    for (const [index, event] of events.entries()) {
      if (index % 10 !== 0) {
        queue.cancel(event);
      }
    }
    const times = drain(queue).map((event) => event.at);
    expect(times.length).toBe(1_000);
    expect(times).toEqual(times.toSorted((a, b) => a - b));
  });

  it("is idle with only background events left", () => {
    const queue = new EventQueue();
    queue.add(1, input(true));
    expect(queue.isIdle).toBe(true);
    const event = queue.add(2, input());
    expect(queue.isIdle).toBe(false);
    queue.cancel(event);
    queue.cancel(event);
    expect(queue.isIdle).toBe(true);
  });
});
