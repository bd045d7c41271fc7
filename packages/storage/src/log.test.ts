import type { ServerRuntime } from "@millrace/runtime";
import { createSimRuntime } from "@millrace/runtime/sim";
import { describe, expect, it } from "vitest";
import { decodeProperties, encodeProperties } from "./core/text-checkpoints.js";
import {
  appendFlushed,
  batchOf,
  createLog,
  openManager,
  valuesOf,
  wrapFiles,
} from "./testdata/harness.js";

const values = (count: number, prefix = "v"): string[] =>
  Array.from({ length: count }, (_, index) => `${prefix}${index}`);

/** Appends "a", fails the sync of "b", kills and restarts; then cuts the power and looks what is left. */
async function restartAfterFailedSync(
  decorate: (runtime: ServerRuntime) => ServerRuntime,
): Promise<{ counted: number; stateAfter: string | undefined }> {
  const { simulation, node, runtime } = createSimRuntime();
  let counted = -1;
  let stateAfter: string | undefined;
  await simulation.run(async () => {
    const manager = await openManager({ runtime });
    const log = await createLog(manager);
    await appendFlushed(log, { values: ["a"] });
    node.disk.failNext("sync");
    log.append(batchOf({ values: ["b"] }), { leaderEpoch: 0 });
    await manager.failed;
    node.crash();
    const second = await openManager({ runtime: decorate(node.runtime()) });
    counted = second.getLog("events", 0)?.flushedOffset ?? -1;
    node.crash({ powerLoss: true, model: "nothing" });
    const third = await openManager({ runtime: node.runtime() });
    stateAfter = third.getLog("events", 0)?.state;
  });
  return { counted, stateAfter };
}

