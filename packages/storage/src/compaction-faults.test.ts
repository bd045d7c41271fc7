import { FileError, type ServerRuntime } from "@millrace/runtime";
import { Simulation } from "@millrace/runtime/sim";
import { describe, expect, it } from "vitest";
import type { Log } from "./log.js";
import type { LogManager } from "./log-manager.js";
import { createLog, openManager, readAll, wrapFiles } from "./testdata/harness.js";
import { appendKeyed, recordsOf, tableOf } from "./testdata/keyed-log.js";
import { verifyDirectory } from "./verify-directory.js";

const config = {
  "cleanup.policy": "compact",
  "segment.bytes": "400",
  "index.interval.bytes": "80",
  "min.cleanable.dirty.ratio": "0",
};

interface Scene {
  readonly runtime: ServerRuntime;
  readonly manager: LogManager;
  readonly log: Log;
}

async function inScene(
  use: (scene: Scene) => Promise<void>,
  options: {
    readonly entries?: Record<string, string>;
    readonly decorate?: (runtime: ServerRuntime) => ServerRuntime;
  } = {},
): Promise<void> {
  const simulation = new Simulation({ seed: 11 });
  const node = simulation.node("broker");
  await simulation.run(async () => {
    const runtime = (options.decorate ?? ((same) => same))(node.runtime());
    const manager = await openManager({ runtime, config: { tailCacheBytes: 0 } });
    const log = await createLog(manager, { ...config, ...options.entries });
    await use({ runtime, manager, log });
    await manager.close();
  });
}

async function fill({ log, runtime }: Scene, count = 30): Promise<void> {
  for (let index = 0; index < count; index++) {
    const records = [{ key: `k${index % 4}`, value: `v${index}` }];
    await appendKeyed(log, { records }, runtime.compute);
  }
}

async function flip(scene: Scene, name: string, position: number): Promise<void> {
  const file = await scene.runtime.fileSystem.open(`${scene.log.directory}/${name}`, "readWrite");
  const byte = new Uint8Array(1);
  await file.read(byte, position);
  byte[0] = (byte[0] ?? 0) ^ 0x40;
  await file.write([byte], position);
  await file.close();
}

const segmentsIn = async ({ runtime, log }: Scene): Promise<string[]> => {
  const names = (await runtime.fileSystem.readDirectory(log.directory)).map(({ name }) => name);
  return names.filter((name) => name.endsWith(".log")).sort();
};

