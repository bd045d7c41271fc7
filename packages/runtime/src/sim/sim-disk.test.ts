import { describe, expect, it } from "vitest";
import type { FileHandle, FileSystem } from "../file-system.js";
import type { PowerLossModel } from "./file-inode.js";
import type { SimNode } from "./sim-node.js";
import { Simulation } from "./simulation.js";

interface World {
  readonly simulation: Simulation;
  readonly node: SimNode;
  readonly files: FileSystem;
}

/** Runs `body` in a fresh world per seed. */
async function withSeeds(count: number, body: (world: World, seed: number) => Promise<void>) {
  for (let seed = 1; seed <= count; seed++) {
    const simulation = new Simulation({ seed });
    const node = simulation.node("node");
    const files = node.runtime().fileSystem;
    await simulation.run(() => body({ simulation, node, files }, seed));
  }
}

const filled = (length: number, byte: number): Uint8Array => new Uint8Array(length).fill(byte);

async function put(files: FileSystem, path: string, bytes: Uint8Array): Promise<FileHandle> {
  const file = await files.open(path, "createNew");
  await file.write([bytes], 0);
  return file;
}

/** Loses power and starts again. */
function powerCycle(node: SimNode, model?: PowerLossModel): FileSystem {
  node.crash({ powerLoss: true, ...(model === undefined ? {} : { model }) });
  return node.runtime().fileSystem;
}

describe("names on a simulated disk", () => {
  it("are lost for some seeds without a directory sync, and never with one", async () => {
    let lostWithout = 0;
    let keptWithout = 0;
    await withSeeds(60, async ({ node, files }) => {
      await (await put(files, "/unsynced", filled(10, 1))).sync();
      await powerCycle(node)
        .status("/unsynced")
        .then(
          () => keptWithout++,
          () => lostWithout++,
        );
    });
    expect(lostWithout).toBeGreaterThan(5);
    expect(keptWithout).toBeGreaterThan(5);
    await withSeeds(60, async ({ node, files }) => {
      await (await put(files, "/synced", filled(10, 1))).sync();
      await files.syncDirectory("/");
      expect((await powerCycle(node).readFile("/synced")).length).toBe(10);
    });
  });

  it("need the sync of every directory on the way", async () => {
    let lost = 0;
    await withSeeds(40, async ({ node, files }) => {
      await files.createDirectory("/data/topic-0");
      await (await put(files, "/data/topic-0/log", filled(10, 1))).sync();
      await files.syncDirectory("/data/topic-0");
      await powerCycle(node)
        .status("/data/topic-0/log")
        .catch(() => lost++);
    });
    expect(lost).toBeGreaterThan(5);
  });

  it("are covered by a directory sync only when they changed before it began", async () => {
    let lost = 0;
    await withSeeds(40, async ({ simulation, node, files }) => {
      await put(files, "/early", filled(1, 1));
      node.disk.stallNext(50);
      const sync = files.syncDirectory("/");
      await put(files, "/late", filled(1, 1));
      expect(simulation.nowMs).toBeLessThan(10);
      await sync;
      const names = (await powerCycle(node).readDirectory("/")).map((entry) => entry.name);
      expect(names).toContain("early");
      lost += names.includes("late") ? 0 : 1;
    });
    expect(lost).toBeGreaterThan(5);
  });

  it("show the old or the new file after an unsynced rename, never neither", async () => {
    const seen = new Set<number>();
    await withSeeds(60, async ({ node, files }) => {
      await (await put(files, "/checkpoint", filled(4, 1))).sync();
      await files.syncDirectory("/");
      await (await put(files, "/checkpoint.tmp", filled(4, 2))).sync();
      await files.rename("/checkpoint.tmp", "/checkpoint");
      seen.add((await powerCycle(node).readFile("/checkpoint"))[0] ?? -1);
    });
    expect([...seen].sort()).toEqual([1, 2]);
  });

  it("show an empty or torn file when it was renamed without being synced", async () => {
    const sizes = new Set<number>();
    await withSeeds(80, async ({ node, files }) => {
      await put(files, "/file.tmp", filled(4, 2));
      await files.rename("/file.tmp", "/file");
      await files.syncDirectory("/");
      sizes.add((await powerCycle(node).readFile("/file")).length);
    });
    expect(sizes.has(0)).toBe(true);
    expect(sizes.has(4)).toBe(true);
  });

  it("may come back after an unsynced removal, and not after a synced one", async () => {
    let returned = 0;
    await withSeeds(40, async ({ node, files }) => {
      for (const name of ["/one", "/two"]) {
        await (await put(files, name, filled(1, 1))).sync();
      }
      await files.syncDirectory("/");
      await files.removeFile("/one");
      await files.syncDirectory("/");
      await files.removeFile("/two");
      const names = (await powerCycle(node).readDirectory("/")).map((entry) => entry.name);
      expect(names).not.toContain("one");
      returned += names.length;
    });
    expect(returned).toBeGreaterThan(5);
  });
});

