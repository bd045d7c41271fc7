// What all measurements share: their options, their output, and the CPU time of this process.

import { type Command, Option } from "commander";
import type { CommandContext } from "../context.js";
import { jsonLine } from "../format/json.js";
import { jsonOption, type OutputOptions } from "../options.js";
import { parseBytes, parsePositiveCount } from "../parse.js";
import { type BenchResult, type ReportExtras, reportText } from "./bench-result.js";

export interface BenchOptions extends OutputOptions {
  /** Undefined: a broker is started for the measurement. */
  readonly bootstrap?: string;
  readonly dataDir?: string;
  readonly size: number;
  readonly topic?: string;
  readonly partitions: number;
}

export function addBenchOptions(command: Command, context: CommandContext): Command {
  const bootstrap = new Option(
    "-b, --bootstrap <url>",
    "broker to measure; without it one is started in its own process",
  );
  const fromEnvironment = context.env["MILLRACE_BOOTSTRAP"];
  if (fromEnvironment !== undefined && fromEnvironment !== "") {
    bootstrap.default(fromEnvironment, `${fromEnvironment}, from MILLRACE_BOOTSTRAP`);
  }
  return command
    .option("-s, --size <bytes>", "bytes of a record's value", parseBytes, 100)
    .option(
      "-t, --topic <name>",
      "an existing topic, kept afterwards (default: a new one, removed)",
    )
    .option("--partitions <n>", "partitions of the new topic", parsePositiveCount, 1)
    .option(
      "--data-dir <dir>",
      "where the started broker keeps its data; with --bootstrap, a directory on its disk",
    )
    .addOption(bootstrap)
    .addOption(jsonOption("print one JSON object"));
}

/** User and system time of this process, in seconds. */
export function clientCpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

export function printResult(
  context: CommandContext,
  options: OutputOptions,
  result: BenchResult,
  extras: Omit<ReportExtras, "colors">,
): void {
  const { terminal } = context;
  terminal.out(
    options.json ? jsonLine(result) : reportText(result, { ...extras, colors: terminal.colors }),
  );
}
