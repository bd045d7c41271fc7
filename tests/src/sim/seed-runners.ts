// Runs seeds on several cores: each seed is a world of its own, so that it does not matter which thread runs it, or what
// runs beside it. With one job everything stays in this thread, where a profiler and a debugger see it.

import { once } from "node:events";
import { Worker } from "node:worker_threads";
import type { SeedResult, Suite } from "./suite.js";

/** Runs one seed; asked for the next one only when it is done. */
export type RunSeed = (seed: number) => Promise<SeedResult>;

/** Calls `each` for every seed from `first` on, on `jobs` threads; the order is roughly theirs. */
export async function forEachSeed(
  options: {
    readonly suite: Suite;
    readonly first: number;
    readonly count: number;
    readonly jobs: number;
  },
  each: (seed: number, run: RunSeed) => Promise<void>,
): Promise<void> {
  const { suite, first, count, jobs } = options;
  let next = first;
  const work = async (run: RunSeed): Promise<void> => {
    while (next < first + count) {
      await each(next++, run);
    }
  };
  if (jobs === 1) {
    await work((seed) => suite.run({ seed }));
    return;
  }
  const workers = Array.from(
    { length: jobs },
    () =>
      new Worker(new URL("seed-worker.js", import.meta.url), {
        workerData: { suiteName: suite.name },
      }),
  );
  try {
    await Promise.all(workers.map((worker) => work((seed) => runIn(worker, seed))));
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
}

/** Rejects when the worker dies of it. */
async function runIn(worker: Worker, seed: number): Promise<SeedResult> {
  worker.postMessage(seed);
  const [result] = (await once(worker, "message")) as [SeedResult];
  return result;
}
