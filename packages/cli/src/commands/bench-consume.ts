// `millrace bench consume`: how fast consumers that are behind catch up.

import { Consumer } from "@millrace/client-consumer";
import { ClusterClient } from "@millrace/client-core";
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
import { IntervalReport } from "../bench/interval-report.js";
import { LatencyRecorder } from "../bench/latency-recorder.js";
import { ProduceLoad } from "../bench/load.js";
import { RateSamples } from "../bench/rate-samples.js";
import { usageError } from "../cli-error.js";
import type { CommandContext } from "../context.js";
import { formatCount, roundTo } from "../format/numbers.js";
import { Progress } from "../format/progress.js";
import { addExamples } from "../options.js";
import { parsePositiveCount } from "../parse.js";

interface ConsumeBenchOptions extends BenchOptions {
  readonly records: number;
  readonly consumers: number;
}

interface Stage {
  readonly context: CommandContext;
  readonly options: ConsumeBenchOptions;
  readonly target: BenchTarget;
  readonly topic: BenchTopic;
}

/** Writes the records that will be read; not part of the measurement. */
async function fill({ context, options, target, topic }: Stage): Promise<void> {
  const { terminal, signal } = context;
  const total = options.records;
  const progress = new Progress({ terminal, label: "writing", total, format: formatCount });
  const load = new ProduceLoad({
    runtime: createNodeRuntime({ logger: silentLogger }),
    bootstrap: target.bootstrap,
    topic: topic.name,
    recordBytes: options.size,
    producers: 1,
    acks: "all",
    batchBytes: 256 * 1024,
    lingerMs: 5,
    compression: "none",
    windowBytes: 8 * 1024 * 1024,
    signal,
    acknowledgements: new LatencyRecorder(),
    samples: new RateSamples(),
    onProgress: (acknowledged) => progress.update(acknowledged),
  });
  try {
    await load.run(options.records);
  } finally {
    progress.stop();
    await load.close();
  }
}

interface ReadFigures {
  readonly records: number;
  readonly bytes: number;
  readonly seconds: number;
  readonly samples: readonly number[];
}

type Share = readonly {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}[];

/** Reads one consumer's partitions up to the ends given. */
async function readShare(
  stage: Stage,
  share: Share,
  ends: readonly number[],
  onBatch: (records: number, bytes: number) => void,
): Promise<void> {
  const { context, target } = stage;
  const runtime = createNodeRuntime({ logger: silentLogger });
  const client = new ClusterClient({
    runtime,
    bootstrap: target.bootstrap,
    clientId: "millrace-bench",
  });
  const consumer = new Consumer({ client, partitions: share });
  const open = new Set(share.map(({ partition }) => partition));
  try {
    for await (const batch of consumer.batches()) {
      context.signal.throwIfAborted();
      let records = 0;
      let bytes = 0;
      let lastOffset = -1;
      for (const record of batch) {
        records += 1;
        bytes += record.value?.length ?? 0;
        lastOffset = record.offset;
      }
      onBatch(records, bytes);
      if (lastOffset + 1 >= (ends[batch.partition] ?? 0)) {
        open.delete(batch.partition);
      }
      if (open.size === 0) {
        break;
      }
    }
  } finally {
    await consumer.close();
    await client.close();
  }
}

async function read(stage: Stage): Promise<ReadFigures> {
  const { context, options, topic } = stage;
  const ends = await topic.endOffsets();
  const starts = await topic.startOffsets();
  const total = ends.reduce((sum, end, partition) => sum + end - (starts[partition] ?? 0), 0);
  if (total === 0) {
    throw usageError(
      `Topic ${topic.name} holds no records.`,
      "Leave --topic out to have some written.",
    );
  }
  const { terminal } = context;
  const isHidden = options.interval !== undefined;
  const progress = new Progress({
    terminal,
    label: "reading",
    total,
    format: formatCount,
    isHidden,
  });
  const samples = new RateSamples();
  const shares: Share[] = Array.from({ length: options.consumers }, (_, index) =>
    starts.flatMap((offset, partition) =>
      partition % options.consumers === index && offset < (ends[partition] ?? 0)
        ? [{ topic: topic.name, partition, offset }]
        : [],
    ),
  );
  let records = 0;
  let bytes = 0;
  const start = performance.now();
  samples.add(0, start);
  const onBatch = (batchRecords: number, batchBytes: number): void => {
    records += batchRecords;
    bytes += batchBytes;
    samples.add(batchRecords, performance.now());
    progress.update(records);
  };
  try {
    const busy = shares.filter((share) => share.length > 0);
    const report = new IntervalReport({
      context,
      intervalMs: options.interval,
      json: options.json,
      records: () => records,
      recordBytes: options.size,
    });
    await report.during(() =>
      Promise.all(busy.map((share) => readShare(stage, share, ends, onBatch))),
    );
  } finally {
    progress.stop();
  }
  const seconds = (performance.now() - start) / 1000;
  return { records, bytes, seconds, samples: samples.samples };
}

async function measure(stage: Stage): Promise<{ result: BenchResult; samples: readonly number[] }> {
  const { options, target, topic } = stage;
  if (options.topic === undefined) {
    await fill(stage);
  }
  const clientBefore = clientCpuSeconds();
  const brokerBefore = await target.cpuSeconds();
  const { records, bytes, seconds, samples } = await read(stage);
  const brokerAfter = await target.cpuSeconds();
  const recordBytes = Math.round(bytes / records);
  const result: BenchResult = {
    bench: "consume",
    records,
    recordBytes,
    ...rates({ records, recordBytes, seconds }),
    ackMs: null,
    endToEndMs: null,
    diskRatio: null,
    disk: null,
    cpuSeconds: {
      broker:
        brokerBefore === undefined || brokerAfter === undefined
          ? null
          : roundTo(brokerAfter - brokerBefore),
      client: roundTo(clientCpuSeconds() - clientBefore),
    },
    settings: { consumers: options.consumers, partitions: topic.partitionCount },
  };
  return { result, samples };
}

async function benchConsume(context: CommandContext, options: ConsumeBenchOptions): Promise<void> {
  const { result, samples } = await withBenchTarget(context, options, (target) =>
    withBenchTopic(context, target, options, (topic) =>
      measure({ context, options, target, topic }),
    ),
  );
  printResult(context, options, result, { samples, buckets: [], bucketsOf: "" });
}

export function benchConsumeCommand(context: CommandContext): Command {
  const command = new Command("consume")
    .description("read a topic from its beginning as fast as it comes")
    .option(
      "-n, --records <n>",
      "how many records to write first (without --topic)",
      parsePositiveCount,
      1_000_000,
    )
    .option("-C, --consumers <n>", "consumers, which share the partitions", parsePositiveCount, 1)
    .action((options: ConsumeBenchOptions) => benchConsume(context, options));
  addBenchOptions(command, context);
  return addExamples(command, [
    "millrace bench consume --records 1000000 --size 100",
    "millrace bench consume --topic orders --consumers 3 --interval 1s --json",
  ]);
}
