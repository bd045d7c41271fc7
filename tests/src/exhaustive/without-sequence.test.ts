import { createNodeRuntime } from "@millrace/runtime/node";
import { describe, expect, it, vi } from "vitest";
import { runCases } from "./run-cases.js";
import { buildSegmentScene } from "./segment-scene.js";

// The planted bug: nobody looks at what Kafka's CRC leaves out, offsets and epochs from batch to batch.
vi.mock("../../../packages/storage/src/core/batch-sequence.js", async (importOriginal) => {
  const { BatchSequence } =
    await importOriginal<typeof import("../../../packages/storage/src/core/batch-sequence.js")>();
  class Credulous extends BatchSequence {
    override problemWith(): undefined {
      return undefined;
    }
  }
  return { BatchSequence: Credulous };
});

describe("without the check of offsets and epochs (negative control)", () => {
  it("a flipped bit in them is served", async () => {
    const scene = await buildSegmentScene("start");
    const { compute } = createNodeRuntime();
    // Bits of the first batches' headers: base offset and leader epoch are in the first 16 bytes.
    const wrong: string[] = [];
    for (const { from } of scene.batches) {
      for (const byte of [3, 13]) {
        const first = (from + byte) * 8;
        const result = await runCases({ scene, compute, kind: "bit flip", first, stride: 1e9 });
        wrong.push(...result.problems);
      }
    }
    expect(wrong.join()).toContain("got bytes that were never written");
  });
});
