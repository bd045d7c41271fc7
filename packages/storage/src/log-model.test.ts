import { Simulation } from "@millrace/runtime/sim";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Log } from "./log.js";
import type { LogManager } from "./log-manager.js";
import { batchOf, createLog, openManager, valuesOf } from "./testdata/harness.js";

// A log against an array of values, over random operations, restarts and power cuts included.

type Step =
  | { readonly kind: "append"; readonly count: number; readonly waits: boolean }
  | { readonly kind: "truncate" | "deleteRecords"; readonly share: number }
  | { readonly kind: "restart" | "kill" | "powerLoss" | "checkpoint" };

const steps = fc.array(
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        kind: fc.constant("append" as const),
        count: fc.integer({ min: 1, max: 5 }),
        waits: fc.boolean(),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constantFrom("truncate" as const, "deleteRecords" as const),
        share: fc.float({ min: 0, max: 1, noNaN: true }),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constantFrom(
          "restart" as const,
          "kill" as const,
          "powerLoss" as const,
          "checkpoint" as const,
        ),
      }),
    },
  ),
  { maxLength: 25 },
);

class Model {
  /** Undefined where the model cannot know: never. By offset. */
  values: string[] = [];
  start = 0;
  acknowledged = 0;
}

async function runSteps(seed: number, plan: readonly Step[]): Promise<void> {
  const simulation = new Simulation({ seed });
  const node = simulation.node("broker");
  await simulation.run(async () => {
    const model = new Model();
    const open = async (): Promise<{ manager: LogManager; log: Log }> => {
      const manager = await openManager({
        runtime: node.runtime(),
        config: { tailCacheBytes: 8_000 },
      });
      const log = await createLog(manager, {
        "segment.bytes": "500",
        "index.interval.bytes": "100",
      });
      return { manager, log };
    };
    let { manager, log } = await open();
    let serial = 0;
    for (const step of plan) {
      switch (step.kind) {
        case "append": {
          const values = Array.from({ length: step.count }, () => `value-${serial++}`);
          const outcome = log.append(batchOf({ values }), { leaderEpoch: 0 });
          expect(outcome).toMatchObject({ ok: true, baseOffset: model.values.length });
          model.values.push(...values);
          const flushed = log.whenFlushed(model.values.length - 1).catch(() => undefined);
          if (step.waits) {
            await flushed;
            model.acknowledged = model.values.length;
          }
          break;
        }
        case "truncate": {
          const offset = model.start + Math.floor(step.share * (model.values.length - model.start));
          await log.truncateTo(offset);
          expect(log.logEndOffset).toBeLessThanOrEqual(Math.max(offset, log.logStartOffset));
          model.values.length = log.logEndOffset;
          model.start = log.logStartOffset;
          model.acknowledged = Math.min(model.acknowledged, log.flushedOffset);
          break;
        }
        case "deleteRecords": {
          const offset = model.start + Math.floor(step.share * (log.flushedOffset - model.start));
          await log.deleteRecordsBefore(offset);
          model.start = offset;
          break;
        }
        case "checkpoint":
          await node.runtime().clock.sleep(6_000);
          break;
        case "restart":
          await manager.close();
          model.acknowledged = model.values.length;
          break;
        case "kill":
          node.crash();
          break;
        case "powerLoss":
          node.crash({ powerLoss: true });
          break;
      }
      if (step.kind === "restart" || step.kind === "kill" || step.kind === "powerLoss") {
        ({ manager, log } = await open());
        expect(log.state).toBe("online");
        expect(log.logEndOffset).toBeGreaterThanOrEqual(model.acknowledged);
        expect(log.logEndOffset).toBeLessThanOrEqual(model.values.length);
        model.values.length = log.logEndOffset;
        model.acknowledged = log.logEndOffset;
      }
      expect(log.logStartOffset).toBe(model.start);
      const read = await valuesOf(log, 200);
      for (let offset = model.start; offset < log.flushedOffset; offset++) {
        expect(read.get(offset)).toBe(model.values[offset]);
      }
    }
  });
}

describe("Log", () => {
  it("agrees with an array over random operations, restarts and power cuts", async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(1_000_000), steps, async (seed, plan) => runSteps(seed, plan)),
      { numRuns: 150 },
    );
  });
});
