// `produce --stream`: a log line every so often until it is stopped, each told with its place. A broker that goes away
// is waited for: the producer repeats, and what fails for good is told and counted.

import { setTimeout as sleep } from "node:timers/promises";
import type { Producer } from "@millrace/client-producer";
import { describeError } from "../cli-error.js";
import type { CommandContext } from "../context.js";
import { truncate } from "../format/text.js";
import { placeOf } from "./interactive.js";
import type { LineRecordOptions } from "./line-record.js";
import { lineToRecord } from "./line-record.js";
import { createLogLine, type LogLine } from "./log-lines.js";

export interface LogStreamOptions {
  readonly producer: Producer;
  readonly record: LineRecordOptions;
  readonly intervalMs: number;
  /** Undefined: until stopped. */
  readonly max: number | undefined;
}

export interface LogStreamResult {
  readonly acknowledged: number;
  readonly failed: number;
  readonly perPartition: ReadonlyMap<number, number>;
}

const STOP_TIMEOUT_MS = 2_000;

/** Resolves when `signal` is aborted or `max` lines are sent. @throws what can never succeed, such as a deleted topic */
export async function streamLogLines(
  context: CommandContext,
  options: LogStreamOptions,
): Promise<LogStreamResult> {
  const { signal } = context;
  const { max = Number.POSITIVE_INFINITY } = options;
  const perPartition = new Map<number, number>();
  const source = { nowMs: Date.now, random: Math.random };
  let acknowledged = 0;
  let failed = 0;
  let dueAt = performance.now();
  // The line on its way when it is stopped is waited for, so that what is counted is what is stored.
  const stop = (): void => void options.producer.close({ timeoutMs: STOP_TIMEOUT_MS });
  signal.addEventListener("abort", stop, { once: true });
  while (!signal.aborted && acknowledged + failed < max) {
    const partition = await sendLine(context, createLogLine(source), options);
    if (partition === undefined) {
      failed += 1;
    } else {
      acknowledged += 1;
      perPartition.set(partition, (perPartition.get(partition) ?? 0) + 1);
    }
    dueAt = Math.max(dueAt + options.intervalMs, performance.now());
    if (acknowledged + failed < max) {
      await pause(dueAt - performance.now(), signal);
    }
  }
  signal.removeEventListener("abort", stop);
  return { acknowledged, failed, perPartition };
}

async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(Math.max(0, milliseconds), undefined, { signal });
  } catch (error) {
    if (!signal.aborted) {
      throw error;
    }
  }
}

/** @returns the partition; undefined when it failed and another try may succeed */
async function sendLine(
  context: CommandContext,
  line: LogLine,
  options: LogStreamOptions,
): Promise<number | undefined> {
  const { terminal, signal } = context;
  const { noteColors: colors } = terminal;
  const record = { ...lineToRecord(options.record)(Buffer.from(line.value)), key: line.key };
  try {
    const metadata = await options.producer.send(record);
    if (terminal.showsProgress) {
      const place = `${colors.green("✓")} ${placeOf(metadata)}`;
      const width = (terminal.columns ?? 80) - placeOf(metadata).length - 4;
      terminal.note(`${place}  ${colors.dim(truncate(line.value, width))}`);
    }
    return metadata.partition;
  } catch (error) {
    const { code, message } = describeError(error);
    if (signal.aborted) {
      terminal.note(`${colors.red("✗")} the last line has no answer and may be stored or not`);
      return undefined;
    }
    if (code !== "DELIVERY_TIMEOUT" && code !== "BUFFER_FULL") {
      throw error;
    }
    terminal.note(`${colors.red("✗")} ${message}`);
    return undefined;
  }
}