describe("bytes on a simulated disk", () => {
  it("survive a power loss once synced, and a kill even unsynced", async () => {
    await withSeeds(40, async ({ node, files }) => {
      const file = await put(files, "/log", filled(10_000, 1));
      await file.sync();
      await files.syncDirectory("/");
      await file.write([filled(5_000, 2)], 10_000);
      node.crash();
      const afterKill = await node.runtime().fileSystem.readFile("/log");
      expect(afterKill.length).toBe(15_000);
      const afterPowerLoss = await powerCycle(node).readFile("/log");
      expect(afterPowerLoss.subarray(0, 10_000).every((byte) => byte === 1)).toBe(true);
    });
  });

  it("are lost, kept, torn at a sector, or holed when unsynced", async () => {
    const outcomes = new Map<string, number>();
    await withSeeds(150, async ({ node, files }) => {
      const file = await put(files, "/log", new Uint8Array(0));
      await files.syncDirectory("/");
      for (let index = 0; index < 10; index++) {
        await file.write([filled(3_000, index + 1)], index * 3_000);
      }
      const bytes = await powerCycle(node).readFile("/log");
      const hasHole = bytes.includes(0);
      const isTorn = bytes.length % 3_000 !== 0;
      const outcome =
        bytes.length === 0
          ? "nothing"
          : hasHole
            ? "holed"
            : isTorn
              ? "torn"
              : bytes.length === 30_000
                ? "everything"
                : "prefix";
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      if (isTorn) {
        expect(bytes.length % 512).toBe(0);
      }
    });
    for (const outcome of ["nothing", "everything", "torn", "holed"]) {
      expect(outcomes.get(outcome), outcome).toBeGreaterThan(3);
    }
  });

  it("are covered by a sync only when written before it began", async () => {
    const lengths = new Set<number>();
    await withSeeds(60, async ({ node, files }) => {
      const file = await put(files, "/log", filled(100, 1));
      await files.syncDirectory("/");
      const sync = file.sync();
      file.writeSync([filled(100, 2)], 100);
      await sync;
      lengths.add((await powerCycle(node).readFile("/log")).length);
    });
    expect([...lengths].sort()).toEqual([100, 200]);
  });

  it("show a failed sync's data until the machine goes down, though a later sync succeeds", async () => {
    let lost = 0;
    await withSeeds(40, async ({ node, files, simulation }) => {
      const file = await put(files, "/log", filled(100, 1));
      await files.syncDirectory("/");
      node.disk.failNext("sync");
      await expect(file.sync()).rejects.toMatchObject({ code: "IO_ERROR" });
      await file.sync();
      expect((await files.readFile("/log")).length).toBe(100);
      lost += (await powerCycle(node).readFile("/log")).length === 100 ? 0 : 1;
      expect(simulation.faultCounts.get("disk.sync.error")).toBe(1);
    });
    expect(lost).toBe(40);
  });

  it("are taken when an asynchronous write completes, and at once by a synchronous one", async () => {
    await withSeeds(1, async ({ files }) => {
      const file = await files.open("/log", "createNew");
      const reused = filled(4, 1);
      const write = file.write([reused], 0);
      reused.fill(2);
      await write;
      file.writeSync([reused], 4);
      reused.fill(3);
      expect([...(await files.readFile("/log"))].join("")).toBe("22222222");
    });
  });

  it("are partly there when the process dies while they are written", async () => {
    const lengths = new Set<number>();
    await withSeeds(60, async ({ node, files }) => {
      const file = await files.open("/log", "createNew");
      file.write([filled(100_000, 1)], 0).catch(() => {});
      node.crash();
      lengths.add((await node.runtime().fileSystem.readFile("/log")).length);
    });
    expect(lengths.has(0)).toBe(true);
    expect(lengths.has(100_000)).toBe(true);
    expect(lengths.size).toBeGreaterThan(5);
  });
});

describe("a full disk", () => {
  it("writes short without an error, then refuses, and recovers with space", async () => {
    await withSeeds(1, async ({ node, files }) => {
      node.disk.setCapacity(1_000);
      const file = await files.open("/log", "createNew");
      expect(await file.write([filled(600, 1)], 0)).toBe(600);
      expect(await file.write([filled(300, 1), filled(300, 2)], 600)).toBe(400);
      await expect(file.write([filled(1, 1)], 1_000)).rejects.toMatchObject({
        code: "STORAGE_FULL",
      });
      expect(() => file.writeSync([filled(1, 1)], 1_000)).toThrow("no space");
      expect(await file.write([filled(500, 3)], 0)).toBe(500);
      expect(await files.availableBytes("/")).toBe(0);
      node.disk.setCapacity(2_000);
      expect(await file.write([filled(1, 1)], 1_000)).toBe(1);
    });
  });

  it("gets space back from a removed file when its last handle closes, or its process dies", async () => {
    await withSeeds(1, async ({ node, files }) => {
      const file = await put(files, "/one", filled(500, 1));
      await put(files, "/two", filled(300, 1));
      await files.removeFile("/one");
      await files.removeFile("/two");
      expect(node.disk.usedBytes).toBe(800);
      await file.close();
      expect(node.disk.usedBytes).toBe(300);
      node.crash();
      expect(node.disk.usedBytes).toBe(0);
    });
  });
});

