import { isMillraceError } from "@millrace/protocol";
import { Simulation } from "@millrace/runtime/sim";
import { describe, expect, it } from "vitest";
import { appendFlushed, createLog, openManager, valuesOf } from "./testdata/harness.js";

// Reads and look-ups by timestamp that run while the end is cut, at every stage of it: they may be told to try again, and
// never take the shorter file for damage.

const BATCHES = 40;

async function readDuringTruncation(seed: number): Promise<void> {
  const simulation = new Simulation({ seed });
  const node = simulation.node("broker");
  await simulation.run(async () => {
    const config = { tailCacheBytes: 0 };
    const manager = await openManager({ runtime: node.runtime(), config });
    const log = await createLog(manager, { "index.interval.bytes": "100" });
    for (let index = 0; index < BATCHES; index++) {
      await appendFlushed(log, { values: [`value-${index}`], timestamp: 1_000 + index });
    }
    let isOver = false;
    const errors: unknown[] = [];
    const asking = async (ask: () => Promise<unknown>): Promise<void> => {
      while (!isOver) {
        await ask().catch((error: unknown) => errors.push(error));
        await simulation.sleep(simulation.random.float() * 0.1);
      }
    };
    const { random } = simulation;
    const questions = [
      asking(() => log.offsetForTimestamp(1_000 + random.below(BATCHES))),
      asking(() => log.offsetForTimestamp(1_000 + random.below(BATCHES))),
      asking(() => log.maxTimestampOffset()),
      asking(async () => {
        const offset = random.below(log.logEndOffset);
        await log.read({ offset, maxBytes: 5_000, endOffset: BATCHES, minOneBatch: true });
      }),
    ];
    await log.truncateTo(1 + random.below(5));
    isOver = true;
    await Promise.all(questions);
    for (const error of errors) {
      expect(isMillraceError(error) && error.code).toBe("OFFSET_OUT_OF_RANGE");
    }
    expect(log.damage).toBeUndefined();
    await manager.close();
  });
}

/** The cut goes through a sealed segment whose indexes a look-up is just building, for they were lost. */
async function truncateWhileIndexesAreBuilt(seed: number): Promise<void> {
  const simulation = new Simulation({ seed });
  const { disk } = simulation.node("broker");
  const open = () =>
    openManager({
      runtime: simulation.node("broker").runtime(),
      config: { tailCacheBytes: 0, indexCacheBytes: 0 },
    });
  await simulation.run(async () => {
    const entries = { "segment.bytes": "1000", "index.interval.bytes": "50" };
    const first = await open();
    const written = await createLog(first, entries);
    for (let index = 0; index < BATCHES; index++) {
      await appendFlushed(written, { values: [`value-${index}`], timestamp: 1_000 + index });
    }
    await first.close();
    for (const path of disk.paths().filter((one) => /\.(index|timeindex)$/.test(one))) {
      disk.loseFile(path);
    }
    const second = await open();
    const log = await createLog(second, entries);
    const cut = log.truncateTo(8);
    // At a random moment of it, for the build takes only a part of the time that the truncation takes.
    await simulation.sleep(simulation.random.float() * 6);
    void log.offsetForTimestamp(1_000 + simulation.random.below(8)).catch(() => undefined);
    await cut;
    const expected = new Map(Array.from({ length: 8 }, (_, index) => [index, `value-${index}`]));
    for (let index = 0; index < 20; index++) {
      const offset = await appendFlushed(log, { values: [`new-${index}`], timestamp: 2_000 });
      expected.set(offset, `new-${index}`);
    }
    expect(await valuesOf(log)).toEqual(expected);
    await second.close();
    const third = await open();
    const again = await createLog(third, entries);
    expect(again.damage).toBeUndefined();
    expect(await valuesOf(again)).toEqual(expected);
    await third.close();
  });
}

describe("a truncation under readers", () => {
  it("is not taken for damage by anybody", async () => {
    for (let seed = 1; seed <= 60; seed++) {
      await readDuringTruncation(seed);
    }
  });

  it("leaves no reader's index of what was cut behind, in memory or on the disk", async () => {
    for (let seed = 1; seed <= 60; seed++) {
      await truncateWhileIndexesAreBuilt(seed);
    }
  });
});
