import { Simulation } from "@millrace/runtime/sim";
import { describe, expect, it } from "vitest";
import { appendFlushed, batchOf, createLog, openManager } from "./testdata/harness.js";

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

describe("forgetting idle producers", () => {
  it("keeps those found at a start, however old their records say they are", async () => {
    const simulation = new Simulation({ seed: 2 });
    const node = simulation.node("broker");
    await simulation.run(async () => {
      const batch = { values: ["x"], timestamp: 1_000, producerId: 7, baseSequence: 0 };
      await appendFlushed(await createLog(await openManager({ runtime: node.runtime() })), batch);
      node.crash();
      const runtime = node.runtime();
      const manager = await openManager({ runtime });
      const log = manager.getLog("events", 0);
      log?.updateConfig({ ...log.config, retentionMs: -1 });
      await manager.applyRetention(runtime.clock.nowMs());
      expect(log?.append(batchOf(batch), { leaderEpoch: 0 })).toMatchObject({ isDuplicate: true });
      await simulation.sleep(86_400_001);
      await manager.applyRetention(runtime.clock.nowMs());
      expect(log?.producerCount).toBe(0);
    });
  });

  it("keeps only so many, those that wrote last, over a restart too", async () => {
    const simulation = new Simulation({ seed: 3 });
    const node = simulation.node("broker");
    await simulation.run(async () => {
      const config = { producersPerLogMax: 10 };
      const log = await createLog(await openManager({ runtime: node.runtime(), config }));
      const batch = (producerId: number, baseSequence = 0) => ({
        values: ["x"],
        producerId,
        baseSequence,
      });
      for (let producerId = 0; producerId < 15; producerId++) {
        await appendFlushed(log, batch(producerId));
        await appendFlushed(log, batch(0, producerId + 1));
      }
      expect(log.producerCount).toBe(10);
      node.crash();
      const manager = await openManager({ runtime: node.runtime(), config });
      const again = manager.getLog("events", 0);
      expect(again?.producerCount).toBe(10);
      for (const [producerId, isDuplicate] of [
        [14, true],
        [6, true],
        [5, false],
      ] as const) {
        const outcome = again?.append(batchOf(batch(producerId)), { leaderEpoch: 0 });
        expect(outcome).toMatchObject({ isDuplicate });
      }
    });
  });
});
