import type { FileHandle, ServerRuntime } from "@millrace/runtime";
import { createSimRuntime } from "@millrace/runtime/sim";
import fc from "fast-check";
import { afterEach, describe, expect, it, vi } from "vitest";
import { Hold } from "./hold.js";
import type { Log, LogManager, LogSlice, StorageConfig } from "./index.js";
import { batchOf, createLog, openManager, valuesOf, wrapFiles } from "./testdata/harness.js";

// Batches that are appended from memory which is used again lie in copies, whose memory is used again in turn. Here it is
// overwritten instead as soon as the last holder has let go, and so is what was borrowed as soon as it is appended.

const VALUE_BYTES = 200;

afterEach(() => {
  vi.restoreAllMocks();
});

interface Scene {
  readonly simulation: ReturnType<typeof createSimRuntime>["simulation"];
  readonly node: ReturnType<typeof createSimRuntime>["node"];
  readonly manager: LogManager;
  readonly log: Log;
  takenBytes(): number;
}

async function scene(
  body: (all: Scene) => Promise<void>,
  options: {
    readonly config?: Partial<StorageConfig>;
    readonly change?: (
      runtime: ServerRuntime,
      sleep: (ms: number) => Promise<void>,
    ) => ServerRuntime;
  } = {},
): Promise<void> {
  const { simulation, node, runtime } = createSimRuntime();
  await simulation.run(async () => {
    const config = { spoilsFreeMemory: true, ...options.config };
    const changed = options.change?.(runtime, (ms) => simulation.sleep(ms)) ?? runtime;
    const manager = await openManager({ runtime: changed, config });
    const { readBuffers } = manager.reading;
    const log = await createLog(manager, { "segment.bytes": "2000", "index.interval.bytes": "0" });
    await body({ simulation, node, manager, log, takenBytes: () => readBuffers.takenBytes });
  });
}

const textOf = (index: number): string => String(index).padEnd(VALUE_BYTES, ".");

/** What it came from is overwritten when this returns. */
function append(log: Log, index: number, baseSequence = -1): ReturnType<Log["append"]> {
  const producer = baseSequence < 0 ? {} : { producerId: 7, baseSequence };
  const bytes = batchOf({ values: [textOf(index)], ...producer });
  const outcome = log.append(bytes, { leaderEpoch: 0, isBorrowed: true });
  bytes.fill(0xee);
  return outcome;
}

async function appendAll(log: Log, count: number): Promise<void> {
  for (let index = 0; index < count; index++) {
    append(log, index);
  }
  await log.whenFlushed(log.logEndOffset - 1);
}

const genuine = (count: number): Map<number, string> =>
  new Map(Array.from({ length: count }, (_, index) => [index, textOf(index)]));

const sliceFrom = async (log: Log, offset: number): Promise<LogSlice> =>
  await log.read({ offset, maxBytes: 1_000, endOffset: log.flushedOffset, minOneBatch: true });

const contentOf = (slice: LogSlice): string => Buffer.concat(slice.chunks).toString("base64");