describe("faults on request", () => {
  it("flip a bit, zero a range, fail one operation of one path", async () => {
    await withSeeds(1, async ({ node, files }) => {
      await put(files, "/log", filled(1_000, 0));
      node.disk.flipBit("/log", 8 * 500 + 3);
      expect((await files.readFile("/log"))[500]).toBe(8);
      node.disk.corrupt("/log", { position: 500, length: 10_000, kind: "noise" });
      expect((await files.readFile("/log")).length).toBe(1_000);
      node.disk.corrupt("/log", { position: 0, length: 1_000 });
      expect((await files.readFile("/log")).every((byte) => byte === 0)).toBe(true);
      node.disk.failNext("read", { path: "/other" });
      node.disk.failNext("rename", { code: "PERMISSION_DENIED" });
      await files.readFile("/log");
      await expect(files.rename("/log", "/log2")).rejects.toMatchObject({
        code: "PERMISSION_DENIED",
      });
      await files.rename("/log", "/log2");
    });
  });

  it("fail operations and stall them at the rates of the fault model", async () => {
    const faults = {
      disk: { writeErrorRate: 0.3, readErrorRate: 0.3, stallRate: 0.1, maxStallMs: 900 },
    };
    const simulation = new Simulation({ seed: 1, faults });
    const files = simulation.node("node").runtime().fileSystem;
    await simulation.run(async () => {
      const file = await files.open("/log", "createNew");
      for (let round = 0; round < 100; round++) {
        await file.write([filled(10, 1)], 0).catch(() => {});
        await file.read(new Uint8Array(1), 0).catch(() => {});
      }
    });
    for (const kind of ["disk.write.error", "disk.read.error", "disk.stall"]) {
      expect(simulation.faultCounts.get(kind), kind).toBeGreaterThan(5);
    }
    expect(simulation.nowMs).toBeGreaterThan(900);
  });

  it("crash at each operation in turn, so that every step of a change can be the last", async () => {
    const checkpoint = async (files: FileSystem): Promise<void> => {
      const file = await put(files, "/next", filled(8, 2));
      await file.sync();
      await files.rename("/next", "/current");
      await files.syncDirectory("/");
    };
    const outcomes = new Set<string>();
    for (let operation = 0; ; operation++) {
      const simulation = new Simulation({ seed: 100 + operation });
      const node = simulation.node("node");
      node.disk.plant("/current", filled(8, 1));
      const firstOperation = node.disk.operationCount;
      const hasCrashed = await simulation.run(async () => {
        node.crashAtOperation(firstOperation + operation, { powerLoss: true });
        await Promise.race([checkpoint(node.runtime().fileSystem), simulation.sleep(1_000)]);
        const survived = node.isRunning;
        const bytes = await node.runtime().fileSystem.readFile("/current");
        expect(bytes.length).toBe(8);
        outcomes.add(`${survived} ${bytes[0]}`);
        return !survived;
      });
      if (!hasCrashed) {
        expect(operation).toBe(5);
        break;
      }
    }
    expect(outcomes.has("false 1")).toBe(true);
    expect(outcomes.has("true 2")).toBe(true);
  });

  it("roll a disk back, and wipe it, while the node is down only", async () => {
    await withSeeds(1, async ({ node, files }) => {
      const file = await put(files, "/log", filled(10, 1));
      const image = node.disk.snapshot();
      await file.write([filled(10, 2)], 0);
      expect(() => node.disk.restore(image)).toThrow("must be down");
      node.crash();
      node.disk.restore(image);
      expect((await node.runtime().fileSystem.readFile("/log"))[0]).toBe(1);
      node.crash();
      node.disk.wipe();
      expect(await node.runtime().fileSystem.readDirectory("/")).toEqual([]);
      node.crash();
      node.disk.restore(image);
      expect(node.disk.paths()).toEqual(["/log"]);
    });
  });

  it("bound the open files", async () => {
    await withSeeds(1, async ({ node, files }) => {
      node.disk.setMaxOpenFiles(1);
      const file = await put(files, "/one", filled(1, 1));
      await expect(files.open("/two", "createNew")).rejects.toMatchObject({
        code: "TOO_MANY_OPEN_FILES",
      });
      await file.close();
      await (await files.open("/three", "createNew")).close();
      expect(node.disk.openFileCount).toBe(0);
    });
  });
});
