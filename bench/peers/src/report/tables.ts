// Tables: one row for each client and durability, the best figure of each column in bold, whoever has it. Pure.

import type { Results } from "../results.js";
import type { Spread } from "../statistics.js";
import { type Figure, figureOf, type Series } from "./figures.js";

export interface Column {
  readonly title: string;
  readonly workload: string;
  readonly figure: Figure;
  readonly best: "highest" | "lowest";
}

/** Three significant digits, thousands separated. */
export function number(value: number): string {
  if (Math.abs(value) >= 100) {
    const scale = 10 ** Math.max(0, Math.floor(Math.log10(Math.abs(value))) - 2);
    return (Math.round(value / scale) * scale).toLocaleString("en", { maximumFractionDigits: 0 });
  }
  return value === 0 ? "0" : String(Number(value.toPrecision(3)));
}

export function cell({ min, median, max, runs }: Spread): string {
  return runs < 2 || number(min) === number(max)
    ? number(median)
    : `${number(median)} (${number(min)} to ${number(max)})`;
}

export interface Row extends Series {
  readonly title: string;
}

/** Index of the row with the best median; undefined when no row has a figure, or only one. */
export function winner(
  spreads: readonly (Spread | undefined)[],
  best: "highest" | "lowest",
): number | undefined {
  const sign = best === "highest" ? 1 : -1;
  let found: number | undefined;
  let count = 0;
  for (const [index, one] of spreads.entries()) {
    if (one !== undefined) {
      count++;
      const leader = found === undefined ? undefined : spreads[found];
      if (leader === undefined || sign * (one.median - leader.median) > 0) {
        found = index;
      }
    }
  }
  return count > 1 ? found : undefined;
}

/** Rows without any figure are left out; empty when none is left. */
export function table(results: Results, rows: readonly Row[], columns: readonly Column[]): string {
  const grid = rows.map((row) =>
    columns.map(({ workload, figure }) => figureOf(results, row, workload, figure)),
  );
  const kept = rows
    .map((row, index) => ({ row, cells: grid[index] ?? [] }))
    .filter(({ cells }) => cells.some((one) => one !== undefined));
  if (kept.length === 0) {
    return "";
  }
  const winners = columns.map(({ best }, column) =>
    winner(
      kept.map(({ cells }) => cells[column]),
      best,
    ),
  );
  const lines = kept.map(({ row, cells }, index) => {
    const texts = cells.map((one, column) => {
      const text = one === undefined ? "" : cell(one);
      return winners[column] === index ? `**${text}**` : text;
    });
    return `| ${row.title} | ${texts.join(" | ")} |`;
  });
  const heads = columns.map(({ title }) => title);
  return [
    `| | ${heads.join(" | ")} |`,
    `| --- |${heads.map(() => " ---: |").join("")}`,
    ...lines,
    "",
  ].join("\n");
}
