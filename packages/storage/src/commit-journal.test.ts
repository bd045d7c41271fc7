import { FileError, type FileHandle, type ServerRuntime } from "@millrace/runtime";
import { Simulation } from "@millrace/runtime/sim";
import { afterEach, describe, expect, it, vi } from "vitest";
import { CommitJournal, type JournaledLog } from "./commit-journal.js";
import { JOURNAL_FILES, type JournalExtent } from "./core/commit-journal-format.js";
import { readIfPresent, writeFully } from "./files.js";
import type { Log } from "./log.js";
import { parseLogConfig } from "./log-config.js";
import { LogManager } from "./log-manager.js";
import { LogWriter } from "./log-writer.js";
import { storageConfigDefaults } from "./storage-config.js";
import {
  batchOf,
  createLog,
  openManager,
  TOPIC_ID,
  valuesOf,
  wrapFiles,
} from "./testdata/harness.js";

// Three logs append at once where only one may sync, so that all goes through the journal, whose files are so small that
// they take turns every few rounds. One log is cut back and grows again, one is deleted and made again, one has its
// `flush` changed. The power goes at every operation that changes the disk.

const LOGS = 3;
const storage = { syncsAtOnceMax: 1, journalBytes: 4_600, checkpointBytes: 700 };
const topic = { "segment.bytes": "500", "index.interval.bytes": "80", "file.delete.delay.ms": "0" };

afterEach(() => {
  vi.restoreAllMocks();
});

/** What a log may hold after a crash. */
class Expected {
  /** By offset; more than one while it is being cut back. */
  readonly allowed: Set<string>[] = [];
  acknowledged = 0;

  appended(offset: number, value: string): void {
    this.allowed[offset] ??= new Set();
    this.allowed[offset]?.add(value);
  }

  /** From now on what is beyond may be gone. */
  cutting(offset: number): void {
    this.acknowledged = Math.min(this.acknowledged, offset);
  }

  wasCut(offset: number): void {
    this.allowed.length = Math.min(this.allowed.length, offset);
  }
}

interface Scene {
  readonly logs: Log[];
  readonly expected: Expected[];
  epoch: number;
  serial: number;
}

/** One record to each log in the same turn. */
async function round(scene: Scene): Promise<void> {
  const waiting = scene.logs.map(async (log, index) => {
    const expected = scene.expected[index] as Expected;
    const value = `value-${scene.serial++}`;
    expected.appended(log.logEndOffset, value);
    const outcome = log.append(batchOf({ values: [value] }), { leaderEpoch: scene.epoch });
    if (!outcome.ok) {
      throw new Error(outcome.message);
    }
    if (await log.whenFlushed(outcome.lastOffset)) {
      expected.acknowledged = outcome.lastOffset + 1;
    }
  });
  await Promise.all(waiting);
}

async function rounds(scene: Scene, count: number): Promise<void> {
  for (let index = 0; index < count; index++) {
    await round(scene);
  }
}

async function cutBack(scene: Scene, index: number, offset: number): Promise<void> {
  const [log, expected] = [scene.logs[index] as Log, scene.expected[index] as Expected];
  expected.cutting(offset);
  await log.truncateTo(offset);
  expected.wasCut(offset);
  scene.epoch++;
}

async function makeAgain(scene: Scene, manager: LogManager, index: number): Promise<void> {
  const [log, expected] = [scene.logs[index] as Log, scene.expected[index] as Expected];
  expected.cutting(0);
  await manager.deleteLog(log);
  expected.wasCut(0);
  scene.logs[index] = await createLog(manager, topic, index);
}