describe("a cleaning that meets a fault", () => {
  it("quarantines a log with damage, and cleans the others", () =>
    inScene(async (scene) => {
      const { manager, runtime } = scene;
      await fill(scene);
      const other = await createLog(manager, config, 1);
      await fill({ ...scene, log: other });
      await flip(scene, (await segmentsIn(scene))[1] ?? "", 70);
      const reports = await manager.cleaner.clean({ nowMs: 5_000 });
      expect(reports.map(({ partition }) => partition)).toEqual([1]);
      expect(scene.log.state).toBe("quarantined");
      expect(scene.log.damage).toMatch("CRC");
      expect(tableOf(await recordsOf(other, runtime.compute)).size).toBe(4);
    }));

  it("leaves a log alone whose records cannot be read, says why, and tries again when it is configured", () =>
    inScene(async (scene) => {
      const { log, manager, runtime } = scene;
      let isBroken = true;
      const { compute } = runtime;
      Object.assign(runtime, {
        compute: {
          ...compute,
          codecs: compute.codecs,
          crc32c: compute.crc32c.bind(compute),
          compress: compute.compress.bind(compute),
          decompress: (...args: Parameters<typeof compute.decompress>) =>
            isBroken ? Promise.reject(new Error("no such thing")) : compute.decompress(...args),
        },
      });
      const records = [{ key: "k", value: "v" }];
      await appendKeyed(log, { records, codec: "gzip" }, compute);
      await fill(scene);
      expect(await manager.cleaner.clean({ nowMs: 5_000 })).toEqual([]);
      expect(log.uncleanable).toMatch("no such thing");
      expect(log.state).toBe("online");
      isBroken = false;
      expect(await manager.cleaner.clean({ nowMs: 5_000 })).toEqual([]);
      log.updateConfig(log.config);
      expect(await manager.cleaner.clean({ nowMs: 5_000 })).toHaveLength(1);
    }));

  it("takes a full disk as something that passes", () => {
    let isFull = true;
    return inScene(
      async (scene) => {
        await fill(scene);
        expect(await scene.manager.cleaner.clean({ nowMs: 5_000 })).toEqual([]);
        expect(scene.log.uncleanable).toBeUndefined();
        expect(
          await scene.runtime.fileSystem.readDirectory(scene.log.directory),
        ).not.toContainEqual(expect.objectContaining({ name: expect.stringMatching("cleaned") }));
        isFull = false;
        expect(await scene.manager.cleaner.clean({ nowMs: 5_000 })).toHaveLength(1);
      },
      {
        decorate: (runtime) => ({
          ...runtime,
          fileSystem: wrapFiles(runtime.fileSystem, (file) => ({
            write: (chunks, position) =>
              isFull && file.path.endsWith(".cleaned")
                ? Promise.reject(new FileError("STORAGE_FULL", file.path, "full"))
                : file.write(chunks, position),
          })),
        }),
      },
    );
  });

  it("ends when it is told to stop, with a whole log", () =>
    inScene(async (scene) => {
      await fill(scene);
      const before = tableOf(await recordsOf(scene.log, scene.runtime.compute));
      const cleaning = scene.manager.cleaner.clean({ nowMs: 5_000, maxBytesPerSecond: 1 });
      await scene.runtime.clock.sleep(1_000);
      await scene.manager.cleaner.stop();
      expect(await cleaning).toEqual([]);
      expect(tableOf(await recordsOf(scene.log, scene.runtime.compute))).toEqual(before);
    }));

  it("reads and writes no faster than it may", () =>
    inScene(async (scene) => {
      await fill(scene);
      const { clock } = scene.runtime;
      const bytes = scene.log.sizeBytes;
      const startedMs = clock.monotonicMs();
      await scene.manager.cleaner.clean({ nowMs: 5_000, maxBytesPerSecond: 100 });
      // What is read twice, to the tenth of a second of each hundred bytes.
      expect(clock.monotonicMs() - startedMs).toBeGreaterThan((2 * bytes - 800) * 10);
    }));
});

describe("others at work while a log is cleaned", () => {
  it("lets readers go on through every swap, slow ones on the files they have", () =>
    inScene(
      async (scene) => {
        const { log, manager, runtime } = scene;
        await fill(scene, 60);
        const before = tableOf(await recordsOf(log, runtime.compute));
        let isDone = false;
        const readers = [1, 2, 3].map(async (pauseMs) => {
          let rounds = 0;
          while (!isDone || rounds === 0) {
            expect(tableOf(await recordsOf(log, runtime.compute))).toEqual(before);
            await readAll(log, 100 * pauseMs);
            await runtime.clock.sleep(pauseMs);
            rounds++;
          }
        });
        await manager.cleaner.clean({ nowMs: 5_000, maxBytesPerSecond: 100_000 });
        isDone = true;
        await Promise.all(readers);
        expect(log.state).toBe("online");
      },
      { entries: { "file.delete.delay.ms": "0" } },
    ));

  it("gives up what was overtaken by a truncation, deleted records or another policy", () =>
    inScene(async (scene) => {
      const { log, manager, runtime } = scene;
      for (const overtake of [
        () => log.truncateTo(5),
        () => log.deleteRecordsBefore(log.flushedOffset - 4),
        () =>
          Promise.resolve(log.updateConfig({ ...log.config, cleanupPolicy: "delete" as const })),
      ]) {
        await fill(scene);
        const cleaning = manager.cleaner.clean({ nowMs: 5_000, maxBytesPerSecond: 2_000 });
        await runtime.clock.sleep(200);
        await overtake();
        await cleaning;
        expect(log.state).toBe("online");
        expect(log.uncleanable).toBeUndefined();
        expect(log.cleanedTo).toBeLessThanOrEqual(log.logEndOffset);
        const table = tableOf(await recordsOf(log, runtime.compute));
        expect([...table.values()].every((value) => value.startsWith("v"))).toBe(true);
      }
    }));

  it("appends and reads meanwhile, and finds the new records in the next pass", () =>
    inScene(async (scene) => {
      const { log, manager, runtime } = scene;
      await fill(scene);
      const cleaning = manager.cleaner.clean({ nowMs: 5_000, maxBytesPerSecond: 5_000 });
      await fill(scene, 20);
      await cleaning;
      await manager.cleaner.clean({ nowMs: 5_000 });
      const seen = await recordsOf(log, runtime.compute);
      expect(tableOf(seen).get("k3")).toBe("v19");
      expect(seen.length).toBeLessThan(15);
    }));
});

