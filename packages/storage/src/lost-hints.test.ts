import { crc32c } from "@millrace/runtime";
import { createSimRuntime, SIMULATION_EPOCH_MS, type SimNode } from "@millrace/runtime/sim";
import { describe, expect, it } from "vitest";
import { encodeProducerSnapshot } from "./core/producer-snapshot.js";
import type { Log } from "./log.js";
import { parseLogConfig } from "./log-config.js";
import { appendFlushed, batchOf, createLog, openManager } from "./testdata/harness.js";

// What a start makes of damage to more than one file, found by the storage simulation: whatever is undamaged must be
// served as before, and nobody who asks may get an answer that the lost file alone explains.

const DIRECTORY = "/data/events-0";
const SIZE_AT = 8;
const LEADER_EPOCH_AT = 12;
const LAST_OFFSET_DELTA_AT = 23;

/** Opens, writes, closes, opens and closes, damages, opens again and checks. */
async function afterDamage(
  write: (log: Log) => Promise<void>,
  damage: (disk: SimNode["disk"]) => void,
  check: (log: Log) => Promise<void>,
): Promise<void> {
  const { simulation, node } = createSimRuntime();
  await simulation.run(async () => {
    const first = await openManager({ runtime: node.runtime() });
    await write(await createLog(first, { "segment.bytes": "1000" }));
    await first.close();
    const idle = await openManager({ runtime: node.runtime() });
    await idle.close();
    damage(node.disk);
    const second = await openManager({ runtime: node.runtime() });
    const log = second.getLog("events", 0);
    expect(log).toBeDefined();
    await check(log as Log);
    await second.close();
  });
}

async function writeFive(log: Log): Promise<void> {
  for (let index = 0; index < 5; index++) {
    await appendFlushed(log, { values: [`value-${index}`] });
  }
}

const read = async (log: Log, offset: number): Promise<number> => {
  const options = { offset, maxBytes: 1, endOffset: log.logEndOffset, minOneBatch: true };
  return (await log.read(options)).nextOffset;
};