async function workload(runtime: ServerRuntime, expected: Expected[]): Promise<void> {
  const manager = await openManager({ runtime, config: storage });
  const scene: Scene = { logs: [], expected, epoch: 0, serial: 0 };
  for (let index = 0; index < LOGS; index++) {
    scene.logs.push(await createLog(manager, topic, index));
  }
  await rounds(scene, 4);
  await cutBack(scene, 1, 2);
  await rounds(scene, 3);
  scene.logs[0]?.updateConfig(parseLogConfig({ ...topic, flush: "os" }));
  await round(scene);
  scene.logs[0]?.updateConfig(parseLogConfig(topic));
  await rounds(scene, 2);
  await makeAgain(scene, manager, 2);
  await rounds(scene, 5);
  await cutBack(scene, 0, 5);
  await rounds(scene, 6);
}

async function check(runtime: ServerRuntime, all: readonly Expected[]): Promise<void> {
  const manager = await openManager({ runtime, config: { ...storage, tailCacheBytes: 0 } });
  for (const [index, { acknowledged, allowed }] of all.entries()) {
    const log = manager.getLog("events", index);
    if (log === undefined) {
      expect(acknowledged).toBe(0);
      continue;
    }
    expect(log.damage).toBeUndefined();
    expect(log.flushedOffset).toBeGreaterThanOrEqual(acknowledged);
    for (const [offset, value] of await valuesOf(log, 150)) {
      expect(allowed[offset] ?? new Set()).toContain(value);
    }
  }
  await manager.close();
}

interface Crash {
  /** Operation number; undefined: at the end. */
  readonly at?: number;
  readonly powerLoss: boolean;
  readonly beforeStart?: ((runtime: ServerRuntime) => Promise<void>) | undefined;
}

async function crash({ at, powerLoss, beforeStart }: Crash): Promise<number> {
  const simulation = new Simulation({ seed: (at ?? 0) + 1 });
  const node = simulation.node("broker");
  const expected = Array.from({ length: LOGS }, () => new Expected());
  let operations = 0;
  await simulation.run(async () => {
    const crashed = new Promise<void>((resolve) => {
      node.disk.onOperation((operation) => {
        if (operation.index === at) {
          node.crash({ powerLoss });
          resolve();
        }
      });
    });
    await Promise.race([workload(node.runtime(), expected), crashed]);
    operations = node.disk.operationCount;
    node.crash({ powerLoss });
    await beforeStart?.(node.runtime());
    // Also while what the crash left is put in order.
    const stop = node.disk.onOperation((operation) => {
      if (at !== undefined && operation.index === operations + (at % 40)) {
        node.crash({ powerLoss });
      }
    });
    await Promise.race([check(node.runtime(), expected), simulation.sleep(60_000)]);
    stop();
    node.crash({ powerLoss });
    await check(node.runtime(), expected);
  });
  return operations;
}

async function caughtOf(options: { step: number; beforeStart?: Crash["beforeStart"] }) {
  const operations = await crash({ powerLoss: true, ...options }).catch(() => 400);
  let caught = 0;
  for (let at = 30; at < operations; at += options.step) {
    await crash({ at, powerLoss: true, ...options }).catch(() => {
      caught++;
    });
  }
  return caught;
}

/** After a kill all that the journal holds is in the logs' own files, too: damage to it may cost nothing. */
function damageJournals(damage: (bytes: Uint8Array) => void) {
  return async ({ fileSystem }: ServerRuntime): Promise<void> => {
    for (const name of JOURNAL_FILES) {
      const path = `/data/${name}`;
      const bytes = await readIfPresent(fileSystem, path);
      if (bytes !== undefined && bytes.length > 0) {
        damage(bytes);
        await writeFully(await fileSystem.open(path, "readWrite"), [bytes], 0);
      }
    }
  };
}

