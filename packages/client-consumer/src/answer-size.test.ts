import { describe, expect, it } from "vitest";
import { AnswerSize } from "./answer-size.js";

const MIB = 1024 * 1024;

/** The sizes after each of some full answers that took so long. */
function sizesAfter(size: AnswerSize, elapsedMs: readonly number[]): number[] {
  return elapsedMs.map((ms) => {
    size.came(size.bytes, ms);
    return size.bytes / MIB;
  });
}

describe("AnswerSize", () => {
  it("doubles with each full answer that comes quickly, from 1 to 2 MiB", () => {
    const size = new AnswerSize(8 * MIB);
    expect(size.bytes).toBe(MIB);
    expect(sizesAfter(size, [0, 3, 20])).toEqual([2, 2, 2]);
    const bounded = new AnswerSize(1.5 * MIB);
    expect(sizesAfter(bounded, [0, 0])).toEqual([1.5, 1.5]);
  });

  it("is what comes in a tenth of a second, once answers take longer", () => {
    const size = new AnswerSize(8 * MIB);
    sizesAfter(size, [1]);
    expect(sizesAfter(size, [128])).toEqual([1.5625]);
    expect(sizesAfter(size, [100, 50])).toEqual([1.5625, 2]);
  });

  it("never falls below 1 MiB, however slow the line", () => {
    const size = new AnswerSize(8 * MIB);
    sizesAfter(size, [1, 1]);
    expect(sizesAfter(size, [60_000, 60_000])).toEqual([1, 1]);
  });

  it("learns nothing from an answer that had all there was, quick or slow", () => {
    const size = new AnswerSize(8 * MIB);
    size.came(MIB / 2 - 1, 1);
    expect(size.bytes).toBe(MIB);
    sizesAfter(size, [1, 1]);
    size.came(100, 500);
    size.came(0, 500);
    expect(size.bytes).toBe(2 * MIB);
  });

  it("stays within the bound of any answer, also when that is less than 1 MiB", () => {
    const small = new AnswerSize(5_000);
    small.came(5_000, 1);
    expect([small.bytes, small.shareOf(1), small.shareOf(10)]).toEqual([5_000, 5_000, 5_000]);
  });

  it("is shared by the partitions, at least 1 MiB for each", () => {
    const size = new AnswerSize(8 * MIB);
    sizesAfter(size, [1, 1]);
    expect([1, 2, 4, 100].map((count) => size.shareOf(count) / MIB)).toEqual([2, 1, 1, 1]);
  });
});