describe("a start behind damage", () => {
  it("finds the undamaged batches behind one whose header lies about its end", async () => {
    await afterDamage(
      writeFive,
      (disk) => {
        const batchBytes = disk.peek(`${DIRECTORY}/00000000000000000000.log`).length / 5;
        const at = 2 * batchBytes + LAST_OFFSET_DELTA_AT;
        disk.flipBit(`${DIRECTORY}/00000000000000000000.log`, at * 8 + 4);
        disk.loseFile(`${DIRECTORY}/00000000000000000000.index-state`);
      },
      async (log) => {
        expect(log.state).toBe("quarantined");
        expect(log.logEndOffset).toBe(5);
        expect(await read(log, 1)).toBe(2);
        await expect(read(log, 2)).rejects.toMatchObject({ code: "PARTITION_QUARANTINED" });
        expect(await read(log, 3)).toBe(4);
        expect(await read(log, 4)).toBe(5);
      },
    );
  });

  it("knows the epochs behind a damaged batch when their checkpoint is lost, too", async () => {
    await afterDamage(
      async (log) => {
        for (let epoch = 0; epoch < 4; epoch++) {
          log.append(batchOf({ values: [`of epoch ${epoch}`] }), { leaderEpoch: epoch });
          await log.whenFlushed(epoch);
        }
      },
      (disk) => {
        const batchBytes = disk.peek(`${DIRECTORY}/00000000000000000000.log`).length / 4;
        disk.flipBit(`${DIRECTORY}/00000000000000000000.log`, (batchBytes + SIZE_AT) * 8 + 1);
        disk.loseFile(`${DIRECTORY}/00000000000000000000.index-state`);
        disk.loseFile(`${DIRECTORY}/leader-epoch-checkpoint`);
      },
      async (log) => {
        expect(log.state).toBe("quarantined");
        expect(await read(log, 2)).toBe(3);
        expect(await read(log, 3)).toBe(4);
      },
    );
  });

  it("knows the epochs behind damage in a segment that the start would have taken at its index state's word", async () => {
    await afterDamage(
      async (log) => {
        for (let offset = 0; offset < 20; offset++) {
          const outcome = log.append(batchOf({ values: ["twenty bytes of value"] }), {
            leaderEpoch: Math.floor(offset / 4),
          });
          expect(outcome.ok).toBe(true);
          await log.whenFlushed(offset);
        }
      },
      (disk) => {
        const path = `${DIRECTORY}/00000000000000000000.log`;
        const [, second = ""] = disk.paths().filter((one) => /\d\.log$/.test(one));
        const batchBytes = disk.peek(path).length / Number(second.slice(-24, -4));
        disk.flipBit(path, (2 * batchBytes + SIZE_AT) * 8 + 1);
        disk.loseFile(`${DIRECTORY}/leader-epoch-checkpoint`);
      },
      async (log) => {
        expect(log.state).toBe("quarantined");
        await expect(read(log, 2)).rejects.toMatchObject({ code: "PARTITION_QUARANTINED" });
        for (let offset = 3; offset < 20; offset++) {
          expect(await read(log, offset)).toBe(offset + 1);
        }
        expect(log.endOffsetForEpoch(0)).toEqual({ epoch: 0, endOffset: 4 });
        expect(log.endOffsetForEpoch(1)).toEqual({ epoch: 1, endOffset: 8 });
      },
    );
  });

  for (const place of ["active", "sealed"] as const) {
    it(`refuses the batch whose epoch alone rose, not the one behind it, when their checkpoint is lost: ${place} segment`, async () => {
      await afterDamage(
        async (log) => {
          await writeFive(log);
          if (place === "sealed") {
            await appendFlushed(log, { values: ["x".repeat(800)] });
          }
        },
        (disk) => {
          const path = `${DIRECTORY}/00000000000000000000.log`;
          const batchBytes = disk.peek(path).length / 5;
          disk.flipBit(path, (2 * batchBytes + LEADER_EPOCH_AT) * 8 + 1);
          disk.loseFile(`${DIRECTORY}/leader-epoch-checkpoint`);
        },
        async (log) => {
          expect(log.state).toBe("quarantined");
          expect(log.damage).toMatch(/leader epoch/);
          await expect(read(log, 2)).rejects.toMatchObject({ code: "PARTITION_QUARANTINED" });
          expect(await read(log, 1)).toBe(2);
          expect(await read(log, 3)).toBe(4);
          expect(await read(log, 4)).toBe(5);
          expect(log.latestEpoch).toBe(0);
        },
      );
    });
  }

  it("knows the epochs of records that are back because the log start is lost", async () => {
    await afterDamage(
      async (log) => {
        await writeFive(log);
        await log.deleteRecordsBefore(5);
      },
      (disk) => disk.loseFile("/data/log-start-offset-checkpoint"),
      async (log) => {
        expect(log.logStartOffset).toBe(0);
        expect(log.endOffsetForEpoch(0)).toEqual({ epoch: 0, endOffset: 5 });
      },
    );
  });

  it("knows those epochs, too, when the start that found the loss was killed before it stored them", async () => {
    const { simulation, node } = createSimRuntime();
    await simulation.run(async () => {
      const first = await openManager({ runtime: node.runtime() });
      const log = await createLog(first);
      await writeFive(log);
      await log.deleteRecordsBefore(5);
      await first.close();
      await (await openManager({ runtime: node.runtime() })).close();
      node.disk.loseFile("/data/log-start-offset-checkpoint");
      const second = await openManager({ runtime: node.runtime() });
      expect(second.getLog("events", 0)?.logStartOffset).toBe(0);
      node.crash();
      const third = (await openManager({ runtime: node.runtime() })).getLog("events", 0);
      expect(third?.logStartOffset).toBe(0);
      expect(third?.endOffsetForEpoch(0)).toEqual({ epoch: 0, endOffset: 5 });
    });
  });

  it("misses no segment among those that were deleted when a power cut takes one back and the log start is lost", async () => {
    const { simulation, node } = createSimRuntime();
    await simulation.run(async () => {
      const first = await openManager({ runtime: node.runtime() });
      const log = await createLog(first, { "segment.bytes": "200" });
      for (let offset = 0; offset < 20; offset++) {
        await appendFlushed(log, { values: [`value-${offset}`] });
      }
      const path = `${DIRECTORY}/00000000000000000000.log`;
      const deleted = node.disk.peek(path);
      await log.deleteRecordsBefore(15);
      await first.close();
      await (await openManager({ runtime: node.runtime() })).close();
      expect(node.disk.paths()).not.toContain(path);
      node.disk.plant(path, deleted);
      node.disk.loseFile("/data/log-start-offset-checkpoint");
      const again = (await openManager({ runtime: node.runtime() })).getLog("events", 0);
      expect(again?.state).toBe("online");
      expect(again?.logStartOffset).toBe(15);
      expect(again?.logEndOffset).toBe(20);
    });
  });

  it("forgets producers rather than refuse them by an outdated snapshot", async () => {
    const batch = (sequence: number): Uint8Array =>
      batchOf({ values: ["x".repeat(20)], producerId: 7, baseSequence: sequence });
    await afterDamage(
      async (log) => {
        for (let sequence = 0; sequence < 30; sequence++) {
          log.append(batch(sequence), { leaderEpoch: 0 });
          await log.whenFlushed(sequence);
        }
        await log.deleteRecordsBefore(30);
        log.updateConfig(parseLogConfig({ "retention.ms": "0" }));
        await log.applyRetention(SIMULATION_EPOCH_MS);
      },
      (disk) => {
        for (const path of disk.paths().filter((one) => one.endsWith(".producer-state"))) {
          disk.loseFile(path);
        }
        const first = { baseSequence: 0, lastSequence: 0, baseOffset: 0, lastOffset: 0 };
        const batches = [{ ...first, timestamp: 1_000 }];
        const entry = { producerEpoch: 0, batches, lastWriteMs: SIMULATION_EPOCH_MS };
        const snapshot = { offset: 1, producers: [[7, entry] as const] };
        const bytes = encodeProducerSnapshot(snapshot, { crc32c });
        disk.plant(`${DIRECTORY}/00000000000000000001.producer-state`, bytes);
      },
      async (log) => {
        expect(log.logStartOffset).toBe(30);
        expect(log.append(batch(30), { leaderEpoch: 0 })).toMatchObject({ ok: true });
      },
    );
  });

  it("leaves no file of a log whose deleted records a power cut took back, to be taken for damage", async () => {
    const { simulation, node } = createSimRuntime();
    await simulation.run(async () => {
      const first = await openManager({ runtime: node.runtime() });
      const log = await createLog(first, { flush: "os" });
      await writeFive(log);
      await log.deleteRecordsBefore(4);
      node.crash({ powerLoss: true, model: "nothing" });

      const second = await openManager({ runtime: node.runtime() });
      expect(second.getLog("events", 0)?.logStartOffset).toBe(4);
      await second.close();
      node.disk.loseFile("/data/log-start-offset-checkpoint");

      const third = await openManager({ runtime: node.runtime() });
      expect(third.getLog("events", 0)?.damage).toBeUndefined();
      await third.close();
    });
  });
});
