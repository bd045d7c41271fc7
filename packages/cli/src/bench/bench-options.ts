// What all measurements share: their options, their output, and the CPU time of this process.

import { type Command, InvalidArgumentError } from "commander";
import type { CommandContext } from "../context.js";
import { jsonLine } from "../format/json.js";
import { addOptionalClientOptions, type OutputOptions } from "../options.js";
import { parseBytes, parseDurationMs, parsePositiveCount } from "../parse.js";
import { type BenchResult, type ReportExtras, reportText } from "./bench-result.js";

export interface BenchOptions extends OutputOptions {
  /** Undefined: a broker is started for the measurement. */
  readonly bootstrap?: string;
  readonly dataDir?: string;
  readonly size: number;
  readonly topic?: string;
  readonly partitions: number;
  /** Milliseconds between lines while the load runs. */
  readonly interval?: number;
}

export function addBenchOptions(command: Command, context: CommandContext): Command {
  command
    .option("-s, --size <bytes>", "bytes of a record's value", parseBytes, 100)
    .option(
      "-t, --topic <name>",
      "an existing topic, kept afterwards (default: a new one, removed)",
    )
    .option(
      "--interval <duration>",
      "print a line so often while the load runs: 1s",
      parseIntervalMs,
    )
    .option("--partitions <n>", "partitions of the new topic", parsePositiveCount, 1)
    .option(
      "--data-dir <dir>",
      "where the started broker keeps its data; with --bootstrap, a directory on its disk",
    );
  return addOptionalClientOptions(command, context, {
    bootstrap: "broker to measure; without it one is started in its own process",
    json: "print one JSON object; with --interval before it one line for each interval",
  });
}

const INTERVAL_MS_MIN = 50;

function parseIntervalMs(text: string): number {
  const interval = parseDurationMs(text);
  if (interval < INTERVAL_MS_MIN) {
    throw new InvalidArgumentError(`Expected ${INTERVAL_MS_MIN} ms or more.`);
  }
  return interval;
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
  extras: Omit<ReportExtras, "colors" | "columns">,
): void {
  const { terminal } = context;
  terminal.out(
    options.json
      ? jsonLine(result)
      : reportText(result, { ...extras, colors: terminal.colors, columns: terminal.columns }),
  );
}
