import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { evenSchedule } from "./schedule.js";

describe("evenSchedule", () => {
  it("has one record due at the start and as many in all as the rate says", () => {
    const schedule = evenSchedule(1000, 3);
    expect(schedule.total).toBe(3000);
    expect(schedule.dueBy(0)).toBe(1);
    expect(schedule.dueBy(0.999)).toBe(1);
    expect(schedule.dueBy(1)).toBe(2);
    expect(schedule.dueBy(60_000)).toBe(3000);
    expect(schedule.dueBy(-1)).toBe(0);
  });

  it("agrees with itself: a record is due from its due time on, and not before", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 20_000 }),
        fc.integer({ min: 0, max: 9_999 }),
        (rate, index) => {
          const schedule = evenSchedule(rate, 10_000 / rate);
          const due = schedule.dueAtMs(index);
          expect(schedule.dueBy(due)).toBe(index + 1);
          expect(schedule.dueBy(due - 0.4 * (1000 / rate))).toBe(index);
        },
      ),
    );
  });

  it("does not move later records when an earlier one was late", () => {
    const schedule = evenSchedule(10, 1);
    // Nothing was sent for half a second: six are due now, each with its own time.
    expect(schedule.dueBy(500)).toBe(6);
    expect([0, 1, 2, 3, 4, 5].map(schedule.dueAtMs)).toEqual([0, 100, 200, 300, 400, 500]);
  });
});
