// A worker thread that runs seeds of one suite, one at a time, for seed-runners.ts.

import { parentPort, workerData } from "node:worker_threads";
import { suites } from "./suites.js";

const { suiteName } = workerData as { readonly suiteName: string };
const suite = suites.find(({ name }) => name === suiteName);

parentPort?.on("message", (seed: number) => {
  void suite?.run({ seed }).then((result) => parentPort?.postMessage(result));
});
