// npm run sim -- --suite broker --seeds N [--from S] | --seed S [--trace] | --planted
//
// Runs seeds of a suite and prints what they saw. A failure prints its seed and the command that replays it.

import { parseArgs } from "node:util";
import { runBrokerSeed, type SeedResult } from "./broker-seed.js";
import { type PlantedBug, plantedBugs } from "./planted-bugs.js";

const PLANTED_SEEDS_MAX = 60;

const { values } = parseArgs({
  options: {
    suite: { type: "string", default: "broker" },
    seeds: { type: "string", default: "100" },
    from: { type: "string", default: "1" },
    seed: { type: "string" },
    trace: { type: "boolean", default: false },
    planted: { type: "boolean", default: false },
    bug: { type: "string" },
    json: { type: "boolean", default: false },
  },
});

/** Seeds run until now, and all they saw. */
class Tally {
  ran = 0;
  counted = 0;
  acknowledged = 0;
  virtualMs = 0;
  events = 0;
  readonly failed: SeedResult[] = [];
  readonly faults = new Map<string, number>();
  readonly #startedAt = performance.now();

  add(result: SeedResult): void {
    this.ran++;
    this.counted += result.counts ? 1 : 0;
    this.acknowledged += result.acknowledged;
    this.virtualMs += result.virtualMs;
    this.events += result.eventCount;
    for (const [kind, count] of result.faults) {
      this.faults.set(kind, (this.faults.get(kind) ?? 0) + count);
    }
    if (result.problem !== undefined) {
      this.failed.push(result);
    }
  }

  get seconds(): number {
    return (performance.now() - this.#startedAt) / 1000;
  }

  line(total: number): string {
    return (
      `${this.ran}/${total} seeds, ${this.counted} count, ${this.failed.length} failed; ` +
      `${this.acknowledged} acknowledged records, ${(this.virtualMs / 3_600_000).toFixed(1)} virtual hours; ` +
      `${(this.ran / this.seconds).toFixed(1)} seeds/s, ${Math.round(this.virtualMs / 1000 / this.seconds)} times real time`
    );
  }
}

function replayCommand(seed: number, bug?: PlantedBug): string {
  return `npm run sim -- --suite broker --seed ${seed}${bug === undefined ? "" : ` --bug ${bug}`}`;
}

function printFailure(result: SeedResult, bug?: PlantedBug): void {
  console.log(`seed ${result.seed} FAILED: ${result.problem}`);
  console.log(`  replay: ${replayCommand(result.seed, bug)}`);
}

function printFaults(faults: ReadonlyMap<string, number>): void {
  const width = Math.max(0, ...[...faults.keys()].map((kind) => kind.length));
  for (const [kind, count] of [...faults].sort(([a], [b]) => (a < b ? -1 : 1))) {
    console.log(`  ${kind.padEnd(width)} ${String(count).padStart(8)}`);
  }
}

async function runSeeds(first: number, count: number): Promise<number> {
  const tally = new Tally();
  let lastLineAt = performance.now();
  for (let seed = first; seed < first + count; seed++) {
    const result = await runBrokerSeed({ seed });
    tally.add(result);
    if (result.problem !== undefined) {
      printFailure(result);
    }
    // One in a hundred runs twice: the same seed must give the same run, to the event.
    if (seed % 100 === 1) {
      const again = await runBrokerSeed({ seed });
      if (again.traceHash !== result.traceHash) {
        console.log(
          `seed ${seed} is not deterministic: ${result.traceHash}, then ${again.traceHash}`,
        );
        tally.failed.push(again);
      }
    }
    if (performance.now() - lastLineAt > 5_000) {
      lastLineAt = performance.now();
      console.log(tally.line(count));
    }
  }
  if (values.json) {
    console.log(JSON.stringify({ ...summary(tally), faults: Object.fromEntries(tally.faults) }));
  } else {
    console.log("faults seen:");
    printFaults(tally.faults);
    console.log(tally.line(count));
  }
  return tally.failed.length === 0 ? 0 : 1;
}

function summary(tally: Tally): Record<string, unknown> {
  return {
    seeds: tally.ran,
    counted: tally.counted,
    acknowledged: tally.acknowledged,
    virtualHours: tally.virtualMs / 3_600_000,
    seedsPerSecond: tally.ran / tally.seconds,
    failedSeeds: tally.failed.map((result) => result.seed),
  };
}

async function runOne(seed: number, bug: PlantedBug | undefined): Promise<number> {
  const result = await runBrokerSeed({
    seed,
    bug,
    log: values.trace ? (line) => console.log(line) : undefined,
  });
  console.log(
    `seed ${seed}: ${result.acknowledged} acknowledged, ${result.read} read, ${(result.virtualMs / 1000).toFixed(1)} virtual s, ` +
      `${result.eventCount} events, trace ${result.traceHash}${result.counts ? "" : " (does not count: too little happened)"}`,
  );
  printFaults(result.faults);
  if (result.problem !== undefined) {
    printFailure(result, bug);
    return 1;
  }
  return 0;
}

/** Every planted bug must be caught; and the same seed without it must pass. */
async function runPlanted(): Promise<number> {
  let missed = 0;
  for (const bug of plantedBugs) {
    const caught = await firstCaught(bug);
    if (caught === undefined) {
      missed++;
      console.log(`${bug}: NOT caught in ${PLANTED_SEEDS_MAX} seeds`);
      continue;
    }
    const clean = await runBrokerSeed({ seed: caught.seed });
    const note =
      clean.problem === undefined
        ? "without it the seed passes"
        : "but the seed fails without it, too";
    missed += clean.problem === undefined ? 0 : 1;
    console.log(
      `${bug}: caught by seed ${caught.seed} (${caught.problem?.split("\n")[0]}); ${note}`,
    );
  }
  return missed === 0 ? 0 : 1;
}

async function firstCaught(bug: PlantedBug): Promise<SeedResult | undefined> {
  for (let seed = 1; seed <= PLANTED_SEEDS_MAX; seed++) {
    const result = await runBrokerSeed({ seed, bug });
    if (result.problem !== undefined) {
      return result;
    }
  }
  return undefined;
}

function parseBug(name: string | undefined): PlantedBug | undefined {
  if (name !== undefined && !plantedBugs.includes(name as PlantedBug)) {
    throw new Error(`--bug is one of ${plantedBugs.join(", ")}`);
  }
  return name as PlantedBug | undefined;
}

async function main(): Promise<number> {
  if (values.suite !== "broker") {
    console.error(`there is no suite "${values.suite}"; --suite broker`);
    return 64;
  }
  if (values.planted) {
    return await runPlanted();
  }
  if (values.seed !== undefined) {
    return await runOne(Number(values.seed), parseBug(values.bug));
  }
  return await runSeeds(Number(values.from), Number(values.seeds));
}

process.exitCode = await main();
