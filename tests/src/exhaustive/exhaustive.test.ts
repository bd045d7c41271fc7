import { createNodeRuntime } from "@millrace/runtime/node";
import { describe, expect, it } from "vitest";
import { damageKinds } from "./damage-cases.js";
import { runCases } from "./run-cases.js";
import type { WrapCrc } from "./segment-judge.js";
import { buildSegmentScene } from "./segment-scene.js";
import { runStateFileCases } from "./state-files.js";

const { compute } = createNodeRuntime();

/** A sample of what `npm run exhaustive` does in full; primes, so that every bit of a byte has its turn. */
const STRIDES = { truncation: 131, "bit flip": 1009, "zeroed sector": 3 } as const;

describe.each(["start", "middle", "end"] as const)(
  "a damaged segment with the recovery point at its %s",
  (place) => {
    it.each(damageKinds)("serves nothing wrong and loses nothing it may not: %s", async (kind) => {
      const scene = await buildSegmentScene(place);
      const result = await runCases({ scene, compute, kind, stride: STRIDES[kind] });
      expect(result.cases).toBeGreaterThan(40);
      expect(result.problems).toEqual([]);
    });

    it("would serve wrong records if the CRC were not looked at (negative control)", async () => {
      const scene = await buildSegmentScene(place);
      // Of a batch the CRC it claims, which stands before what it covers; of an index file, an honest one.
      const wrapCrc: WrapCrc = (honest) => (bytes, seed) =>
        bytes.byteOffset < 21 || seed !== undefined
          ? honest(bytes, seed)
          : new DataView(bytes.buffer, bytes.byteOffset - 4, 4).getUint32(0);
      const result = await runCases({ scene, compute, kind: "bit flip", stride: 10_007, wrapCrc });
      expect(result.problems.join()).toContain("got bytes that were never written");
    });
  },
);

describe("the judge", () => {
  it("finds all in order where nothing is damaged, and every batch of every codec is there", async () => {
    const scene = await buildSegmentScene("middle");
    const [first] = scene.batches;
    expect(scene.batches.length).toBeGreaterThan(10);
    expect(scene.recoveryPoint).toBeGreaterThan(first?.endOffset ?? 0);
    expect(scene.recoveryPoint).toBeLessThan(scene.endOffset);
    const codecs = new Set(scene.batches.map(({ from }) => (scene.bytes[from + 22] ?? 0) & 7));
    expect([...codecs].sort()).toEqual([0, 1, 2, 3, 4]);
  });
});

describe("a damaged state file", () => {
  it("changes no read, or is refused with the reason", async () => {
    const result = await runStateFileCases({ compute, stride: 37 });
    expect(result.cases).toBeGreaterThan(300);
    expect(Object.keys(result.verdicts).sort()).toEqual([
      "refused with the reason",
      "served as if nothing had happened",
    ]);
    expect(result.problems).toEqual([]);
  });
});
