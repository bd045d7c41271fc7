// `millrace consume TOPIC`: prints records as they arrive, or keeps them in files.

import { Admin } from "@millrace/client-admin";
import { Consumer, type ConsumerBatch, type ConsumerRecord } from "@millrace/client-consumer";
import type { ClusterClient } from "@millrace/client-core";
import { Argument, Command, Option } from "commander";
import { usageError } from "../cli-error.js";
import { withClient } from "../client.js";
import { EndOfLog } from "../consume/end-of-log.js";
import { createRecordFiles, type RecordFiles } from "../consume/record-files.js";
import { createPrinter, type RecordSink } from "../consume/record-printer.js";
import type { CommandContext } from "../context.js";
import { jsonLine } from "../format/json.js";
import { counted, formatCount } from "../format/numbers.js";
import { Progress } from "../format/progress.js";
import {
  compileRecordFormat,
  formatNames,
  type RecordFormat,
  templateHelp,
} from "../format/record-template.js";
import {
  addClientOptions,
  addExamples,
  type ClientOptions,
  type OutputOptions,
} from "../options.js";
import {
  parsePartitions,
  parsePositiveCount,
  parseStartPosition,
  type StartPosition,
} from "../parse.js";

interface ConsumeOptions extends ClientOptions, OutputOptions {
  readonly from: StartPosition;
  readonly partition?: readonly number[];
  readonly max?: number;
  readonly untilEnd?: boolean;
  readonly format?: string;
  readonly out?: string;
  readonly outPer: "partition" | "record";
  readonly skipCorrupt?: boolean;
}

interface Request {
  readonly topic: string;
  readonly options: ConsumeOptions;
}

/** A range without records (a repaired or compacted one) moves positions though no batch arrives. */
const POSITION_CHECK_MS = 200;

async function findEnds(
  { signal }: CommandContext,
  client: ClusterClient,
  { topic, options }: Request,
): Promise<EndOfLog> {
  const admin = new Admin({ client });
  const { partition: partitions } = options;
  const offsets = await admin.listOffsets(topic, "latest", { partitions, signal });
  return new EndOfLog(offsets.map(({ partition, offset }) => [partition, offset ?? 0] as const));
}

/** The records of a batch, as long as there is room for them. */
class RecordQuota {
  #left: number;

  constructor(max: number | undefined) {
    this.#left = max ?? Number.POSITIVE_INFINITY;
  }

  get isUsedUp(): boolean {
    return this.#left <= 0;
  }

  *take(batch: ConsumerBatch): Generator<ConsumerRecord, void, undefined> {
    for (const record of batch) {
      if (this.isUsedUp) {
        return;
      }
      this.#left -= 1;
      yield record;
    }
  }
}

async function readInto(
  context: CommandContext,
  consumer: Consumer,
  reading: {
    readonly sink: RecordSink;
    readonly quota: RecordQuota;
    readonly end: EndOfLog | undefined;
    readonly onBatch: () => void;
  },
): Promise<void> {
  const { end, onBatch, quota, sink } = reading;
  const done = new AbortController();
  const isEndReached = (): boolean => {
    for (const { partition, offset } of consumer.positions()) {
      end?.passed(partition, offset);
    }
    return end?.isReached === true;
  };
  if (isEndReached()) {
    return;
  }
  const check = (): void => void (isEndReached() && done.abort());
  const timer = end === undefined ? undefined : setInterval(check, POSITION_CHECK_MS);
  const signal = AbortSignal.any([context.signal, done.signal]);
  try {
    for await (const batch of consumer.batches({ signal })) {
      await sink.write(quota.take(batch));
      onBatch();
      end?.passed(batch.partition, batch.lastOffset + 1);
      if (quota.isUsedUp || end?.isReached) {
        break;
      }
    }
  } catch (error) {
    if (!done.signal.aborted || context.signal.aborted) {
      throw error;
    }
  } finally {
    clearInterval(timer);
  }
}

function chooseFormat(context: CommandContext, options: ConsumeOptions): RecordFormat {
  const isFile = options.out !== undefined;
  const name = options.format ?? (options.json ? "json" : "value");
  // A file that holds one record's value holds nothing else.
  const isBare = isFile && options.outPer === "record" && name === "value";
  return compileRecordFormat(isBare ? "%v" : name, {
    escapesControls: context.terminal.isTerminal && !isFile,
  });
}

