// `log dump` of what is not a log: producer snapshots, Kafka's and Millrace's, and the files of the commit journal. A
// table, or one JSON object per line.

import { basename } from "node:path";
import { createNodeRuntime } from "@millrace/runtime/node";
import {
  type DumpedJournalEntry,
  dumpCommitJournal,
  dumpKafkaProducerSnapshot,
  dumpProducerSnapshot,
} from "@millrace/storage";
import { CliError } from "../cli-error.js";
import type { CommandContext } from "../context.js";
import { exitCodes } from "../exit-codes.js";
import { jsonLine } from "../format/json.js";
import { formatTimestamp } from "../format/numbers.js";
import { type Column, renderTable } from "../format/table.js";
import { escapeControls } from "../format/text.js";
import type { OutputOptions } from "../options.js";

interface DumpOptions extends OutputOptions {
  readonly max?: number;
}

/** A table, or a line each. */
async function print<Row extends object>(
  context: CommandContext,
  options: DumpOptions,
  { rows, columns }: { readonly rows: readonly Row[]; readonly columns: readonly Column<Row>[] },
): Promise<void> {
  const { terminal } = context;
  const shown = rows.slice(0, options.max);
  if (!options.json) {
    const { colors, columns: width } = terminal;
    terminal.out(renderTable(shown, columns, { colors, width }));
    return;
  }
  for (const row of shown) {
    await terminal.write(`${jsonLine(row)}\n`);
  }
}

function damaged(path: string, what: string): CliError {
  return new CliError(`${path} is damaged or not ${what}.`, { exitCode: exitCodes.DATA });
}

const right = <Row>(title: string, value: (row: Row) => string): Column<Row> => ({
  title,
  value,
  align: "right",
});

type KafkaProducer = NonNullable<Awaited<ReturnType<typeof dumpKafkaProducerSnapshot>>>[number];

const kafkaColumns: readonly Column<KafkaProducer>[] = [
  right("Producer", (row) => String(row.producerId)),
  right("Epoch", (row) => String(row.producerEpoch)),
  right("LastSequence", (row) => String(row.lastSequence)),
  right("LastOffset", (row) => String(row.lastOffset)),
  right("OffsetDelta", (row) => String(row.offsetDelta)),
  right("Timestamp", (row) => formatTimestamp(row.timestamp)),
];

/** Kafka's `.snapshot`. */
export async function dumpKafkaProducers(
  context: CommandContext,
  path: string,
  options: DumpOptions,
): Promise<void> {
  const { compute, fileSystem } = createNodeRuntime();
  const rows = await dumpKafkaProducerSnapshot(fileSystem, path, compute);
  if (rows === undefined) {
    throw damaged(path, "a producer snapshot");
  }
  await print(context, options, { rows, columns: kafkaColumns });
}

interface ProducerRow {
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly lastWriteMs: number;
  readonly batches: readonly {
    readonly baseSequence: number;
    readonly lastSequence: number;
    readonly baseOffset: number;
    readonly lastOffset: number;
  }[];
}

const producerColumns: readonly Column<ProducerRow>[] = [
  right("Producer", (row) => String(row.producerId)),
  right("Epoch", (row) => String(row.producerEpoch)),
  right("LastWrite", (row) => formatTimestamp(row.lastWriteMs)),
  {
    title: "Batches",
    value: ({ batches }) =>
      batches
        .map((batch) => {
          const sequences = `${batch.baseSequence}..${batch.lastSequence}`;
          return `${sequences} at ${batch.baseOffset}..${batch.lastOffset}`;
        })
        .join(", "),
  },
];

/** Millrace's `.producer-state`. */
export async function dumpProducers(
  context: CommandContext,
  path: string,
  options: DumpOptions,
): Promise<void> {
  const { compute, fileSystem } = createNodeRuntime();
  const snapshot = await dumpProducerSnapshot(fileSystem, path, compute);
  if (snapshot === undefined) {
    throw damaged(path, "a producer state");
  }
  const rows = snapshot.producers.map(([producerId, entry]) => ({ producerId, ...entry }));
  await print(context, options, { rows, columns: producerColumns });
}

interface JournalRow {
  readonly generation: number;
  /** Of the commit, in the file. */
  readonly position: number;
  readonly sizeBytes: number;
  readonly entries: readonly DumpedJournalEntry[];
  readonly problem: string | undefined;
}

function entryText(entry: DumpedJournalEntry): string {
  const log = escapeControls(entry.log);
  return entry.kind === "forget"
    ? `forget ${log}`
    : `${log}/${entry.baseOffset} ${entry.position}+${entry.sizeBytes}`;
}

const journalColumns: readonly Column<JournalRow>[] = [
  right("Byte", (row) => String(row.position)),
  right("Size", (row) => String(row.sizeBytes)),
  right("Logs", (row) => String(row.entries.length)),
  {
    title: "Log/segment position+bytes",
    value: (row) => row.problem ?? row.entries.map(entryText).join(", "),
    isFlexible: true,
  },
];

/** A file of the commit journal: a row for each commit. */
export async function dumpJournal(
  context: CommandContext,
  path: string,
  options: DumpOptions,
): Promise<void> {
  const { compute, fileSystem } = createNodeRuntime();
  const journal = await dumpCommitJournal(fileSystem, path, compute);
  if (journal === undefined) {
    throw damaged(path, "a commit journal; nothing of it would be replayed");
  }
  const { frames, generation } = journal;
  const rows = frames.map((frame) => ({ generation, ...frame }));
  if (rows.some(({ problem }) => problem?.startsWith("damaged") === true)) {
    context.exitCode = exitCodes.FAILURE;
  }
  if (!options.json) {
    context.terminal.note(`${basename(path)}: generation ${generation}, ${frames.length} commits`);
  }
  await print(context, options, { rows, columns: journalColumns });
}
