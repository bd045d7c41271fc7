// `millrace log verify DIR`: every batch and index below a data directory, read and checked; a table of
// findings; exit code 1 when something is damaged.

import { dirname, relative, resolve } from "node:path";
import { createNodeRuntime } from "@millrace/runtime/node";
import { JournalOverlay } from "@millrace/storage";
import { Argument, Command } from "commander";
import { CliError } from "../cli-error.js";
import type { CommandContext } from "../context.js";
import { exitCodes } from "../exit-codes.js";
import { jsonText } from "../format/json.js";
import { formatBytes, formatCount } from "../format/numbers.js";
import { Progress } from "../format/progress.js";
import { type Column, renderTable } from "../format/table.js";
import { escapeControls } from "../format/text.js";
import { FINDINGS_MAX, type Finding, Findings } from "../log/finding.js";
import {
  findLogDirectories,
  type LogDirectory,
  type PartitionReport,
  PartitionVerifier,
} from "../log/verify.js";
import { addExamples, addJsonOption, type OutputOptions } from "../options.js";

const partitionColumns: readonly Column<PartitionReport>[] = [
  { title: "Partition", value: (row) => escapeControls(row.directory), isFlexible: true },
  { title: "Segments", value: (row) => formatCount(row.segments), align: "right" },
  { title: "Batches", value: (row) => formatCount(row.batches), align: "right" },
  { title: "Records", value: (row) => formatCount(row.records), align: "right" },
  { title: "Size", value: (row) => formatBytes(row.sizeBytes), align: "right" },
  {
    title: "Offsets",
    value: (row) => (row.firstOffset < 0 ? "empty" : `${row.firstOffset}..${row.lastOffset}`),
    align: "right",
  },
];

async function verifyAll(
  context: CommandContext,
  root: string,
  directories: readonly LogDirectory[],
): Promise<{ findings: Findings; reports: PartitionReport[] }> {
  const findings = new Findings();
  const reports: PartitionReport[] = [];
  const total = directories.reduce((sum, directory) => sum + directory.sizeBytes, 0);
  const { terminal, signal } = context;
  const progress = new Progress({ terminal, label: "verifying", total, format: formatBytes });
  const { compute, fileSystem } = createNodeRuntime();
  const dataDirectory = directories[0]?.path === root ? dirname(root) : root;
  const journal = await JournalOverlay.open({ compute, fileSystem }, dataDirectory);
  for (const { path, position } of journal.damages) {
    const problem = "a commit in the middle of the journal is damaged: the broker does without it";
    const file = relative(root, path);
    findings.add({ severity: "damage", file, position, offset: undefined, problem });
  }
  let done = 0;
  try {
    for (const directory of directories) {
      const onProgress = (bytes: number): void => {
        done += bytes;
        progress.update(done, escapeControls(directory.path));
      };
      const options = { compute, fileSystem, journal, signal, findings, onProgress };
      reports.push(await new PartitionVerifier(root, directory, options).run());
    }
  } finally {
    progress.stop();
    await journal.close();
  }
  return { findings, reports };
}

function printFindings(context: CommandContext, findings: Findings): void {
  const { terminal } = context;
  const { colors } = terminal;
  const columns: readonly Column<Finding>[] = [
    {
      title: "Severity",
      value: (row) => row.severity,
      paint: (text, row) => (row.severity === "damage" ? colors.red(text) : colors.yellow(text)),
    },
    { title: "File", value: (row) => escapeControls(row.file), isFlexible: true },
    { title: "Byte", value: (row) => String(row.position), align: "right" },
    { title: "Offset", value: (row) => String(row.offset ?? "-"), align: "right" },
    { title: "Problem", value: (row) => row.problem },
  ];
  terminal.out("");
  terminal.out(renderTable(findings.list, columns, { colors }));
  const unseen = findings.damageCount + findings.warningCount - findings.list.length;
  if (unseen > 0) {
    terminal.out(`... and ${formatCount(unseen)} more: the first ${FINDINGS_MAX} are shown.`);
  }
}

function printVerdict(context: CommandContext, findings: Findings): void {
  const { terminal } = context;
  const warnings =
    findings.warningCount === 0 ? "" : ` (${formatCount(findings.warningCount)} warnings)`;
  terminal.out("");
  if (findings.damageCount === 0) {
    terminal.out(`${terminal.colors.green("No damage found.")}${warnings}`);
    return;
  }
  const count = formatCount(findings.damageCount);
  terminal.out(`${terminal.colors.red(`${count} damaged places found.`)}${warnings}`);
  terminal.out(
    "Copy the directory before anything else touches it; records outside the damage are readable.",
  );
  terminal.out(
    "`millrace log repair` then sets the damage aside, so that the partition serves again.",
  );
}

async function verify(
  context: CommandContext,
  directory: string,
  options: OutputOptions,
): Promise<void> {
  const root = resolve(directory);
  const directories = await findLogDirectories(root);
  if (directories.length === 0) {
    throw new CliError(`There is no log in ${directory}.`, {
      exitCode: exitCodes.NO_INPUT,
      hint: "Name a data directory, or one partition in it: ./millrace-data/orders-0",
    });
  }
  const { findings, reports } = await verifyAll(context, root, directories);
  context.exitCode = findings.damageCount === 0 ? exitCodes.OK : exitCodes.FAILURE;
  const { terminal } = context;
  if (options.json) {
    terminal.out(
      jsonText({
        directory: root,
        damaged: findings.damageCount,
        warnings: findings.warningCount,
        partitions: reports,
        findings: findings.list,
      }),
    );
    return;
  }
  const { colors, columns } = terminal;
  terminal.out(renderTable(reports, partitionColumns, { colors, width: columns }));
  if (findings.list.length > 0) {
    printFindings(context, findings);
  }
  printVerdict(context, findings);
}

export function logVerifyCommand(context: CommandContext): Command {
  const command = new Command("verify")
    .description(
      "check every batch, index and snapshot of a data directory; exit code 1 when damaged",
    )
    .addArgument(new Argument("<dir>", "a data directory, or one partition's directory in it"))
    .action((directory: string, options: OutputOptions) => verify(context, directory, options));
  addJsonOption(command, context);
  return addExamples(command, [
    "millrace log verify ./millrace-data",
    "millrace log verify ./millrace-data/orders-0 --json",
  ]);
}
