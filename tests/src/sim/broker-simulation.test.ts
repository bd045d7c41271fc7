import { describe, expect, it } from "vitest";
import { countsFrom, runBrokerSeed } from "./broker-seed.js";
import { plantedBugs } from "./planted-bugs.js";
import { brokerRegressions } from "./regressions.js";

/** A fixed share of the suite; `npm run sim` runs any number. */
const SEEDS = 24;
/** A planted bug needs the right mixture of faults; these many seeds always had it. */
const PLANTED_SEEDS_MAX = 60;

describe("the broker and its clients, simulated", () => {
  it(`keep every promise through ${SEEDS} seeds of crashes and faults`, {
    timeout: 240_000,
  }, async () => {
    let counted = 0;
    for (let seed = 1; seed <= SEEDS; seed++) {
      const result = await runBrokerSeed({ seed });
      expect(result.problem, `npm run sim -- --suite broker --seed ${seed}`).toBeUndefined();
      counted += result.counts ? 1 : 0;
    }
    // A seed in which hardly anything happened proves nothing.
    expect(counted).toBeGreaterThanOrEqual(SEEDS * 0.8);
    expect(countsFrom.acknowledged).toBeGreaterThanOrEqual(1_000);
  });

  it("give the same run, to the event, for the same seed", { timeout: 60_000 }, async () => {
    const first = await runBrokerSeed({ seed: 3 });
    const second = await runBrokerSeed({ seed: 3 });
    expect(second.traceHash).toBe(first.traceHash);
    expect(second.eventCount).toBe(first.eventCount);
  });

  for (const { seed, found } of brokerRegressions) {
    it(`keep every promise with seed ${seed}, which once found: ${found}`, {
      timeout: 60_000,
    }, async () => {
      expect((await runBrokerSeed({ seed })).problem).toBeUndefined();
    });
  }

  for (const bug of plantedBugs) {
    it(`are caught when they ${bug.replaceAll("-", " ")}`, { timeout: 240_000 }, async () => {
      for (let seed = 1; seed <= PLANTED_SEEDS_MAX; seed++) {
        if ((await runBrokerSeed({ seed, bug })).problem !== undefined) {
          return;
        }
      }
      expect.fail(`${bug} went unnoticed through ${PLANTED_SEEDS_MAX} seeds`);
    });
  }
});
