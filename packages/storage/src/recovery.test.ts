import type { ServerRuntime } from "@millrace/runtime";
import { type SimNode, Simulation } from "@millrace/runtime/sim";
import { describe, expect, it } from "vitest";
import { ProducerState } from "./core/producer-state.js";
import { batchOf, createLog, openManager, valuesOf } from "./testdata/harness.js";
import { verifyDirectory } from "./verify-directory.js";

const LOG = "/data/events-0/00000000000000000000.log";
const COUNT = 6;

/** A killed broker's directory: all batches in the file, none of them below the stored recovery point. */
async function withUnverifiedTail(
  work: (world: {
    simulation: Simulation;
    restart: () => ServerRuntime;
    size: number;
    batchBytes: number;
  }) => Promise<void>,
): Promise<void> {
  const simulation = new Simulation({ seed: 7 });
  const node = simulation.node("broker");
  await simulation.run(async () => {
    const manager = await openManager({ runtime: node.runtime() });
    const log = await createLog(manager);
    for (let index = 0; index < COUNT; index++) {
      log.append(batchOf({ values: [`value-${index}`] }), { leaderEpoch: 0 });
    }
    await log.whenFlushed(COUNT - 1);
    node.crash();
    const size = node.disk.peek(LOG).length;
    const snapshot = node.disk.snapshot();
    const restart = (): ServerRuntime => {
      if (node.isRunning) {
        node.crash();
      }
      node.disk.restore(snapshot);
      return node.runtime();
    };
    await work({ simulation, restart, size, batchBytes: size / COUNT });
  });
}

/** A batch of one record that fills `sizeBytes`. */
function batchOfBytes(sizeBytes: number): Uint8Array {
  const around = batchOf({ values: ["v".repeat(sizeBytes)] }).length - sizeBytes;
  for (let length = sizeBytes - around; length < sizeBytes; length++) {
    const batch = batchOf({ values: ["v".repeat(length)] });
    if (batch.length === sizeBytes) {
      return batch;
    }
  }
  throw new Error(`no batch has ${sizeBytes} bytes`);
}

/** What a start finds of a killed broker's batches, all past the recovery point, after some damage. */
async function afterDamage(
  sizes: readonly number[],
  damage: (disk: SimNode["disk"]) => void,
): Promise<{ state: string | undefined; end: number | undefined }> {
  const simulation = new Simulation({ seed: 9 });
  const node = simulation.node("broker");
  return await simulation.run(async () => {
    const log = await createLog(await openManager({ runtime: node.runtime() }));
    for (const size of sizes) {
      log.append(batchOfBytes(size), { leaderEpoch: 0 });
    }
    await log.whenFlushed(sizes.length - 1);
    node.crash();
    damage(node.disk);
    const again = (await openManager({ runtime: node.runtime() })).getLog("events", 0);
    return { state: again?.state, end: again?.logEndOffset };
  });
}

