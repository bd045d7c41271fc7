// `millrace produce TOPIC`: a record for each line of a file, a pipe, or the keyboard.

import { open } from "node:fs/promises";
import { createInterface } from "node:readline";
import { Producer, type ProducerRecord, type RecordMetadata } from "@millrace/client-producer";
import type { CompressionCodec } from "@millrace/runtime";
import { Argument, Command, Option } from "commander";
import { describeError } from "../cli-error.js";
import { withClient } from "../client.js";
import type { CommandContext } from "../context.js";
import { jsonLine } from "../format/json.js";
import { formatCount, formatMs } from "../format/numbers.js";
import { Progress } from "../format/progress.js";
import { LineSender } from "../line-sender.js";
import {
  addClientOptions,
  addExamples,
  type ClientOptions,
  type OutputOptions,
} from "../options.js";
import { type Acks, parseAcks, parsePartition, parseSeparator } from "../parse.js";

interface ProduceOptions extends ClientOptions, OutputOptions {
  readonly file?: string;
  readonly keySeparator?: string;
  readonly partition?: number;
  readonly acks: Acks;
  readonly compression: CompressionCodec;
}

/** Splits a line into key and value, and says where it goes. Without a separator in it a line has no key. */
export function lineToRecord(
  line: string,
  topic: string,
  options: { readonly keySeparator?: string; readonly partition?: number },
): ProducerRecord {
  const at = options.keySeparator === undefined ? -1 : line.indexOf(options.keySeparator);
  const keyed =
    at < 0
      ? { value: line }
      : { key: line.slice(0, at), value: line.slice(at + (options.keySeparator?.length ?? 0)) };
  return { topic, ...keyed, partition: options.partition };
}

const placeOf = (metadata: RecordMetadata): string =>
  metadata.offset < 0 ? `${metadata.partition}` : `${metadata.partition}@${metadata.offset}`;

/** Each line is acknowledged before the next prompt; an error is told and the conversation goes on. */
async function produceInteractively(
  context: CommandContext,
  producer: Producer,
  toRecord: (line: string) => ProducerRecord,
): Promise<void> {
  const { terminal, signal } = context;
  const { noteColors } = terminal;
  const { stdin, stderr } = terminal.streams;
  terminal.note(noteColors.dim("Type a record and press Enter. `exit` or Ctrl-D ends."));
  const prompt = createInterface({ input: stdin, output: stderr, prompt: "> ", terminal: true });
  const close = (): void => prompt.close();
  signal.addEventListener("abort", close, { once: true });
  // readline takes Ctrl-C for itself while it reads.
  prompt.on("SIGINT", close);
  prompt.prompt();
  for await (const line of prompt) {
    if (line.trim() === "exit") {
      break;
    }
    if (line !== "") {
      await acknowledge(context, () => producer.send(toRecord(line), { signal }));
    }
    prompt.prompt();
  }
  prompt.close();
  stderr.write("\n");
}

async function acknowledge(
  context: CommandContext,
  send: () => Promise<RecordMetadata>,
): Promise<void> {
  const { noteColors } = context.terminal;
  try {
    const metadata = await send();
    const note = metadata.fsynced ? "" : " (not synced)";
    context.terminal.note(`  ${noteColors.green("✓")} ${placeOf(metadata)}${noteColors.dim(note)}`);
  } catch (error) {
    const { message, hint } = describeError(error);
    context.terminal.note(
      `  ${noteColors.red("✗")} ${message}${hint === undefined ? "" : ` ${hint}`}`,
    );
  }
}

async function produceLines(
  context: CommandContext,
  sender: LineSender,
  input: AsyncIterable<string>,
): Promise<void> {
  const progress = new Progress({
    terminal: context.terminal,
    label: "sending",
    format: (value) => `${formatCount(value)} records`,
  });
  try {
    for await (const line of input) {
      if (context.signal.aborted) {
        break;
      }
      await sender.add(line);
      progress.update(
        sender.acknowledged,
        `${formatCount(sender.handedIn - sender.acknowledged)} on their way`,
      );
    }
    await sender.finish();
  } finally {
    progress.stop();
  }
}

async function produce(
  context: CommandContext,
  topic: string,
  options: ProduceOptions,
): Promise<void> {
  const { terminal, signal } = context;
  const file =
    options.file === undefined || options.file === "-" ? undefined : await open(options.file);
  const toRecord = (line: string): ProducerRecord => lineToRecord(line, topic, options);
  await withClient(context, options.bootstrap, async (client) => {
    // Told now, not after the first line.
    await client.metadata.topic(topic, { signal });
    const { acks, compression } = options;
    await using producer = new Producer({ client, acks, compression });
    if (file === undefined && terminal.isInteractive && !options.json) {
      await produceInteractively(context, producer, toRecord);
      return;
    }
    const startedMs = performance.now();
    const sender = new LineSender({ producer, toRecord, signal });
    const lines = file?.readLines() ?? createInterface({ input: terminal.streams.stdin });
    signal.addEventListener("abort", () => lines.close(), { once: true });
    await produceLines(context, sender, lines);
    printSummary(context, {
      topic,
      sender,
      seconds: (performance.now() - startedMs) / 1000,
      options,
    });
  });
}

function printSummary(
  context: CommandContext,
  result: {
    readonly topic: string;
    readonly sender: LineSender;
    readonly seconds: number;
    readonly options: ProduceOptions;
  },
): void {
  const { acknowledged, perPartition } = result.sender;
  const { terminal } = context;
  if (result.options.json) {
    terminal.out(
      jsonLine({
        topic: result.topic,
        records: acknowledged,
        seconds: Number(result.seconds.toFixed(3)),
        partitions: Object.fromEntries(perPartition),
      }),
    );
    return;
  }
  const rate = formatCount(acknowledged / Math.max(result.seconds, 0.001));
  terminal.note(
    `${formatCount(acknowledged)} records acknowledged in ${formatMs(result.seconds * 1000)} (${rate}/s), in ${perPartition.size} partitions`,
  );
}

export function produceCommand(context: CommandContext): Command {
  const command = new Command("produce")
    .description("send a record for each line of standard input, a file, or what you type")
    .addArgument(new Argument("<topic>", "an existing topic"))
    .option("-f, --file <path>", "read lines from this file (- is standard input)")
    .option(
      "-k, --key-separator <text>",
      "what divides key and value in a line: , or \\t",
      parseSeparator,
    )
    .option("-p, --partition <n>", "send everything to this partition", parsePartition)
    .addOption(
      new Option("--acks <acks>", "wait for none, the leader, or every in-sync replica")
        .argParser(parseAcks)
        .default("all" as Acks, "all"),
    )
    .addOption(
      new Option("--compression <codec>", "compress batches")
        .choices(["none", "gzip", "snappy", "lz4", "zstd"])
        .default("none"),
    )
    .action((topic: string, options: ProduceOptions) => produce(context, topic, options));
  addClientOptions(command, context);
  return addExamples(command, [
    "echo 'hello' | millrace produce greetings",
    "millrace produce orders --file orders.csv --key-separator ,",
    "millrace produce greetings      # type lines; exit ends",
  ]);
}
