// `millrace bench latency`: from the moment a record should be sent to the moment a consumer has it, at a steady
// rate, beside what a bare `fdatasync` costs in the same minutes.

import { ClusterClient } from "@millrace/client-core";
import { Producer } from "@millrace/client-producer";
import { silentLogger } from "@millrace/runtime";
import { createNodeRuntime } from "@millrace/runtime/node";
import { Command } from "commander";
import {
  addBenchOptions,
  type BenchOptions,
  clientCpuSeconds,
  printResult,
} from "../bench/bench-options.js";
import { type BenchResult, rates } from "../bench/bench-result.js";
import { type BenchTarget, withBenchTarget } from "../bench/bench-target.js";
import { type BenchTopic, withBenchTopic } from "../bench/bench-topic.js";
import { DiskBaseline } from "../bench/disk-baseline.js";
import { EndToEnd } from "../bench/end-to-end.js";
import { IntervalReport } from "../bench/interval-report.js";
import { LatencyRecorder } from "../bench/latency-recorder.js";
import { PacedLoad } from "../bench/paced-load.js";
import { MARK_BYTES } from "../bench/payloads.js";
import { usageError } from "../cli-error.js";
import type { CommandContext } from "../context.js";
import { formatCount, roundTo } from "../format/numbers.js";
import { Progress } from "../format/progress.js";
import { addExamples } from "../options.js";
import { parseDurationMs, parsePositiveCount, parseSeconds } from "../parse.js";

interface LatencyBenchOptions extends BenchOptions {
  readonly rate: number;
  readonly seconds: number;
  readonly linger: number;
  readonly sliceMs: number;
}

interface Stage {
  readonly context: CommandContext;
  readonly options: LatencyBenchOptions;
  readonly target: BenchTarget;
  readonly topic: BenchTopic;
}

/** Load and bare syncs take turns in so many parts. */
const LOAD_PARTS = 5;
const WARMUP_SECONDS = 1;
/** About what the broker writes at once at these rates: a batch of some records. */
const SYNC_BYTES = 4096;

interface Measured {
  readonly result: BenchResult;
  readonly endToEnd: LatencyRecorder;
}

interface Instruments {
  readonly load: PacedLoad;
  readonly endToEnd: EndToEnd;
  readonly acknowledgements: LatencyRecorder;
  readonly syncs: LatencyRecorder;
}

/** @returns records sent, and the CPU seconds of the load's parts */
async function runParts(
  stage: Stage,
  { load, endToEnd, syncs }: Instruments,
): Promise<{ records: number; brokerCpu: number | null; clientCpu: number }> {
  const { context, options, target } = stage;
  const total = Math.round(options.rate * options.seconds);
  const progress = new Progress({
    terminal: context.terminal,
    label: "measuring",
    total,
    format: formatCount,
    isHidden: options.interval !== undefined,
  });
  const report = new IntervalReport({
    context,
    intervalMs: options.interval,
    json: options.json,
    records: () => endToEnd.received,
    recordBytes: options.size,
    latencyName: "endToEndMs",
  });
  endToEnd.recorder.also = options.interval === undefined ? undefined : report.latencies;
  const baseline = target.directory === undefined ? undefined : DiskBaseline.open(target.directory);
  let records = 0;
  let brokerCpu: number | null = 0;
  let clientCpu = 0;
  const already = endToEnd.received;
  const drawing = setInterval(() => progress.update(endToEnd.received - already), 100);
  try {
    for (let part = 0; part < LOAD_PARTS; part += 1) {
      await baseline?.syncSlice(options.sliceMs, SYNC_BYTES, syncs);
      const clientBefore = clientCpuSeconds();
      const brokerBefore = await target.cpuSeconds();
      records += await report.during(() => load.run(options.seconds / LOAD_PARTS));
      await endToEnd.caughtUp(already + records);
      const brokerAfter = await target.cpuSeconds();
      clientCpu += clientCpuSeconds() - clientBefore;
      brokerCpu =
        brokerCpu === null || brokerBefore === undefined || brokerAfter === undefined
          ? null
          : brokerCpu + brokerAfter - brokerBefore;
    }
    await baseline?.syncSlice(options.sliceMs, SYNC_BYTES, syncs);
    return { records, brokerCpu, clientCpu };
  } finally {
    clearInterval(drawing);
    progress.stop();
    baseline?.close();
  }
}

