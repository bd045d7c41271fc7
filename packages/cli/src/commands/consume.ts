// `millrace consume TOPIC`: prints records as they arrive.

import { Admin } from "@millrace/client-admin";
import { Consumer, type ConsumerBatch } from "@millrace/client-consumer";
import type { ClusterClient } from "@millrace/client-core";
import { Argument, Command } from "commander";
import { withClient } from "../client.js";
import type { CommandContext } from "../context.js";
import { compileRecordFormat, type RecordFormat, templateHelp } from "../format/record-template.js";
import {
  addClientOptions,
  addExamples,
  type ClientOptions,
  type OutputOptions,
} from "../options.js";
import {
  parsePartition,
  parsePositiveCount,
  parseStartPosition,
  type StartPosition,
} from "../parse.js";

interface ConsumeOptions extends ClientOptions, OutputOptions {
  readonly from: StartPosition;
  readonly partition?: number;
  readonly max?: number;
  readonly untilEnd?: boolean;
  readonly format?: string;
}

/** Text collected before it is written, so that a fast topic is not one write per record. */
const WRITE_CHARACTERS = 64 * 1024;

/** What `--until-end` waits for: the ends of the partitions as they were at the start. */
class EndOfLog {
  readonly #open = new Map<number, number>();

  constructor(ends: Iterable<readonly [partition: number, endOffset: number]>) {
    this.#open = new Map(ends);
  }

  get isReached(): boolean {
    return this.#open.size === 0;
  }

  /** Everything below `nextOffset` has been read. */
  passed(partition: number, nextOffset: number): void {
    const end = this.#open.get(partition);
    if (end !== undefined && nextOffset >= end) {
      this.#open.delete(partition);
    }
  }
}

async function findEnds(
  context: CommandContext,
  client: ClusterClient,
  topic: string,
  options: ConsumeOptions,
): Promise<EndOfLog> {
  const partitions = options.partition === undefined ? undefined : [options.partition];
  const admin = new Admin({ client });
  const { signal } = context;
  const offsets = await admin.listOffsets(topic, "latest", { partitions, signal });
  return new EndOfLog(offsets.map(({ partition, offset }) => [partition, offset ?? 0] as const));
}

class RecordPrinter {
  readonly #context: CommandContext;
  readonly #format: RecordFormat;
  #left: number;

  constructor(context: CommandContext, options: ConsumeOptions) {
    this.#context = context;
    this.#left = options.max ?? Number.POSITIVE_INFINITY;
    const format = options.format ?? (options.json ? "json" : "value");
    this.#format = compileRecordFormat(format, {
      escapesControls: context.terminal.isTerminal,
    });
  }

  get isFull(): boolean {
    return this.#left <= 0;
  }

  async print(batch: ConsumerBatch): Promise<void> {
    let text = "";
    for (const record of batch) {
      if (this.isFull) {
        break;
      }
      this.#left -= 1;
      text += this.#format.print(record);
      if (text.length >= WRITE_CHARACTERS) {
        await this.#write(text);
        text = "";
      }
    }
    await this.#write(text);
  }

  async #write(text: string): Promise<void> {
    if (text !== "") {
      await this.#context.terminal.write(text, this.#format.encoding);
    }
  }
}

async function consume(
  context: CommandContext,
  topic: string,
  options: ConsumeOptions,
): Promise<void> {
  const { signal, terminal } = context;
  const printer = new RecordPrinter(context, options);
  await withClient(context, options.bootstrap, async (client) => {
    // Told now, also when nothing would ever arrive.
    await client.metadata.topic(topic, { signal });
    const end = options.untilEnd ? await findEnds(context, client, topic, options) : undefined;
    const { partition, from } = options;
    const what =
      partition === undefined ? { topics: topic } : { partitions: [{ topic, partition }] };
    await using consumer = new Consumer({ client, ...what, from });
    await consumer.ready();
    for (const position of consumer.positions()) {
      end?.passed(position.partition, position.offset);
    }
    if (end?.isReached) {
      return;
    }
    if (from === "latest" && terminal.isTerminal) {
      terminal.note(
        terminal.noteColors.dim(
          "Waiting for new records; --from earliest shows those that are there.",
        ),
      );
    }
    for await (const batch of consumer.batches({ signal })) {
      await printer.print(batch);
      end?.passed(batch.partition, batch.lastOffset + 1);
      if (printer.isFull || end?.isReached) {
        break;
      }
    }
  });
}

export function consumeCommand(context: CommandContext): Command {
  const command = new Command("consume")
    .description("print records as they arrive")
    .addArgument(new Argument("<topic>", "an existing topic"))
    .option(
      "--from <position>",
      "earliest, latest, offset:N, timestamp:T (milliseconds or ISO date), last:N (of each partition)",
      parseStartPosition,
      "latest" as StartPosition,
    )
    .option("-p, --partition <n>", "only this partition", parsePartition)
    .option("-n, --max <n>", "stop after so many records", parsePositiveCount)
    .option("--until-end", "stop at the end of the topic as it is now")
    .option("-f, --format <format>", `value, json, or a template: ${templateHelp}`)
    .action((topic: string, options: ConsumeOptions) => consume(context, topic, options));
  addClientOptions(command, context);
  return addExamples(command, [
    "millrace consume orders --from earliest --until-end",
    "millrace consume orders --from last:10 --format '%p@%o %k=%v\\n'",
    "millrace consume orders --json | jq .value",
  ]);
}
