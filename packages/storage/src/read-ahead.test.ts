import { FileError, type FileHandle } from "@millrace/runtime";
import { Simulation } from "@millrace/runtime/sim";
import { describe, expect, it } from "vitest";
import type { Log } from "./log.js";
import type { LogManager } from "./log-manager.js";
import type { LogSlice } from "./log-types.js";
import { batchOf, createLog, openManager, valuesOf, wrapFiles } from "./testdata/harness.js";

const VALUE = "v".repeat(40_000);
const COUNT = 30;
const MAX_BYTES = 100_000;
const DATA_FILE = /\.log$/;

interface Scene {
  readonly manager: LogManager;
  readonly log: Log;
  /** Positions of reads from `.log` files. */
  readonly reads: number[];
  /** Set: such reads fail. */
  readonly fault: { isOn: boolean };
}

async function append(log: Log, text: string, leaderEpoch = 0): Promise<void> {
  const outcome = log.append(batchOf({ values: [text] }), { leaderEpoch });
  if (!outcome.ok) {
    throw new Error(outcome.message);
  }
  await log.whenFlushed(outcome.lastOffset);
}

function inScene(
  body: (scene: Scene, simulation: Simulation) => Promise<void>,
  config: { readAheadBytes?: number } = {},
): Promise<void> {
  const simulation = new Simulation({ seed: 3 });
  const runtime = simulation.node("broker").runtime();
  const reads: number[] = [];
  const fault = { isOn: false };
  const observe = (file: FileHandle): Partial<FileHandle> =>
    DATA_FILE.test(file.path)
      ? {
          read: (target, position) => {
            reads.push(position);
            return fault.isOn
              ? Promise.reject(new FileError("IO_ERROR", file.path, "planted"))
              : file.read(target, position);
          },
        }
      : {};
  const fileSystem = wrapFiles(runtime.fileSystem, observe);
  return simulation.run(async () => {
    const manager = await openManager({
      runtime: { ...runtime, fileSystem },
      config: { tailCacheBytes: 0, readAheadBytes: 1_000_000, ...config },
    });
    const log = await createLog(manager);
    for (let index = 0; index < COUNT; index++) {
      await append(log, `${index} ${VALUE}`);
    }
    reads.length = 0;
    await body({ manager, log, reads, fault }, simulation);
    await manager.close();
  });
}

async function next(log: Log, offset: number): Promise<LogSlice> {
  return await log.read({ offset, maxBytes: MAX_BYTES, endOffset: COUNT, minOneBatch: true });
}

/** Reads the first batches in order, so that what follows is read ahead. */
async function readInOrder(log: Log, reads: number, simulation: Simulation): Promise<number> {
  let offset = 0;
  for (let read = 0; read < reads; read++) {
    const slice = await next(log, offset);
    slice.release?.();
    offset = slice.nextOffset;
    await simulation.sleep(100);
  }
  return offset;
}

describe("reading ahead", () => {
  it("has the next bytes there before they are asked for, each read once", () =>
    inScene(async ({ manager, log, reads }, simulation) => {
      const offset = await readInOrder(log, 4, simulation);
      const before = reads.length;
      const slice = await next(log, offset);
      expect(slice.nextOffset).toBe(offset + 2);
      await simulation.sleep(100);
      // One more: the one after.
      expect(reads.length).toBe(before + 1);
      expect(new Set(reads).size).toBe(reads.length);
      expect(manager.reading.readAhead.heldBytes).toBe(MAX_BYTES);
    }));

  it("reads nothing ahead where there is no room for it", () =>
    inScene(
      async ({ manager, log, reads }, simulation) => {
        await readInOrder(log, 4, simulation);
        expect(reads.length).toBe(4);
        expect(manager.reading.readAhead.heldBytes).toBe(0);
      },
      { readAheadBytes: 0 },
    ));

  it("serves the same records, in whatever order they are read", () =>
    inScene(async ({ log }) => {
      const values = await valuesOf(log, MAX_BYTES);
      expect(values.size).toBe(COUNT);
      expect([...values].every(([offset, value]) => value === `${offset} ${VALUE}`)).toBe(true);
    }));

  it("serves nothing that was read ahead of a truncation", () =>
    inScene(async ({ log }, simulation) => {
      const offset = await readInOrder(log, 4, simulation);
      await log.truncateTo(offset);
      for (let index = offset; index < COUNT; index++) {
        await append(log, `again ${VALUE}`, 1);
      }
      const slice = await next(log, offset);
      expect(new TextDecoder().decode(slice.chunks[0])).toContain("again");
      const values = await valuesOf(log, MAX_BYTES);
      expect([...values].every(([at, text]) => text.startsWith("again") === at >= offset)).toBe(
        true,
      );
    }));

  it("leaves a fault to the reader that asks for the bytes", () =>
    inScene(async ({ log, fault }, simulation) => {
      const first = await next(log, 0);
      await simulation.sleep(100);
      fault.isOn = true;
      // Read ahead before the fault; what comes behind it is not.
      const second = await next(log, first.nextOffset);
      expect(second.sizeBytes).toBeGreaterThan(0);
      await simulation.sleep(100);
      const third = await next(log, second.nextOffset).then(
        () => "served",
        (error: unknown) => error,
      );
      expect(third).toMatchObject({ code: "KAFKA_STORAGE_ERROR" });
      fault.isOn = false;
      expect((await next(log, second.nextOffset)).sizeBytes).toBeGreaterThan(0);
      expect(log.state).toBe("online");
    }));

  it("gives way after a while to readers that come for their bytes", () =>
    inScene(
      async ({ manager, log }, simulation) => {
        const { readAhead } = manager.reading;
        await readInOrder(log, 2, simulation);
        expect(readAhead.heldBytes).toBe(MAX_BYTES);
        await next(log, 10);
        const other = await next(log, 12);
        await simulation.sleep(100);
        const waiting = readAhead.heldBytes;
        await simulation.sleep(60_000);
        await next(log, other.nextOffset);
        await simulation.sleep(100);
        expect(waiting).toBe(MAX_BYTES);
        expect(readAhead.heldBytes).toBe(MAX_BYTES);
        expect(manager.reading.readBuffers.takenBytes).toBeGreaterThan(0);
      },
      { readAheadBytes: 150_000 },
    ));
});
