import { describe, expect, it } from "vitest";
import { Prng } from "./prng.js";

const draw = (prng: Prng, count = 8): number[] =>
  Array.from({ length: count }, () => prng.uint32());

describe("the generator", () => {
  it("gives the same numbers for the same seed, and others for another", () => {
    expect(draw(Prng.fromSeed(42))).toEqual(draw(Prng.fromSeed(42)));
    const firsts = new Set(
      Array.from({ length: 5_000 }, (_, seed) => Prng.fromSeed(seed).uint32()),
    );
    expect(firsts.size).toBeGreaterThan(4_990);
  });

  it("tells seeds apart that differ above 32 bits, and takes negative ones", () => {
    expect(draw(Prng.fromSeed(1))).not.toEqual(draw(Prng.fromSeed(2 ** 32 + 1)));
    expect(draw(Prng.fromSeed(1))).not.toEqual(draw(Prng.fromSeed(-1)));
    expect(() => Prng.fromSeed(0.5)).toThrow(RangeError);
  });

  it("forks by label only: what was drawn before does not matter", () => {
    const fresh = Prng.fromSeed(3).fork("disk");
    const used = Prng.fromSeed(3);
    draw(used, 100);
    expect(draw(used.fork("disk"))).toEqual(draw(fresh));
    expect(draw(used.fork("disc"))).not.toEqual(draw(used.fork("disk")));
    expect(draw(used.fork("a").fork("b"))).not.toEqual(draw(used.fork("b").fork("a")));
  });

  it("spreads over its range", () => {
    const prng = Prng.fromSeed(9);
    const counts = new Uint32Array(10);
    for (let round = 0; round < 10_000; round++) {
      const bucket = Math.floor(prng.float() * 10);
      counts[bucket] = (counts[bucket] ?? 0) + 1;
    }
    expect(Math.min(...counts)).toBeGreaterThan(850);
    expect(Math.max(...counts)).toBeLessThan(1_150);
  });

  it("draws nothing for an impossible chance, so that a disabled fault shifts nothing", () => {
    const [one, other] = [Prng.fromSeed(5), Prng.fromSeed(5)];
    expect(one.chance(0)).toBe(false);
    expect(draw(one)).toEqual(draw(other));
  });
});
