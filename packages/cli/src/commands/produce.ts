// `millrace produce TOPIC`: a record for each line of a file, a pipe, or the keyboard; or a stream of log lines.

import { type FileHandle, open } from "node:fs/promises";
import type { ClusterClient } from "@millrace/client-core";
import { Producer } from "@millrace/client-producer";
import type { CompressionCodec } from "@millrace/runtime";
import { Argument, Command, Option } from "commander";
import { usageError } from "../cli-error.js";
import { withClient } from "../client.js";
import { compressionOption } from "../codec-option.js";
import type { CommandContext } from "../context.js";
import { exitCodes } from "../exit-codes.js";
import { formatCount } from "../format/numbers.js";
import { Progress } from "../format/progress.js";
import {
  addClientOptions,
  addExamples,
  type ClientOptions,
  type OutputOptions,
} from "../options.js";
import {
  type Acks,
  type ParsedHeader,
  parseAcks,
  parseDurationMs,
  parseHeaders,
  parsePartition,
  parsePositiveCount,
  parseSeparator,
} from "../parse.js";
import { produceInteractively } from "../produce/interactive.js";
import { lineToRecord } from "../produce/line-record.js";
import { LineSender } from "../produce/line-sender.js";
import { splitLines } from "../produce/line-splitter.js";
import { streamLogLines } from "../produce/log-stream.js";
import { type ProduceResult, printSummary } from "../produce/summary.js";

interface ProduceOptions extends ClientOptions, OutputOptions {
  readonly file?: string;
  readonly keySeparator?: string;
  readonly headerSeparator?: string;
  readonly delimiter?: string;
  readonly nullValue?: string;
  readonly headers?: readonly ParsedHeader[];
  readonly partition?: number;
  readonly acks: Acks;
  readonly compression: CompressionCodec;
  readonly stream?: boolean;
  readonly interval: number;
  readonly max?: number;
}

/** One way of producing. @returns undefined when everything has been said */
type Source = (producer: Producer) => Promise<Omit<ProduceResult, "seconds" | "topic"> | undefined>;

async function sendLines(
  context: CommandContext,
  sender: LineSender,
  input: { readonly lines: AsyncIterable<Buffer>; readonly max: number | undefined },
): Promise<void> {
  const { max = Number.POSITIVE_INFINITY } = input;
  const progress = new Progress({
    terminal: context.terminal,
    label: "sending",
    format: (value) => `${formatCount(value)} records`,
  });
  try {
    for await (const line of input.lines) {
      await sender.add(line);
      progress.update(
        sender.acknowledged,
        `${formatCount(sender.handedIn - sender.acknowledged)} on their way`,
      );
      if (sender.handedIn >= max) {
        break;
      }
    }
    await sender.finish();
  } finally {
    progress.stop();
  }
}

/** Ctrl-C closes the input, so that a read that waits for it ends. */
async function* untilAborted(
  source: AsyncIterable<Buffer | string> & { destroy?(): unknown },
  signal: AbortSignal,
): AsyncGenerator<Buffer | string, void, undefined> {
  const stop = (): void => void source.destroy?.();
  signal.addEventListener("abort", stop, { once: true });
  try {
    yield* source;
  } catch (error) {
    // A source destroyed in the middle of a read complains of just that.
    if (!signal.aborted) {
      throw error;
    }
  } finally {
    signal.removeEventListener("abort", stop);
  }
  signal.throwIfAborted();
}

function chooseSource(
  context: CommandContext,
  topic: string,
  given: { readonly options: ProduceOptions; readonly file: FileHandle | undefined },
): Source {
  const { file, options } = given;
  const { signal, terminal } = context;
  const record = { ...options, topic };
  const toRecord = lineToRecord(record);
  if (options.stream) {
    const { interval: intervalMs, max } = options;
    return (producer) => streamLogLines(context, { producer, record, intervalMs, max });
  }
  if (file === undefined && terminal.isInteractive && !options.json) {
    return async (producer) => {
      await produceInteractively(context, producer, toRecord);
      return undefined;
    };
  }
  return async (producer) => {
    const sender = new LineSender({ producer, toRecord, signal });
    const input = file?.createReadStream() ?? terminal.streams.stdin;
    const { delimiter, max } = options;
    const lines = splitLines(untilAborted(input, signal), { delimiter });
    await sendLines(context, sender, { lines, max });
    return sender;
  };
}

