import { batchHeaders } from "@millrace/protocol";
import type { ServerRuntime } from "@millrace/runtime";
import { createSimRuntime, Simulation } from "@millrace/runtime/sim";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { repairLog } from "./repair-log.js";
import {
  appendFlushed,
  batchOf,
  createLog,
  openManager,
  readAll,
  valuesOf,
} from "./testdata/harness.js";

const DIRECTORY = "/data/events-0";
const COUNT = 24;
const valueAt = (offset: number): string => `value-${offset}`;
const segment = (base: number): string => `${DIRECTORY}/${String(base).padStart(20, "0")}.log`;

interface World {
  readonly simulation: Simulation;
  /** The directory as a clean stop left it. */
  restart(): ServerRuntime;
  /** Base offsets of the segments. */
  readonly bases: readonly number[];
  peek(base: number): Uint8Array;
}

/** A log of several small segments, each offset a batch, everything below the recovery point. */
async function withStoredLog(
  work: (world: World) => Promise<void>,
  values: (offset: number) => string | Uint8Array = valueAt,
): Promise<void> {
  const simulation = new Simulation({ seed: 11 });
  const node = simulation.node("broker");
  await simulation.run(async () => {
    const manager = await openManager({ runtime: node.runtime() });
    const log = await createLog(manager, { "segment.bytes": "700" });
    for (let index = 0; index < COUNT; index++) {
      const value = values(index);
      const batch = batchOf({ values: [value as string], timestamp: 1_000 + index });
      log.append(batch, { leaderEpoch: index < COUNT / 2 ? 0 : 1 });
    }
    await log.whenFlushed(COUNT - 1);
    await manager.close();
    const entries = await node.runtime().fileSystem.readDirectory(DIRECTORY);
    const bases = entries
      .flatMap(({ name }) => (name.endsWith(".log") ? [Number(name.slice(0, 20))] : []))
      .sort((left, right) => left - right);
    node.crash();
    const snapshot = node.disk.snapshot();
    const restart = (): ServerRuntime => {
      if (node.isRunning) {
        node.crash();
      }
      node.disk.restore(snapshot);
      return node.runtime();
    };
    await work({ simulation, restart, bases, peek: (base) => node.disk.peek(segment(base)) });
  });
}

const repair = (runtime: ServerRuntime, apply: boolean) =>
  repairLog({ runtime, path: "/data", topic: "events", partition: 0, apply });

/** Bytes and position of the batch at `offset`. */
function batchAt(bytes: Uint8Array, offset: number): { from: number; to: number } {
  for (const { position, header } of batchHeaders(bytes)) {
    if (header.baseOffset === offset) {
      return { from: position, to: position + header.sizeBytes };
    }
  }
  throw new Error(`no batch at ${offset}`);
}

async function openLog(runtime: ServerRuntime) {
  const manager = await openManager({ runtime, config: { tailCacheBytes: 0 } });
  const log = manager.getLog("events", 0);
  if (log === undefined) {
    throw new Error("the log is gone");
  }
  return { manager, log };
}

