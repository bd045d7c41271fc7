import type { ServerRuntime } from "@millrace/runtime";
import { Simulation } from "@millrace/runtime/sim";
import { describe, expect, it } from "vitest";
import type { Log } from "./log.js";
import { parseLogConfig } from "./log-config.js";
import type { LogManager } from "./log-manager.js";
import { createLog, openManager } from "./testdata/harness.js";
import { appendKeyed, headersOf, recordsOf, tableOf } from "./testdata/keyed-log.js";

const DAY = 86_400_000;

interface World {
  readonly runtime: ServerRuntime;
  readonly manager: LogManager;
  readonly log: Log;
  /** Cleans at this time (default: the clock's), whatever the dirty ratio. */
  clean(
    nowMs?: number,
    options?: { dedupeBufferBytes?: number; stableOffset?: number },
  ): Promise<void>;
  put(key: string | null, value: string | null, timestamp?: number): Promise<number>;
}

const base = {
  "cleanup.policy": "compact",
  "segment.bytes": "200",
  "index.interval.bytes": "80",
  "min.cleanable.dirty.ratio": "0",
};

/** About two one-record batches a segment. */
async function inWorld(
  use: (world: World) => Promise<void>,
  entries: Record<string, string> = {},
): Promise<void> {
  const simulation = new Simulation({ seed: 7 });
  const node = simulation.node("broker");
  await simulation.run(async () => {
    const runtime = node.runtime();
    const manager = await openManager({ runtime, config: { tailCacheBytes: 0 } });
    const log = await createLog(manager, { ...base, ...entries });
    await use({
      runtime,
      manager,
      log,
      clean: async (nowMs = runtime.clock.nowMs(), options = {}) => {
        const { dedupeBufferBytes, stableOffset } = options;
        await manager.cleaner.clean({
          nowMs,
          dedupeBufferBytes,
          stableOffsetOf: stableOffset === undefined ? undefined : () => stableOffset,
        });
      },
      put: (key, value, timestamp) =>
        appendKeyed(log, { records: [{ key, value, timestamp }] }, runtime.compute),
    });
    await manager.close();
  });
}

const brief = (records: Awaited<ReturnType<typeof recordsOf>>): string =>
  records.map(({ offset, key, value }) => `${offset}:${key}=${value}`).join(" ");

