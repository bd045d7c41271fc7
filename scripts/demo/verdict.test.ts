import { describe, expect, it } from "vitest";
import { isPerfect, Verdict } from "./verdict.js";

const source = ["zero", "one", "two", "three"];

/** Records as `[partition, offset, id, value?]`; without a value the source's own. */
function judge(came: readonly (readonly [number, number, number, string?])[]) {
  const verdict = new Verdict(source);
  for (const [partition, offset, id, value = source[id] ?? ""] of came) {
    verdict.add({ partition, offset, id, value: new TextEncoder().encode(value) });
  }
  return verdict.summary();
}

describe("the demo's verdict", () => {
  it("is perfect when every record comes once and in order per partition", () => {
    const summary = judge([
      [0, 0, 1],
      [1, 0, 0],
      [1, 1, 2],
      [0, 1, 3],
    ]);
    expect(isPerfect(summary, source.length)).toBe(true);
    expect(summary).toMatchObject({ received: 4, distinct: 4, perPartition: { 0: 2, 1: 2 } });
  });

  it.each([
    [
      "a lost record",
      [
        [0, 0, 0],
        [0, 1, 1],
        [0, 2, 2],
      ],
      {},
    ],
    [
      "a record that came twice",
      [
        [0, 0, 0],
        [0, 1, 1],
        [0, 2, 2],
        [0, 3, 3],
        [0, 4, 3],
      ],
      { duplicated: 1 },
    ],
    [
      "an order that changed",
      [
        [0, 0, 1],
        [0, 1, 0],
        [0, 2, 2],
        [0, 3, 3],
      ],
      { outOfOrder: 1 },
    ],
    [
      "offsets that go back",
      [
        [0, 0, 0],
        [0, 0, 1],
        [0, 2, 2],
        [0, 3, 3],
      ],
      { outOfOrder: 1 },
    ],
    [
      "other content",
      [
        [0, 0, 0],
        [0, 1, 1, "ONE"],
        [0, 2, 2],
        [0, 3, 3],
      ],
      { different: 1 },
    ],
    [
      "a record nobody sent",
      [
        [0, 0, 0],
        [0, 1, 1],
        [0, 2, 2],
        [0, 3, 3],
        [0, 4, 9],
      ],
      { unknown: 1 },
    ],
  ] as const)("is not perfect with %s", (_, came, expected) => {
    const summary = judge(came);
    expect(isPerfect(summary, source.length)).toBe(false);
    expect(summary).toMatchObject(expected);
  });

  it("counts all problems and describes the first few", () => {
    const summary = judge(Array.from({ length: 50 }, (_, index) => [0, index, 99] as const));
    expect(summary.unknown).toBe(50);
    expect(summary.problems).toHaveLength(10);
  });
});
