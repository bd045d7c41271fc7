import { describe, expect, it } from "vitest";
import { type Client, clients } from "./clients.js";
import { planSeconds, sessionSeconds, stepSeconds } from "./estimate.js";
import { planText } from "./overview.js";
import { placeOf, type Session } from "./plan.js";
import { Progress, partRatio } from "./progress.js";
import { emptyResults, type Measurement, record } from "./results.js";
import { type Workload, workloads } from "./workloads.js";

const machine = { cpu: "x", cores: 2, memoryBytes: 1, kernel: "x", fileSystem: "x", node: "x" };
const redis = clients.find(({ name }) => name === "redis") as Client;
const [first, second] = workloads as readonly [Workload, Workload];
const session = (run: number): Session => ({
  server: "redis",
  durability: "strict",
  group: "core",
  run,
  steps: [
    { client: redis, workload: first },
    { client: redis, workload: second },
  ],
});

function measured(of: Session, index: 0 | 1, tookSeconds: number): Measurement {
  const step = of.steps[index] as Session["steps"][number];
  return { ...placeOf(of, step), at: "2026-01-01T00:00:00Z", failure: "x", tookSeconds };
}

describe("estimates", () => {
  it("are what a measurement took before, once it did", () => {
    const results = emptyResults(machine);
    const [step] = session(1).steps as [Session["steps"][number]];
    const guess = stepSeconds(results, session(1), step);
    expect(guess).toBeGreaterThan(0);
    record(results, measured(session(1), 0, guess + 100));
    expect(stepSeconds(results, session(2), step)).toBe(guess + 100);
    results.serverSeconds = { "redis/strict": 40 };
    expect(sessionSeconds(results, { ...session(2), steps: [step] })).toBe(guess + 140);
  });

  it("of a plan are the sum of its turns, and are printed", () => {
    const results = emptyResults(machine);
    const plan = [session(1), session(2)];
    expect(planSeconds(results, plan)).toBeCloseTo(2 * sessionSeconds(results, session(1)));
    expect(planText(results, plan)).toMatch(/core, round 2: .* min\n {2}redis\/strict +2 measure/);
    expect(planText(results, plan)).toMatch(/4 measurements, about .* min\n$/);
  });
});

describe("progress", () => {
  it("counts down to nothing, and knows better as soon as a round was measured", () => {
    const results = emptyResults(machine);
    const plan = [session(1), session(2)] as const;
    const progress = new Progress(results, plan);
    expect(progress.secondsLeft).toBeCloseTo(planSeconds(results, plan));
    const slow = measured(plan[0], 0, 600);
    record(results, slow);
    expect(progress.lineAfter(plan[0], slow)).toContain("1/4");
    expect(progress.secondsLeft).toBeGreaterThan(600);
    progress.lineAfter(plan[0], measured(plan[0], 1, 1));
    progress.ended(plan[0]);
    expect(progress.secondsLeft).toBeCloseTo(sessionSeconds(results, plan[1]));
    progress.ended(plan[1]);
    expect(progress.secondsLeft).toBe(0);
  });
});

describe("a part beside the disk", () => {
  it("is compared with the mean of its two neighbours", () => {
    expect(partRatio({ megabytesPerSecond: 150, diskBefore: 100, diskAfter: 300 })).toBe(0.75);
  });
});
