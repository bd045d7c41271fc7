import { isMillraceError } from "@millrace/protocol";
import { Simulation } from "@millrace/runtime/sim";
import { describe, expect, it } from "vitest";
import { appendFlushed, createLog, openManager } from "./testdata/harness.js";

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

describe("a truncation under readers", () => {
  it("is not taken for damage by anybody", async () => {
    for (let seed = 1; seed <= 60; seed++) {
      await readDuringTruncation(seed);
    }
  });
});
