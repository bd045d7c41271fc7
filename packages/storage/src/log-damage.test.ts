import { createSimRuntime, type SimNode, type Simulation } from "@millrace/runtime/sim";
import { describe, expect, it } from "vitest";
import type { Log, LogManager } from "./index.js";
import { appendFlushed, batchOf, createLog, openManager } from "./testdata/harness.js";

const SEGMENT = "/data/events-0/00000000000000000000.log";
const COUNT = 24;
/** No tail in memory: every read goes to the disk. */
const config = { tailCacheBytes: 0 };

async function readFrom(log: Log, offset: number): Promise<number> {
  const options = { offset, maxBytes: 1_000_000, endOffset: COUNT, minOneBatch: true };
  return (await log.read(options)).nextOffset;
}

/** A running broker whose one segment holds `COUNT` batches of one size. */
async function whileServing(
  work: (world: {
    simulation: Simulation;
    node: SimNode;
    manager: LogManager;
    log: Log;
    flip: (batch: number) => void;
  }) => Promise<void>,
): Promise<void> {
  const { simulation, node, runtime } = createSimRuntime();
  await simulation.run(async () => {
    const manager = await openManager({ runtime, config });
    const log = await createLog(manager);
    for (let index = 0; index < COUNT; index++) {
      await appendFlushed(log, { values: ["twenty bytes of value"] });
    }
    const batchBytes = node.disk.peek(SEGMENT).length / COUNT;
    // The last byte of the batch.
    const flip = (batch: number): void => {
      node.disk.flipBit(SEGMENT, (batchBytes * (batch + 1) - 1) * 8);
    };
    await work({ simulation, node, manager, log, flip });
  });
}

describe("bit rot under a serving log", () => {
  it("is refused, quarantines, and takes nothing else from readers", async () => {
    await whileServing(async ({ log, flip }) => {
      expect(await readFrom(log, 0)).toBe(COUNT);
      flip(7);
      flip(15);
      expect(await readFrom(log, 0)).toBe(7);
      await expect(readFrom(log, 7)).rejects.toMatchObject({ code: "CORRUPT_MESSAGE" });
      expect(log.state).toBe("quarantined");
      const outcome = log.append(batchOf({ values: ["x"] }), { leaderEpoch: 0 });
      expect(outcome).toMatchObject({ ok: false, error: "PARTITION_QUARANTINED" });
      expect(await readFrom(log, 8)).toBe(15);
      expect(await readFrom(log, 12)).toBe(15);
      expect(await readFrom(log, 16)).toBe(COUNT);
      for (const damaged of [7, 15]) {
        await expect(readFrom(log, damaged)).rejects.toMatchObject({
          code: "PARTITION_QUARANTINED",
        });
      }
    });
  });

  it("that comes later, in what was undamaged then, is refused too", async () => {
    await whileServing(async ({ log, flip }) => {
      flip(7);
      await expect(readFrom(log, 7)).rejects.toMatchObject({ code: "CORRUPT_MESSAGE" });
      expect(await readFrom(log, 8)).toBe(COUNT);
      flip(20);
      await expect(readFrom(log, 20)).rejects.toMatchObject({ code: "CORRUPT_MESSAGE" });
      expect(await readFrom(log, 8)).toBe(20);
      expect(await readFrom(log, 21)).toBe(COUNT);
    });
  });

  it("is looked for once, however many readers meet it", async () => {
    await whileServing(async ({ log, flip }) => {
      flip(3);
      const reads = Array.from({ length: 5 }, () => readFrom(log, 3));
      const outcomes = await Promise.allSettled(reads);
      expect(outcomes.map(({ status }) => status)).toEqual(Array(5).fill("rejected"));
      expect(await readFrom(log, 4)).toBe(COUNT);
    });
  });

  it("leaves readable what was on its way to the disk when it was found", async () => {
    await whileServing(async ({ log, flip }) => {
      flip(3);
      const late = log.append(batchOf({ values: ["late"] }), { leaderEpoch: 0 });
      await expect(readFrom(log, 3)).rejects.toMatchObject({ code: "CORRUPT_MESSAGE" });
      await log.whenFlushed(late.ok ? late.lastOffset : -1);
      const options = { offset: COUNT, maxBytes: 1_000, endOffset: COUNT + 1, minOneBatch: true };
      expect((await log.read(options)).nextOffset).toBe(COUNT + 1);
    });
  });

  it("would be served if the CRC were not looked at (negative control)", async () => {
    const { simulation, node, runtime } = createSimRuntime();
    await simulation.run(async () => {
      // What a batch claims stands before what its CRC covers; of whole files nothing does.
      const crc32c = (bytes: Uint8Array): number =>
        bytes.byteOffset < 4 ? 0 : new DataView(bytes.buffer, bytes.byteOffset - 4, 4).getUint32(0);
      const manager = await openManager({ runtime, config });
      const log = await createLog(manager);
      for (let index = 0; index < COUNT; index++) {
        await appendFlushed(log, { values: ["twenty bytes of value"] });
      }
      await manager.close();
      node.disk.flipBit(SEGMENT, (node.disk.peek(SEGMENT).length - 1) * 8);
      const next = node.runtime();
      const { compress, decompress, codecs } = next.compute;
      const compute = { crc32c, compress, decompress, codecs };
      const blind = (await openManager({ runtime: { ...next, compute }, config })).getLog(
        "events",
        0,
      );
      expect(await readFrom(blind as Log, 0)).toBe(COUNT);
    });
  });
});
