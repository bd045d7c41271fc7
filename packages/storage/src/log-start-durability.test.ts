import { createSimRuntime } from "@millrace/runtime/sim";
import { describe, expect, it } from "vitest";
import { appendFlushed, createLog, openManager } from "./testdata/harness.js";

describe("deleteRecordsBefore", () => {
  it("promises nothing when an earlier call could not store the same log start", async () => {
    const { simulation, node } = createSimRuntime();
    await simulation.run(async () => {
      const manager = await openManager({ runtime: node.runtime() });
      const log = await createLog(manager);
      for (let index = 0; index < 5; index++) {
        await appendFlushed(log, { values: [`value-${index}`] });
      }
      node.disk.setMaxOpenFiles(0);
      await expect(log.deleteRecordsBefore(3)).rejects.toMatchObject({
        code: "KAFKA_STORAGE_ERROR",
      });
      expect(manager.getLog("events", 0)?.state).toBe("online");
      node.disk.setMaxOpenFiles(100);
      await log.deleteRecordsBefore(3);
      node.crash({ powerLoss: true });

      const again = await openManager({ runtime: node.runtime() });
      expect(again.getLog("events", 0)?.logStartOffset).toBe(3);
      await again.close();
    });
  });
});
