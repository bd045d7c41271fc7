// `millrace bench produce`: how many records a second a broker takes, and how near that is to what its disk can do.

import { silentLogger } from "@millrace/runtime";
import { createNodeRuntime } from "@millrace/runtime/node";
import { Command } from "commander";
import {
  addBenchOptions,
  type BenchOptions,
  clientCpuSeconds,
  printResult,
} from "../bench/bench-options.js";
import { type BenchResult, type DiskPart, diskResult, rates } from "../bench/bench-result.js";
import { type BenchTarget, withBenchTarget } from "../bench/bench-target.js";
import { type BenchTopic, withBenchTopic } from "../bench/bench-topic.js";
import { DiskBaseline } from "../bench/disk-baseline.js";
import { EndToEnd } from "../bench/end-to-end.js";
import { IntervalReport } from "../bench/interval-report.js";
import { LatencyRecorder } from "../bench/latency-recorder.js";
import { ProduceLoad } from "../bench/load.js";
import { addProducerOptions, type ProducerBenchOptions } from "../bench/producer-options.js";
import { RateSamples } from "../bench/rate-samples.js";
import type { CommandContext } from "../context.js";
import { formatCount, roundTo } from "../format/numbers.js";
import { Progress } from "../format/progress.js";
import { addExamples } from "../options.js";
import { parseCount, parseDurationMs, parsePositiveCount } from "../parse.js";

interface ProduceBenchOptions extends BenchOptions, ProducerBenchOptions {
  readonly records: number;
  readonly warmup?: number;
  readonly consumers: number;
  readonly sliceMs: number;
}

/** The load is cut into so many parts, with a disk slice before, between and after them. */
const LOAD_PARTS = 4;
/** Parts below this many records would measure little but their edges. */
const PART_RECORDS_MIN = 10_000;
const WARMUP_RECORDS_MAX = 50_000;

interface Measured {
  readonly result: BenchResult;
  readonly samples: readonly number[];
  readonly acknowledgements: LatencyRecorder;
}

interface Stage {
  readonly context: CommandContext;
  readonly options: ProduceBenchOptions;
  readonly target: BenchTarget;
  readonly topic: BenchTopic;
}

interface LoadFigures {
  readonly seconds: number;
  /** Empty when the broker's disk is not known. */
  readonly diskParts: readonly DiskPart[];
  readonly brokerCpu: number | null;
  readonly clientCpu: number;
}

/** @returns seconds it took */
type RunLoad = (records: number) => Promise<number>;

/** Parts of load between slices of disk. Nothing else happens while either runs. */
async function runParts(stage: Stage, run: RunLoad): Promise<LoadFigures> {
  const { options, target, topic } = stage;
  const baseline = target.directory === undefined ? undefined : DiskBaseline.open(target.directory);
  const diskParts: DiskPart[] = [];
  const parts = Math.max(1, Math.min(LOAD_PARTS, Math.floor(options.records / PART_RECORDS_MIN)));
  const total = { seconds: 0, brokerCpu: 0 as number | null, clientCpu: 0 };
  try {
    let stored = await topic.storedBytes();
    let baselineBefore = await baseline?.throughputSlice(options.sliceMs);
    for (let part = 0; part < parts; part += 1) {
      const from = Math.floor((part * options.records) / parts);
      const to = Math.floor(((part + 1) * options.records) / parts);
      const { seconds, brokerCpu, clientCpu } = await runPart(target, run, to - from);
      total.seconds += seconds;
      total.clientCpu += clientCpu;
      total.brokerCpu = brokerCpu === null ? null : (total.brokerCpu ?? 0) + brokerCpu;
      const storedBefore = stored;
      stored = await topic.storedBytes();
      const baselineAfter = await baseline?.throughputSlice(options.sliceMs);
      if (baselineBefore !== undefined && baselineAfter !== undefined) {
        const storedBytes = stored - storedBefore;
        diskParts.push({ storedBytes, seconds, baselineBefore, baselineAfter });
      }
      baselineBefore = baselineAfter;
    }
    return { ...total, diskParts };
  } finally {
    baseline?.close();
  }
}

/** @returns the seconds it took, and CPU seconds */
async function runPart(
  target: BenchTarget,
  run: RunLoad,
  records: number,
): Promise<{ seconds: number; brokerCpu: number | null; clientCpu: number }> {
  const clientBefore = clientCpuSeconds();
  const brokerBefore = await target.cpuSeconds();
  const seconds = await run(records);
  const brokerAfter = await target.cpuSeconds();
  const isKnown = brokerBefore !== undefined && brokerAfter !== undefined;
  return {
    seconds,
    brokerCpu: isKnown ? brokerAfter - brokerBefore : null,
    clientCpu: clientCpuSeconds() - clientBefore,
  };
}

