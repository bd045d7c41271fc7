import type { FileSystem, ServerRuntime } from "@millrace/runtime";
import { type DiskSnapshot, Simulation } from "@millrace/runtime/sim";
import { describe, expect, it } from "vitest";
import type { LogManager } from "./log-manager.js";
import { createLog, openManager, wrapFiles } from "./testdata/harness.js";
import { appendKeyed, headersOf, recordsOf, tableOf } from "./testdata/keyed-log.js";

// A cleaning is crashed, with power loss, at every operation that changes its disk. After each crash the log is whole,
// every key has the value it had, and another cleaning ends with the same.

const CLEAN_AT_MS = 1_000_000;
/** A test for each share of the operations. */
const SHARES = [0, 1, 2, 3];
const TIMEOUT_MS = 120_000;

const entries = {
  "cleanup.policy": "compact",
  "segment.bytes": "400",
  "index.interval.bytes": "80",
  "min.cleanable.dirty.ratio": "0",
  "delete.retention.ms": "1000",
  "file.delete.delay.ms": "0",
};

type Decorate = (fileSystem: FileSystem) => FileSystem;

const undecorated: Decorate = (fileSystem) => fileSystem;

/** The disk that each crash begins with. */
interface Filled {
  readonly image: DiskSnapshot;
  readonly table: Map<string, string>;
}

async function fill(): Promise<Filled> {
  const simulation = new Simulation({ seed: 1 });
  const node = simulation.node("broker");
  const table = await simulation.run(() => fillLog(node.runtime()));
  return { image: node.disk.snapshot(), table };
}

async function fillLog(runtime: ServerRuntime): Promise<Map<string, string>> {
  const manager = await openManager({ runtime });
  const log = await createLog(manager, entries);
  const codecs = ["none", "gzip", "snappy"] as const;
  for (let index = 0; index < 20; index++) {
    const records = [
      { key: `k${index % 4}`, value: `v${index}` },
      { key: `t${index % 5}`, value: index % 3 === 0 ? null : `w${index}` },
    ];
    const codec = codecs[index % 3];
    await appendKeyed(
      log,
      { records, codec, producerId: 5, baseSequence: index * 2 },
      runtime.compute,
    );
  }
  const table = tableOf(await recordsOf(log, runtime.compute));
  await manager.close();
  return table;
}

/** Two passes: the first merges segments, the second takes tombstones away. */
async function cleanTwice(manager: LogManager): Promise<void> {
  await manager.cleaner.clean({ nowMs: CLEAN_AT_MS });
  await manager.cleaner.clean({ nowMs: CLEAN_AT_MS + 10_000 });
}

async function check(runtime: ServerRuntime, table: Map<string, string>): Promise<void> {
  const manager = await openManager({ runtime, config: { tailCacheBytes: 0 } });
  const log = await createLog(manager, entries);
  expect(log.damage).toBeUndefined();
  expect(log.logEndOffset).toBe(40);
  await headersOf(log, runtime.compute);
  expect(tableOf(await recordsOf(log, runtime.compute))).toEqual(table);
  await cleanTwice(manager);
  expect(tableOf(await recordsOf(log, runtime.compute))).toEqual(table);
  const names = (await runtime.fileSystem.readDirectory(log.directory)).map(({ name }) => name);
  expect(names.filter((name) => /\.(cleaned|swap)$/.test(name))).toEqual([]);
  await manager.close();
}

/** @returns how many operations the cleaning took, when it is not crashed */
async function crashAt(options: {
  readonly filled: Filled;
  readonly seed: number;
  readonly at: number | undefined;
  readonly decorate?: Decorate;
}): Promise<number> {
  const simulation = new Simulation({ seed: options.seed });
  const node = simulation.node("broker");
  const { image, table } = options.filled;
  let operations = 0;
  await simulation.run(async () => {
    node.disk.restore(image);
    const runtime = node.runtime();
    const decorate = options.decorate ?? undecorated;
    const fileSystem = decorate(runtime.fileSystem);
    const manager = await openManager({ runtime: { ...runtime, fileSystem } });
    await createLog(manager, entries);
    const from = node.disk.operationCount;
    const crashed = new Promise<void>((resolve) => {
      node.disk.onOperation(({ index }) => {
        if (options.at !== undefined && index === from + options.at) {
          node.crash({ powerLoss: true });
          resolve();
        }
      });
    });
    await Promise.race([cleanTwice(manager), crashed]);
    operations = node.disk.operationCount - from;
    node.crash({ powerLoss: true });
    await check(node.runtime(), table);
    node.crash({ powerLoss: true });
    await check(node.runtime(), table);
  });
  return operations;
}

/** Crashes at one operation after the other until one is not survived. */
async function isCaughtOut(decorate: Decorate): Promise<boolean> {
  const filled = await fill();
  const operations = await crashAt({ filled, seed: 1, at: undefined });
  for (let at = 0; at < operations; at++) {
    const isSurvived = await crashAt({ filled, seed: at, at, decorate }).then(
      () => true,
      () => false,
    );
    if (!isSurvived) {
      return true;
    }
  }
  return false;
}

/** Segments are retired before their successor has a name that a start knows. */
const retiresFirst: Decorate = (fileSystem) => {
  const withheld = new Map<string, string>();
  return new Proxy(fileSystem, {
    get(target, name) {
      if (name === "rename") {
        return async (from: string, to: string): Promise<void> => {
          if (to.endsWith(".swap")) {
            withheld.set(to, from);
            return;
          }
          const first = withheld.get(from);
          if (first !== undefined) {
            await target.rename(first, from);
          }
          await target.rename(from, to);
        };
      }
      const value = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
};

const neverSyncsCleaned: Decorate = (fileSystem) =>
  wrapFiles(fileSystem, (file) =>
    file.path.endsWith(".cleaned") ? { sync: () => file.size().then(() => undefined) } : {},
  );

const neverSyncsDirectories: Decorate = (fileSystem) =>
  new Proxy(fileSystem, {
    get(target, name) {
      if (name === "syncDirectory") {
        return (path: string) => target.status(path).then(() => undefined);
      }
      const value = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });

describe("a power loss at every operation of a cleaning", { timeout: TIMEOUT_MS }, () => {
  it.each(SHARES)(
    `leaves a whole log with the same value for each key (every ${SHARES.length}th, from %i on)`,
    async (first) => {
      const filled = await fill();
      const operations = await crashAt({ filled, seed: 1, at: undefined });
      expect(operations).toBeGreaterThan(80);
      for (let at = first; at < operations; at += SHARES.length) {
        await crashAt({ filled, seed: at, at }).catch((error: unknown) => {
          throw new Error(`crash at operation ${at}`, { cause: error });
        });
      }
    },
  );

  it.each([
    ["segments are retired before the swap is a fact", retiresFirst],
    ["the cleaned file is not synced", neverSyncsCleaned],
    ["directories are not synced", neverSyncsDirectories],
  ])("is caught out when %s (negative control)", async (_, decorate) => {
    expect(await isCaughtOut(decorate)).toBe(true);
  });
});
