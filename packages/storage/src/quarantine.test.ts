import { createSimRuntime, type SimNode } from "@millrace/runtime/sim";
import { describe, expect, it } from "vitest";
import { removeIfPresent } from "./files.js";
import { type Log, repairLog } from "./index.js";
import { appendFlushed, batchOf, createLog, openManager } from "./testdata/harness.js";

const LOG = "/data/events-0/00000000000000000000.log";
const MARKER = "/data/events-0/quarantined";
const COUNT = 20;
const config = { tailCacheBytes: 0 };

async function appendMany(log: Log, count: number): Promise<void> {
  for (let index = 0; index < count; index++) {
    await appendFlushed(log, { values: ["twenty bytes of value"] });
  }
}

/** Damages the header of the segment's batch `index`, of `count` equal ones. */
function damage(node: SimNode, at: { path: string; index: number; count: number }): void {
  const batchBytes = node.disk.peek(at.path).length / at.count;
  node.disk.flipBit(at.path, (batchBytes * at.index + 16) * 8);
}

async function offsetsFrom(log: Log, offset: number): Promise<[number, number]> {
  const options = { offset, maxBytes: 1_000_000, endOffset: COUNT, minOneBatch: true };
  const { nextOffset } = await log.read(options);
  return [offset, nextOffset];
}

const isQuarantined = (log: Log): boolean => {
  const outcome = log.append(batchOf({ values: ["x"] }), { leaderEpoch: 0 });
  return !outcome.ok && outcome.error === "PARTITION_QUARANTINED";
};

describe("a quarantined log", () => {
  it("serves all that is undamaged, acknowledged batches behind the recovery point included", async () => {
    const { simulation, node, runtime } = createSimRuntime();
    await simulation.run(async () => {
      const log = await createLog(await openManager({ runtime }));
      await appendMany(log, COUNT / 2);
      await simulation.sleep(10_000);
      await appendMany(log, COUNT / 2);
      node.crash();
      await removeIfPresent(node.runtime().fileSystem, LOG.replace(".log", ".index-state"));
      node.crash();
      damage(node, { path: LOG, index: 5, count: COUNT });
      damage(node, { path: LOG, index: 14, count: COUNT });
      for (let start = 0; start < 3; start++) {
        const manager = await openManager({ runtime: node.runtime(), config });
        const again = manager.getLog("events", 0) as Log;
        expect(isQuarantined(again)).toBe(true);
        expect(again.logEndOffset).toBe(COUNT);
        expect(await offsetsFrom(again, 0)).toEqual([0, 5]);
        await expect(offsetsFrom(again, 5)).rejects.toMatchObject({
          code: "PARTITION_QUARANTINED",
        });
        expect(await offsetsFrom(again, 6)).toEqual([6, 14]);
        expect(await offsetsFrom(again, 10)).toEqual([10, 14]);
        await expect(offsetsFrom(again, 14)).rejects.toMatchObject({
          code: "PARTITION_QUARANTINED",
        });
        expect(await offsetsFrom(again, 17)).toEqual([17, COUNT]);
        await manager.close();
      }
    });
  });

  it("serves what lies behind the damage in a sealed segment", async () => {
    const { simulation, node, runtime } = createSimRuntime();
    await simulation.run(async () => {
      const manager = await openManager({ runtime });
      await appendMany(await createLog(manager, { "segment.bytes": "1000" }), COUNT);
      await manager.close();
      const sealed = node.disk.paths().find((path) => path.endsWith(".log")) as string;
      const second = node.disk.paths().filter((path) => path.endsWith(".log"))[1] as string;
      const count = Number(/(\d+)\.log$/.exec(second)?.[1]);
      damage(node, { path: sealed, index: 3, count });
      const runtimeAfter = node.runtime();
      await runtimeAfter.fileSystem.removeFile(sealed.replace(".log", ".index-state"));
      const again = (await openManager({ runtime: runtimeAfter, config })).getLog(
        "events",
        0,
      ) as Log;
      expect(await offsetsFrom(again, 0)).toEqual([0, 3]);
      expect(await offsetsFrom(again, 4)).toEqual([4, count]);
      await expect(offsetsFrom(again, 3)).rejects.toMatchObject({ code: "PARTITION_QUARANTINED" });
    });
  });
});

