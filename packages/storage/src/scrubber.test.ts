import type { Logger } from "@millrace/runtime";
import { silentLogger } from "@millrace/runtime";
import { createSimRuntime, type SimNode, type Simulation } from "@millrace/runtime/sim";
import { describe, expect, it } from "vitest";
import type { Log, LogManager } from "./index.js";
import { appendFlushed, batchOf, createLog, openManager, wrapFiles } from "./testdata/harness.js";
import { appendKeyed } from "./testdata/keyed-log.js";

const SEALED = "/data/events-0/00000000000000000000.log";
const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;

interface World {
  readonly simulation: Simulation;
  readonly node: SimNode;
  readonly manager: LogManager;
  readonly log: Log;
  readonly errors: string[];
}

/** A broker with some sealed segments of 100 kB and one that is active. */
async function withSealedSegments(
  config: { readonly scrubBytesPerSecond: number },
  work: (world: World) => Promise<void>,
): Promise<void> {
  const { simulation, node, runtime } = createSimRuntime();
  const errors: string[] = [];
  const logger: Logger = { ...silentLogger, error: (_, message) => errors.push(message) };
  await simulation.run(async () => {
    const manager = await openManager({
      runtime: { ...runtime, logger },
      config: { ...config, tailCacheBytes: 0 },
    });
    const log = await createLog(manager, { "segment.bytes": "100000", "retention.ms": "-1" });
    for (let index = 0; index < 40; index++) {
      await appendFlushed(log, { values: ["v".repeat(10_000)] });
    }
    await work({ simulation, node, manager, log, errors });
  });
}

const sealedBytes = (node: SimNode): number => {
  const paths = node.disk.paths().filter((path) => path.endsWith(".log"));
  return paths.slice(0, -1).reduce((sum, path) => sum + node.disk.peek(path).length, 0);
};

