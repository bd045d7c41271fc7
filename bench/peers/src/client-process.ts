// Runs one job in a client process of its own, bounded in time, and returns its answer: a driver of ours, or the tools that
// a peer brings.

import { join } from "node:path";
import type { Client } from "./clients.js";
import { kafkaClassPath, newestNode } from "./fetch.js";
import type { Job, JobAnswer } from "./job.js";
import { runPerfTools } from "./kafka-perf.js";
import { runNatsBench } from "./nats-bench.js";
import { builtDirectory } from "./places.js";
import { clientJvm, runProcess } from "./run-process.js";

/** Beside the time of the job: start, creating topics, reading back, closing. */
const GRACE_SECONDS = 50;
/** Kafka takes most of a minute to make a topic of a thousand partitions on a small machine. */
const GRACE_SECONDS_PER_PARTITION = 0.1;

function timeoutOf(job: Job): number {
  const grace = GRACE_SECONDS + GRACE_SECONDS_PER_PARTITION * job.workload.partitions;
  return Math.ceil(job.warmUpSeconds + job.seconds + grace);
}

function lastLine(output: string): JobAnswer {
  const line = output.trimEnd().split("\n").at(-1) ?? "";
  return JSON.parse(line) as JobAnswer;
}

export async function runJob(client: Client, job: Job): Promise<JobAnswer> {
  const worker = join(builtDirectory, "worker", "main.js");
  const description = JSON.stringify(job);
  const commands = {
    node: [process.execPath, worker, description],
    "newest-node": [newestNode(), worker, description],
    java: ["java", ...clientJvm, "-cp", kafkaClassPath(), "Driver", description],
  } as const;
  const timeoutSeconds = timeoutOf(job);
  if (client.runtime === "perf-tools") {
    return runPerfTools(job, timeoutSeconds);
  }
  if (client.runtime === "nats-bench") {
    return runNatsBench(job, timeoutSeconds);
  }
  const finished = await runProcess(commands[client.runtime], timeoutSeconds);
  return lastLine(finished.output);
}