async function measure(stage: Stage): Promise<Measured> {
  const { context, options, target, topic } = stage;
  const runtime = createNodeRuntime({ logger: silentLogger });
  const sendTimes: number[] = [];
  const client = new ClusterClient({
    runtime,
    bootstrap: target.bootstrap,
    clientId: "millrace-bench",
  });
  const producer = new Producer({ client, lingerMs: options.linger });
  const acknowledgements = new LatencyRecorder();
  const endToEnd = await EndToEnd.start({
    runtime,
    bootstrap: target.bootstrap,
    topic,
    sendTimes,
    consumers: 1,
  });
  try {
    const load = new PacedLoad({
      producer,
      topic: topic.name,
      recordBytes: options.size,
      recordsPerSecond: options.rate,
      signal: context.signal,
      acknowledgements,
      sendTimes,
    });
    await endToEnd.caughtUp(await load.run(WARMUP_SECONDS));
    acknowledgements.reset();
    endToEnd.recorder.reset();
    const syncs = new LatencyRecorder();
    const figures = await runParts(stage, { load, endToEnd, acknowledgements, syncs });
    const result: BenchResult = {
      bench: "latency",
      records: figures.records,
      recordBytes: options.size,
      ...rates({ records: figures.records, recordBytes: options.size, seconds: options.seconds }),
      ackMs: acknowledgements.summary(),
      endToEndMs: endToEnd.recorder.summary(),
      diskRatio: null,
      disk: null,
      fdatasyncMs: syncs.summary(),
      fdatasyncBytes: SYNC_BYTES,
      cpuSeconds: {
        broker: figures.brokerCpu === null ? null : roundTo(figures.brokerCpu),
        client: roundTo(figures.clientCpu),
      },
      settings: {
        rate: options.rate,
        acks: "all",
        partitions: topic.partitionCount,
        lingerMs: options.linger,
        warmupSeconds: WARMUP_SECONDS,
        latencyFrom: "intended send time",
      },
    };
    return { result, endToEnd: endToEnd.recorder };
  } finally {
    await producer.close();
    await client.close();
    await endToEnd.close();
  }
}

async function benchLatency(context: CommandContext, options: LatencyBenchOptions): Promise<void> {
  if (options.size < MARK_BYTES) {
    throw usageError(`Records need ${MARK_BYTES} bytes or more to carry their number.`);
  }
  const { result, endToEnd } = await withBenchTarget(context, options, (target) =>
    withBenchTopic(context, target, options, (topic) =>
      measure({ context, options, target, topic }),
    ),
  );
  printResult(context, options, result, {
    samples: [],
    buckets: endToEnd.buckets(),
    bucketsOf: "Produced to consumed within",
  });
}

export function benchLatencyCommand(context: CommandContext): Command {
  const command = new Command("latency")
    .description("measure produce-to-consume latency at a steady rate, open loop")
    .option("-r, --rate <n>", "records per second", parsePositiveCount, 10_000)
    .option("--seconds <n>", "how long", parseSeconds, 10)
    .option("--linger <ms>", "how long a batch waits for more", parseDurationMs, 0)
    .option("--slice-ms <ms>", "length of a slice of bare fdatasyncs", parseDurationMs, 1_000)
    .action((options: LatencyBenchOptions) => benchLatency(context, options));
  addBenchOptions(command, context);
  return addExamples(command, [
    "millrace bench latency --rate 10000",
    "millrace bench latency --rate 1000 --seconds 30 --size 1024 --interval 1s --json",
  ]);
}