describe("the commit journal", () => {
  it("is what made the rounds durable, and takes turns, in the workload of these tests", async () => {
    const append = vi.spyOn(CommitJournal.prototype, "append");
    const forget = vi.spyOn(CommitJournal.prototype, "forget");
    await crash({ powerLoss: true });
    expect(append.mock.calls.length).toBeGreaterThan(40);
    const durable = await Promise.all(append.mock.results.map(({ value }) => value));
    expect(durable.filter(Boolean).length).toBeGreaterThan(30);
    expect(forget.mock.calls.length).toBeGreaterThan(2);
  });

  it.each([0, 1, 2, 3])(
    "loses nothing acknowledged and brings nothing back, wherever the power goes (%i of 4)",
    async (quarter) => {
      const operations = await crash({ powerLoss: true });
      expect(operations).toBeGreaterThan(250);
      for (let at = quarter; at < operations; at += 4) {
        await crash({ at, powerLoss: true }).catch((error: unknown) => {
          throw new Error(`power loss at operation ${at}`, { cause: error });
        });
      }
    },
  );

  it("loses nothing acknowledged and brings nothing back, wherever the process is killed", async () => {
    const operations = await crash({ powerLoss: false });
    for (let at = 0; at < operations; at += 3) {
      await crash({ at, powerLoss: false }).catch((error: unknown) => {
        throw new Error(`kill at operation ${at}`, { cause: error });
      });
    }
  });

  it("brings nothing back when one bit of it has flipped, wherever the process is killed", async () => {
    const operations = await crash({ powerLoss: false });
    const random = new Simulation({ seed: 5 }).node("bits").runtime().random;
    for (let at = 0; at < operations; at += 1) {
      const beforeStart = damageJournals((bytes) => {
        const bit = Math.floor(random.float() * bytes.length * 8);
        bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      });
      await crash({ at, powerLoss: false, beforeStart }).catch((error: unknown) => {
        throw new Error(`kill at operation ${at}`, { cause: error });
      });
    }
  });

  it.each([0, 1, 2, 3, 4, 5, 6])(
    "brings nothing back when a sector of it is lost, wherever the process is killed (sector %i)",
    async (sector) => {
      const operations = await crash({ powerLoss: false });
      for (let at = sector; at < operations; at += 4) {
        const beforeStart = damageJournals((bytes) => {
          bytes.fill(0, sector * 512, (sector + 1) * 512);
        });
        await crash({ at, powerLoss: false, beforeStart }).catch((error: unknown) => {
          throw new Error(`kill at operation ${at}`, { cause: error });
        });
      }
    },
  );

  it("is needed: without it the same crashes lose records (negative control)", async () => {
    const beforeStart = async ({ fileSystem }: ServerRuntime): Promise<void> => {
      for (const name of JOURNAL_FILES) {
        await fileSystem.removeFile(`/data/${name}`).catch(() => undefined);
      }
    };
    expect(await caughtOf({ step: 5, beforeStart })).toBeGreaterThan(0);
  });

  it("must forget what was cut and deleted (negative control)", async () => {
    vi.spyOn(CommitJournal.prototype, "forget").mockResolvedValue();
    expect(await caughtOf({ step: 5 })).toBeGreaterThan(0);
  });

  it("must not be emptied before the logs are synced (negative control)", async () => {
    vi.spyOn(LogWriter.prototype, "land").mockResolvedValue();
    expect(await caughtOf({ step: 5 })).toBeGreaterThan(0);
  });
});

/** Runs `work` with logs that have appended once; the journal was not used yet. */
async function withLogs(
  work: (scene: Scene, manager: LogManager) => Promise<void>,
  decorate: (runtime: ServerRuntime) => ServerRuntime = (runtime) => runtime,
): Promise<void> {
  const simulation = new Simulation({ seed: 7 });
  const runtime = decorate(simulation.node("broker").runtime());
  await simulation.run(async () => {
    const manager = await openManager({ runtime, config: { ...storage, journalBytes: 100_000 } });
    const expected = Array.from({ length: LOGS }, () => new Expected());
    const scene: Scene = { logs: [], expected, epoch: 0, serial: 0 };
    for (let index = 0; index < LOGS; index++) {
      scene.logs.push(await createLog(manager, {}, index));
    }
    await round(scene);
    await work(scene, manager);
  });
}