async function openFiles(
  options: ConsumeOptions,
  format: RecordFormat,
): Promise<RecordFiles | undefined> {
  const { format: name, json, out: directory, outPer } = options;
  if (directory === undefined) {
    return undefined;
  }
  const perRecord = outPer === "record";
  const isJson = name === "json" || (name === undefined && json === true);
  const jsonExtension = perRecord ? ".json" : ".jsonl";
  const extension = isJson ? jsonExtension : perRecord && name === undefined ? ".bin" : ".txt";
  return createRecordFiles({ directory, format, extension, perRecord });
}

async function consumeFrom(
  context: CommandContext,
  client: ClusterClient,
  request: Request & { readonly sink: RecordSink; readonly onBatch: () => void },
): Promise<void> {
  const { onBatch, options, sink, topic } = request;
  const { signal, terminal } = context;
  // Told now, also when nothing would ever arrive.
  const { partitions: known } = await client.metadata.topic(topic, { signal });
  const missing = options.partition?.find((partition) => partition >= known.length);
  if (missing !== undefined) {
    throw usageError(
      `Topic ${topic} has no partition ${missing}; it has ${known.length}, from 0 to ${known.length - 1}.`,
    );
  }
  const end = options.untilEnd ? await findEnds(context, client, request) : undefined;
  const { from, partition: chosen, skipCorrupt } = options;
  const what =
    chosen === undefined
      ? { topics: topic }
      : { partitions: chosen.map((partition) => ({ topic, partition })) };
  const onCorrupt = skipCorrupt ? "skip" : "fail";
  await using consumer = new Consumer({ client, ...what, from, onCorrupt });
  await consumer.ready();
  if (from === "latest" && terminal.isTerminal && !options.untilEnd) {
    const hint = "Waiting for new records; --from earliest shows those that are there.";
    terminal.note(terminal.noteColors.dim(hint));
  }
  const quota = new RecordQuota(options.max);
  await readInto(context, consumer, { sink, quota, end, onBatch });
}

async function consume(
  context: CommandContext,
  topic: string,
  options: ConsumeOptions,
): Promise<void> {
  const { terminal } = context;
  if (options.outPer === "record" && options.out === undefined) {
    throw usageError("--out-per needs --out DIR.");
  }
  const format = chooseFormat(context, options);
  const files = await openFiles(options, format);
  const sink = files ?? createPrinter(context, format);
  const progress = new Progress({ terminal, label: "writing", format: formatCount });
  const onBatch = (): void => {
    if (files !== undefined) {
      progress.update(files.records, "records");
    }
  };
  try {
    await withClient(context, options.bootstrap, (client) =>
      consumeFrom(context, client, { topic, options, sink, onBatch }),
    );
  } finally {
    progress.stop();
    await sink.close();
  }
  if (files !== undefined) {
    const { records, files: fileCount } = files;
    const directory = options.out ?? "";
    const text = `${counted(records, "record")} in ${counted(fileCount, "file")} in ${directory}`;
    if (options.json) {
      terminal.out(jsonLine({ topic, records, files: fileCount, directory }));
    } else {
      terminal.note(text);
    }
  }
}

export function consumeCommand(context: CommandContext): Command {
  const command = new Command("consume")
    .description("print records as they arrive")
    .addArgument(new Argument("<topic>", "an existing topic"))
    .addOption(
      new Option(
        "--from <position>",
        "earliest, latest, offset:N, last:N (of each partition), 10m (back from now), a date, timestamp:MS",
      )
        .argParser((text) => parseStartPosition(text))
        .default("latest" as StartPosition, "latest"),
    )
    .option("-p, --partition <list>", "only these partitions: 0 or 0,2,5-7", parsePartitions)
    .option("-n, --max <n>", "stop after so many records", parsePositiveCount)
    .option("--until-end", "stop at the end of the topic as it is now")
    .option("--skip-corrupt", "leave out what cannot be read, instead of ending there")
    .option("-f, --format <format>", `${formatNames}, or a template: ${templateHelp}`)
    .option("-o, --out <dir>", "write files there instead of printing; nothing is overwritten")
    .addOption(
      new Option(
        "--out-per <what>",
        "a file TOPIC-PARTITION.txt each, or TOPIC-PARTITION/OFFSET.bin",
      )
        .choices(["partition", "record"])
        .default("partition"),
    )
    .action((topic: string, options: ConsumeOptions) => consume(context, topic, options));
  addClientOptions(command, context);
  return addExamples(command, [
    "millrace consume orders --from earliest --until-end",
    "millrace consume orders --from 10m --partition 0,2",
    "millrace consume orders --from last:10 --format '%p@%o %k=%v\\n'",
    "millrace consume orders --from earliest --until-end --out ./orders --json",
    "millrace consume orders --json | jq .value",
  ]);
}
