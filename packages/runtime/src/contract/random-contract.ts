// What every source of randomness promises. Statistics are loose: a correct source fails them never in practice.

import { type Random, randomUuid } from "../random.js";
import { type ContractHarness, caseRunner, type TestFramework } from "./harness.js";

export function randomContract(framework: TestFramework, harness: ContractHarness<Random>): void {
  const { describe, expect } = framework;
  const test = caseRunner(framework, harness);

  describe("a random source", () => {
    test("fills the array it is given and returns it", (random) => {
      const target = new Uint8Array(64);
      expect(random.fill(target) === target).toBe(true);
      expect(new Set(target).size).toBeGreaterThan(16);
    });

    test("fills only the view, not what lies around it", (random) => {
      const whole = new Uint8Array(96);
      random.fill(whole.subarray(32, 64));
      expect(whole.subarray(0, 32).every((byte) => byte === 0)).toBe(true);
      expect(whole.subarray(64).every((byte) => byte === 0)).toBe(true);
      expect(whole.subarray(32, 64).some((byte) => byte !== 0)).toBe(true);
    });

    test("fills empty and large arrays (200 KiB: platforms bound a single draw)", (random) => {
      expect(random.fill(new Uint8Array(0)).length).toBe(0);
      const large = random.fill(new Uint8Array(200 * 1024));
      const counts = new Uint32Array(256);
      for (const byte of large) {
        counts[byte] = (counts[byte] ?? 0) + 1;
      }
      expect(counts.every((count) => count > 500 && count < 1_100)).toBe(true);
      expect(large.subarray(-64).some((byte) => byte !== 0)).toBe(true);
    });

    test("gives floats in [0, 1), spread over the range", (random) => {
      const values = Array.from({ length: 2_000 }, () => random.float());
      expect(values.every((value) => value >= 0 && value < 1)).toBe(true);
      expect(Math.min(...values)).toBeLessThan(0.05);
      expect(Math.max(...values)).toBeGreaterThan(0.95);
    });

    test("gives every whole number below the bound, and no other", (random) => {
      const seen = new Set(Array.from({ length: 1_000 }, () => random.below(7)));
      expect([...seen].sort()).toEqual([0, 1, 2, 3, 4, 5, 6]);
    });

    test("takes the smallest and the largest bound", (random) => {
      const largest = Array.from({ length: 200 }, () => random.below(2 ** 32));
      expect(random.below(1)).toBe(0);
      expect(largest.every((value) => Number.isInteger(value) && value >= 0)).toBe(true);
      expect(largest.some((value) => value >= 2 ** 31)).toBe(true);
    });

    test("favours no part of a bound that does not divide 2^32", (random) => {
      // With the bound 3 * 2^30, a plain remainder would give the lowest third half of all draws.
      const draws = 3_000;
      let low = 0;
      for (let round = 0; round < draws; round++) {
        low += random.below(3 * 2 ** 30) < 2 ** 30 ? 1 : 0;
      }
      expect(low).toBeGreaterThan(draws * 0.27);
      expect(low).toBeLessThan(draws * 0.4);
    });

    test("makes version 4 UUIDs that differ", (random) => {
      const uuids = Array.from({ length: 500 }, () => randomUuid(random));
      const shape = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
      expect(uuids.every((uuid) => shape.test(uuid))).toBe(true);
      expect(new Set(uuids).size).toBe(500);
    });
  });
}