const isJournal = (path: string): boolean => JOURNAL_FILES.some((name) => path.endsWith(name));

describe("a journal that cannot be written", () => {
  it("leaves the rounds to the logs' own files when the disk is full", async () => {
    const full = (runtime: ServerRuntime): ServerRuntime => ({
      ...runtime,
      fileSystem: wrapFiles(runtime.fileSystem, (file) =>
        isJournal(file.path)
          ? {
              write: (_, position) =>
                position > 0 ? Promise.resolve(10) : file.write(_, position),
              writeSync: () => {
                throw new FileError("STORAGE_FULL", file.path, "no space");
              },
            }
          : {},
      ),
    });
    await withLogs(async (scene, manager) => {
      await rounds(scene, 3);
      expect(scene.expected.map(({ acknowledged }) => acknowledged)).toEqual([4, 4, 4]);
      expect(scene.logs.map((log) => log.recoveryPoint)).toEqual([4, 4, 4]);
      await manager.close();
    }, full);
  });

  it("stops the data directory when its sync fails, and nothing is acknowledged", async () => {
    let fails = false;
    const failing = (runtime: ServerRuntime): ServerRuntime => ({
      ...runtime,
      fileSystem: wrapFiles(runtime.fileSystem, (file) => ({
        sync: () =>
          fails && isJournal(file.path)
            ? Promise.reject(new FileError("IO_ERROR", file.path, "bad disk"))
            : file.sync(),
      })),
    });
    await withLogs(async (scene, manager) => {
      await round(scene);
      fails = true;
      await expect(round(scene)).rejects.toMatchObject({ code: "KAFKA_STORAGE_ERROR" });
      await expect(manager.failed).resolves.toMatchObject({ path: expect.any(String) });
      expect(scene.expected.map(({ acknowledged }) => acknowledged)).toEqual([2, 2, 2]);
      await manager.close();
    }, failing);
  });
});

/** A journal by itself, whose files behave as `change` says. */
async function withJournal(
  change: (file: FileHandle) => Partial<FileHandle>,
  work: (journal: CommitJournal, read: () => Promise<Uint8Array>) => Promise<void>,
): Promise<void> {
  const simulation = new Simulation({ seed: 3 });
  const runtime = simulation.node("broker").runtime();
  const fileSystem = wrapFiles(runtime.fileSystem, change);
  await simulation.run(async () => {
    await fileSystem.createDirectory("/data");
    const journal = new CommitJournal({
      runtime: { ...runtime, fileSystem },
      storage: { ...storageConfigDefaults, journalBytes: 100_000 },
      path: "/data",
      hasFailed: () => false,
      fail: () => undefined,
    });
    const read = async (): Promise<Uint8Array> =>
      (await readIfPresent(runtime.fileSystem, `/data/${JOURNAL_FILES[0]}`)) ?? new Uint8Array();
    await work(journal, read);
  });
}

const extentOf = (bytes: number): JournalExtent => ({
  kind: "extent",
  name: "events-0",
  baseOffset: 0,
  position: 0,
  chunks: [new Uint8Array(bytes).fill(7)],
  sizeBytes: bytes,
});
const landed: JournaledLog = { land: () => Promise.resolve() };

