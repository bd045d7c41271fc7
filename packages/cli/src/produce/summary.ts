// What `produce` says when it is done.

import type { CommandContext } from "../context.js";
import { jsonLine } from "../format/json.js";
import { counted, formatCount, formatMs } from "../format/numbers.js";

export interface ProduceResult {
  readonly topic: string;
  readonly acknowledged: number;
  readonly failed?: number;
  readonly perPartition: ReadonlyMap<number, number>;
  readonly seconds: number;
}

export function printSummary(
  context: CommandContext,
  result: ProduceResult,
  options: { readonly json?: boolean },
): void {
  const { terminal } = context;
  const { acknowledged, failed = 0, perPartition, seconds, topic } = result;
  if (options.json) {
    const partitions = Object.fromEntries(perPartition);
    const rounded = Number(seconds.toFixed(3));
    terminal.out(jsonLine({ topic, records: acknowledged, failed, seconds: rounded, partitions }));
    return;
  }
  if (context.signal.aborted && terminal.showsProgress) {
    // The terminal shows ^C.
    terminal.note("");
  }
  const rate = formatCount(acknowledged / Math.max(seconds, 0.001));
  const where = perPartition.size === 0 ? "" : `, in ${counted(perPartition.size, "partition")}`;
  const losses = failed === 0 ? "" : `; ${formatCount(failed)} failed`;
  terminal.note(
    `${counted(acknowledged, "record")} acknowledged in ${formatMs(seconds * 1000)} (${rate}/s)${where}${losses}`,
  );
}
