import type { ServerRuntime } from "@millrace/runtime";
import { createSimRuntime } from "@millrace/runtime/sim";
import { describe, expect, it } from "vitest";
import { appendFlushed, batchOf, createLog, openManager, wrapFiles } from "./testdata/harness.js";

/** Syncs of segment files wait while the gate is shut. */
class Gate {
  #opened: Promise<void> = Promise.resolve();
  #open: () => void = () => undefined;
  /** Syncs that wait, or waited. */
  held = 0;

  shut(): void {
    this.#opened = new Promise((resolve) => {
      this.#open = resolve;
    });
  }

  open(): void {
    this.#open();
  }

  around(runtime: ServerRuntime): ServerRuntime {
    const fileSystem = wrapFiles(runtime.fileSystem, (file) =>
      file.path.endsWith(".log")
        ? {
            sync: async () => {
              this.held++;
              await this.#opened;
              await file.sync();
            },
          }
        : {},
    );
    return { ...runtime, fileSystem };
  }
}

describe("a log that acknowledges without a sync", () => {
  it("is synced at every checkpoint: after five seconds, or 64 MiB", async () => {
    const { simulation, node, runtime } = createSimRuntime();
    await simulation.run(async () => {
      const manager = await openManager({ runtime, config: { checkpointBytes: 10_000 } });
      const log = await createLog(manager, { flush: "os" });
      await appendFlushed(log, { values: ["a"] });
      await simulation.sleep(4_000);
      expect(log.recoveryPoint).toBe(0);
      await simulation.sleep(2_000);
      expect(log.recoveryPoint).toBe(1);
      const stored = new TextDecoder().decode(
        node.disk.peek("/data/recovery-point-offset-checkpoint"),
      );
      expect(stored).toMatch(/^events 0 1\b/m);
      await appendFlushed(log, { values: ["x".repeat(20_000)] });
      await simulation.sleep(500);
      expect(log.recoveryPoint).toBe(2);
      await manager.close();
    });
  });

  it("does not let an acknowledgement wait for that sync, a roll in the middle of it included", async () => {
    const { simulation, runtime } = createSimRuntime();
    await simulation.run(async () => {
      const gate = new Gate();
      const manager = await openManager({ runtime: gate.around(runtime) });
      const log = await createLog(manager, { flush: "os" });
      await appendFlushed(log, { values: ["a"] });
      gate.shut();
      await simulation.sleep(6_000);
      expect(gate.held).toBe(1);
      for (const value of ["b", "c", "d"]) {
        await appendFlushed(log, { values: [value] });
      }
      expect([log.recoveryPoint, log.flushedOffset]).toEqual([0, 4]);
      gate.open();
      await simulation.sleep(6_000);
      expect(log.recoveryPoint).toBe(4);
      await manager.close();
    });
  });

  it("does not count what was truncated while it was synced", async () => {
    const { simulation, runtime } = createSimRuntime();
    await simulation.run(async () => {
      const gate = new Gate();
      const manager = await openManager({ runtime: gate.around(runtime) });
      const log = await createLog(manager, { flush: "os", "flush.ms": "1" });
      gate.shut();
      for (const value of ["a", "b", "c"]) {
        await appendFlushed(log, { values: [value] });
      }
      await simulation.sleep(10);
      const truncated = log.truncateTo(1);
      await simulation.sleep(10);
      gate.open();
      await truncated;
      await simulation.sleep(10);
      expect([log.recoveryPoint, log.logEndOffset]).toEqual([1, 1]);
      await manager.close();
    });
  });

  it("counts nothing while a log begins anew, whenever it comes", async () => {
    const { simulation, runtime } = createSimRuntime();
    await simulation.run(async () => {
      const manager = await openManager({ runtime });
      const log = await createLog(manager);
      await appendFlushed(log, { values: ["a", "b", "c", "d"] });
      // Within a batch, where no recovery point may be.
      await log.deleteRecordsBefore(3);
      let isDone = false;
      const points = new Set<number>();
      const restarted = log.truncateFullyAndStartAt(1).finally(() => {
        isDone = true;
      });
      while (!isDone) {
        void log.syncInBackground();
        points.add(log.recoveryPoint);
        await simulation.sleep(0.05);
      }
      await restarted;
      expect([...points]).toEqual([4, 0, 1]);
      expect([log.logStartOffset, log.logEndOffset, log.recoveryPoint]).toEqual([1, 1, 1]);
      await appendFlushed(log, { values: ["e"] });
      await manager.close();
    });
  });

  it("stops the broker when that sync fails", async () => {
    const { simulation, node, runtime } = createSimRuntime();
    await simulation.run(async () => {
      const manager = await openManager({ runtime });
      const log = await createLog(manager, { flush: "os" });
      await appendFlushed(log, { values: ["a"] });
      node.disk.failNext("sync", { path: "/data/events-0/00000000000000000000.log" });
      await simulation.sleep(6_000);
      await expect(manager.failed).resolves.toMatchObject({ path: "/data/events-0" });
      expect(log.append(batchOf({ values: ["b"] }), { leaderEpoch: 0 })).toMatchObject({
        error: "KAFKA_STORAGE_ERROR",
      });
    });
  });
});
