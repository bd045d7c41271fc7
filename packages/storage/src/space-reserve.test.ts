import { createSimRuntime } from "@millrace/runtime/sim";
import { describe, expect, it } from "vitest";
import { type Log, parseLogConfig } from "./index.js";
import { appendFlushed, batchOf, createLog, openManager, valuesOf } from "./testdata/harness.js";

const reserveBytes = 256 * 1024;
const config = { reserveBytes };
const segments = { "segment.bytes": "20000", "file.delete.delay.ms": "0" };
const big = "x".repeat(4_000);

/** Takes every byte that is left on the simulated disk. */
function fill(disk: { usedBytes: number; setCapacity(bytes: number): void }): void {
  disk.setCapacity(disk.usedBytes);
}

async function fillWithRecords(log: Log): Promise<void> {
  for (let count = 0; count < 30; count++) {
    await appendFlushed(log, { values: [big], timestamp: count });
  }
}

const refusal = (log: Log): string => {
  const outcome = log.append(batchOf({ values: [big] }), { leaderEpoch: 0 });
  return outcome.ok ? "taken" : outcome.error;
};

describe("the space reserve", () => {
  it("lets retention free a completely full disk, and records are taken again", async () => {
    const { simulation, node, runtime } = createSimRuntime();
    await simulation.run(async () => {
      const manager = await openManager({ runtime, config });
      const log = await createLog(manager, segments);
      await fillWithRecords(log);
      const usedBytes = node.disk.usedBytes;
      fill(node.disk);
      log.updateConfig(parseLogConfig({ ...segments, "retention.bytes": "30000" }));
      expect(await manager.applyRetention(0)).toBeGreaterThan(0);
      expect(log.logStartOffset).toBeGreaterThan(0);
      expect(refusal(log)).toBe("STORAGE_FULL");
      node.disk.setCapacity(usedBytes + 2 ** 21);
      await runtime.clock.sleep(5_000);
      await appendFlushed(log, { values: [big] });
      await manager.close();
    });
  });

  it("is made again by the space that retention freed alone", async () => {
    const { simulation, node, runtime } = createSimRuntime();
    await simulation.run(async () => {
      const manager = await openManager({ runtime, config });
      const large = { "segment.bytes": "200000", "file.delete.delay.ms": "0" };
      const log = await createLog(manager, large);
      for (let count = 0; count < 20; count++) {
        await appendFlushed(log, { values: ["y".repeat(100_000)], timestamp: count });
      }
      fill(node.disk);
      await expect(appendFlushed(log, { values: [big] })).rejects.toThrow("STORAGE_FULL");
      log.updateConfig(parseLogConfig({ ...large, "retention.bytes": "300000" }));
      expect(await manager.applyRetention(0)).toBeGreaterThan(1_000_000);
      await runtime.clock.sleep(5_000);
      await appendFlushed(log, { values: [big] });
      await manager.close();
    });
  });

  it("keeps records and reads through a restart on a completely full disk", async () => {
    const { simulation, node, runtime } = createSimRuntime();
    await simulation.run(async () => {
      const manager = await openManager({ runtime, config });
      await fillWithRecords(await createLog(manager, segments));
      node.crash();
      fill(node.disk);
      const second = await openManager({ runtime: node.runtime(), config });
      const log = second.getLog("events", 0) as Log;
      expect((await valuesOf(log)).size).toBe(30);
      await second.close();
      // Not even the reserve is left, and somebody else took its space.
      fill(node.disk);
      const third = await openManager({ runtime: node.runtime(), config });
      expect((await valuesOf(third.getLog("events", 0) as Log)).size).toBe(30);
      expect(refusal(third.getLog("events", 0) as Log)).toBe("STORAGE_FULL");
      await third.close();
    });
  });

  it("is given up for appends that may use it, and for no others", async () => {
    const { simulation, node, runtime } = createSimRuntime();
    await simulation.run(async () => {
      const manager = await openManager({ runtime, config });
      const log = await createLog(manager, segments);
      await appendFlushed(log, { values: ["a"] });
      fill(node.disk);
      await expect(appendFlushed(log, { values: ["b"] })).rejects.toThrow("STORAGE_FULL");
      expect(node.disk.paths()).toContain("/data/.millrace_reserve");
      const outcome = log.append(batchOf({ values: ["c"] }), {
        leaderEpoch: 0,
        mayUseReserve: true,
      });
      await log.whenFlushed(outcome.ok ? outcome.lastOffset : -1);
      expect(node.disk.paths()).not.toContain("/data/.millrace_reserve");
      expect([...(await valuesOf(log)).values()]).toEqual(["a", "c"]);
      expect(refusal(log)).toBe("STORAGE_FULL");
      await expect(createLog(manager, segments, 1)).rejects.toThrow("STORAGE_FULL");
      await manager.close();
    });
  });

  it("is not all: when it is gone and its space is taken, hints make room for deleting", async () => {
    const { simulation, node, runtime } = createSimRuntime();
    await simulation.run(async () => {
      const manager = await openManager({ runtime, config });
      await fillWithRecords(await createLog(manager, segments));
      await manager.close();
      await runtime.fileSystem.removeFile("/data/.millrace_reserve");
      fill(node.disk);
      const second = await openManager({ runtime, config });
      const log = second.getLog("events", 0) as Log;
      fill(node.disk);
      expect(refusal(log)).toBe("STORAGE_FULL");
      const { length } = node.disk.paths();
      await log.deleteRecordsBefore(25);
      expect(log.logStartOffset).toBe(25);
      expect(node.disk.paths().length).toBeLessThan(length);
      expect((await valuesOf(log)).size).toBe(5);
      await second.close();
      const third = await openManager({ runtime, config });
      expect((await valuesOf(third.getLog("events", 0) as Log)).size).toBe(5);
      await third.close();
    });
  });

  it("takes an eighth of a small disk's free space, and no room means no records", async () => {
    const { simulation, node, runtime } = createSimRuntime();
    await simulation.run(async () => {
      node.disk.setCapacity(1_000_000);
      const manager = await openManager({ runtime, config });
      expect(node.disk.peek("/data/.millrace_reserve").length).toBeLessThan(125_000);
      await appendFlushed(await createLog(manager, segments), { values: ["a"] });
      await manager.close();
      expect(node.disk.paths()).toContain("/data/.millrace_reserve");
    });
  });
});
