import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { percentile, spread, summarise } from "./statistics.js";

describe("percentile", () => {
  it("takes the nearest rank", () => {
    const thousand = Array.from({ length: 1000 }, (_, index) => index + 1);
    expect(percentile(thousand, 0.5)).toBe(500);
    expect(percentile(thousand, 0.99)).toBe(990);
    expect(percentile(thousand, 0.999)).toBe(999);
    expect(percentile(thousand, 1)).toBe(1000);
    expect(percentile([7], 0.001)).toBe(7);
  });

  it("leaves at least its share of the samples at or below it, and less than that below", () => {
    const samples = fc.array(fc.integer({ min: 0, max: 50 }), { minLength: 1, maxLength: 200 });
    fc.assert(
      fc.property(samples, fc.integer({ min: 1, max: 100 }), (values, percent) => {
        const sorted = values.toSorted((left, right) => left - right);
        const found = percentile(sorted, percent / 100);
        const atMost = sorted.filter((value) => value <= found).length;
        const below = sorted.filter((value) => value < found).length;
        expect(atMost * 100).toBeGreaterThanOrEqual(percent * sorted.length);
        expect(below * 100).toBeLessThan(percent * sorted.length);
      }),
    );
  });

  it("refuses to invent a figure from nothing", () => {
    expect(() => percentile([], 0.5)).toThrow(RangeError);
  });
});

describe("summarise", () => {
  it("does not depend on the order of the samples", () => {
    expect(summarise([3, 1, 2])).toEqual({ count: 3, p50: 2, p99: 3, p999: 3, max: 3 });
    expect(summarise([])).toBeUndefined();
  });
});

describe("spread", () => {
  it("has the mean of the middle two as the median of an even number", () => {
    expect(spread([4, 1, 3, 2])).toEqual({ min: 1, median: 2.5, max: 4, runs: 4 });
    expect(spread([5, 1, 9])).toEqual({ min: 1, median: 5, max: 9, runs: 3 });
  });

  it("leaves out what is no figure", () => {
    expect(spread([Number.NaN, 2])).toEqual({ min: 2, median: 2, max: 2, runs: 1 });
    expect(spread([])).toBeUndefined();
  });
});
