// npm run sim -- --suite broker|storage --seeds N [--from S] | --seed S [--trace] [--bug B] | --planted  [--jobs J] [--json]
//
// Runs seeds of a suite and prints what they saw. A failure prints its seed and the command that replays it.

import { parseArgs } from "node:util";
import { forEachSeed, type RunSeed } from "./seed-runners.js";
import type { SeedResult, Suite } from "./suite.js";
import { suites } from "./suites.js";
import { printFaults, Tally } from "./tally.js";

/** One in so many runs twice: the same seed must give the same run, to the event. */
const DOUBLED_ONE_IN = 100;
const LINE_EVERY_MS = 5_000;

const { values } = parseArgs({
  options: {
    suite: { type: "string", default: "broker" },
    seeds: { type: "string", default: "100" },
    from: { type: "string", default: "1" },
    seed: { type: "string" },
    trace: { type: "boolean", default: false },
    planted: { type: "boolean", default: false },
    bug: { type: "string" },
    jobs: { type: "string", default: "1" },
    json: { type: "boolean", default: false },
  },
});

function printFailure(suite: Suite, result: SeedResult, bug?: string): void {
  const planted = bug === undefined ? "" : ` --bug ${bug}`;
  say(`seed ${result.seed} FAILED: ${result.problem}`);
  say(`  replay: npm run sim -- --suite ${suite.name} --seed ${result.seed}${planted}`);
}

/** With --json only one object goes to the standard output. */
function say(text: string): void {
  if (values.json) {
    console.error(text);
  } else {
    console.log(text);
  }
}

async function runSeeds(suite: Suite, first: number, count: number): Promise<number> {
  const tally = new Tally(suite);
  let lastLineAt = performance.now();
  const jobs = Math.max(1, Math.min(count, Number(values.jobs)));
  await forEachSeed({ suite, first, count, jobs }, async (seed, run) => {
    const result = await run(seed);
    tally.add(result);
    if (result.problem !== undefined) {
      printFailure(suite, result);
    }
    if (seed % DOUBLED_ONE_IN === 1) {
      await runAgain(run, result, tally);
    }
    if (performance.now() - lastLineAt > LINE_EVERY_MS) {
      lastLineAt = performance.now();
      say(tally.line(count));
    }
  });
  if (values.json) {
    console.log(JSON.stringify(tally.summary()));
  } else {
    console.log("faults seen:");
    printFaults(tally.faults);
    console.log(tally.line(count));
  }
  for (const kind of tally.neverSeen) {
    say(`never seen: ${kind}`);
  }
  return tally.failed.length + tally.neverSeen.length === 0 ? 0 : 1;
}

async function runAgain(run: RunSeed, first: SeedResult, tally: Tally): Promise<void> {
  const again = await run(first.seed);
  if (again.traceHash !== first.traceHash) {
    say(`seed ${first.seed} is not deterministic: ${first.traceHash}, then ${again.traceHash}`);
    tally.failed.push(again);
  }
}

async function runOne(suite: Suite, seed: number, bug: string | undefined): Promise<number> {
  const log = values.trace ? (line: string): void => console.log(line) : undefined;
  const result = await suite.run({ seed, bug, log });
  const again = await suite.run({ seed, bug });
  const isSame = again.traceHash === result.traceHash;
  console.log(
    `seed ${seed}: ${result.acknowledged} acknowledged, ${result.read} read, ${(result.virtualMs / 1000).toFixed(1)} virtual s, ` +
      `${result.eventCount} events, trace ${result.traceHash}${isSame ? " (again the same)" : `, then ${again.traceHash}: NOT DETERMINISTIC`}` +
      `${result.counts ? "" : " (does not count: too little happened)"}`,
  );
  printFaults(result.faults);
  if (result.problem !== undefined) {
    printFailure(suite, result, bug);
  }
  return result.problem === undefined && isSame ? 0 : 1;
}

/** Every planted bug must be caught; and the same seed without it must pass. */
async function runPlanted(suite: Suite): Promise<number> {
  let missed = 0;
  for (const bug of suite.bugs) {
    const caught = await firstCaught(suite, bug);
    if (caught === undefined) {
      missed++;
      console.log(`${bug}: NOT caught in ${suite.plantedSeedsMax} seeds`);
      continue;
    }
    const clean = await suite.run({ seed: caught.seed });
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

async function firstCaught(suite: Suite, bug: string): Promise<SeedResult | undefined> {
  for (let seed = 1; seed <= suite.plantedSeedsMax; seed++) {
    const result = await suite.run({ seed, bug });
    if (result.problem !== undefined) {
      return result;
    }
  }
  return undefined;
}

async function main(): Promise<number> {
  const suite = suites.find(({ name }) => name === values.suite);
  if (suite === undefined) {
    const names = suites.map(({ name }) => `--suite ${name}`).join(" or ");
    console.error(`there is no suite "${values.suite}"; ${names}`);
    return 64;
  }
  const { bug } = values;
  if (bug !== undefined && !suite.bugs.includes(bug)) {
    console.error(`--bug is one of ${suite.bugs.join(", ")}`);
    return 64;
  }
  if (bug !== undefined && values.seed === undefined) {
    console.error("--bug goes with --seed; --planted looks for the seeds that catch them all");
    return 64;
  }
  if (values.planted) {
    return await runPlanted(suite);
  }
  if (values.seed !== undefined) {
    return await runOne(suite, Number(values.seed), bug);
  }
  return await runSeeds(suite, Number(values.from), Number(values.seeds));
}

process.exitCode = await main();