describe("a frame that is not there as a whole", () => {
  it("has none behind it: after a failed sync nothing more is written", async () => {
    let fails = false;
    const failing = (file: FileHandle): Partial<FileHandle> => ({
      sync: () =>
        fails ? Promise.reject(new FileError("IO_ERROR", file.path, "bad disk")) : file.sync(),
    });
    await withJournal(failing, async (journal, read) => {
      await journal.append(extentOf(100), landed);
      fails = true;
      await expect(journal.append(extentOf(200), landed)).rejects.toThrow("bad disk");
      fails = false;
      const { length } = await read();
      await expect(journal.append(extentOf(300), landed)).rejects.toThrow("bad disk");
      expect((await read()).length).toBe(length);
    });
  });

  it("leaves nothing in the file when the disk was full in the middle of it", async () => {
    let room = Number.POSITIVE_INFINITY;
    const full = (file: FileHandle): Partial<FileHandle> => ({
      writeSync: (chunks, position) => {
        const bytes = Buffer.concat(chunks).subarray(0, room);
        file.writeSync([bytes], position);
        return bytes.length;
      },
    });
    await withJournal(full, async (journal, read) => {
      expect(await journal.append(extentOf(100), landed)).toBe(true);
      const { length } = await read();
      room = 400;
      await expect(journal.forget("events-0")).rejects.toMatchObject({ code: "STORAGE_FULL" });
      expect((await read()).length).toBe(length);
      expect(await journal.append(extentOf(800), landed)).toBe(false);
      expect((await read()).length).toBe(length);
      room = Number.POSITIVE_INFINITY;
      expect(await journal.append(extentOf(800), landed)).toBe(true);
    });
  });
});

describe("a stop", () => {
  it("leaves no journal behind, and all records in the logs' own files", async () => {
    const simulation = new Simulation({ seed: 9 });
    const node = simulation.node("broker");
    await simulation.run(async () => {
      const runtime = node.runtime();
      const manager = await openManager({ runtime, config: storage });
      const logs = [await createLog(manager, {}, 0), await createLog(manager, {}, 1)];
      const expected = [new Expected(), new Expected()];
      await rounds({ logs, expected, epoch: 0, serial: 0 }, 8);
      const names = async () =>
        (await runtime.fileSystem.readDirectory("/data")).map((e) => e.name);
      expect(await names()).toContain(JOURNAL_FILES[0]);
      await manager.close();
      expect((await names()).filter(isJournal)).toEqual([]);
      node.crash({ powerLoss: true });
      const again = await LogManager.open({ runtime: node.runtime(), path: "/data", nodeId: 1 });
      expect(again.wasCleanShutdown).toBe(true);
      expect(again.getLog("events", 1)?.flushedOffset).toBe(8);
      expect(again.getLog("events", 1)?.topicId).toBe(TOPIC_ID);
      await again.close();
    });
  });
});

describe("a damaged journal", () => {
  it("quarantines a log whose bytes it lost, and gives the others all of theirs", async () => {
    const simulation = new Simulation({ seed: 11 });
    const node = simulation.node("broker");
    await simulation.run(async () => {
      const config = { ...storage, journalBytes: 100_000 };
      const manager = await openManager({ runtime: node.runtime(), config });
      const logs: Log[] = [];
      for (let index = 0; index < LOGS; index++) {
        logs.push(await createLog(manager, topic, index));
      }
      const expected = Array.from({ length: LOGS }, () => new Expected());
      const scene: Scene = { logs, expected, epoch: 0, serial: 0 };
      await round(scene);
      // Only two of them in the frame that will be damaged.
      await round({ ...scene, logs: logs.slice(0, 2) });
      await rounds(scene, 2);
      node.crash({ powerLoss: true, model: "nothing" });
      const path = `/data/${JOURNAL_FILES[0]}`;
      const { fileSystem } = node.runtime();
      const bytes = await fileSystem.readFile(path);
      const value = new TextEncoder().encode("value-3");
      const at = bytes.findIndex((_, from) => value.every((byte, i) => bytes[from + i] === byte));
      expect(at).toBeGreaterThan(0);
      const file = await fileSystem.open(path, "readWrite");
      await file.write([new Uint8Array([0])], at);
      await file.close();
      const again = await openManager({ runtime: node.runtime(), config });
      const after = logs.map((_, index) => again.getLog("events", index));
      expect(after[0]?.damage ?? after[1]?.damage).toContain("nor in the commit journal");
      expect(after[2]?.damage).toBeUndefined();
      expect(after[2]?.flushedOffset).toBe(3);
      expect((await valuesOf(after[2] as Log)).size).toBe(3);
    });
  });
});
