import { createSimRuntime } from "@millrace/runtime/sim";
import { describe, expect, it } from "vitest";
import { type Log, parseLogConfig } from "./index.js";
import { appendFlushed, createLog, openManager, valuesOf } from "./testdata/harness.js";

const segments = { "segment.bytes": "300", "file.delete.delay.ms": "0" };

async function appendMany(log: Log): Promise<void> {
  for (let count = 0; count < 20; count++) {
    await appendFlushed(log, { values: ["x".repeat(100)], timestamp: count });
  }
}

describe("running out of file handles", () => {
  it("delays retention and deleteRecords, and stops nothing", async () => {
    const { simulation, node, runtime } = createSimRuntime();
    await simulation.run(async () => {
      let failed = false;
      const manager = await openManager({ runtime, config: { indexCacheBytes: 0 } });
      void manager.failed.then(() => {
        failed = true;
      });
      const log = await createLog(manager, segments);
      await appendMany(log);
      const before = log.segmentCount;
      for (let free = 0; free < 4; free++) {
        node.disk.setMaxOpenFiles(node.disk.openFileCount + free);
        await log.deleteRecordsBefore(10 + free).catch(() => undefined);
        log.updateConfig(parseLogConfig({ ...segments, "retention.bytes": "900" }));
        await log.applyRetention(0).catch(() => undefined);
      }
      node.disk.setMaxOpenFiles(1_000);
      await log.applyRetention(0);
      expect(failed).toBe(false);
      expect(log.segmentCount).toBeLessThan(before);
      expect((await valuesOf(log)).size).toBe(20 - log.logStartOffset);
      await appendFlushed(log, { values: ["after"] });
      await simulation.sleep(1_000);
      expect(node.disk.paths().filter((path) => path.endsWith(".log"))).toHaveLength(
        log.segmentCount,
      );
      await manager.close();
    });
  });
});

describe("a read on a full disk", () => {
  it("is served although the index that it had to build cannot be stored", async () => {
    const { simulation, node, runtime } = createSimRuntime();
    await simulation.run(async () => {
      const config = { tailCacheBytes: 0, indexCacheBytes: 0 };
      const manager = await openManager({ runtime, config });
      const indexed = { "segment.bytes": "1000", "index.interval.bytes": "0" };
      await appendMany(await createLog(manager, indexed));
      await manager.close();
      for (const path of node.disk.paths().filter((name) => name.endsWith(".index"))) {
        node.disk.plant(path, new Uint8Array(0));
      }
      const again = await openManager({ runtime: node.runtime(), config });
      const log = again.getLog("events", 0) as Log;
      log.updateConfig(parseLogConfig(indexed));
      node.disk.setCapacity(node.disk.usedBytes);
      expect((await valuesOf(log, 150)).size).toBe(20);
      await again.close();
    });
  });
});
