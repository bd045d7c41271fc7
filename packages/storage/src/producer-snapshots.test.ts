import { createSimRuntime } from "@millrace/runtime/sim";
import { describe, expect, it } from "vitest";
import { ProducerState } from "./core/producer-state.js";
import { removeSnapshotsBeyond, storeProducerSnapshot } from "./producer-snapshots.js";

describe("a producer snapshot beyond the log's end", () => {
  it("does not come back after a power cut: other batches may have taken those offsets", async () => {
    const { simulation, node, runtime } = createSimRuntime();
    await simulation.run(async () => {
      const { fileSystem, compute } = runtime;
      await fileSystem.createDirectory("/log");
      await fileSystem.syncDirectory("/");
      const place = { fileSystem, compute, directory: "/log" };
      await storeProducerSnapshot(place, 5, new ProducerState());
      await storeProducerSnapshot(place, 9, new ProducerState());
      await removeSnapshotsBeyond(place, 5);
      node.crash({ powerLoss: true, model: "nothing" });
      expect(node.disk.paths()).toEqual(["/log/00000000000000000005.producer-state"]);
    });
  });
});
