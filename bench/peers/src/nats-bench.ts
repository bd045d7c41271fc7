// NATS's own bench tool, as it is, turned into the answer the drivers give.

import { natsCli } from "./fetch.js";
import type { Job, JobAnswer } from "./job.js";
import { cpuSeconds } from "./proc.js";
import { runProcess } from "./run-process.js";

/** Messages without an acknowledgement, and in a batch: at most so many fit one. */
const BATCH = 1_000;

/** Records per second of `NATS JetStream ... stats: 96,145 msgs/sec ~ 9.2 MiB/sec ~ 10.40us`. Exported for its test. */
export function parseStatsLine(output: string): number {
  const rate = Number(/stats: ([\d,]+) msgs\/sec/.exec(output)?.[1]?.replaceAll(",", ""));
  if (!Number.isFinite(rate) || rate <= 0) {
    throw new Error(`no figures in:\n${output}`);
  }
  return rate;
}

/** Enough to take about the time of the job at the rates it reaches. */
function recordsFor(job: Job): number {
  const rate = Math.min(80_000, 60_000_000 / job.workload.recordBytes);
  return Math.round(rate * (job.warmUpSeconds + job.seconds));
}

/** The reader is told how many to expect and ends when it has them: what is missing is a timeout. */
export async function runNatsBench(job: Job, timeoutSeconds: number): Promise<JobAnswer> {
  const { recordBytes } = job.workload;
  const records = recordsFor(job);
  const bench = (...parameters: string[]): readonly [string, ...string[]] => [
    natsCli(),
    ...["--no-context", "--server", `nats://${job.address}`, "bench", "js", ...parameters],
    ...["--stream", job.topic, "--size", String(recordBytes), "--msgs", String(records)],
    "--no-progress",
  ];
  const way = job.durability === "strict" ? "batch" : "async";
  const storage = ["--create", "--storage", "file", "--replicas", "1", "--batch", String(BATCH)];
  const start = cpuSeconds(job.serverPids);
  const produced = await runProcess(bench("pub", way, job.topic, ...storage), timeoutSeconds);
  const between = cpuSeconds(job.serverPids);
  const consumed = await runProcess(bench("ordered"), timeoutSeconds);
  const end = cpuSeconds(job.serverPids);
  const bytes = records * recordBytes;
  return {
    produce: {
      records,
      bytes,
      seconds: records / parseStatsLine(produced.output),
      clientCpuSeconds: produced.clientCpuSeconds,
      serverCpuSeconds: between - start,
    },
    consume: {
      records,
      bytes,
      seconds: records / parseStatsLine(consumed.output),
      clientCpuSeconds: consumed.clientCpuSeconds,
      serverCpuSeconds: end - between,
    },
    acknowledged: records,
    stored: records,
    storedBy: "reading",
  };
}
