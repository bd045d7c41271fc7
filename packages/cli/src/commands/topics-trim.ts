// `millrace topics trim NAME`: deletes the oldest records of a partition, or of all, for good.

import { Admin, type RecordDeletion } from "@millrace/client-admin";
import type { ClusterClient } from "@millrace/client-core";
import { Argument, Command, InvalidArgumentError } from "commander";
import { CliError, usageError } from "../cli-error.js";
import { withClient } from "../client.js";
import { confirm } from "../confirm.js";
import type { CommandContext } from "../context.js";
import { jsonText } from "../format/json.js";
import { formatCount } from "../format/numbers.js";
import { type Column, renderTable } from "../format/table.js";
import {
  addClientOptions,
  addExamples,
  type ClientOptions,
  type OutputOptions,
} from "../options.js";
import { parsePartitions } from "../parse.js";

type TrimPosition = number | "end";

interface TrimOptions extends ClientOptions, OutputOptions {
  readonly partition?: readonly number[];
  readonly before: TrimPosition;
  readonly yes?: boolean;
  readonly dryRun?: boolean;
}

interface TrimPlan {
  readonly partition: number;
  /** The first readable offset now. */
  readonly startOffset: number;
  /** ... and from then on. */
  readonly newStartOffset: number;
  readonly endOffset: number;
  readonly deletedOffsets: number;
}

const columns: readonly Column<TrimPlan>[] = [
  { title: "Partition", value: (row) => String(row.partition), align: "right" },
  { title: "StartOffset", value: (row) => String(row.startOffset), align: "right" },
  { title: "NewStartOffset", value: (row) => String(row.newStartOffset), align: "right" },
  { title: "EndOffset", value: (row) => String(row.endOffset), align: "right" },
  { title: "Deleted", value: (row) => formatCount(row.deletedOffsets), align: "right" },
];

function parseTrimPosition(text: string): TrimPosition {
  if (text === "end") {
    return "end";
  }
  if (!/^\d{1,15}$/.test(text)) {
    throw new InvalidArgumentError("Expected an offset, or end.");
  }
  return Number(text);
}

/** What trimming would delete, from the offsets as they are now. */
async function planTrim(
  context: CommandContext,
  client: ClusterClient,
  request: { readonly topic: string; readonly options: TrimOptions },
): Promise<readonly TrimPlan[]> {
  const { signal } = context;
  const { topic, options } = request;
  const admin = new Admin({ client });
  const partitions = options.partition;
  const starts = await admin.listOffsets(topic, "earliest", { partitions, signal });
  const ends = await admin.listOffsets(topic, "latest", { partitions, signal });
  return starts.map(({ partition, offset }, index) => {
    const startOffset = offset ?? 0;
    const endOffset = ends[index]?.offset ?? startOffset;
    const wanted = options.before === "end" ? endOffset : options.before;
    if (wanted > endOffset) {
      throw new CliError(`Partition ${partition} of ${topic} ends at offset ${endOffset}.`, {
        code: "OFFSET_OUT_OF_RANGE",
        hint: "--before takes an offset up to there, or end.",
      });
    }
    const newStartOffset = Math.max(startOffset, wanted);
    const deletedOffsets = newStartOffset - startOffset;
    return { partition, startOffset, newStartOffset, endOffset, deletedOffsets };
  });
}

function printPlan(
  context: CommandContext,
  plan: readonly TrimPlan[],
  options: { readonly toResult: boolean },
): void {
  const { terminal } = context;
  const { colors, columns: width, noteColors } = terminal;
  if (options.toResult) {
    terminal.out(renderTable(plan, columns, { colors, width }));
  } else {
    terminal.note(renderTable(plan, columns, { colors: noteColors, width }));
  }
}

async function trim(context: CommandContext, topic: string, options: TrimOptions): Promise<void> {
  const { terminal } = context;
  if (options.partition === undefined && options.before !== "end") {
    throw usageError(
      "An offset means something else in each partition.",
      "Add --partition P, or use --before end for all of them.",
    );
  }
  await withClient(context, options.bootstrap, async (client) => {
    const plan = await planTrim(context, client, { topic, options });
    const total = plan.reduce((sum, row) => sum + row.deletedOffsets, 0);
    const isDryRun = options.dryRun === true;
    if (!isDryRun && total > 0 && options.yes !== true) {
      if (terminal.isInteractive) {
        printPlan(context, plan, { toResult: false });
      }
      if (!(await confirm(context, `Delete ${formatCount(total)} offsets of ${topic} for good?`))) {
        terminal.note("Nothing was deleted.");
        return;
      }
    }
    const done = isDryRun ? plan : await applyPlan(context, client, { topic, plan });
    if (options.json) {
      terminal.out(jsonText({ topic, applied: !isDryRun, partitions: done }));
      return;
    }
    printPlan(context, done, { toResult: true });
    if (isDryRun) {
      terminal.note(`${formatCount(total)} offsets would go; nothing was deleted (--dry-run).`);
    }
  });
}

/** @returns the plan with the start offsets that the broker answered */
async function applyPlan(
  { signal }: CommandContext,
  client: ClusterClient,
  request: { readonly topic: string; readonly plan: readonly TrimPlan[] },
): Promise<readonly TrimPlan[]> {
  const { topic, plan } = request;
  const deletions: RecordDeletion[] = plan
    .filter((row) => row.deletedOffsets > 0)
    .map((row) => ({ partition: row.partition, beforeOffset: row.newStartOffset }));
  if (deletions.length === 0) {
    return plan;
  }
  const deleted = await new Admin({ client }).deleteRecords(topic, deletions, { signal });
  const starts = new Map(deleted.map((row) => [row.partition, row.lowWatermark]));
  return plan.map((row) => {
    const newStartOffset = starts.get(row.partition) ?? row.newStartOffset;
    return { ...row, newStartOffset, deletedOffsets: newStartOffset - row.startOffset };
  });
}

export function topicsTrimCommand(context: CommandContext): Command {
  const command = new Command("trim")
    .description("delete a partition's oldest records, for good")
    .addArgument(new Argument("<name>", "an existing topic"))
    .requiredOption("--before <offset>", "the first offset to keep, or end", parseTrimPosition)
    .option("-p, --partition <list>", "these partitions: 0 or 0,2,5-7", parsePartitions)
    .option("-y, --yes", "do not ask")
    .option("--dry-run", "show what would go, and delete nothing")
    .action((name: string, options: TrimOptions) => trim(context, name, options));
  addClientOptions(command, context);
  return addExamples(command, [
    "millrace topics trim orders --partition 0 --before 5000 --dry-run",
    "millrace topics trim orders --before end --yes",
  ]);
}