describe("cleaning a compacted log", () => {
  it("keeps the newest record of each key where it was, and all of the active segment", async () => {
    await inWorld(async ({ put, clean, log, runtime }) => {
      for (const [key, value] of ["a1", "b1", "a2", "c1", "a3", "a4", "a5"].entries()) {
        await put(value.slice(0, 1), value, 1_000 + key);
      }
      const activeFrom = log.logEndOffset - 1;
      await clean();
      const seen = await recordsOf(log, runtime.compute);
      expect(brief(seen)).toBe("1:b=b1 3:c=c1 5:a=a4 6:a=a5");
      expect(activeFrom).toBe(6);
      expect(seen.map(({ timestamp }) => timestamp)).toEqual([1_001, 1_003, 1_005, 1_006]);
    });
  });

  it("fills the offsets of what went, so that reading from any offset leads to the next record", async () => {
    await inWorld(async ({ put, clean, log, runtime }) => {
      for (let index = 0; index < 12; index++) {
        await put("k", `v${index}`);
      }
      await put("other", "x");
      await clean();
      const headers = await headersOf(log, runtime.compute);
      expect(headers[0]).toMatchObject({ baseOffset: 0, recordCount: 0, producerId: -1 });
      expect(headers.length).toBeLessThan(9);
      const first = (await recordsOf(log, runtime.compute))[0]?.offset ?? 0;
      const endOffset = log.flushedOffset;
      for (let from = 0; from <= first; from++) {
        for (let offset = from; offset <= first; ) {
          const slice = await log.read({ offset, maxBytes: 10_000, endOffset, minOneBatch: true });
          expect(slice.chunks.length).toBeGreaterThan(0);
          expect(slice.nextOffset).toBeGreaterThan(offset);
          offset = slice.nextOffset;
        }
      }
    });
  });

  it("makes few segments of many small ones, and writes them no larger than segment.bytes", async () => {
    await inWorld(async ({ put, clean, log, runtime }) => {
      for (let index = 0; index < 40; index++) {
        await put(`k${index % 3}`, `v${index}`);
      }
      const before = log.segmentCount;
      await clean();
      await put("y", "1");
      await put("y", "2");
      await put("y", "3");
      await clean();
      expect(before).toBeGreaterThan(15);
      expect(log.segmentCount).toBeLessThan(before);
      await put("z", "last");
      await clean();
      expect(tableOf(await recordsOf(log, runtime.compute)).size).toBe(5);
    });
  });

  it("goes no further than the stable offset, and not into what is younger than min.compaction.lag.ms", async () => {
    await inWorld(
      async ({ put, clean, log, runtime }) => {
        for (let index = 0; index < 10; index++) {
          await put("k", `v${index}`, index < 4 ? 1_000 : 50_000);
        }
        await clean(40_000, { stableOffset: 2 });
        expect(brief(await recordsOf(log, runtime.compute)).startsWith("1:k=v1 2:k=v2")).toBe(true);
        await clean(55_000);
        expect(
          brief(await recordsOf(log, runtime.compute)).startsWith("3:k=v3 4:k=v4 5:k=v5"),
        ).toBe(true);
        await clean(70_000);
        expect((await recordsOf(log, runtime.compute)).length).toBeLessThan(4);
      },
      { "min.compaction.lag.ms": "10000" },
    );
  });

  it("keeps a tombstone for delete.retention.ms after the first pass, then takes it away", async () => {
    await inWorld(
      async ({ put, clean, log, runtime }) => {
        await put("a", "1");
        await put("a", null);
        await put("b", "1");
        await put("c", "1");
        await put("d", "1");
        const firstMs = 10 * DAY;
        await clean(firstMs);
        const kept = await recordsOf(log, runtime.compute);
        expect(brief(kept)).toContain("1:a=null");
        expect(kept.find(({ key }) => key === "a")?.timestamp).toBe(1_000);
        await put("e", "1");
        await put("f", "1");
        await clean(firstMs + 4_999);
        expect(brief(await recordsOf(log, runtime.compute))).toContain("1:a=null");
        await clean(firstMs + 5_000);
        const left = await recordsOf(log, runtime.compute);
        expect(brief(left)).not.toContain("a=");
        expect([...tableOf(left).keys()]).toEqual(["b", "c", "d", "e", "f"]);
      },
      { "delete.retention.ms": "5000" },
    );
  });

  it("is due by dirty ratio, by max.compaction.lag.ms, and then ends the active segment for it", async () => {
    await inWorld(
      async ({ put, manager, log, runtime }) => {
        const compact = (nowMs: number) => manager.cleaner.clean({ nowMs });
        for (let index = 0; index < 10; index++) {
          await put(`k${index}`, "v", 1_000);
        }
        expect(await compact(1_500)).toHaveLength(1);
        await put("k0", "newer", 2_000);
        await put("k0", "newest", 2_000);
        expect(await compact(2_500)).toHaveLength(0);
        expect(await compact(60_999)).toHaveLength(0);
        expect(await compact(61_001)).toHaveLength(1);
        expect(await compact(62_001)).toHaveLength(1);
        expect(log.cleanedTo).toBe(log.logEndOffset);
        expect(brief(await recordsOf(log, runtime.compute))).not.toContain("newer ");
      },
      { "min.cleanable.dirty.ratio": "0.5", "max.compaction.lag.ms": "60000" },
    );
  });

  it("goes on in the next pass where the map was full, and ends with the same log", async () => {
    await inWorld(async ({ put, manager, log, runtime }) => {
      for (let index = 0; index < 60; index++) {
        await put(`k${(index * 7) % 20}`, `v${index}`);
      }
      const before = tableOf(await recordsOf(log, runtime.compute));
      // Seven slots, six keys.
      const reports = await manager.cleaner.clean({ nowMs: 5_000, dedupeBufferBytes: 140 });
      expect(reports.length).toBeGreaterThan(3);
      expect(reports.every(({ mapBytes, keys }) => mapBytes <= 140 && keys <= 6)).toBe(true);
      const seen = await recordsOf(log, runtime.compute);
      expect(tableOf(seen)).toEqual(before);
      expect(log.cleanedTo).toBeGreaterThan(50);
      expect(seen.length).toBeLessThan(40);
    });
  });

  it("keeps a producer's last batches without records, so that any retry gets its offset after a restart", async () => {
    const simulation = new Simulation({ seed: 3 });
    const node = simulation.node("broker");
    await simulation.run(async () => {
      const runtime = node.runtime();
      const { compute, fileSystem } = runtime;
      let manager = await openManager({ runtime });
      let log = await createLog(manager, base);
      const batch = (sequence: number) => ({
        records: [{ key: "k", value: `v${sequence}` }],
        producerId: 9,
        baseSequence: sequence,
      });
      for (let sequence = 0; sequence < 12; sequence++) {
        await appendKeyed(log, batch(sequence), compute);
      }
      for (const key of ["k", "l", "m", "n"]) {
        await appendKeyed(log, { records: [{ key, value: "of another" }] }, compute);
      }
      await manager.cleaner.clean({ nowMs: 5_000 });
      expect(log.uncleanable).toBeUndefined();
      const emptied = (await headersOf(log, compute)).filter(
        ({ producerId, recordCount }) => producerId === 9 && recordCount === 0,
      );
      expect(emptied.map(({ baseSequence }) => baseSequence)).toEqual([7, 8, 9, 10, 11]);
      await manager.close();
      for (const { name } of await fileSystem.readDirectory(log.directory)) {
        if (name.endsWith(".producer-state")) {
          await fileSystem.removeFile(`${log.directory}/${name}`);
        }
      }
      manager = await openManager({ runtime });
      log = await createLog(manager, base);
      for (let sequence = 7; sequence < 12; sequence++) {
        expect(await appendKeyed(log, batch(sequence), compute)).toBe(sequence);
      }
      await manager.close();
    });
  });

  it("drops records without a key when a topic becomes compacted, and stops when it no longer is", async () => {
    await inWorld(
      async ({ put, clean, log, runtime }) => {
        for (let index = 0; index < 6; index++) {
          await put(index % 2 === 0 ? null : "k", `v${index}`);
        }
        await put("l", "of a segment");
        await put("l", "of its own");
        await clean();
        expect(await recordsOf(log, runtime.compute)).toHaveLength(8);
        log.updateConfig(parseLogConfig(base));
        await clean();
        expect(brief(await recordsOf(log, runtime.compute))).toBe(
          "5:k=v5 6:l=of a segment 7:l=of its own",
        );
        log.updateConfig(parseLogConfig({ ...base, "cleanup.policy": "delete" }));
        await put("k", "v6");
        await put("k", "v7");
        await clean();
        expect(brief(await recordsOf(log, runtime.compute))).toContain("8:k=v6 9:k=v7");
      },
      { "cleanup.policy": "delete" },
    );
  });
});