async function measure(stage: Stage): Promise<Measured> {
  const { context, options, target, topic } = stage;
  const { signal, terminal } = context;
  const acknowledgements = new LatencyRecorder();
  const samples = new RateSamples();
  const runtime = createNodeRuntime({ logger: silentLogger });
  const sendTimes: number[] = [];
  const endToEnd =
    options.consumers === 0
      ? undefined
      : await EndToEnd.start({
          runtime,
          bootstrap: target.bootstrap,
          topic,
          sendTimes,
          consumers: options.consumers,
        });
  const total = options.records;
  const isHidden = options.interval !== undefined;
  const progress = new Progress({
    terminal,
    label: "producing",
    total,
    format: formatCount,
    isHidden,
  });
  let warmed = 0;
  const load = new ProduceLoad({
    ...options,
    runtime,
    bootstrap: target.bootstrap,
    topic: topic.name,
    recordBytes: options.size,
    lingerMs: options.linger,
    windowBytes: options.window,
    signal,
    acknowledgements,
    samples,
    sendTimes: endToEnd === undefined ? undefined : sendTimes,
    onProgress: (acknowledged) => progress.update(acknowledged - warmed),
  });
  try {
    const warmup = options.warmup ?? Math.min(WARMUP_RECORDS_MAX, Math.ceil(options.records / 10));
    await load.run(warmup);
    await endToEnd?.caughtUp(load.acknowledged);
    warmed = load.acknowledged;
    acknowledgements.reset();
    endToEnd?.recorder.reset();
    samples.samples.length = 0;
    const report = new IntervalReport({
      context,
      intervalMs: options.interval,
      json: options.json,
      records: () => load.acknowledged,
      recordBytes: options.size,
      latencyName: "ackMs",
    });
    acknowledgements.also = options.interval === undefined ? undefined : report.latencies;
    const figures = await runParts(stage, (records) => report.during(() => load.run(records)));
    await endToEnd?.caughtUp(load.acknowledged);
    const result = toResult(stage, figures, {
      acknowledgements,
      endToEnd: endToEnd?.recorder,
      warmup,
    });
    return { result, samples: samples.samples, acknowledgements };
  } finally {
    progress.stop();
    await load.close();
    await endToEnd?.close();
  }
}

function toResult(
  stage: Stage,
  figures: LoadFigures,
  measured: {
    readonly acknowledgements: LatencyRecorder;
    readonly endToEnd: LatencyRecorder | undefined;
    readonly warmup: number;
  },
): BenchResult {
  const { options, topic } = stage;
  const { seconds, diskParts, brokerCpu, clientCpu } = figures;
  const recordBytes = options.size;
  return {
    bench: "produce",
    records: options.records,
    recordBytes,
    ...rates({ records: options.records, recordBytes, seconds }),
    ackMs: measured.acknowledgements.summary(),
    endToEndMs: measured.endToEnd?.summary() ?? null,
    ...diskResult(diskParts),
    cpuSeconds: {
      broker: brokerCpu === null ? null : roundTo(brokerCpu),
      client: roundTo(clientCpu),
    },
    settings: {
      acks: options.acks,
      producers: options.producers,
      consumers: options.consumers,
      partitions: topic.partitionCount,
      batchBytes: options.batchBytes,
      lingerMs: options.linger,
      windowBytes: options.window,
      compression: options.compression,
      warmupRecords: measured.warmup,
    },
  };
}

async function benchProduce(context: CommandContext, options: ProduceBenchOptions): Promise<void> {
  const measured = await withBenchTarget(context, options, (target) =>
    withBenchTopic(context, target, options, (topic) =>
      measure({ context, options, target, topic }),
    ),
  );
  printResult(context, options, measured.result, {
    samples: measured.samples,
    buckets: measured.acknowledgements.buckets(),
    bucketsOf: "Acknowledged after",
  });
}

export function benchProduceCommand(context: CommandContext): Command {
  const command = new Command("produce")
    .description("produce as fast as the broker takes it, beside what its disk can do")
    .option("-n, --records <n>", "how many records", parsePositiveCount, 1_000_000)
    .option(
      "--warmup <n>",
      "records sent before the clock runs (default: a tenth, at most 50,000)",
      parseCount,
    )
    .option("--consumers <n>", "consumers that read along, for end-to-end latency", parseCount, 0)
    .option("--slice-ms <ms>", "length of a disk slice", parseDurationMs, 1_000)
    .action((options: ProduceBenchOptions) => benchProduce(context, options));
  addProducerOptions(command);
  addBenchOptions(command, context);
  return addExamples(command, [
    "millrace bench produce --records 1000000 --size 100",
    "millrace bench produce --size 1024 --json --data-dir /mnt/disk",
    "millrace bench produce --producers 4 --consumers 4 --partitions 4 --interval 1s",
  ]);
}
