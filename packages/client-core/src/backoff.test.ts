import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Backoff } from "./backoff.js";

const randomOf = (float: number) => ({
  float: () => float,
  below: () => 0,
  fill: (target: Uint8Array) => target,
});

describe("Backoff", () => {
  it("stays between half of the cap and the cap, at every attempt", () => {
    fc.assert(
      fc.property(
        fc.nat(5000),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        fc.integer({ min: 1, max: 1000 }),
        fc.integer({ min: 1000, max: 60_000 }),
        (attempt, float, initialMs, maxMs) => {
          const delayMs = new Backoff({ initialMs, maxMs, random: randomOf(float) }).delayMs(
            attempt,
          );
          const capMs = Math.min(maxMs, initialMs * 2 ** attempt);
          expect(delayMs).toBeGreaterThanOrEqual(capMs / 2);
          expect(delayMs).toBeLessThanOrEqual(capMs);
        },
      ),
    );
  });

  it("doubles with each attempt until the maximum", () => {
    const backoff = new Backoff({ initialMs: 100, maxMs: 1000, random: randomOf(0) });
    expect([0, 1, 2, 3, 4, 5].map((attempt) => backoff.delayMs(attempt))).toEqual([
      50, 100, 200, 400, 500, 500,
    ]);
  });
});