describe("borrowed batches", () => {
  it("are copied: what they came from may be overwritten at once", () =>
    scene(async ({ node, manager, log }) => {
      await appendAll(log, 20);
      expect(await valuesOf(log)).toEqual(genuine(20));
      await manager.close();
      const again = await openManager({ runtime: node.runtime() });
      expect(await valuesOf(again.getLog("events", 0) as Log)).toEqual(genuine(20));
    }));

  it("take no memory when they are refused, or are there already", () =>
    scene(async ({ log, takenBytes }) => {
      append(log, 0, 0);
      await log.whenFlushed(0);
      const before = takenBytes();
      expect(append(log, 0, 0)).toMatchObject({ ok: true, isDuplicate: true });
      expect(append(log, 0, 5)).toMatchObject({ ok: false });
      expect(takenBytes()).toBe(before);
    }));

  const ends: Record<string, (all: Scene) => Promise<unknown>> = {
    "the log is cut back": ({ log }) => log.truncateTo(0),
    "the log begins anew": ({ log }) => log.truncateFullyAndStartAt(100),
    "the log is deleted": ({ manager, log }) => manager.deleteLog(log),
    "the data directory is closed": ({ manager }) => manager.close(),
  };
  for (const [end, bring] of Object.entries(ends)) {
    it(`come back when ${end}, those that are not written included`, () =>
      scene(async (all) => {
        await appendAll(all.log, 20);
        append(all.log, 20);
        const waiting = all.log.whenFlushed(20).catch(() => undefined);
        expect(all.takenBytes()).toBeGreaterThan(21 * VALUE_BYTES);
        await bring(all);
        await waiting;
        expect(all.takenBytes()).toBe(0);
      }));
  }

  it("come back as newer ones take their place in the tail", () =>
    scene(
      async ({ log, takenBytes }) => {
        await appendAll(log, 200);
        expect(takenBytes()).toBeLessThan(10_000);
        await appendAll(log, 200);
        expect(takenBytes()).toBeLessThan(10_000);
      },
      { config: { tailCacheBytes: 8_000 } },
    ));

  it("come back when the disk is full and they are refused", () =>
    scene(async ({ node, log, takenBytes }) => {
      await appendAll(log, 2);
      const before = takenBytes();
      node.disk.setCapacity(node.disk.usedBytes + 100);
      append(log, 2);
      await expect(log.whenFlushed(2)).rejects.toMatchObject({ code: "STORAGE_FULL" });
      expect(takenBytes()).toBe(before);
    }));

  it("come back when the disk failed and the directory is closed", () =>
    scene(async ({ node, manager, log, takenBytes }) => {
      await appendAll(log, 2);
      node.disk.failNext("sync");
      append(log, 2);
      await expect(log.whenFlushed(2)).rejects.toMatchObject({ code: "KAFKA_STORAGE_ERROR" });
      await manager.close();
      expect(takenBytes()).toBe(0);
    }));

  it("stay what they are for whoever reads them, whatever becomes of the log, until that one lets go", () =>
    scene(async ({ manager, log, takenBytes }) => {
      await appendAll(log, 20);
      const slices = [await sliceFrom(log, 0), await sliceFrom(log, 2), await sliceFrom(log, 2)];
      const contents = slices.map(contentOf);
      await log.truncateTo(0);
      await appendAll(log, 5);
      await manager.deleteLog(log);
      expect(slices.map(contentOf)).toEqual(contents);
      for (const [index, slice] of slices.entries()) {
        slice.release?.();
        slice.release?.();
        expect(slices.slice(index + 1).map(contentOf)).toEqual(contents.slice(index + 1));
      }
      expect(takenBytes()).toBe(0);
      expect(slices.map(contentOf).some((content, index) => content === contents[index])).toBe(
        false,
      );
    }));

  /** Looks at what is written once more when the write is over. */
  const slowWrites =
    (seen: { changed: number; begun: number }) =>
    (runtime: ServerRuntime, sleep: (ms: number) => Promise<void>): ServerRuntime => {
      const slow = (file: FileHandle): Partial<FileHandle> => ({
        write: async (chunks, position) => {
          const before = Buffer.concat(chunks);
          seen.begun += file.path.endsWith(".log") ? 1 : 0;
          await sleep(50);
          seen.changed += Buffer.compare(before, Buffer.concat(chunks)) === 0 ? 0 : 1;
          return await file.write(chunks, position);
        },
      });
      return { ...runtime, fileSystem: wrapFiles(runtime.fileSystem, slow) };
    };
  const config = { synchronousWriteBytesMax: 0, tailCacheBytes: 0 };

  /** How many writes were changed under way. */
  async function deletedWhileWritten(): Promise<number> {
    const seen = { changed: 0, begun: 0 };
    const body = async ({ simulation, manager, log, takenBytes }: Scene): Promise<void> => {
      append(log, 0);
      const waiting = log.whenFlushed(0).catch(() => undefined);
      while (seen.begun === 0) {
        await simulation.sleep(1);
      }
      await manager.deleteLog(log);
      await waiting;
      expect(takenBytes()).toBe(0);
    };
    await scene(body, { config, change: slowWrites(seen) });
    return seen.changed;
  }

  it("stay what they are while they are written, although the log is deleted meanwhile", async () => {
    expect(await deletedWhileWritten()).toBe(0);
  });

  it("would be seen to change if a round of the group commit had no share of its own", async () => {
    const another = Hold.prototype.another;
    let shares = 0;
    vi.spyOn(Hold.prototype, "another").mockImplementation(function share(this: Hold) {
      const hold = another.call(this);
      // The first one is the tail's.
      if (++shares > 1) {
        hold.release();
      }
      return hold;
    });
    expect(await deletedWhileWritten()).toBeGreaterThan(0);
  });

  it("stay what they are until the commit journal has them too, with no tail to hold them", () => {
    const change = slowWrites({ changed: 0, begun: 0 });
    const journaled = { ...config, syncsAtOnceMax: 1 };
    return scene(
      async ({ simulation, node, manager, log }) => {
        const others = await Promise.all([1, 2].map((index) => createLog(manager, {}, index)));
        const logs = [log, ...others];
        for (let round = 0; round < 6; round++) {
          for (const each of logs) {
            append(each, round);
          }
          await Promise.all(logs.map((each) => each.whenFlushed(round)));
        }
        node.crash({ powerLoss: true });
        await simulation.sleep(10);
        const again = await openManager({ runtime: node.runtime() });
        for (const index of [0, 1, 2]) {
          expect(await valuesOf(again.getLog("events", index) as Log)).toEqual(genuine(6));
        }
      },
      { config: journaled, change },
    );
  });

  it("are never changed under a reader and never lost to the pool, whatever is done in which order", async () => {
    const step = fc.oneof(
      { weight: 4, arbitrary: fc.record({ kind: fc.constant("append" as const), at: fc.nat(3) }) },
      { weight: 4, arbitrary: fc.record({ kind: fc.constant("read" as const), at: fc.nat(20) }) },
      { weight: 3, arbitrary: fc.record({ kind: fc.constant("release" as const), at: fc.nat(9) }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant("cut" as const), at: fc.nat(20) }) },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), fc.nat(3), async (steps, tails) => {
        const check = async ({ manager, log, takenBytes }: Scene): Promise<void> => {
          const held: { readonly slice: LogSlice; readonly content: string }[] = [];
          for (const [index, { kind, at }] of steps.entries()) {
            const offset = log.flushedOffset === 0 ? 0 : at % log.flushedOffset;
            if (kind === "append") {
              append(log, index);
              await (at > 0 ? log.whenFlushed(log.logEndOffset - 1) : undefined);
            } else if (kind === "read" && log.flushedOffset > 0) {
              const slice = await sliceFrom(log, offset);
              held.push({ slice, content: contentOf(slice) });
            } else if (kind === "release") {
              held.splice(at, 1)[0]?.slice.release?.();
            } else if (kind === "cut") {
              await log.truncateTo(offset);
            }
            expect(held.map(({ slice }) => contentOf(slice))).toEqual(
              held.map(({ content }) => content),
            );
          }
          await log.whenFlushed(log.logEndOffset - 1).catch(() => undefined);
          await manager.close();
          expect(held.map(({ slice }) => contentOf(slice))).toEqual(
            held.map(({ content }) => content),
          );
          for (const { slice } of held) {
            slice.release?.();
          }
          expect(takenBytes()).toBe(0);
        };
        await scene(check, { config: { tailCacheBytes: tails * 2_000, readAheadBytes: 0 } });
      }),
      { numRuns: 60 },
    );
  });
});
