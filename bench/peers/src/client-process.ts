// Runs one job in a client process of its own, bounded in time, and returns its answer. The perf tools of Kafka are
// turned into the same answer.

import { spawn } from "node:child_process";
import { join } from "node:path";
import type { Client } from "./clients.js";
import { kafkaClassPath, newestNode } from "./fetch.js";
import type { Job, JobAnswer } from "./job.js";
import { builtDirectory } from "./places.js";
import { cpuSeconds } from "./proc.js";

/** Beside the time of the job: start, creating topics, reading back, closing. */
const GRACE_SECONDS = 50;
const OUTPUT_MAX = 1024 * 1024;
const CPU_SAMPLE_MS = 25;

interface Finished {
  readonly output: string;
  readonly seconds: number;
  /** Of the whole process, as last seen. */
  readonly clientCpuSeconds: number;
}

/** @throws with what it said when it fails or takes too long */
async function runProcess(
  [program, ...parameters]: readonly [string, ...string[]],
  timeoutSeconds: number,
): Promise<Finished> {
  const child = spawn(program, parameters, { stdio: ["ignore", "pipe", "pipe"] });
  const started = performance.now();
  let output = "";
  let errors = "";
  let clientCpuSeconds = 0;
  child.stdout.on("data", (chunk: Buffer) => {
    output = (output + chunk.toString()).slice(-OUTPUT_MAX);
  });
  child.stderr.on("data", (chunk: Buffer) => {
    errors = (errors + chunk.toString()).slice(-OUTPUT_MAX);
  });
  const sampler = setInterval(() => {
    clientCpuSeconds = Math.max(clientCpuSeconds, cpuSeconds([child.pid ?? -1]));
  }, CPU_SAMPLE_MS);
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    child.kill("SIGKILL");
  }, timeoutSeconds * 1000);
  const killer = (): void => void child.kill("SIGKILL");
  process.prependOnceListener("exit", killer);
  const status = await new Promise<number | string>((resolve) => {
    child.once("error", (error) => resolve(error.message));
    child.once("close", (code, signal) => resolve(code ?? signal ?? "unknown"));
  });
  clearTimeout(timer);
  clearInterval(sampler);
  process.off("exit", killer);
  if (isLate) {
    throw new Error(`it took more than ${timeoutSeconds} s and was ended\n${errors.trim()}`);
  }
  if (status !== 0) {
    throw new Error(`it ended with ${status}\n${(errors || output).trim()}`);
  }
  return { output, seconds: (performance.now() - started) / 1000, clientCpuSeconds };
}

function timeoutOf(job: Job): number {
  return Math.ceil(job.warmUpSeconds + job.seconds) + GRACE_SECONDS;
}

function lastLine(output: string): JobAnswer {
  const line = output.trimEnd().split("\n").at(-1) ?? "";
  return JSON.parse(line) as JobAnswer;
}

const jvm = ["-Xmx1G", "-Xms256M", "-XX:+UseG1GC"] as const;

/** The averages of kafka-producer-perf-test's last line. Exported for its test. */
export function parseProducerLine(output: string): { records: number; perSecond: number } {
  const lines = output.trimEnd().split("\n");
  const pattern = /^(\d+) (?:steady state )?records sent, ([\d.]+) records\/sec/;
  const found = lines.map((line) => pattern.exec(line)).filter((match) => match !== null);
  const last = found.at(-1);
  if (last === undefined) {
    throw new Error(`no figures in:\n${output}`);
  }
  return { records: Number(last[1]), perSecond: Number(last[2]) };
}

/** kafka-consumer-perf-test's line: ..., records, ..., fetch time in ms last but two. Exported for its test. */
export function parseConsumerLine(output: string): { records: number; seconds: number } {
  const line = output.trimEnd().split("\n").at(-1) ?? "";
  const fields = line.split(",").map((field) => field.trim());
  const [records, fetchMs] = [Number(fields[4]), Number(fields[7])];
  if (fields.length < 10 || !Number.isFinite(records) || !Number.isFinite(fetchMs)) {
    throw new Error(`no figures in:\n${output}`);
  }
  return { records, seconds: fetchMs / 1000 };
}

/** Enough to take about the time of the job at the rates such a client reaches. */
function perfToolRecords(job: Job): number {
  const { recordBytes } = job.workload;
  const rate = Math.min(600_000, 150_000_000 / recordBytes);
  return Math.round(Math.min(job.maxBytes / recordBytes, rate * (job.warmUpSeconds + job.seconds)));
}

async function runPerfTools(job: Job): Promise<JobAnswer> {
  const java = (main: string): readonly [string, ...string[]] => [
    "java",
    ...jvm,
    "-cp",
    kafkaClassPath(),
    `org.apache.kafka.tools.${main}`,
  ];
  const { recordBytes } = job.workload;
  const records = perfToolRecords(job);
  const timeout = timeoutOf(job);
  const server = cpuSeconds(job.serverPids);
  const produced = await runProcess(
    [
      ...java("ProducerPerformance"),
      ...["--topic", job.topic, "--num-records", String(records)],
      ...["--record-size", String(recordBytes), "--throughput", "-1"],
      "--command-property",
      `bootstrap.servers=${job.address}`,
      "acks=all",
      `linger.ms=${job.lingerMs}`,
      `batch.size=${1024 * 1024}`,
      `max.in.flight.requests.per.connection=${job.batchesInFlight}`,
    ],
    timeout,
  );
  const between = cpuSeconds(job.serverPids);
  const sent = parseProducerLine(produced.output);
  const consumed = await runProcess(
    [
      ...java("ConsumerPerformance"),
      ...["--bootstrap-server", job.address, "--topic", job.topic],
      ...["--num-records", String(records), "--hide-header"],
    ],
    timeout,
  );
  const read = parseConsumerLine(consumed.output);
  const bytes = records * recordBytes;
  return {
    produce: {
      records: sent.records,
      bytes,
      seconds: sent.records / sent.perSecond,
      clientCpuSeconds: produced.clientCpuSeconds,
      serverCpuSeconds: between - server,
    },
    consume: {
      records: read.records,
      bytes,
      seconds: read.seconds,
      clientCpuSeconds: consumed.clientCpuSeconds,
      serverCpuSeconds: cpuSeconds(job.serverPids) - between,
    },
    acknowledged: sent.records,
    stored: read.records,
    storedBy: "reading",
  };
}

export async function runJob(client: Client, job: Job): Promise<JobAnswer> {
  const worker = join(builtDirectory, "worker", "main.js");
  const description = JSON.stringify(job);
  const commands = {
    node: [process.execPath, worker, description],
    "newest-node": [newestNode(), worker, description],
    java: ["java", ...jvm, "-cp", kafkaClassPath(), "Driver", description],
  } as const;
  if (client.runtime === "perf-tools") {
    return runPerfTools(job);
  }
  const finished = await runProcess(commands[client.runtime], timeoutOf(job));
  return lastLine(finished.output);
}
