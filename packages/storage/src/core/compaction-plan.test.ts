import { describe, expect, it } from "vitest";
import { type CompactionQuestion, groupSegments, planCompaction } from "./compaction-plan.js";

const segment = (index: number, more: { newestMs?: number; firstMs?: number } = {}) => ({
  baseOffset: index * 10,
  endOffset: index * 10 + 10,
  sizeBytes: 100,
  newestMs: 1_000,
  firstMs: 1_000,
  ...more,
});

function plan(more: Partial<CompactionQuestion> = {}, rules = {}) {
  return planCompaction({
    segments: [segment(0), segment(1), segment(2), segment(3)],
    cleanedTo: 0,
    logStartOffset: 0,
    logEndOffset: 45,
    stableOffset: 45,
    nextHorizonMs: undefined,
    nowMs: 10_000,
    ...more,
    rules: {
      minCompactionLagMs: 0,
      maxCompactionLagMs: Number.MAX_SAFE_INTEGER,
      minCleanableDirtyRatio: 0.5,
      ...rules,
    },
  });
}

describe("planCompaction", () => {
  it("covers what no pass covered yet, up to the active segment", () => {
    expect(plan({ cleanedTo: 20 })).toEqual({
      firstDirtyOffset: 20,
      endOffset: 40,
      dirtyRatio: 0.5,
      isDue: false,
    });
    expect(plan({ cleanedTo: 10 })).toMatchObject({ dirtyRatio: 0.75, isDue: true });
    expect(plan({ cleanedTo: 40 })).toMatchObject({ dirtyRatio: 0, isDue: false });
  });

  it("begins at the log start where that is later, and where the log is shorter than what was clean", () => {
    expect(plan({ cleanedTo: 5, logStartOffset: 15 })).toMatchObject({ firstDirtyOffset: 15 });
    expect(plan({ cleanedTo: 46, logStartOffset: 3 })).toMatchObject({ firstDirtyOffset: 3 });
  });

  it("ends at the stable offset, and before the first segment that is too young", () => {
    expect(plan({ stableOffset: 25 })).toMatchObject({ endOffset: 25 });
    const segments = [segment(0), segment(1), segment(2, { newestMs: 9_500 }), segment(3)];
    expect(plan({ segments }, { minCompactionLagMs: 500 })).toMatchObject({ endOffset: 40 });
    expect(plan({ segments }, { minCompactionLagMs: 501 })).toMatchObject({ endOffset: 20 });
    expect(plan({ segments, cleanedTo: 30 }, { minCompactionLagMs: 501 })).toMatchObject({
      firstDirtyOffset: 30,
      endOffset: 40,
    });
  });

  it("is due whatever the ratio when a dirty record is too old, or a clean tombstone may go", () => {
    expect(plan({ cleanedTo: 30 }, { maxCompactionLagMs: 9_000 }).isDue).toBe(false);
    expect(plan({ cleanedTo: 30 }, { maxCompactionLagMs: 8_999 }).isDue).toBe(true);
    expect(plan({ cleanedTo: 40 }, { maxCompactionLagMs: 8_999 }).isDue).toBe(false);
    expect(plan({ cleanedTo: 40, nextHorizonMs: 10_001 }).isDue).toBe(false);
    expect(plan({ cleanedTo: 40, nextHorizonMs: 10_000 })).toMatchObject({
      isDue: true,
      endOffset: 40,
    });
  });

  it("finds nothing to do in a log that has only its active segment", () => {
    expect(plan({ segments: [], logEndOffset: 5, stableOffset: 5 })).toEqual({
      firstDirtyOffset: 0,
      endOffset: 0,
      dirtyRatio: 0,
      isDue: false,
    });
  });
});

describe("groupSegments", () => {
  const rules = { segmentBytes: 250, segmentIndexBytes: 10_000, indexIntervalBytes: 100 };
  const bases = (groups: { baseOffset: number }[][]) =>
    groups.map((group) => group.map(({ baseOffset }) => baseOffset));

  it("joins neighbours while they fit by bytes, and leaves a large one alone", () => {
    const large = { ...segment(2), sizeBytes: 1_000 };
    const all = [segment(0), segment(1), large, segment(3), segment(4), segment(5)];
    expect(bases(groupSegments(all, rules))).toEqual([[0, 10], [20], [30, 40], [50]]);
    expect(groupSegments([], rules)).toEqual([]);
  });

  it("minds the size of an index and the range of its offsets", () => {
    const wide = [segment(0), { ...segment(1), endOffset: 2 ** 31 + 1 }, segment(2 ** 28)];
    expect(bases(groupSegments(wide, rules))).toEqual([[0], [10], [2 ** 28 * 10]]);
    expect(
      groupSegments([segment(0), segment(1)], { ...rules, segmentIndexBytes: 12 }),
    ).toHaveLength(2);
  });
});
