// `millrace log repair DIR --topic-partition T-P`: shows what of a damaged log would be set aside; `--apply` does it.

import { silentLogger } from "@millrace/runtime";
import { createNodeRuntime } from "@millrace/runtime/node";
import { type RepairedRange, type RepairReport, repairLog } from "@millrace/storage";
import { Argument, Command, InvalidArgumentError } from "commander";
import { usageError } from "../cli-error.js";
import { confirm } from "../confirm.js";
import type { CommandContext } from "../context.js";
import { exitCodes } from "../exit-codes.js";
import { jsonText } from "../format/json.js";
import { formatBytes, formatCount } from "../format/numbers.js";
import { type Column, renderTable } from "../format/table.js";
import { addExamples, addJsonOption, type OutputOptions } from "../options.js";

interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

interface RepairCommandOptions extends OutputOptions {
  readonly topicPartition: TopicPartition;
  readonly apply?: boolean;
  readonly yes?: boolean;
}

/** The last dash separates: topic names may hold dashes. */
function parseTopicPartition(text: string): TopicPartition {
  const match = /^([A-Za-z0-9._-]{1,249})-(\d{1,9})$/.exec(text);
  if (match === null) {
    throw new InvalidArgumentError("Expected TOPIC-PARTITION, such as orders-0.");
  }
  return { topic: match[1] ?? "", partition: Number(match[2]) };
}

const columns: readonly Column<RepairedRange>[] = [
  { title: "Segment", value: (row) => row.segment },
  { title: "Byte", value: (row) => String(row.position), align: "right" },
  { title: "Size", value: (row) => formatBytes(row.sizeBytes), align: "right" },
  { title: "FirstOffset", value: (row) => String(row.firstOffset), align: "right" },
  { title: "LastOffset", value: (row) => String(row.lastOffset), align: "right" },
  { title: "Problem", value: (row) => row.problem, isFlexible: true, isOptional: true },
];

function printWithoutDamage({ terminal }: CommandContext, report: RepairReport): void {
  const name = `${report.topic}-${report.partition}`;
  const done = terminal.colors.green("✓");
  if (report.quarantine === undefined) {
    terminal.out(`${done} ${name} needs no repair.`);
  } else if (report.applied) {
    terminal.out(`${done} ${name} is no longer quarantined.`);
  } else {
    terminal.note(
      `${name}: every batch can be read, but it is quarantined (${report.quarantine}); --apply ends that.`,
    );
  }
}

/** Whether there is something that a repair would do. */
function isDue({ quarantine, ranges }: RepairReport): boolean {
  return ranges.length > 0 || quarantine !== undefined;
}

function printReport(context: CommandContext, report: RepairReport): void {
  const { terminal } = context;
  const { colors, columns: width } = terminal;
  const name = `${report.topic}-${report.partition}`;
  if (report.ranges.length === 0) {
    printWithoutDamage(context, report);
    return;
  }
  terminal.out(renderTable(report.ranges, columns, { colors, width }));
  const lost = `${formatCount(report.lostOffsets)} offsets`;
  if (!report.applied) {
    terminal.note(
      `${name}: ${lost} cannot be read. Nothing was changed; --apply sets the damaged bytes aside and skips them.`,
    );
    return;
  }
  terminal.out("");
  for (const { savedAs } of report.ranges) {
    terminal.out(savedAs === undefined ? "  (no bytes to save)" : `  saved ${savedAs}`);
  }
  terminal.out(
    `${colors.green("✓")} ${name} is repaired without ${lost}; all others are what they were.`,
  );
}

async function repair(
  context: CommandContext,
  path: string,
  options: RepairCommandOptions,
): Promise<void> {
  const { terminal } = context;
  const runtime = createNodeRuntime({ logger: silentLogger });
  const run = (apply: boolean) => repairLog({ runtime, path, ...options.topicPartition, apply });
  const plan = await run(false);
  const isWanted = options.apply === true && isDue(plan);
  if (isWanted && plan.ranges.length > 0 && options.yes !== true) {
    if (!terminal.isInteractive) {
      throw usageError("This needs a confirmation.", "Add --yes to do it without being asked.");
    }
    terminal.note(
      renderTable(plan.ranges, columns, { colors: terminal.noteColors, width: terminal.columns }),
    );
    const question = `Give up ${formatCount(plan.lostOffsets)} offsets, with their bytes copied aside?`;
    if (!(await confirm(context, question))) {
      terminal.note("Nothing was changed.");
      return;
    }
  }
  const report = isWanted ? await run(true) : plan;
  if (options.json) {
    terminal.out(jsonText(report));
  } else {
    printReport(context, report);
  }
  // As `log verify`: what was checked is not in order, and still is not.
  context.exitCode = isDue(report) && !report.applied ? exitCodes.FAILURE : exitCodes.OK;
}

export function logRepairCommand(context: CommandContext): Command {
  const command = new Command("repair")
    .description("set damaged ranges aside, so that the partition serves again; offsets stay")
    .addArgument(
      new Argument("<dir>", "the data directory; with --apply its broker must be stopped"),
    )
    .requiredOption("--topic-partition <name>", "which log: orders-0", parseTopicPartition)
    .option("--apply", "do it; without this the command only shows what would be done")
    .option("-y, --yes", "do not ask")
    .action((path: string, options: RepairCommandOptions) => repair(context, path, options));
  addJsonOption(command, context);
  return addExamples(command, [
    "millrace log repair ./millrace-data --topic-partition orders-0",
    "millrace log repair ./millrace-data --topic-partition orders-0 --apply --yes",
  ]);
}