describe("repairLog", () => {
  it("sets a damaged header aside, keeps all other offsets, and the partition is online again", async () => {
    await withStoredLog(async ({ restart, simulation, bases, peek }) => {
      const runtime = restart();
      const base = bases[1] ?? 0;
      const place = batchAt(peek(base), base + 1);
      simulation.node("broker").disk.corrupt(segment(base), {
        position: place.from,
        length: 30,
        kind: "noise",
      });
      const damaged = peek(base).slice(place.from, place.to);
      // Sealed segments are taken at their index state's word; the CRC scan of the repair is not.
      await runtime.fileSystem
        .removeFile(segment(base).replace(".log", ".index-state"))
        .catch(() => undefined);
      const dry = await repair(runtime, false);
      expect(dry).toMatchObject({ applied: false, lostOffsets: 1 });
      expect(dry.ranges).toHaveLength(1);
      expect(dry.ranges[0]).toMatchObject({
        segment: segment(base).slice(DIRECTORY.length + 1),
        position: place.from,
        sizeBytes: damaged.length,
        firstOffset: base + 1,
        lastOffset: base + 1,
        savedAs: undefined,
      });
      const done = await repair(runtime, true);
      const savedAs = done.ranges[0]?.savedAs ?? "";
      expect(await runtime.fileSystem.readFile(`/data/${savedAs}`)).toEqual(damaged);
      const { manager, log } = await openLog(runtime);
      expect(log.state).toBe("online");
      expect(log.logEndOffset).toBe(COUNT);
      const values = await valuesOf(log, 150);
      for (let offset = 0; offset < COUNT; offset++) {
        expect(values.get(offset)).toBe(offset === base + 1 ? undefined : valueAt(offset));
      }
      await manager.close();
      expect((await repair(runtime, false)).ranges).toEqual([]);
    });
  });

  it("brings a quarantined partition online: damage in the last segment, below the recovery point", async () => {
    await withStoredLog(async ({ restart, simulation, bases, peek }) => {
      const runtime = restart();
      const base = bases.at(-1) ?? 0;
      const place = batchAt(peek(base), base);
      simulation.node("broker").disk.corrupt(segment(base), {
        position: place.from + 8,
        length: 16,
        kind: "noise",
      });
      const files = await runtime.fileSystem.readDirectory(DIRECTORY);
      for (const { name } of files) {
        if (
          name.startsWith(segment(base).slice(DIRECTORY.length + 1, -4)) &&
          !name.endsWith(".log")
        ) {
          await runtime.fileSystem.removeFile(`${DIRECTORY}/${name}`);
        }
      }
      const before = await openLog(runtime);
      expect(before.log.state).toBe("quarantined");
      await expect(repair(runtime, true)).rejects.toMatchObject({ code: "LOCKED" });
      await before.manager.close();
      await repair(runtime, true);
      const { log, manager } = await openLog(runtime);
      expect(log.state).toBe("online");
      const outcome = log.append(batchOf({ values: ["new"] }), { leaderEpoch: 1 });
      expect(outcome).toMatchObject({ ok: true, baseOffset: COUNT });
      await log.whenFlushed(COUNT);
      expect(await log.offsetForTimestamp(1_000 + base)).toMatchObject({ offset: base + 1 });
      await manager.close();
    });
  });

  it("loses nothing but what was hit, whatever is damaged, cut off or missing", async () => {
    const damage = fc.record({
      segmentIndex: fc.nat(10),
      kind: fc.constantFrom("noise", "zeros", "cut", "missing"),
      at: fc.double({ min: 0, max: 0.999, noNaN: true }),
      length: fc.integer({ min: 1, max: 200 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(damage, { minLength: 1, maxLength: 3 }), async (damages) => {
        await withStoredLog(async ({ restart, simulation, bases, peek }) => {
          const runtime = restart();
          const { disk } = simulation.node("broker");
          const originals = new Map(bases.map((base) => [base, peek(base).slice()]));
          const gone = new Set<number>();
          for (const { segmentIndex, kind, at, length } of damages) {
            const base = bases[segmentIndex % bases.length] ?? 0;
            const isLast = base === bases.at(-1);
            if (gone.has(base)) {
              continue;
            }
            if (kind === "missing" && !isLast) {
              gone.add(base);
              await runtime.fileSystem.removeFile(segment(base));
              continue;
            }
            const size = peek(base).length;
            const position = Math.floor(size * at);
            if (kind === "cut" || kind === "missing" || size === 0) {
              const file = await runtime.fileSystem.open(segment(base), "readWrite");
              await file.truncate(position);
              await file.sync();
              await file.close();
            } else {
              const bounded = Math.min(length, size - position);
              disk.corrupt(segment(base), { position, length: bounded, kind });
            }
          }
          const intact = new Set<number>();
          for (const base of bases.filter((one) => !gone.has(one))) {
            const now = peek(base);
            for (const { header, position } of batchHeaders(originals.get(base) ?? now)) {
              const end = position + header.sizeBytes;
              const before = originals.get(base)?.subarray(position, end);
              const after = now.subarray(position, end);
              if (before?.length === after.length && before.every((byte, i) => byte === after[i])) {
                intact.add(header.baseOffset);
              }
            }
          }
          await repair(runtime, true);
          const { log, manager } = await openLog(runtime);
          expect(log.damage).toBeUndefined();
          expect(log.logEndOffset).toBe(COUNT);
          const values = await valuesOf(log, 400);
          for (let offset = 0; offset < COUNT; offset++) {
            expect(values.get(offset)).toBe(intact.has(offset) ? valueAt(offset) : undefined);
          }
          await manager.close();
          expect((await repair(runtime, false)).ranges).toEqual([]);
        });
      }),
      { numRuns: 60 },
    );
  });

  it("can be cut off by a power failure at every operation and repeated", async () => {
    await withStoredLog(async ({ restart, simulation, bases, peek }) => {
      const node = simulation.node("broker");
      for (let operation = 0; ; operation++) {
        const runtime = restart();
        for (const base of bases.slice(0, 2)) {
          const place = batchAt(peek(base), base + 2);
          node.disk.flipBit(segment(base), (place.from + 70) * 8);
        }
        const first = node.disk.operationCount;
        let stop = (): void => {};
        const crashed = new Promise<boolean>((resolve) => {
          stop = node.disk.onOperation(({ index }) => {
            if (index === first + operation) {
              node.crash({ powerLoss: true });
              resolve(false);
            }
          });
        });
        const isDone = await Promise.race([repair(runtime, true).then(() => true), crashed]);
        stop();
        const again = node.isRunning ? runtime : node.runtime();
        await repair(again, true);
        const { log, manager } = await openLog(again);
        expect(log.damage).toBeUndefined();
        expect((await valuesOf(log, 400)).size).toBe(COUNT - 2);
        expect(log.logEndOffset).toBe(COUNT);
        await manager.close();
        if (isDone) {
          expect(operation).toBeGreaterThan(5);
          return;
        }
      }
    });
  });

  it("does not take batches inside a damaged record for batches of the log", async () => {
    const inner = batchOf({ values: ["smuggled"] });
    new DataView(inner.buffer, inner.byteOffset).setBigInt64(0, 3n);
    const values = (offset: number) => (offset === 1 ? inner : valueAt(offset));
    await withStoredLog(async ({ restart, simulation, bases, peek }) => {
      const runtime = restart();
      const base = bases[0] ?? 0;
      const place = batchAt(peek(base), 1);
      // The record's last byte: behind the batch in it, so that the inner one stays whole.
      simulation.node("broker").disk.flipBit(segment(base), (place.to - 1) * 8);
      await repair(runtime, true);
      const { log, manager } = await openLog(runtime);
      const stored = await valuesOf(log, 400);
      expect(stored.has(1)).toBe(false);
      expect([stored.get(2), stored.get(3)]).toEqual([valueAt(2), valueAt(3)]);
      expect([...stored.values()]).not.toContain("smuggled");
      await manager.close();
    }, values);
  });

  it("gives up the batch whose epoch alone rose, and none behind it, where the epochs' checkpoint is lost", async () => {
    await withStoredLog(async ({ restart, simulation, bases, peek }) => {
      const runtime = restart();
      const { disk } = simulation.node("broker");
      const base = bases[0] ?? 0;
      const leaderEpochAt = batchAt(peek(base), 1).from + 12;
      disk.flipBit(segment(base), leaderEpochAt * 8);
      disk.loseFile(`${DIRECTORY}/leader-epoch-checkpoint`);
      expect(await repair(runtime, true)).toMatchObject({ lostOffsets: 1 });
      const { log, manager } = await openLog(runtime);
      const left = [...(await valuesOf(log, 400)).keys()];
      expect(left).toEqual(Array.from({ length: COUNT }, (_, offset) => offset).toSpliced(1, 1));
      expect(log.endOffsetForEpoch(0)).toEqual({ epoch: 0, endOffset: COUNT / 2 });
      await manager.close();
    });
  });

  it("lets the producers behind the damage be known again, whom a start in quarantine had forgotten", async () => {
    const { simulation, node } = createSimRuntime();
    await simulation.run(async () => {
      const batch = (producerId: number): Uint8Array =>
        batchOf({ values: [`of ${producerId}`], producerId, baseSequence: 0 });
      const manager = await openManager({ runtime: node.runtime() });
      const log = await createLog(manager);
      for (let producerId = 0; producerId < 3; producerId++) {
        log.append(batch(producerId), { leaderEpoch: 0 });
        await log.whenFlushed(producerId);
      }
      node.crash();
      const batchBytes = node.disk.peek(segment(0)).length / 3;
      // Its header, so that a walk over the batches ends there.
      node.disk.flipBit(segment(0), (batchBytes + 16) * 8);
      const damaged = await openLog(node.runtime());
      expect(damaged.log.state).toBe("quarantined");
      await damaged.manager.close();
      await repair(node.runtime(), true);
      const whole = await openLog(node.runtime());
      for (const producerId of [0, 2]) {
        const outcome = whole.log.append(batch(producerId), { leaderEpoch: 0 });
        expect(outcome).toMatchObject({ isDuplicate: true, baseOffset: producerId });
      }
      await whole.manager.close();
    });
  });

  it("finds with the commit journal, before it is applied, what it finds then", async () => {
    const { simulation, node } = createSimRuntime();
    await simulation.run(async () => {
      const manager = await openManager({ runtime: node.runtime(), config: { syncsAtOnceMax: 1 } });
      const logs = await Promise.all([0, 1, 2].map((one) => createLog(manager, {}, one)));
      for (let round = 0; round < 6; round++) {
        await Promise.all(logs.map((log) => appendFlushed(log, { values: [valueAt(round)] })));
      }
      node.crash();
      const batchBytes = node.disk.peek(segment(0)).length / 6;
      // The journal holds the third batch, and heals it; the first one was there before it was used.
      node.disk.flipBit(segment(0), (2 * batchBytes + 70) * 8);
      expect((await repair(node.runtime(), false)).ranges).toEqual([]);
      node.disk.flipBit(segment(0), 70 * 8);
      // All that follows the damage is in the journal alone.
      node.disk.replaceContent(segment(0), node.disk.peek(segment(0)).slice(0, batchBytes));
      const before = await repair(node.runtime(), false);
      expect(before).toMatchObject({ lostOffsets: 1, applied: false });
      const { ranges } = await repair(node.runtime(), true);
      expect(ranges.map((range) => ({ ...range, savedAs: undefined }))).toEqual(before.ranges);
    });
  });

  it("ends a quarantine although nothing is damaged any more, and tells of it before", async () => {
    await withStoredLog(async ({ restart, simulation }) => {
      const runtime = restart();
      const reason = new TextEncoder().encode("some bytes were lost\n");
      simulation.node("broker").disk.plant(`${DIRECTORY}/quarantined`, reason);
      const quarantine = "some bytes were lost";
      expect(await repair(runtime, false)).toMatchObject({
        quarantine,
        applied: false,
        ranges: [],
      });
      expect(await repair(runtime, true)).toMatchObject({ quarantine, applied: true, ranges: [] });
      const { log, manager } = await openLog(runtime);
      expect(log.state).toBe("online");
      await manager.close();
      expect((await repair(runtime, false)).quarantine).toBeUndefined();
    });
  });

  it("writes nothing for a log in order, and leaves a torn tail to the next start", async () => {
    await withStoredLog(async ({ restart, bases, peek }) => {
      const runtime = restart();
      expect(await repair(runtime, true)).toMatchObject({ applied: false, ranges: [] });
      const base = bases.at(-1) ?? 0;
      const file = await runtime.fileSystem.open(segment(base), "readWrite");
      await file.write([new Uint8Array(40).fill(7)], peek(base).length);
      await file.sync();
      await file.close();
      expect(await repair(runtime, true)).toMatchObject({ applied: false, ranges: [] });
      const { log, manager } = await openLog(runtime);
      expect(log.state).toBe("online");
      expect((await readAll(log)).length).toBeGreaterThan(0);
      await manager.close();
    });
  });

  it("leaves a sector that a power cut lost to the next start, unless the log was quarantined", async () => {
    const { simulation, node } = createSimRuntime();
    await simulation.run(async () => {
      const log = await createLog(await openManager({ runtime: node.runtime() }));
      for (let index = 0; index < 3; index++) {
        await appendFlushed(log, { values: [`${index}`.repeat(2_000)] });
      }
      node.crash();
      const batchBytes = node.disk.peek(segment(0)).length / 3;
      const position = Math.ceil((batchBytes + 512) / 512) * 512;
      node.disk.corrupt(segment(0), { position, length: 512 });
      expect((await repair(node.runtime(), false)).ranges).toEqual([]);
      node.disk.plant(`${DIRECTORY}/quarantined`, new TextEncoder().encode("found before"));
      expect((await repair(node.runtime(), false)).ranges).toMatchObject([{ firstOffset: 1 }]);
    });
  });

  it("refuses a partition that is not there, and leaves no lock behind", async () => {
    await withStoredLog(async ({ restart }) => {
      const runtime = restart();
      const options = { runtime, path: "/data", topic: "events", partition: 9, apply: true };
      await expect(repairLog(options)).rejects.toMatchObject({ code: "NOT_FOUND" });
      await (await openManager({ runtime })).close();
    });
  });
});
