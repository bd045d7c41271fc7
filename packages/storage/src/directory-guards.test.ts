import type { ServerRuntime } from "@millrace/runtime";
import { createSimRuntime } from "@millrace/runtime/sim";
import { afterEach, describe, expect, it, vi } from "vitest";
import { Segment } from "./segment.js";
import { appendFlushed, createLog, openManager, valuesOf, wrapFiles } from "./testdata/harness.js";

// What keeps the files of a data directory from whoever might take them away: a reader's hold on its segment, the
// directory's lock, and that nothing unknown is deleted. Each with the same scene without the guard, where it must show.

type FileSystem = ServerRuntime["fileSystem"];

afterEach(() => {
  vi.restoreAllMocks();
});

/** Some methods behave differently: what a missing guard looks like from outside. */
function changed(fileSystem: FileSystem, change: Partial<FileSystem>): FileSystem {
  return new Proxy(fileSystem, {
    get: (target, name) => {
      const value = Reflect.get(change, name) ?? Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

/** A slow read of a segment that retention lets go meanwhile. @returns the bytes read */
async function readWhatIsRemoved(): Promise<number> {
  const { simulation, node } = createSimRuntime();
  let sizeBytes = -1;
  await simulation.run(async () => {
    const runtime = node.runtime();
    let isSlow = false;
    const fileSystem = wrapFiles(runtime.fileSystem, (file) => ({
      read: async (target: Uint8Array, position: number) => {
        if (isSlow) {
          await runtime.clock.sleep(1_000);
        }
        return await file.read(target, position);
      },
    }));
    const config = { tailCacheBytes: 0 };
    const manager = await openManager({ runtime: { ...runtime, fileSystem }, config });
    const log = await createLog(manager, { "segment.bytes": "300", "file.delete.delay.ms": "0" });
    for (let index = 0; index < 20; index++) {
      await appendFlushed(log, { values: [`value-${index}`] });
    }
    isSlow = true;
    const reading = log.read({ offset: 0, maxBytes: 100, endOffset: 20, minOneBatch: true });
    const outcome = Promise.resolve(reading).then(
      (slice) => slice.sizeBytes,
      () => -1,
    );
    await log.deleteRecordsBefore(18);
    sizeBytes = await outcome;
    isSlow = false;
    await manager.close();
  });
  return sizeBytes;
}

describe("a reader", () => {
  it("keeps the file that it reads, though the segment is removed meanwhile", async () => {
    expect(await readWhatIsRemoved()).toBeGreaterThan(0);
  });

  it("would lose it if nobody counted readers (negative control)", async () => {
    vi.spyOn(Segment.prototype, "enter").mockImplementation(() => undefined);
    vi.spyOn(Segment.prototype, "leave").mockImplementation(() => undefined);
    expect(await readWhatIsRemoved()).toBe(-1);
  });
});

/** Two owners append to the same log. @returns how many acknowledged records the next start does not find */
async function lostToASecondOwner(guard: (fileSystem: FileSystem) => FileSystem): Promise<number> {
  const { simulation, node } = createSimRuntime();
  let lost = -1;
  await simulation.run(async () => {
    const runtime = { ...node.runtime(), fileSystem: guard(node.runtime().fileSystem) };
    const first = await openManager({ runtime });
    const log = await createLog(first);
    const acknowledged = ["first"];
    await appendFlushed(log, { values: ["first"] });
    const second = await openManager({ runtime }).catch(() => undefined);
    const twin = second?.getLog("events", 0);
    if (twin !== undefined) {
      await appendFlushed(twin, { values: ["of the second"] });
      acknowledged.push("of the second");
    }
    await appendFlushed(log, { values: ["of the first"] });
    acknowledged.push("of the first");
    node.crash({ powerLoss: true });
    const after = await openManager({ runtime: node.runtime() });
    const found = after.getLog("events", 0);
    const values = found === undefined ? [] : [...(await valuesOf(found)).values()];
    lost = acknowledged.filter((value) => !values.includes(value)).length;
    await after.close();
  });
  return lost;
}

describe("the lock on a data directory", () => {
  it("keeps a second owner out, and what the first acknowledges is there", async () => {
    expect(await lostToASecondOwner((fileSystem) => fileSystem)).toBe(0);
  });

  it("is needed: two owners write over each other (negative control)", async () => {
    const unlocked = (fileSystem: FileSystem): FileSystem =>
      changed(fileSystem, {
        lockDirectory: () => Promise.resolve({ release: () => Promise.resolve() }),
      });
    expect(await lostToASecondOwner(unlocked)).toBeGreaterThan(0);
  });
});

/** @returns whether the bytes of a log that was set aside are still somewhere, after a power cut and a start */
async function survivesBeingSetAside(guard: (fileSystem: FileSystem) => FileSystem) {
  const { simulation, node } = createSimRuntime();
  let isThere = false;
  await simulation.run(async () => {
    const runtime = { ...node.runtime(), fileSystem: guard(node.runtime().fileSystem) };
    const manager = await openManager({ runtime });
    const log = await createLog(manager);
    await appendFlushed(log, { values: ["precious"] });
    const bytes = node.disk.peek(`${log.directory}/00000000000000000000.log`);
    await manager.setAside(log, "nobody knows it");
    node.crash({ powerLoss: true });
    const again = await openManager({ runtime: node.runtime() });
    await again.close();
    const paths = node.disk.paths().filter((path) => /-stray\/0{20}\.log$/.test(path));
    isThere = paths.some((path) => Buffer.from(node.disk.peek(path)).equals(Buffer.from(bytes)));
  });
  return isThere;
}

describe("a log that the metadata does not know", () => {
  it("is set aside under another name, with all its bytes, over a power cut and a start", async () => {
    expect(await survivesBeingSetAside((fileSystem) => fileSystem)).toBe(true);
  });

  it("would be missed if it were deleted instead (negative control)", async () => {
    const deleting = (fileSystem: FileSystem): FileSystem =>
      changed(fileSystem, {
        rename: (from, to) =>
          to.endsWith("-stray") ? fileSystem.removeDirectory(from) : fileSystem.rename(from, to),
      });
    expect(await survivesBeingSetAside(deleting)).toBe(false);
  });
});
