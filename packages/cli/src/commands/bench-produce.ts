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
import { type BenchResult, diskResult, rates } from "../bench/bench-result.js";
import { type BenchTarget, withBenchTarget } from "../bench/bench-target.js";
import { type BenchTopic, withBenchTopic } from "../bench/bench-topic.js";
import { DiskBaseline } from "../bench/disk-baseline.js";
import { EndToEnd } from "../bench/end-to-end.js";
import { LatencyRecorder } from "../bench/latency-recorder.js";
import { ProduceLoad } from "../bench/load.js";
import { addProducerOptions, type ProducerBenchOptions } from "../bench/producer-options.js";
import { RateSamples } from "../bench/rate-samples.js";
import { spreadOf } from "../bench/spread.js";
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
  readonly storedBytes: number;
  readonly slices: readonly number[];
  readonly brokerCpu: number | null;
  readonly clientCpu: number;
}

/** Parts of load between slices of disk. Nothing else happens while either runs. */
async function runParts(stage: Stage, load: ProduceLoad): Promise<LoadFigures> {
  const { options, target, topic } = stage;
  const baseline = target.directory === undefined ? undefined : DiskBaseline.open(target.directory);
  const slices: number[] = [];
  const parts = Math.max(1, Math.min(LOAD_PARTS, Math.floor(options.records / PART_RECORDS_MIN)));
  let seconds = 0;
  let brokerCpu: number | null = 0;
  let clientCpu = 0;
  try {
    const slice = async (): Promise<void> => {
      if (baseline !== undefined) {
        slices.push(await baseline.throughputSlice(options.sliceMs));
      }
    };
    const storedBefore = await topic.storedBytes();
    for (let part = 0; part < parts; part += 1) {
      await slice();
      const from = Math.floor((part * options.records) / parts);
      const to = Math.floor(((part + 1) * options.records) / parts);
      const clientBefore = clientCpuSeconds();
      const brokerBefore = await target.cpuSeconds();
      seconds += await load.run(to - from);
      const brokerAfter = await target.cpuSeconds();
      clientCpu += clientCpuSeconds() - clientBefore;
      brokerCpu =
        brokerCpu === null || brokerBefore === undefined || brokerAfter === undefined
          ? null
          : brokerCpu + brokerAfter - brokerBefore;
    }
    await slice();
    const storedBytes = (await topic.storedBytes()) - storedBefore;
    return { seconds, storedBytes, slices, brokerCpu, clientCpu };
  } finally {
    baseline?.close();
  }
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
  const progress = new Progress({ terminal, label: "producing", total, format: formatCount });
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
    const figures = await runParts(stage, load);
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
  const { seconds, storedBytes, slices, brokerCpu, clientCpu } = figures;
  const recordBytes = options.size;
  return {
    bench: "produce",
    records: options.records,
    recordBytes,
    ...rates({ records: options.records, recordBytes, seconds }),
    ackMs: measured.acknowledgements.summary(),
    endToEndMs: measured.endToEnd?.summary() ?? null,
    ...diskResult(spreadOf(slices), storedBytes, { seconds, slices: slices.length }),
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
    "millrace bench produce --bootstrap ws://127.0.0.1:9092 --producers 4",
  ]);
}
