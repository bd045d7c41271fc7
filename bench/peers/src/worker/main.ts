// A client process: does one job with one client library, prints the answer as one line of JSON, and ends. Started by
// the harness, so that its CPU time is its own.

import type { Driver, DriverFactory } from "../driver.js";
import type { Job, JobAnswer } from "../job.js";
import { runBesideDisk } from "./beside-disk.js";
import { runConnections } from "./connections.js";
import { runOpenLoop } from "./open-loop.js";
import { runProduce } from "./produce.js";
import { runSingle } from "./single.js";

/** Closing is courtesy: the server and its data go away anyway. */
const CLOSE_TIMEOUT_MS = 2_000;

function run(driver: Driver, job: Job): Promise<JobAnswer> {
  switch (job.workload.kind) {
    case "produce":
      return runProduce(driver, job);
    case "beside-disk":
      return runBesideDisk(driver, job);
    case "awaited":
    case "pipelined":
      return runSingle(driver, job);
    case "latency":
      return runOpenLoop(driver, job);
    case "connections":
      return runConnections(driver, job);
  }
}

const job = JSON.parse(process.argv[2] ?? "{}") as Job;
const { createDriver } = (await import(`../drivers/${job.client}.js`)) as {
  createDriver: DriverFactory;
};
function wordsOf(error: unknown): string {
  const causes = error instanceof AggregateError ? `: ${error.errors.map(wordsOf).join("; ")}` : "";
  return error instanceof Error ? `${error.message}${causes}` : String(error);
}

// Standard output is for the answer; some libraries log there.
console.log = console.error;
console.info = console.error;
console.debug = console.error;

try {
  const driver = await createDriver(job);
  const answer = await run(driver, job);
  process.stdout.write(`${JSON.stringify(answer)}\n`);
  const timer = setTimeout(() => process.exit(0), CLOSE_TIMEOUT_MS);
  await driver.close();
  clearTimeout(timer);
  process.exit(0);
} catch (error) {
  process.stderr.write(`${wordsOf(error)}\n`);
  process.exit(1);
}
