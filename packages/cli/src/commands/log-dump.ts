// `millrace log dump FILE`: what is in a segment or index file, batch by batch, and record by record if asked; in a
// snapshot, or in a file of the commit journal. Works without a broker, on files of Apache Kafka as well.

import { readFile, stat } from "node:fs/promises";
import { basename } from "node:path";
import { readBatch } from "@millrace/protocol";
import type { Compute } from "@millrace/runtime";
import { createNodeRuntime } from "@millrace/runtime/node";
import { isCommitJournalFile } from "@millrace/storage";
import { Argument, Command } from "commander";
import { CliError } from "../cli-error.js";
import type { CommandContext } from "../context.js";
import { exitCodes } from "../exit-codes.js";
import {
  batchColumnsTitle,
  batchJson,
  batchLine,
  isCrcValid,
  recordLine,
  type ShownBatch,
} from "../format/batch.js";
import { jsonLine } from "../format/json.js";
import { jsonRecord } from "../format/record-template.js";
import { dumpJournal, dumpKafkaProducers, dumpProducers } from "../log/dump-state.js";
import { baseOffsetOfFile, readOffsetIndex, readTimeIndex } from "../log/index-file.js";
import { type ScannedBatch, scanSegment } from "../log/segment-scan.js";
import { addExamples, addJsonOption, type OutputOptions } from "../options.js";
import { parsePositiveCount } from "../parse.js";

interface DumpOptions extends OutputOptions {
  readonly records?: boolean;
  readonly max?: number;
}

const DECOMPRESSED_BYTES_MAX = 256 * 1024 * 1024;

async function shownBatch(
  batch: ScannedBatch,
  compute: Compute,
  withRecords: boolean,
): Promise<ShownBatch> {
  const shown = {
    position: batch.position,
    header: batch.header,
    isCrcValid: isCrcValid(batch.bytes, compute),
  };
  if (!withRecords || !shown.isCrcValid) {
    return { ...shown, records: [] };
  }
  const read = readBatch(batch.bytes, 0, { compute, maxDecompressedBytes: DECOMPRESSED_BYTES_MAX });
  return { ...shown, records: read instanceof Promise ? await read : read };
}

async function dumpSegment(
  context: CommandContext,
  path: string,
  options: DumpOptions,
): Promise<void> {
  const { terminal, signal } = context;
  const { compute, fileSystem } = createNodeRuntime();
  const file = await fileSystem.open(path, "read");
  let left = options.max ?? Number.POSITIVE_INFINITY;
  if (!options.json) {
    terminal.out(terminal.colors.bold(batchColumnsTitle));
  }
  try {
    for await (const item of scanSegment(file)) {
      if (left <= 0 || signal.aborted) {
        return;
      }
      left -= 1;
      if (item.kind === "stop") {
        throw new CliError(`${path}: at byte ${item.position}: ${item.problem}.`, {
          exitCode: exitCodes.DATA,
          hint: `${item.bytesLeft} bytes from there on are not shown; \`millrace log verify\` checks the whole directory.`,
        });
      }
      const batch = await shownBatch(item, compute, options.records === true);
      if (!batch.isCrcValid) {
        context.exitCode = exitCodes.FAILURE;
      }
      await terminal.write(options.json ? jsonOf(batch, options) : textOf(context, batch));
    }
  } finally {
    await file.close();
  }
}

function jsonOf(batch: ShownBatch, options: DumpOptions): string {
  const head = batchJson(batch);
  if (options.records !== true) {
    return `${jsonLine(head)}\n`;
  }
  const records = Array.from(batch.records, (record) => {
    const { offset, timestamp, key, value, headers } = record;
    const whole = jsonRecord({ topic: "", partition: 0, offset, timestamp, key, value, headers });
    // The file, not the record, says which topic and partition this is.
    const { topic: _topic, partition: _partition, ...rest } = whole;
    return rest;
  });
  return `${jsonLine({ ...head, records })}\n`;
}

function textOf(context: CommandContext, batch: ShownBatch): string {
  const { colors } = context.terminal;
  const line = batchLine(batch);
  const lines = [batch.isCrcValid ? line : colors.red(line)];
  for (const record of batch.records) {
    lines.push(recordLine(record));
  }
  return `${lines.join("\n")}\n`;
}

async function dumpIndex(
  context: CommandContext,
  path: string,
  options: DumpOptions,
): Promise<void> {
  const { terminal } = context;
  const name = basename(path);
  const baseOffset = baseOffsetOfFile(name) ?? 0;
  const bytes = await readFile(path);
  const isTimeIndex = name.endsWith(".timeindex");
  const entries: readonly object[] = isTimeIndex
    ? readTimeIndex(bytes, baseOffset)
    : readOffsetIndex(bytes, baseOffset);
  if (!options.json) {
    const titles = isTimeIndex ? ["timestamp", "offset"] : ["offset", "position"];
    terminal.out(terminal.colors.bold(titles.map((title) => title.padStart(15)).join("  ")));
  }
  for (const entry of entries.slice(0, options.max)) {
    const cells = Object.values(entry).map((value) => String(value).padStart(15));
    await terminal.write(options.json ? `${jsonLine(entry)}\n` : `${cells.join("  ")}\n`);
  }
}

async function dump(context: CommandContext, path: string, options: DumpOptions): Promise<void> {
  // A missing file is told in the system's words, whatever its name.
  await stat(path);
  if (/\.(?:index|timeindex)$/.test(path)) {
    return dumpIndex(context, path, options);
  }
  // A state machine's snapshot is a row of batches, like a segment.
  if (/\.(?:log|checkpoint)$/.test(path)) {
    return dumpSegment(context, path, options);
  }
  if (path.endsWith(".snapshot")) {
    return dumpKafkaProducers(context, path, options);
  }
  if (path.endsWith(".producer-state")) {
    return dumpProducers(context, path, options);
  }
  if (isCommitJournalFile(basename(path))) {
    return dumpJournal(context, path, options);
  }
  throw new CliError(`${path} is not a log file.`, {
    exitCode: exitCodes.USAGE,
    hint: "Name a .log, .index, .timeindex, .checkpoint, .snapshot, .producer-state or commit-journal file: ./millrace-data/orders-0/00000000000000000000.log",
  });
}

export function logDumpCommand(context: CommandContext): Command {
  const command = new Command("dump")
    .description("show what is in a segment, index, snapshot or commit journal file")
    .addArgument(new Argument("<file>", "the file"))
    .option("--records", "show every record, not only the batches")
    .option("--max <n>", "stop after so many batches, entries or commits", parsePositiveCount)
    .action((path: string, options: DumpOptions) => dump(context, path, options));
  addJsonOption(command, context, "one JSON object per line");
  return addExamples(command, [
    "millrace log dump ./millrace-data/orders-0/00000000000000000000.log --records",
    "millrace log dump ./millrace-data/orders-0/00000000000000000000.timeindex",
    "millrace log dump ./millrace-data/commit-journal-0 --json",
  ]);
}