describe("recovery", () => {
  it("cuts a torn tail at every length to the whole batches before it", async () => {
    await withUnverifiedTail(async ({ restart, size, batchBytes }) => {
      for (let length = 0; length <= size; length++) {
        const runtime = restart();
        const file = await runtime.fileSystem.open(LOG, "readWrite");
        await file.truncate(length);
        await file.close();
        const manager = await openManager({ runtime });
        const log = manager.getLog("events", 0);
        expect(log?.state).toBe("online");
        expect(log?.logEndOffset).toBe(Math.floor(length / batchBytes));
        expect(log?.sizeBytes).toBe(Math.floor(length / batchBytes) * batchBytes);
      }
    });
  });

  it("finds every flipped bit past the recovery point: cut in the last batch, quarantined before it", async () => {
    await withUnverifiedTail(async ({ simulation, restart, size, batchBytes }) => {
      for (let bit = 0; bit < size * 8; bit += 3) {
        const runtime = restart();
        const { disk } = simulation.node("broker");
        disk.flipBit(LOG, bit);
        const log = (await openManager({ runtime })).getLog("events", 0);
        const damaged = Math.floor(bit / 8 / batchBytes);
        if (damaged === COUNT - 1) {
          expect(log?.state).toBe("online");
          expect(log?.logEndOffset).toBe(damaged);
          expect((await valuesOf(log as never)).size).toBe(damaged);
          continue;
        }
        // The batches behind it may have been acknowledged: nobody may write over them.
        expect(log?.state).toBe("quarantined");
        expect(log?.logEndOffset).toBe(COUNT);
        expect(disk.peek(LOG).length).toBe(size);
        const read = log?.read({
          offset: damaged,
          maxBytes: 100,
          endOffset: COUNT,
          minOneBatch: true,
        });
        await expect(read).rejects.toMatchObject({ code: "PARTITION_QUARANTINED" });
      }
    });
  });

  it("cuts what follows a sector that a power cut kept from being written", async () => {
    const simulation = new Simulation({ seed: 8 });
    const node = simulation.node("broker");
    await simulation.run(async () => {
      const manager = await openManager({ runtime: node.runtime() });
      const log = await createLog(manager);
      for (let index = 0; index < 30; index++) {
        log.append(batchOf({ values: [`value-${index}`] }), { leaderEpoch: 0 });
      }
      await log.whenFlushed(29);
      node.crash();
      const batchBytes = node.disk.peek(LOG).length / 30;
      node.disk.corrupt(LOG, { position: 512, length: 512, kind: "zeros" });
      const again = (await openManager({ runtime: node.runtime() })).getLog("events", 0);
      expect(again?.state).toBe("online");
      expect(again?.logEndOffset).toBe(Math.floor(512 / batchBytes));
    });
  });

  it("cuts a lost sector that holds the end of a batch and the zeros its successor begins with", async () => {
    for (let shared = 1; shared <= 12; shared++) {
      const sizes = [500, 1_036 - shared, 100, 100];
      const found = await afterDamage(sizes, (disk) => {
        disk.corrupt(LOG, { position: 1_024, length: 512, kind: "zeros" });
      });
      expect(found, `${shared} bytes`).toEqual({ state: "online", end: 1 });
    }
  });

  it("cuts a batch of whose lost first sector its CRC covers nothing", async () => {
    // Of the base offset 3 seven bytes are zeros: nothing is lost with those.
    for (let own = 1; own <= 60; own++) {
      const sizes = [200, 200, 1_136 - own, 700, 100];
      const found = await afterDamage(sizes, (disk) => {
        disk.corrupt(LOG, { position: 1_536 - own, length: own, kind: "zeros" });
      });
      expect(found, `${own} bytes`).toEqual({ state: "online", end: own < 8 ? 5 : 3 });
    }
  });

  it("does not take one flipped bit of a base offset for a lost sector", async () => {
    for (let own = 8; own <= 11; own++) {
      const sizes = [200, 1_336 - own, 700, 100];
      const found = await afterDamage(sizes, (disk) => {
        disk.flipBit(LOG, (1_536 - own + 7) * 8 + 1);
      });
      expect(found, `${own} bytes`).toEqual({ state: "quarantined", end: 4 });
    }
  });

  it("would serve a damaged batch if the CRC were skipped (negative control)", async () => {
    await withUnverifiedTail(async ({ simulation, restart, size }) => {
      const runtime = restart();
      simulation.node("broker").disk.flipBit(LOG, (size - 3) * 8);
      const crc32c = (bytes: Uint8Array): number => {
        const before = new DataView(bytes.buffer, bytes.byteOffset - 4, 4);
        return before.getUint32(0);
      };
      const compute = {
        ...runtime.compute,
        crc32c,
        compress: runtime.compute.compress,
        decompress: runtime.compute.decompress,
        codecs: runtime.compute.codecs,
      };
      const manager = await openManager({ runtime: { ...runtime, compute } });
      expect(manager.getLog("events", 0)?.logEndOffset).toBe(COUNT);
    });
  });

  it("never cuts below the recovery point: a log shorter than it is quarantined", async () => {
    const simulation = new Simulation({ seed: 3 });
    const node = simulation.node("broker");
    await simulation.run(async () => {
      const manager = await openManager({ runtime: node.runtime() });
      const log = await createLog(manager);
      for (let index = 0; index < COUNT; index++) {
        log.append(batchOf({ values: ["x"] }), { leaderEpoch: 0 });
      }
      await log.whenFlushed(COUNT - 1);
      await manager.close();
      const runtime = node.runtime();
      const file = await runtime.fileSystem.open(LOG, "readWrite");
      await file.truncate(100);
      await file.close();
      const kinds: string[] = [];
      for await (const item of verifyDirectory(runtime.fileSystem, "/data", {
        compute: runtime.compute,
      })) {
        kinds.push(item.kind === "finding" ? item.finding.severity : item.kind);
      }
      expect(kinds).toEqual(["damage", "summary"]);
      const again = (await openManager({ runtime })).getLog("events", 0);
      expect(again?.state).toBe("quarantined");
      expect(again?.logEndOffset).toBe(COUNT);
      expect(node.disk.peek(LOG).length).toBe(100);
      const read = again?.read({ offset: 3, maxBytes: 100, endOffset: COUNT, minOneBatch: true });
      await expect(read).rejects.toMatchObject({ code: "PARTITION_QUARANTINED" });
    });
  });

  it("forgets nothing about producers, unless their state is made to (negative control)", async () => {
    const simulation = new Simulation({ seed: 9 });
    const node = simulation.node("broker");
    await simulation.run(async () => {
      const manager = await openManager({ runtime: node.runtime() });
      const log = await createLog(manager);
      const first = batchOf({ values: ["x"], producerId: 4, baseSequence: 0 });
      log.append(first, { leaderEpoch: 0 });
      await log.whenFlushed(0);
      node.crash();
      const retry = () => batchOf({ values: ["x"], producerId: 4, baseSequence: 0 });
      const kept = (await openManager({ runtime: node.runtime() })).getLog("events", 0);
      expect(kept?.append(retry(), { leaderEpoch: 0 })).toMatchObject({
        isDuplicate: true,
        baseOffset: 0,
      });
      node.crash();
      class Forgetful extends ProducerState {
        override replay(): void {
          // The planted bug.
        }
      }
      const runtime = node.runtime();
      const createProducerState = () => new Forgetful();
      const forgotten = (await openManager({ runtime, createProducerState })).getLog("events", 0);
      expect(forgotten?.append(retry(), { leaderEpoch: 0 })).toMatchObject({ isDuplicate: false });
    });
  });
});
