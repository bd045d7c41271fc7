import { describe, expect, it } from "vitest";
import { storageRegressions } from "../regressions.js";
import type { StorageBug } from "./planted-bugs.js";
import { runStorageSeed } from "./storage-seed.js";
import { requiredFaults, storageSuite } from "./storage-suite.js";

/** A fixed share of the suite; `npm run sim -- --suite storage` runs any number. */
const SEEDS = 40;

describe("the storage engine, simulated", () => {
  it(`keeps every promise through ${SEEDS} seeds of crashes, faults and damage`, {
    timeout: 120_000,
  }, async () => {
    const seen = new Set<string>();
    let counted = 0;
    for (let seed = 1; seed <= SEEDS; seed++) {
      const result = await runStorageSeed({ seed });
      expect(result.problem, `npm run sim -- --suite storage --seed ${seed}`).toBeUndefined();
      counted += result.counts ? 1 : 0;
      for (const kind of result.faults.keys()) {
        seen.add(kind);
      }
    }
    // A seed in which hardly anything happened proves nothing.
    expect(counted).toBeGreaterThanOrEqual(SEEDS * 0.8);
    expect(requiredFaults.filter((kind) => seen.has(kind)).length).toBeGreaterThan(
      requiredFaults.length / 2,
    );
  });

  it("gives the same run, to the event, for the same seed", { timeout: 60_000 }, async () => {
    const first = await runStorageSeed({ seed: 7 });
    const second = await runStorageSeed({ seed: 7 });
    expect(second.traceHash).toBe(first.traceHash);
    expect(second.eventCount).toBe(first.eventCount);
  });

  for (const { seed, found } of storageRegressions) {
    it(`keeps every promise with seed ${seed}, which once found: ${found}`, {
      timeout: 60_000,
    }, async () => {
      expect((await runStorageSeed({ seed })).problem).toBeUndefined();
    });
  }

  it("is caught out when it acknowledges before the sync, or believes damaged bytes", {
    timeout: 120_000,
  }, async () => {
    for (const bug of ["acknowledge-before-sync", "skip-crc-on-reads"] as const) {
      expect(await seedsUntilCaught(bug), bug).toBeLessThanOrEqual(storageSuite.plantedSeedsMax);
    }
  });
});

/** The other planted bugs are `npm run sim -- --suite storage --planted`'s. */
async function seedsUntilCaught(bug: StorageBug): Promise<number> {
  let seed = 1;
  while (seed <= storageSuite.plantedSeedsMax) {
    if ((await runStorageSeed({ seed, bug })).problem !== undefined) {
      break;
    }
    seed++;
  }
  return seed;
}
