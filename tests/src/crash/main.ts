// npm run crash -- --rounds N [--seed S] [--power-cut] [--flush os] [--expect-loss] [--json]
//
// Real processes, the real file system, kill -9 at random moments. Exit code 1 when anything acknowledged is
// lost, duplicated or out of order; with --expect-loss (the negative control) when nothing is.

import { parseArgs } from "node:util";
import { buildShim, powerCutProblem } from "../power-cut/real-disk.js";
import { type RoundResult, runRounds } from "./rounds.js";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "20" },
    seed: { type: "string" },
    "power-cut": { type: "boolean", default: false },
    flush: { type: "string", default: "sync" },
    "expect-loss": { type: "boolean", default: false },
    json: { type: "boolean", default: false },
  },
});

function printRound(round: RoundResult, rounds: number): void {
  const { verdict } = round;
  const cut =
    values["power-cut"] === true
      ? `, the cut took ${round.lostBytes} bytes and ${round.lostNames} names`
      : "";
  console.log(
    `round ${String(round.round + 1).padStart(String(rounds).length)}/${rounds}: killed after ${round.killedAfterMs.toFixed(0).padStart(3)} ms${cut}; ` +
      `${verdict.acknowledged} acknowledged, ${verdict.read} read, ${verdict.lost} lost, ${verdict.duplicated} duplicated, ${verdict.outOfOrder} out of order`,
  );
}

async function main(): Promise<number> {
  const rounds = Number(values.rounds);
  const seed =
    values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(values.seed);
  if (values.flush !== "sync" && values.flush !== "os") {
    console.error("--flush is sync or os");
    return 64;
  }
  const problem = values["power-cut"] === true ? powerCutProblem() : undefined;
  if (problem !== undefined) {
    console.log(`skipped: ${problem}`);
    return 0;
  }
  const result = await runRounds({
    rounds,
    seed,
    shim: values["power-cut"] === true ? buildShim() : undefined,
    flush: values.flush,
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
    console.log(
      `${result.rounds} rounds (seed ${seed}), ${result.killedWhileStarting} more kills while starting: ` +
        `${result.acknowledged} acknowledged; ${result.lost} lost, ${result.duplicated} duplicated, ${result.outOfOrder} out of order` +
        (values["power-cut"] === true
          ? `; the cuts took ${result.lostBytes} bytes and ${result.lostNames} names`
          : ""),
    );
  }
  const bad = result.lost + result.duplicated + result.outOfOrder;
  if (values["expect-loss"] === true) {
    console.log(
      bad > 0 ? "as expected, it lost" : "nothing was lost, but something should have been",
    );
    return bad > 0 ? 0 : 1;
  }
  return bad > 0 ? 1 : 0;
}

process.exitCode = await main();
