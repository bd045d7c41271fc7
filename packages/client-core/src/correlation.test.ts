import { describe, expect, it } from "vitest";
import { CorrelationIds, InFlightTable } from "./correlation.js";

describe("CorrelationIds", () => {
  it("starts at 1 and comes round without using 0, which is hello's", () => {
    expect(new CorrelationIds().next()).toBe(1);
    const ids = new CorrelationIds(0x7ffffffe);
    expect([ids.next(), ids.next(), ids.next()]).toEqual([0x7fffffff, 1, 2]);
  });
});

describe("InFlightTable", () => {
  it("gives each entry once", () => {
    const table = new InFlightTable<string>();
    expect(table.add(1, "a")).toBe(true);
    expect(table.take(1)).toBe("a");
    expect(table.take(1)).toBeUndefined();
    expect(table.size).toBe(0);
  });

  it("refuses an id that is in flight", () => {
    const table = new InFlightTable<string>();
    table.add(1, "a");
    expect(table.add(1, "b")).toBe(false);
    expect(table.take(1)).toBe("a");
  });

  it("empties in the order of sending", () => {
    const table = new InFlightTable<string>();
    table.add(9, "first");
    table.add(2, "second");
    expect(table.takeAll()).toEqual(["first", "second"]);
    expect(table.size).toBe(0);
  });
});
