import { createNodeRuntime } from "@millrace/runtime/node";
import { describe, expect, it, vi } from "vitest";
import { runCases } from "./run-cases.js";
import { buildSegmentScene } from "./segment-scene.js";

// The planted bug: whatever is bad past the recovery point counts as torn, valid batches behind it or not.
vi.mock("../../../packages/storage/src/torn-tail.js", async (importOriginal) => ({
  ...(await importOriginal<typeof import("../../../packages/storage/src/torn-tail.js")>()),
  runsBehindBadBatch: async () => undefined,
}));

describe("without the rule that a valid batch behind it makes it damage (negative control)", () => {
  it("acknowledged batches are cut", async () => {
    const scene = await buildSegmentScene("start");
    const { compute } = createNodeRuntime();
    const result = await runCases({ scene, compute, kind: "bit flip", stride: 50_021 });
    expect(result.problemCount).toBeGreaterThan(0);
    expect(result.problems.join()).toMatch(/the file has \d+ bytes instead of 65536/);
  });
});
