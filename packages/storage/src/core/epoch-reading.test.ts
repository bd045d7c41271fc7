import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EpochReading, type EpochSighting } from "./epoch-reading.js";

/** One batch per offset. Returns the entries, and the offsets of the batches that are not believed. */
function read(epochs: readonly number[]): { entries: [number, number][]; suspects: number[] } {
  const suspects: number[] = [];
  const reading = new EpochReading<EpochSighting>(({ suspect }) =>
    suspects.push(suspect.baseOffset),
  );
  for (const [baseOffset, leaderEpoch] of epochs.entries()) {
    reading.see({ leaderEpoch, baseOffset });
  }
  const entries = reading
    .finish()
    .entries.map(({ epoch, startOffset }): [number, number] => [epoch, startOffset]);
  return { entries, suspects };
}

describe("the epochs that batches tell of", () => {
  it("are where they begin", () => {
    expect(read([0, 0, 3, 4, 4])).toEqual({
      entries: [
        [0, 0],
        [3, 2],
        [4, 3],
      ],
      suspects: [],
    });
    expect(read([])).toEqual({ entries: [], suspects: [] });
  });

  it("leave out a batch whose epoch rises for itself alone, not the ones behind it", () => {
    expect(read([0, 0, 8, 0, 0])).toEqual({ entries: [[0, 0]], suspects: [2] });
    expect(read([0, 8, 1, 1])).toEqual({
      entries: [
        [0, 0],
        [1, 2],
      ],
      suspects: [1],
    });
    expect(read([8, 0, 0])).toEqual({ entries: [[0, 1]], suspects: [0] });
  });

  it("leave out a batch whose epoch falls for itself alone, although it follows a new epoch's first", () => {
    expect(read([0, 4, 0, 4])).toEqual({
      entries: [
        [0, 0],
        [4, 1],
      ],
      suspects: [2],
    });
    expect(read([4, 4, 0, 4])).toEqual({ entries: [[4, 0]], suspects: [2] });
  });

  it("take the reading with fewer epochs where the log ends before it is decided", () => {
    expect(read([0, 8, 0])).toEqual({ entries: [[0, 0]], suspects: [1] });
  });

  it("believe a batch that nothing contradicts", () => {
    expect(read([0, 8])).toEqual({
      entries: [
        [0, 0],
        [8, 1],
      ],
      suspects: [],
    });
  });

  it("are as written but for a single flipped bit, wherever that contradicts two neighbours", () => {
    const rises = fc.array(fc.nat({ max: 3 }), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(rises, fc.nat(), fc.nat({ max: 30 }), (steps, place, bit) => {
        // Each epoch writes two batches at least.
        let epoch = 0;
        const written = steps.flatMap((step) => {
          epoch += step;
          return [epoch, epoch];
        });
        const at = place % written.length;
        const damaged = written.with(at, (written[at] ?? 0) ^ (1 << bit));
        const isFallingBefore = (damaged[at] ?? 0) < (written[at - 1] ?? 0);
        const isFallingBehind = (damaged[at] ?? 0) > (written[at + 2] ?? Number.POSITIVE_INFINITY);
        fc.pre(isFallingBefore || isFallingBehind);
        expect(read(damaged).suspects).toEqual([at]);
        const undamaged = read(written).entries;
        const found = read(damaged).entries;
        expect(found.map(([one]) => one)).toEqual(undamaged.map(([one]) => one));
        // The epoch that the damaged batch began is seen to begin with the next one.
        const isShifted = undamaged.some(([, startOffset]) => startOffset === at);
        expect(found).toEqual(
          undamaged.map(([one, start]) => [one, isShifted && start === at ? start + 1 : start]),
        );
      }),
    );
  });
});