describe("damage that a read found", () => {
  it("is remembered over restarts, until the log is repaired", async () => {
    const { simulation, node, runtime } = createSimRuntime();
    await simulation.run(async () => {
      const manager = await openManager({ runtime });
      await appendMany(await createLog(manager), COUNT);
      await manager.close();
      const batchBytes = node.disk.peek(LOG).length / COUNT;
      node.disk.flipBit(LOG, (batchBytes * 6 - 3) * 8);
      const second = await openManager({ runtime: node.runtime(), config });
      const log = second.getLog("events", 0) as Log;
      await expect(offsetsFrom(log, 5)).rejects.toMatchObject({ code: "CORRUPT_MESSAGE" });
      node.crash({ powerLoss: true, model: "nothing" });
      const third = await openManager({ runtime: node.runtime(), config });
      const marked = third.getLog("events", 0) as Log;
      expect(isQuarantined(marked)).toBe(true);
      expect(marked.damage).toContain("the batch at byte");
      expect(await offsetsFrom(marked, 0)).toEqual([0, 5]);
      await third.close();
      const last = node.runtime();
      const options = { runtime: last, path: "/data", topic: "events", partition: 0 };
      expect((await repairLog({ ...options, apply: false })).ranges).toHaveLength(1);
      expect(node.disk.paths()).toContain(MARKER);
      await repairLog({ ...options, apply: true });
      expect(node.disk.paths()).not.toContain(MARKER);
      const repaired = (await openManager({ runtime: last, config })).getLog("events", 0) as Log;
      expect(repaired.state).toBe("online");
    });
  });
});

describe("damage that a start found", () => {
  const RECOVERY_POINTS = "/data/recovery-point-offset-checkpoint";

  /** Twenty batches, closed; zeros from the sixth on. Nothing but the recovery point says that they were written. */
  async function withDamage(node: SimNode): Promise<void> {
    const manager = await openManager({ runtime: node.runtime() });
    await appendMany(await createLog(manager), COUNT);
    await manager.close();
    await removeIfPresent(node.runtime().fileSystem, LOG.replace(".log", ".index-state"));
    const position = (node.disk.peek(LOG).length / COUNT) * 5;
    node.disk.corrupt(LOG, { position, length: 512 });
  }

  it("is remembered though the recovery point that proved it is lost", async () => {
    const { simulation, node } = createSimRuntime();
    await simulation.run(async () => {
      await withDamage(node);
      const second = await openManager({ runtime: node.runtime(), config });
      expect(isQuarantined(second.getLog("events", 0) as Log)).toBe(true);
      node.crash({ powerLoss: true, model: "nothing" });
      const sizeBytes = node.disk.peek(LOG).length;
      node.disk.loseFile(RECOVERY_POINTS);
      const third = await openManager({ runtime: node.runtime(), config });
      const log = third.getLog("events", 0) as Log;
      expect(isQuarantined(log)).toBe(true);
      expect(node.disk.peek(LOG)).toHaveLength(sizeBytes);
      expect(await offsetsFrom(log, 0)).toEqual([0, 5]);
      expect(await offsetsFrom(log, COUNT - 1)).toEqual([COUNT - 1, COUNT]);
    });
  });

  it("is marked before the start stores a recovery point", async () => {
    const { simulation, node } = createSimRuntime();
    await simulation.run(async () => {
      await withDamage(node);
      const stored: string[] = [];
      const runtime = node.runtime();
      const stop = node.disk.onOperation(({ kind, path }) => {
        if (kind === "rename") {
          stored.push(path);
        }
      });
      await openManager({ runtime, config });
      stop();
      const marked = stored.findIndex((path) => path.includes("quarantined"));
      const checkpointed = stored.findIndex((path) => path.includes("recovery-point"));
      expect(marked).toBeGreaterThanOrEqual(0);
      expect(checkpointed).toBeGreaterThan(marked);
    });
  });

  it("is found again where the disk is too full to mark it", async () => {
    const { simulation, node } = createSimRuntime();
    await simulation.run(async () => {
      await withDamage(node);
      node.disk.setCapacity(node.disk.usedBytes);
      for (let start = 0; start < 2; start++) {
        const manager = await openManager({ runtime: node.runtime(), config });
        expect(isQuarantined(manager.getLog("events", 0) as Log)).toBe(true);
        node.crash();
      }
      expect(node.disk.paths()).not.toContain(MARKER);
      node.disk.setCapacity(2 ** 30);
      await openManager({ runtime: node.runtime(), config });
      expect(node.disk.paths()).toContain(MARKER);
    });
  });
});
