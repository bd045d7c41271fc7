// npm run crash -- --rounds N [--seed S] [--compacted] [--power-cut] [--json]
//   negative controls: [--flush os] [--drop-journal] [--expect-loss]
//
// Real processes, the real file system, kill -9 at random moments. Exit code 1 when anything acknowledged is lost,
// duplicated or out of order, or something is there that was never sent, or a partition is damaged; with --expect-loss
// when nothing of that is so.
// And when the rounds would show nothing: the commit journal, the log cleaner (--compacted) or the background
// verification did no work.

import { parseArgs } from "node:util";
import { buildShim, powerCutProblem } from "../power-cut/real-disk.js";
import { type RoundResult, type RoundsResult, runRounds, violations } from "./rounds.js";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "20" },
    seed: { type: "string" },
    "power-cut": { type: "boolean", default: false },
    compacted: { type: "boolean", default: false },
    flush: { type: "string", default: "sync" },
    "drop-journal": { type: "boolean", default: false },
    "expect-loss": { type: "boolean", default: false },
    json: { type: "boolean", default: false },
  },
});

const isCompacted = values.compacted === true;
const cutsPower = values["power-cut"] === true;

function printRound(round: RoundResult, rounds: number): void {
  const { verdict } = round;
  const cut = cutsPower ? `, the cut took ${round.lostBytes} bytes, ${round.lostNames} names` : "";
  const cleanings = isCompacted ? `, ${round.cleanings} cleanings` : "";
  console.log(
    `round ${String(round.round + 1).padStart(String(rounds).length)}/${rounds}: killed after ${round.killedAfterMs.toFixed(0).padStart(3)} ms, ` +
      `journal ${round.journalCommits} commits of ${round.journalRounds} rounds${cleanings}, ${round.scrubbedBytes} bytes verified${cut}; ` +
      `${verdict.acknowledged} acknowledged, ${verdict.read} read, ${violationsOf(verdict)}`,
  );
}

function violationsOf(counts: Parameters<typeof violations>[0]): string {
  const { duplicated, invented, lost, outOfOrder, refused } = counts;
  const partitions = refused === 0 ? "" : `, ${refused} partitions refused`;
  return `${lost} lost, ${duplicated} duplicated, ${outOfOrder} out of order, ${invented} invented${partitions}`;
}

/** Why the rounds show nothing, if so. */
function idleParts(result: RoundsResult): string[] {
  return [
    ...(result.journalCommits === 0 ? ["the commit journal was never used"] : []),
    ...(isCompacted && result.cleanings === 0 ? ["the log cleaner never cleaned"] : []),
    ...(result.scrubbedBytes === 0 ? ["the background verification read nothing"] : []),
  ];
}

async function main(): Promise<number> {
  const rounds = Number(values.rounds);
  const seed =
    values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(values.seed);
  if (values.flush !== "sync" && values.flush !== "os") {
    console.error("--flush is sync or os");
    return 64;
  }
  const problem = cutsPower ? powerCutProblem() : undefined;
  if (problem !== undefined) {
    console.log(`skipped: ${problem}`);
    return 0;
  }
  const result = await runRounds({
    rounds,
    seed,
    shim: cutsPower ? buildShim() : undefined,
    flush: values.flush,
    isCompacted,
    dropsJournal: values["drop-journal"] === true,
    onRound: (round) => {
      if (values.json !== true) {
        printRound(round, rounds);
      }
    },
  });
  if (values.json === true) {
    console.log(JSON.stringify({ seed, ...result }));
  } else {
    for (const line of result.problems) {
      console.log(`  ${line}`);
    }
    const cut = cutsPower
      ? `; the cuts took ${result.lostBytes} bytes and ${result.lostNames} names`
      : "";
    console.log(
      `${result.rounds} rounds (seed ${seed}), ${result.killedWhileStarting} more kills while starting: ${result.acknowledged} acknowledged; ${violationsOf(result)}${cut}; ` +
        `journal: ${result.journalCommits} commits of ${result.journalRounds} rounds, ${result.cleanings} cleanings, ${result.scrubbedBytes} bytes verified`,
    );
  }
  const bad = violations(result);
  if (values["expect-loss"] === true) {
    console.log(
      bad > 0 ? "as expected, it lost" : "nothing was lost, but something should have been",
    );
    return bad > 0 ? 0 : 1;
  }
  const idle = idleParts(result);
  for (const part of idle) {
    console.error(`these rounds show nothing: ${part}`);
  }
  return bad > 0 || idle.length > 0 ? 1 : 0;
}

process.exitCode = await main();