describe("Log", () => {
  it("gives back what was appended, from the tail and from disk alike", async () => {
    const { simulation, runtime } = createSimRuntime();
    await simulation.run(async () => {
      for (const tailCacheBytes of [1 << 20, 0]) {
        const manager = await openManager({
          runtime,
          path: `/d${tailCacheBytes}`,
          config: { tailCacheBytes },
        });
        const log = await createLog(manager, {
          "segment.bytes": "600",
          "index.interval.bytes": "100",
        });
        for (const value of values(50)) {
          await appendFlushed(log, { values: [value, `${value}b`] });
        }
        const read = await valuesOf(log, 300);
        expect([...read.values()]).toEqual(values(50).flatMap((value) => [value, `${value}b`]));
        expect(log.segmentCount).toBeGreaterThan(5);
        await manager.close();
      }
    });
  });

  it("keeps offsets, config and producers over a clean restart", async () => {
    const { simulation, runtime } = createSimRuntime();
    await simulation.run(async () => {
      const first = await openManager({ runtime });
      const log = await createLog(first, { "segment.bytes": "500" });
      for (let sequence = 0; sequence < 20; sequence++) {
        await appendFlushed(log, { values: ["x"], producerId: 7, baseSequence: sequence });
      }
      await first.close();
      const second = await openManager({ runtime });
      expect(second.wasCleanShutdown).toBe(true);
      const again = second.getLog("events", 0);
      expect(again?.logEndOffset).toBe(20);
      expect((await valuesOf(again as never)).size).toBe(20);
      const retry = again?.append(batchOf({ values: ["x"], producerId: 7, baseSequence: 15 }), {
        leaderEpoch: 0,
      });
      expect(retry).toMatchObject({ ok: true, isDuplicate: true, baseOffset: 15 });
      const gap = again?.append(batchOf({ values: ["x"], producerId: 7, baseSequence: 25 }), {
        leaderEpoch: 0,
      });
      expect(gap).toMatchObject({ ok: false, error: "OUT_OF_ORDER_SEQUENCE_NUMBER" });
      await second.close();
    });
  });

  it("never opens another topic's files, where the file system ignores case", async () => {
    const { simulation, runtime } = createSimRuntime();
    const fileSystem = new Proxy(runtime.fileSystem, {
      get: (target, key) => {
        const value: unknown = Reflect.get(target, key, target);
        return typeof value === "function"
          ? (...args: unknown[]) =>
              value.apply(
                target,
                args.map((arg) =>
                  typeof arg === "string" ? arg.replace("/Events", "/events") : arg,
                ),
              )
          : value;
      },
    });
    await simulation.run(async () => {
      const manager = await openManager({ runtime: { ...runtime, fileSystem } });
      const log = await createLog(manager);
      await appendFlushed(log, { values: ["mine"] });
      const id = { topic: "Events", topicId: "0b1f2c3d-4e5f-4a6b-8c7d-9e0f1a2b3c4e", partition: 0 };
      await expect(manager.createLog(id, log.config)).rejects.toMatchObject({
        code: "INVALID_TOPIC_EXCEPTION",
      });
      const both = await Promise.allSettled([
        createLog(manager, {}, 1),
        manager.createLog({ ...id, partition: 1 }, log.config),
      ]);
      expect(both.map(({ status }) => status)).toEqual(["fulfilled", "rejected"]);
      await manager.close();
      const again = (await openManager({ runtime })).getLog("events", 0);
      expect(again?.topicId).toBe(log.topicId);
    });
  });

  it("syncs what is only written when the topic asks for syncs from now on", async () => {
    const { simulation, node, runtime } = createSimRuntime();
    await simulation.run(async () => {
      const manager = await openManager({ runtime });
      const log = await createLog(manager, { flush: "os" });
      await appendFlushed(log, { values: ["x"] });
      expect(log.recoveryPoint).toBe(0);
      await createLog(manager, { flush: "sync" });
      await simulation.sleep(1_000);
      expect(log.recoveryPoint).toBe(1);
      node.crash({ powerLoss: true });
    });
  });

  it("goes on in the new segment when beginning it failed half way", async () => {
    const { simulation, node, runtime } = createSimRuntime();
    await simulation.run(async () => {
      const log = await createLog(await openManager({ runtime }), { "segment.bytes": "500" });
      await appendFlushed(log, { values: ["x".repeat(300)] });
      node.disk.failNext("syncDirectory", { code: "TOO_MANY_OPEN_FILES", path: log.directory });
      await expect(appendFlushed(log, { values: ["y".repeat(300)] })).rejects.toMatchObject({
        code: "KAFKA_STORAGE_ERROR",
      });
      // Small enough for the old segment, but the new one's file is there already.
      await appendFlushed(log, { values: ["z"] });
      expect(log.segmentCount).toBe(2);
      expect(node.disk.openFileCount).toBe(2);
      node.crash();
      const again = (await openManager({ runtime: node.runtime() })).getLog("events", 0);
      expect(again?.state).toBe("online");
      expect((await valuesOf(again as never)).get(1)).toBe("z");
    });
  });

  it("takes back everything unwritten when the disk is full, serves reads, and recovers by itself", async () => {
    const { simulation, node, runtime } = createSimRuntime();
    await simulation.run(async () => {
      const manager = await openManager({ runtime });
      const log = await createLog(manager);
      await appendFlushed(log, { values: ["kept"], producerId: 7, baseSequence: 0 });
      node.disk.setCapacity(node.disk.usedBytes + 150);
      const outcomes = [1, 2, 3].map((baseSequence) =>
        log.append(batchOf({ values: ["x".repeat(60)], producerId: 7, baseSequence }), {
          leaderEpoch: 0,
        }),
      );
      expect(outcomes.every((outcome) => outcome.ok)).toBe(true);
      const waits = await Promise.allSettled([1, 2, 3].map((offset) => log.whenFlushed(offset)));
      for (const wait of waits) {
        expect(wait).toMatchObject({
          status: "rejected",
          reason: { code: "STORAGE_FULL", retriable: true },
        });
      }
      expect(log.logEndOffset).toBe(1);
      expect([...(await valuesOf(log)).values()]).toEqual(["kept"]);
      node.disk.setCapacity(2 ** 30);
      await appendFlushed(log, { values: ["again"], producerId: 7, baseSequence: 1 });
      node.crash({ powerLoss: true });
      const next = await openManager({ runtime: node.runtime() });
      const recovered = next.getLog("events", 0);
      expect([...(await valuesOf(recovered as never)).values()]).toEqual(["kept", "again"]);
    });
  });

  it("acknowledges nothing after a failed sync, and says so once and for all", async () => {
    const { simulation, node, runtime } = createSimRuntime();
    await simulation.run(async () => {
      const manager = await openManager({ runtime });
      const log = await createLog(manager);
      await appendFlushed(log, { values: ["a"] });
      node.disk.failNext("sync");
      const outcome = log.append(batchOf({ values: ["b"] }), { leaderEpoch: 0 });
      expect(outcome.ok).toBe(true);
      await expect(log.whenFlushed(1)).rejects.toMatchObject({ code: "KAFKA_STORAGE_ERROR" });
      await expect(manager.failed).resolves.toMatchObject({ path: "/data/events-0" });
      expect(log.append(batchOf({ values: ["c"] }), { leaderEpoch: 0 })).toMatchObject({
        ok: false,
        error: "KAFKA_STORAGE_ERROR",
      });
      await manager.close();
    });
  });

  it("does not trust the page cache after a failed sync: what a restart counts survives a power cut", async () => {
    const { counted, stateAfter } = await restartAfterFailedSync((runtime) => runtime);
    expect(counted).toBe(2);
    expect(stateAfter).toBe("online");
  });

  it("would lose what it counted if it trusted the page cache (negative control)", async () => {
    const elidesIdenticalWrites = (runtime: ServerRuntime): ServerRuntime => ({
      ...runtime,
      fileSystem: wrapFiles(runtime.fileSystem, (file) => ({
        write: async (chunks: readonly Uint8Array[], position: number) => {
          const size = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
          const present = new Uint8Array(size);
          await file.read(present, position);
          let at = 0;
          const isSame = chunks.every((chunk) => {
            const part = present.subarray(at, at + chunk.length);
            at += chunk.length;
            return part.every((byte, index) => byte === chunk[index]);
          });
          return isSame ? size : await file.write(chunks, position);
        },
      })),
    });
    const { counted, stateAfter } = await restartAfterFailedSync(elidesIdenticalWrites);
    expect(counted).toBe(2);
    // The stored recovery point says 2, the disk holds 1.
    expect(stateAfter).toBe("quarantined");
  });

  it("acknowledges written batches with flush=os, says that they are not synced, and syncs by flush.messages", async () => {
    const { simulation, runtime } = createSimRuntime();
    await simulation.run(async () => {
      const manager = await openManager({ runtime });
      const log = await createLog(manager, { flush: "os", "flush.messages": "3" });
      for (const offset of [0, 1, 2]) {
        expect(log.append(batchOf({ values: ["a"] }), { leaderEpoch: 0 }).ok).toBe(true);
        expect(await log.whenFlushed(offset)).toBe(false);
      }
      await runtime.clock.sleep(1_000);
      expect(log.recoveryPoint).toBe(3);
      expect(await log.whenFlushed(2)).toBe(true);
    });
  });

  it("finds the first record at or after a timestamp, also when timestamps are out of order", async () => {
    const { simulation, runtime } = createSimRuntime();
    await simulation.run(async () => {
      const manager = await openManager({ runtime });
      const log = await createLog(manager, { "segment.bytes": "400", "index.interval.bytes": "0" });
      const timestamps = [50, 10, 40, 90, 20, 60, 100, 30, 80, 70, 110, 5];
      for (const timestamp of timestamps) {
        await appendFlushed(log, { values: ["a", "b"], timestamps: [timestamp, timestamp + 1] });
      }
      const flat = timestamps.flatMap((timestamp) => [timestamp, timestamp + 1]);
      for (let wanted = 0; wanted <= 113; wanted++) {
        const offset = flat.findIndex((timestamp) => timestamp >= wanted);
        const found = await log.offsetForTimestamp(wanted);
        expect(found).toEqual(offset < 0 ? undefined : { offset, timestamp: flat[offset] });
      }
      expect(await log.maxTimestampOffset()).toEqual({ offset: 21, timestamp: 111 });
    });
  });

  it("truncates to an offset, durably, with producers and epochs", async () => {
    const { simulation, node, runtime } = createSimRuntime();
    await simulation.run(async () => {
      const manager = await openManager({ runtime });
      const log = await createLog(manager, { "segment.bytes": "300" });
      for (let index = 0; index < 12; index++) {
        const batch = batchOf({ values: [`v${index}`], producerId: 3, baseSequence: index });
        log.append(batch, { leaderEpoch: index < 6 ? 1 : 2 });
        await log.whenFlushed(index);
      }
      await log.truncateTo(5);
      expect(log.logEndOffset).toBe(5);
      expect(log.latestEpoch).toBe(1);
      node.crash({ powerLoss: true });
      const again = (await openManager({ runtime: node.runtime() })).getLog("events", 0);
      expect(again?.state).toBe("online");
      expect([...(await valuesOf(again as never)).values()]).toEqual([
        "v0",
        "v1",
        "v2",
        "v3",
        "v4",
      ]);
      const next = batchOf({ values: ["w"], producerId: 3, baseSequence: 5 });
      expect(again?.append(next, { leaderEpoch: 3 })).toMatchObject({ ok: true, baseOffset: 5 });
    });
  });

  it("removes old segments by size and by deleteRecords while a reader is in them", async () => {
    const { simulation, node, runtime } = createSimRuntime();
    await simulation.run(async () => {
      const manager = await openManager({ runtime, config: { tailCacheBytes: 0 } });
      const log = await createLog(manager, { "segment.bytes": "300", "retention.bytes": "900" });
      for (const value of values(40)) {
        await appendFlushed(log, { values: [value] });
      }
      const reading = log.read({ offset: 0, maxBytes: 100, endOffset: 40, minOneBatch: true });
      expect(await log.applyRetention(0)).toBeGreaterThan(0);
      expect((await reading).sizeBytes).toBeGreaterThan(0);
      expect(log.logStartOffset).toBeGreaterThan(20);
      expect(() =>
        log.read({ offset: 0, maxBytes: 100, endOffset: 40, minOneBatch: true }),
      ).toThrow("OFFSET_OUT_OF_RANGE");
      await log.deleteRecordsBefore(38);
      expect([...(await valuesOf(log)).values()]).toEqual(["v38", "v39"]);
      await runtime.clock.sleep(120_000);
      expect(node.disk.paths().filter((path) => path.endsWith(".deleted"))).toEqual([]);
      node.crash({ powerLoss: true });
      const again = (await openManager({ runtime: node.runtime() })).getLog("events", 0);
      expect(again?.logStartOffset).toBe(38);
      expect(again?.state).toBe("online");
    });
  });

  it("answers reads the same when the indexes are deleted or damaged", async () => {
    const { simulation, node, runtime } = createSimRuntime();
    await simulation.run(async () => {
      const manager = await openManager({ runtime });
      const log = await createLog(manager, {
        "segment.bytes": "600",
        "index.interval.bytes": "50",
      });
      for (const [index, value] of values(40).entries()) {
        await appendFlushed(log, { values: [value], timestamp: 100 + index });
      }
      await manager.close();
      const hints = node.disk
        .paths()
        .filter((path) => /\.(index|timeindex|index-state|producer-state)$/.test(path));
      expect(hints.length).toBeGreaterThan(10);
      for (const path of hints) {
        for (const damage of ["flip", "zero", "remove"] as const) {
          const size = node.disk.peek(path).length;
          if (damage === "remove") {
            await runtime.fileSystem.removeFile(path).catch(() => undefined);
          } else if (size > 0 && damage === "flip") {
            node.disk.flipBit(path, (size * 8) >> 1);
          } else if (size > 0) {
            node.disk.corrupt(path, { position: 0, length: size, kind: "zeros" });
          }
          const next = await openManager({ runtime, config: { tailCacheBytes: 0 } });
          const again = next.getLog("events", 0) as never as typeof log;
          expect([...(await valuesOf(again, 200)).values()]).toEqual(values(40));
          for (const wanted of [0, 100, 117, 139, 140]) {
            const expected =
              wanted > 139
                ? undefined
                : { offset: Math.max(0, wanted - 100), timestamp: Math.max(100, wanted) };
            expect(await again.offsetForTimestamp(wanted)).toEqual(expected);
          }
          await next.close();
        }
      }
    });
  });

  it("quarantines a log with damage before the recovery point and serves the rest", async () => {
    const { simulation, node, runtime } = createSimRuntime();
    await simulation.run(async () => {
      const manager = await openManager({ runtime });
      const log = await createLog(manager, { "segment.bytes": "600" });
      for (const value of values(40)) {
        await appendFlushed(log, { values: [value] });
      }
      await manager.close();
      node.disk.flipBit("/data/events-0/00000000000000000000.log", 75 * 8);
      const next = await openManager({ runtime, config: { tailCacheBytes: 0 } });
      const again = next.getLog("events", 0) as never as typeof log;
      await expect(valuesOf(again)).rejects.toMatchObject({ code: "CORRUPT_MESSAGE" });
      expect(again.state).toBe("quarantined");
      expect(again.append(batchOf({ values: ["x"] }), { leaderEpoch: 0 })).toMatchObject({
        ok: false,
        error: "PARTITION_QUARANTINED",
      });
      const slice = await again.read({
        offset: 30,
        maxBytes: 100,
        endOffset: 40,
        minOneBatch: true,
      });
      expect(slice.sizeBytes).toBeGreaterThan(0);
    });
  });

  it("refuses a directory that is in use, another node's, another cluster's, or newer", async () => {
    const { simulation, runtime } = createSimRuntime();
    await simulation.run(async () => {
      const manager = await openManager({ runtime, clusterId: "one" });
      await expect(openManager({ runtime })).rejects.toThrow("in use");
      await manager.close();
      const anothers = openManager({ runtime, nodeId: 2 });
      await expect(anothers).rejects.toThrow("belongs to node 1");
      await expect(anothers).rejects.toMatchObject({
        code: "KAFKA_STORAGE_ERROR",
        retriable: false,
      });
      await expect(openManager({ runtime, clusterId: "two" })).rejects.toThrow(
        "belongs to cluster one",
      );
      const file = await runtime.fileSystem.open("/data/meta.properties", "readWrite");
      const text = new TextDecoder().decode(
        await runtime.fileSystem.readFile("/data/meta.properties"),
      );
      const newer = new Map(decodeProperties(text)).set("millrace.format.version", "2");
      await file.write([new TextEncoder().encode(encodeProperties(newer))], 0);
      await file.close();
      await expect(openManager({ runtime })).rejects.toThrow("newer Millrace");
    });
  });

  it("deletes a log for good, and its partition can be created again", async () => {
    const { simulation, node, runtime } = createSimRuntime();
    await simulation.run(async () => {
      const manager = await openManager({ runtime });
      const log = await createLog(manager);
      await appendFlushed(log, { values: ["old"] });
      await runtime.clock.sleep(20_000);
      await manager.deleteLog(log);
      const fresh = await createLog(manager);
      expect(fresh.logEndOffset).toBe(0);
      node.crash({ powerLoss: true });
      const next = await openManager({ runtime: node.runtime() });
      expect(next.getLog("events", 0)).toMatchObject({ state: "online", logEndOffset: 0 });
      expect(node.disk.paths().filter((path) => path.includes("-delete"))).toEqual([]);
    });
  });
});
