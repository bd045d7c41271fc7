// Kafka's own perf tools, as they are, turned into the answer the drivers give.

import { kafkaClassPath } from "./fetch.js";
import type { Job, JobAnswer } from "./job.js";
import { cpuSeconds } from "./proc.js";
import { clientJvm, runProcess } from "./run-process.js";

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
  const rate = Math.min(job.durability === "strict" ? 200_000 : 500_000, 150_000_000 / recordBytes);
  return Math.round(Math.min(job.maxBytes / recordBytes, rate * (job.warmUpSeconds + job.seconds)));
}

export async function runPerfTools(job: Job, timeoutSeconds: number): Promise<JobAnswer> {
  const java = (main: string): readonly [string, ...string[]] => [
    "java",
    ...clientJvm,
    "-cp",
    kafkaClassPath(),
    `org.apache.kafka.tools.${main}`,
  ];
  const { recordBytes } = job.workload;
  const records = perfToolRecords(job);
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
    timeoutSeconds,
  );
  const between = cpuSeconds(job.serverPids);
  const sent = parseProducerLine(produced.output);
  const consumed = await runProcess(
    [
      ...java("ConsumerPerformance"),
      ...["--bootstrap-server", job.address, "--topic", job.topic],
      ...["--num-records", String(records), "--hide-header"],
    ],
    timeoutSeconds,
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
