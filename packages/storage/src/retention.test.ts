import { Simulation } from "@millrace/runtime/sim";
import { describe, expect, it } from "vitest";
import { appendFlushed, createLog, openManager } from "./testdata/harness.js";

describe("retention by time", () => {
  it("counts from the last write where records have no timestamp", async () => {
    const simulation = new Simulation({ seed: 2 });
    const { clock, ...runtime } = simulation.node("broker").runtime();
    await simulation.run(async () => {
      const manager = await openManager({ runtime: { ...runtime, clock } });
      const log = await createLog(manager, { "retention.ms": "60000", "segment.bytes": "100" });
      await appendFlushed(log, { values: ["first"], timestamp: -1 });
      await simulation.sleep(50_000);
      await appendFlushed(log, { values: ["second"], timestamp: -1 });
      await log.applyRetention(clock.nowMs());
      expect(log.logStartOffset).toBe(0);
      await simulation.sleep(20_000);
      await log.applyRetention(clock.nowMs());
      expect(log.logStartOffset).toBe(1);
      await simulation.sleep(50_000);
      await log.applyRetention(clock.nowMs());
      expect(log.logStartOffset).toBe(2);
      await manager.close();
    });
  });
});