async function produce(
  context: CommandContext,
  topic: string,
  options: ProduceOptions,
): Promise<void> {
  const { signal } = context;
  if (options.stream && options.file !== undefined) {
    throw usageError("--stream makes up its lines; it takes no --file.");
  }
  const isFile = options.file !== undefined && options.file !== "-";
  const file = isFile ? await open(options.file ?? "") : undefined;
  try {
    const source = chooseSource(context, topic, { options, file });
    await withClient(context, options.bootstrap, (client) =>
      produceFrom(context, client, { topic, options, source }),
    );
  } finally {
    await file?.close();
  }
  // Stopping it is how a stream ends; anything else that Ctrl-C ended early has thrown.
  context.exitCode = options.stream || !signal.aborted ? exitCodes.OK : exitCodes.INTERRUPTED;
}

async function produceFrom(
  context: CommandContext,
  client: ClusterClient,
  request: { readonly topic: string; readonly options: ProduceOptions; readonly source: Source },
): Promise<void> {
  const { options, source, topic } = request;
  // Told now, not after the first line.
  await client.metadata.topic(topic, { signal: context.signal });
  const { acks, compression } = options;
  await using producer = new Producer({ client, acks, compression });
  const startedMs = performance.now();
  const result = await source(producer);
  if (result !== undefined) {
    const seconds = (performance.now() - startedMs) / 1000;
    // Named one by one: a sender's are getters, which do not spread.
    const { acknowledged, failed = 0, perPartition } = result;
    printSummary(context, { topic, acknowledged, failed, perPartition, seconds }, options);
  }
}

function addLineOptions(command: Command): Command {
  return command
    .option("-f, --file <path>", "read lines from this file (- is standard input)")
    .option(
      "-k, --key-separator <text>",
      "what divides key and value in a line: , or \\t",
      parseSeparator,
    )
    .option(
      "-H, --headers <list>",
      "headers of every record: source=shop,trace=42 (repeatable)",
      parseHeaders,
    )
    .option(
      "--header-separator <text>",
      "what divides headers (a=b,c=d) at a line's beginning from the rest: \\t",
      parseSeparator,
    )
    .option("--null-value <text>", "a value that is just this is a tombstone")
    .option(
      "--delimiter <text>",
      "what ends a record: \\0, exactly (default: line feed, with or without carriage return)",
      parseSeparator,
    )
    .option("-p, --partition <n>", "send everything to this partition", parsePartition)
    .option("-n, --max <n>", "stop after so many records", parsePositiveCount);
}

export function produceCommand(context: CommandContext): Command {
  const command = new Command("produce")
    .description("send a record for each line of standard input, a file, or what you type")
    .addArgument(new Argument("<topic>", "an existing topic"))
    .addOption(
      new Option("--acks <acks>", "wait for none, the leader, or every in-sync replica")
        .argParser(parseAcks)
        .default("all" as Acks, "all"),
    )
    .addOption(compressionOption())
    .option("--stream", "send made-up log lines until Ctrl-C, which ends it with exit code 0")
    .addOption(
      new Option("--interval <duration>", "pause between the lines of --stream")
        .argParser(parseDurationMs)
        .default(1_000, "1s"),
    )
    .action((topic: string, options: ProduceOptions) => produce(context, topic, options));
  addLineOptions(command);
  addClientOptions(command, context);
  return addExamples(command, [
    "echo 'hello' | millrace produce greetings",
    "millrace produce orders --file orders.csv --key-separator , --compression gzip",
    "millrace produce greetings      # type lines; exit ends",
    "millrace produce greetings --stream --interval 1s",
  ]);
}