describe("the scrubber", () => {
  it("verifies every sealed segment once in a pass, at the rate it is given", async () => {
    const scrubBytesPerSecond = 1_000;
    await withSealedSegments({ scrubBytesPerSecond }, async ({ simulation, node, manager }) => {
      const bytes = sealedBytes(node);
      await simulation.sleep(MINUTE_MS + (bytes / scrubBytesPerSecond / 2) * 1_000);
      const half = manager.scrubTotals.verifiedBytes;
      expect(half).toBeGreaterThan(bytes / 4);
      expect(half).toBeLessThan(bytes);
      await simulation.sleep((bytes / scrubBytesPerSecond) * 1_000);
      expect(manager.scrubTotals).toEqual({ passes: 1, verifiedBytes: bytes, damages: 0 });
    });
  });

  it("does not read small logs in circles", async () => {
    await withSealedSegments({ scrubBytesPerSecond: 1e6 }, async ({ simulation, manager }) => {
      await simulation.sleep(DAY_MS / 2);
      expect(manager.scrubTotals.passes).toBeGreaterThanOrEqual(11);
      expect(manager.scrubTotals.passes).toBeLessThanOrEqual(13);
    });
  });

  it("finds rot that nobody reads, tells, quarantines, and leaves the rest readable", async () => {
    await withSealedSegments({ scrubBytesPerSecond: 1e6 }, async (world) => {
      const { simulation, node, manager, log, errors } = world;
      node.disk.flipBit(SEALED, 40_000 * 8);
      await simulation.sleep(2 * MINUTE_MS);
      expect(manager.scrubTotals.damages).toBe(1);
      expect(log.state).toBe("quarantined");
      expect(errors).toEqual([
        expect.stringMatching(/^log quarantined: .*00000000000000000000\.log: the batch at byte/),
      ]);
      const damaged = Math.floor(40_000 / (node.disk.peek(SEALED).length / 9));
      const options = { maxBytes: 1_000_000, endOffset: 40, minOneBatch: true };
      expect((await log.read({ ...options, offset: 0 })).nextOffset).toBe(damaged);
      expect((await log.read({ ...options, offset: damaged + 1 })).nextOffset).toBeGreaterThan(
        damaged + 1,
      );
      const read = async (): Promise<unknown> => await log.read({ ...options, offset: damaged });
      await expect(read()).rejects.toMatchObject({ code: "PARTITION_QUARANTINED" });
      // Found once, not every hour.
      await simulation.sleep(DAY_MS / 4);
      expect(manager.scrubTotals.damages).toBe(1);
      node.crash({ powerLoss: true, model: "nothing" });
      const again = (await openManager({ runtime: node.runtime() })).getLog("events", 0);
      expect(again?.state).toBe("quarantined");
    });
  });

  it("finds nothing when it is turned off (negative control)", async () => {
    await withSealedSegments({ scrubBytesPerSecond: 0 }, async (world) => {
      const { simulation, node, manager, log } = world;
      node.disk.flipBit(SEALED, 40_000 * 8);
      await simulation.sleep(DAY_MS / 2);
      expect(manager.scrubTotals).toEqual({ passes: 0, verifiedBytes: 0, damages: 0 });
      expect(log.state).toBe("online");
    });
  });

  it("keeps going while records are appended, and they while it goes", async () => {
    await withSealedSegments({ scrubBytesPerSecond: 1e6 }, async (world) => {
      const { simulation, manager, log } = world;
      let appended = 0;
      for (let index = 0; index < 300; index++) {
        await simulation.sleep(1_000);
        const outcome = log.append(batchOf({ values: ["w".repeat(5_000)] }), { leaderEpoch: 0 });
        await log.whenFlushed(outcome.ok ? outcome.lastOffset : -1);
        appended++;
      }
      expect(appended).toBe(300);
      expect(manager.scrubTotals.passes).toBe(1);
      await manager.close();
    });
  });

  it("goes on behind the logs it had verified before a restart", async () => {
    const { simulation, node, runtime } = createSimRuntime();
    await simulation.run(async () => {
      const config = { scrubBytesPerSecond: 100_000, tailCacheBytes: 0 };
      const manager = await openManager({ runtime, config });
      for (const partition of [0, 1]) {
        const log = await createLog(manager, { "segment.bytes": "3000000" }, partition);
        for (let index = 0; index < 13; index++) {
          await appendFlushed(log, { values: ["v".repeat(1_000_000)] });
        }
      }
      // 12 MB are sealed in each: the first log is done, the second is begun.
      await simulation.sleep(MINUTE_MS + 140_000);
      const before = manager.scrubTotals.verifiedBytes;
      expect(before).toBeGreaterThan(12_000_000);
      expect(manager.scrubTotals).toMatchObject({ passes: 0, damages: 0 });
      await manager.close();
      const again = await openManager({ runtime: node.runtime(), config });
      await simulation.sleep(MINUTE_MS + 140_000);
      expect(again.scrubTotals.passes).toBe(1);
      expect(again.scrubTotals.verifiedBytes).toBeLessThan(13_000_000);
    });
  });

  it("begins a segment again that compaction has replaced under it", async () => {
    const { simulation, runtime } = createSimRuntime();
    await simulation.run(async () => {
      const config = { scrubBytesPerSecond: 10_000, tailCacheBytes: 0 };
      const manager = await openManager({ runtime, config });
      const log = await createLog(manager, {
        "segment.bytes": "1000000",
        "cleanup.policy": "compact",
        "min.cleanable.dirty.ratio": "0",
      });
      for (let index = 0; index < 450; index++) {
        // Half of the keys come once: the segments get smaller, and batches move in them.
        const key = index % 2 === 0 ? `key-${index}` : "again";
        await appendKeyed(log, { records: [{ key, value: "v".repeat(10_000) }] }, runtime.compute);
      }
      await simulation.sleep(2 * MINUTE_MS);
      const before = log.sizeBytes;
      await manager.cleaner.clean({ nowMs: runtime.clock.nowMs() });
      expect(log.sizeBytes).toBeLessThan(before);
      await simulation.sleep(20 * MINUTE_MS);
      expect(manager.scrubTotals).toMatchObject({ passes: 1, damages: 0 });
      expect(log.state).toBe("online");
    });
  });

  it("passes over a log that cannot be read at present, and comes back to it", async () => {
    const { simulation, runtime } = createSimRuntime();
    await simulation.run(async () => {
      let isFailing = false;
      const fileSystem = wrapFiles(runtime.fileSystem, (file) => ({
        read: async (target: Uint8Array, position: number) => {
          if (isFailing) {
            throw new Error("the disk does not answer");
          }
          return await file.read(target, position);
        },
      }));
      const config = { scrubBytesPerSecond: 1e6 };
      const manager = await openManager({ runtime: { ...runtime, fileSystem }, config });
      const log = await createLog(manager, { "segment.bytes": "100000" });
      for (let index = 0; index < 40; index++) {
        await appendFlushed(log, { values: ["v".repeat(10_000)] });
      }
      isFailing = true;
      await simulation.sleep(30 * MINUTE_MS);
      expect(manager.scrubTotals.verifiedBytes).toBe(0);
      expect(log.state).toBe("online");
      isFailing = false;
      await simulation.sleep(90 * MINUTE_MS);
      expect(manager.scrubTotals.verifiedBytes).toBeGreaterThan(0);
    });
  });
});
