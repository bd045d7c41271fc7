// npm run exhaustive -- [--place start,middle,end] [--kind "bit flip",...] [--sample N] [--workers N] [--json]
//
// Damages a 64 KiB segment in every way there is (each truncation length, each single bit, each zeroed sector), with the
// recovery point before, within and behind it; then every state file beside it, bit by bit. Recovers and reads each with
// the real engine. Exit code 1 when anything is served, lost or cut that must not be. `--sample 7`: every seventh case.

import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { createNodeRuntime } from "@millrace/runtime/node";
import { damageKinds } from "./damage-cases.js";
import { mergeResults, type RunResult, runCases } from "./run-cases.js";
import { buildSegmentScene, type RecoveryPointPlace } from "./segment-scene.js";
import { runStateFileCases, stateFiles } from "./state-files.js";

const PLACES: readonly RecoveryPointPlace[] = ["start", "middle", "end"];
const PROGRESS_MS = 1_000;

/** Every `stride`th case, from `first` on. */
interface Share {
  readonly first: number;
  readonly stride: number;
}

interface Task {
  /** `state files`, or what is done to the segment. */
  readonly kind: (typeof damageKinds)[number] | "state files";
  readonly place: RecoveryPointPlace;
}

interface Report extends RunResult {
  readonly isDone: boolean;
}

async function work(task: Task, share: Share, report: (part: Report) => void): Promise<void> {
  const { compute } = createNodeRuntime();
  Error.stackTraceLimit = 0;
  const onProgress = (result: RunResult): void => report({ ...result, isDone: false });
  const result =
    task.kind === "state files"
      ? await runStateFileCases({ compute, ...share })
      : await runCases({
          scene: await buildSegmentScene(task.place),
          compute,
          kind: task.kind,
          ...share,
          onProgress,
        });
  report({ ...result, isDone: true });
}

/** The task in so many threads, each with its share of the cases. */
async function runTask(
  task: Task,
  options: { readonly sample: number; readonly workers: number },
  onProgress: (result: RunResult) => void,
): Promise<RunResult> {
  const parts = new Map<number, RunResult>();
  const shares = Array.from({ length: options.workers }, (_, index) => ({
    first: index * options.sample,
    stride: options.workers * options.sample,
  }));
  await Promise.all(
    shares.map(
      (share, index) =>
        new Promise<void>((resolve, reject) => {
          const worker = new Worker(new URL(import.meta.url), { workerData: { task, share } });
          worker.on("message", (part: Report) => {
            parts.set(index, part);
            onProgress(mergeResults(parts.values()));
          });
          worker.on("error", reject);
          worker.on("exit", () => resolve());
        }),
    ),
  );
  return mergeResults(parts.values());
}

function lines(name: string, result: RunResult, seconds: number): string[] {
  const rate = Math.round(result.cases / seconds);
  return [
    `${name}: ${result.cases} cases in ${seconds.toFixed(1)} s (${rate}/s), ${result.problemCount} wrong`,
    ...Object.entries(result.verdicts).map(
      ([verdict, count]) => `  ${String(count).padStart(8)} ${verdict}`,
    ),
    ...result.problems.map((problem) => `  WRONG: ${problem}`),
  ];
}

function listOf<T extends string>(text: string | undefined, all: readonly T[]): readonly T[] {
  const wanted = text?.split(",") ?? all;
  const unknown = wanted.filter((name) => !all.some((known) => known === name));
  if (unknown.length > 0) {
    throw new Error(`unknown: ${unknown.join(", ")}; there are ${all.join(", ")}`);
  }
  return all.filter((name) => wanted.includes(name));
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      place: { type: "string" },
      kind: { type: "string" },
      sample: { type: "string", default: "1" },
      workers: { type: "string", default: String(availableParallelism()) },
      json: { type: "boolean", default: false },
    },
  });
  const kinds = listOf(values.kind, [...damageKinds, "state files"] as const);
  const tasks = listOf(values.place, PLACES).flatMap((place) =>
    kinds.filter((kind) => kind !== "state files").map((kind) => ({ kind, place })),
  );
  const all: readonly Task[] = kinds.includes("state files")
    ? [...tasks, { kind: "state files", place: "middle" }]
    : tasks;
  const options = { sample: Number(values.sample), workers: Number(values.workers) };
  const results: { name: string; seconds: number; result: RunResult }[] = [];
  const isTerminal = process.stderr.isTTY === true && values.json !== true;
  const begun = performance.now();
  for (const task of all) {
    const name =
      task.kind === "state files"
        ? `state files (${stateFiles.length})`
        : `${task.kind}, recovery point at the ${task.place}`;
    const startedAt = performance.now();
    let toldAt = startedAt;
    const result = await runTask(task, options, ({ cases, total }) => {
      const nowMs = performance.now();
      if (isTerminal && nowMs - toldAt > PROGRESS_MS) {
        toldAt = nowMs;
        const share = total === 0 ? 0 : cases / total;
        const bar = "#".repeat(Math.floor(share * 30)).padEnd(30, ".");
        process.stderr.write(`\r[${bar}] ${(share * 100).toFixed(0).padStart(3)} % ${name} `);
      }
    });
    if (isTerminal) {
      process.stderr.write("\r\u001b[K");
    }
    const seconds = (performance.now() - startedAt) / 1000;
    results.push({ name, seconds, result });
    if (values.json !== true) {
      console.log(lines(name, result, seconds).join("\n"));
    }
  }
  const cases = results.reduce((sum, { result }) => sum + result.cases, 0);
  const wrong = results.reduce((sum, { result }) => sum + result.problemCount, 0);
  const seconds = (performance.now() - begun) / 1000;
  if (values.json === true) {
    console.log(JSON.stringify({ cases, wrong, seconds, ...options, results }));
  } else {
    console.log(
      `${cases} cases in ${seconds.toFixed(1)} s with ${options.workers} threads: ${wrong} wrong`,
    );
  }
  return wrong === 0 ? 0 : 1;
}

if (isMainThread) {
  process.exitCode = await main();
} else {
  const { task, share } = workerData as { readonly task: Task; readonly share: Share };
  await work(task, share, (part) => parentPort?.postMessage(part));
}