describe("what a start finds of a cleaning", () => {
  it("removes one that is not whole, and finishes one that is a fact but for names", () =>
    inScene(async (scene) => {
      const { runtime, log } = scene;
      const { fileSystem } = runtime;
      await fill(scene);
      const before = tableOf(await recordsOf(log, runtime.compute));
      await scene.manager.cleaner.clean({ nowMs: 5_000 });
      await scene.manager.close();
      const [first = ""] = await segmentsIn(scene);
      const path = `${log.directory}/${first}`;
      await fileSystem.rename(path, `${path}.swap`);
      const half = await fileSystem.open(
        `${log.directory}/00000000000000000004.log.cleaned`,
        "createNew",
      );
      await half.close();
      const findings: string[] = [];
      for await (const item of verifyDirectory(fileSystem, "/data", { compute: runtime.compute })) {
        if (item.kind === "finding") {
          findings.push(`${item.finding.severity} ${item.finding.problem}`);
        }
      }
      expect(findings).toEqual([expect.stringMatching(/^hint a stop interrupted a compaction/)]);
      const manager = await openManager({ runtime });
      const again = await createLog(manager, config);
      expect(again.damage).toBeUndefined();
      expect(tableOf(await recordsOf(again, runtime.compute))).toEqual(before);
      expect(await segmentsIn(scene)).toContain(first);
      expect(again.cleanedTo).toBe(log.cleanedTo);
      await manager.close();
    }));

  it("keeps the old segments where the new one is damaged", () =>
    inScene(async (scene) => {
      const { runtime, log } = scene;
      const { fileSystem } = runtime;
      await fill(scene);
      const before = await recordsOf(log, runtime.compute);
      await scene.manager.close();
      const [first = ""] = await segmentsIn(scene);
      const bytes = await fileSystem.readFile(`${log.directory}/${first}`);
      bytes[70] = (bytes[70] ?? 0) ^ 1;
      const swap = await fileSystem.open(`${log.directory}/${first}.swap`, "createNew");
      await swap.write([bytes], 0);
      await swap.close();
      const manager = await openManager({ runtime });
      const again = await createLog(manager, config);
      expect(again.damage).toBeUndefined();
      expect(await recordsOf(again, runtime.compute)).toEqual(before);
      await manager.close();
    }));

  it("trusts no checkpoint of the cleaner that says more than the log holds", () =>
    inScene(async (scene) => {
      const { runtime, log } = scene;
      await fill(scene);
      await scene.manager.cleaner.clean({ nowMs: 5_000 });
      expect(log.cleanedTo).toBeGreaterThan(20);
      await log.truncateTo(6);
      expect(log.cleanedTo).toBeLessThanOrEqual(6);
      await scene.manager.close();
      const manager = await openManager({ runtime });
      expect((await createLog(manager, config)).cleanedTo).toBeLessThanOrEqual(6);
      await manager.close();
    }));
});

describe("retention of a compacted log", () => {
  it("deletes nothing by age or size with compact, and both with compact,delete", () =>
    inScene(
      async (scene) => {
        const { log, manager } = scene;
        await fill(scene);
        await manager.cleaner.clean({ nowMs: 5_000 });
        const { segmentCount } = log;
        expect(await manager.applyRetention(10 ** 12)).toBe(0);
        expect(log.segmentCount).toBe(segmentCount);
        log.updateConfig({ ...log.config, cleanupPolicy: "compact,delete" });
        expect(await manager.applyRetention(10 ** 12)).toBeGreaterThan(0);
        expect(log.logStartOffset).toBe(log.logEndOffset);
      },
      { entries: { "retention.ms": "1000", "retention.bytes": "0" } },
    ));
});
