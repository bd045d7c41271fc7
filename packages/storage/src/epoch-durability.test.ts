import { createSimRuntime } from "@millrace/runtime/sim";
import { describe, expect, it } from "vitest";
import { batchOf, createLog, openManager } from "./testdata/harness.js";

describe("leader epochs", () => {
  it("are durable before their first batch is, also one that comes while another is stored", async () => {
    const { simulation, node } = createSimRuntime();
    await simulation.run(async () => {
      const manager = await openManager({ runtime: node.runtime() });
      const log = await createLog(manager);
      let isSecondAppended = false;
      node.disk.onOperation(({ kind, path }) => {
        if (
          !isSecondAppended &&
          kind === "rename" &&
          path.endsWith("leader-epoch-checkpoint.tmp")
        ) {
          isSecondAppended = true;
          log.append(batchOf({ values: ["of epoch 2"] }), { leaderEpoch: 2 });
        }
      });
      log.append(batchOf({ values: ["of epoch 1"] }), { leaderEpoch: 1 });
      await log.whenFlushed(0);
      await log.whenFlushed(1);
      expect(isSecondAppended).toBe(true);
      node.crash();

      const again = await openManager({ runtime: node.runtime() });
      const recovered = again.getLog("events", 0);
      expect(recovered?.damage).toBeUndefined();
      expect(recovered?.logEndOffset).toBe(2);
      expect(recovered?.latestEpoch).toBe(2);
      await again.close();
    });
  });
});
