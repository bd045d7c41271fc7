// Tables: one row for each client and durability, the best figure of each column in bold, whoever has it, and under the
// table why a cell has none. Pure.

import { clients, reasonToSkip } from "../clients.js";
import type { Results } from "../results.js";
import type { Spread } from "../statistics.js";
import { workloadNamed } from "../workloads.js";
import { type Figure, figureOf, SECONDS_MIN, type Series } from "./figures.js";

export interface Column {
  readonly title: string;
  /** The title where the table is not around it. */
  readonly label: string;
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

/** What stands in a cell without a figure, and why, for the legend. */
interface Gap {
  readonly mark: string;
  readonly reason: string;
}

function gapOf(results: Results, row: Row, column: Column): Gap {
  const client = clients.find(({ name }) => name === row.client);
  const workload = workloadNamed(column.workload);
  const reason =
    client === undefined || workload === undefined ? undefined : reasonToSkip(client, workload);
  if (client !== undefined && reason !== undefined) {
    return { mark: "–", reason: `${reason} (${client.title})` };
  }
  const measured = results.measurements.filter(
    (one) =>
      one.client === row.client &&
      one.durability === row.durability &&
      one.workload === column.workload,
  );
  if (measured.some(({ answer }) => answer !== undefined)) {
    return { mark: "*short*", reason: `over in less than ${SECONDS_MIN} s, which says nothing` };
  }
  return measured.length > 0
    ? { mark: "*failed*", reason: "see [what is missing](#what-is-missing)" }
    : { mark: "*not run*", reason: "not in these rounds" };
}

/** Each mark with its reasons; clients that share one stand together. */
function legend(gaps: readonly Gap[]): string {
  const marks = [...new Set(gaps.map(({ mark }) => mark))];
  const parts = marks.map((mark) => {
    const reasons = new Map<string, string[]>();
    for (const { reason } of gaps.filter((gap) => gap.mark === mark)) {
      const [, words = reason, who] = /^(.*) \((.*)\)$/.exec(mark === "–" ? reason : "") ?? [];
      const known = reasons.get(words) ?? [];
      reasons.set(words, who === undefined || known.includes(who) ? known : [...known, who]);
    }
    const texts = [...reasons].map(([words, who]) =>
      who.length === 0 ? words : `${words} (${who.join("; ")})`,
    );
    return `${mark}: ${texts.join("; ")}.`;
  });
  return parts.length === 0 ? "" : `\n${parts.join(" ")}\n`;
}

/** The rows that have any figure, with their cells. */
export function grid(
  results: Results,
  rows: readonly Row[],
  columns: readonly Column[],
): { readonly row: Row; readonly cells: readonly (Spread | undefined)[] }[] {
  return rows
    .map((row) => ({
      row,
      cells: columns.map(({ workload, figure }) => figureOf(results, row, workload, figure)),
    }))
    .filter(({ cells }) => cells.some((one) => one !== undefined));
}

/** Rows without any figure are left out; empty when none is left. */
export function table(results: Results, rows: readonly Row[], columns: readonly Column[]): string {
  const kept = grid(results, rows, columns);
  if (kept.length === 0) {
    return "";
  }
  const winners = columns.map(({ best }, index) =>
    winner(
      kept.map(({ cells }) => cells[index]),
      best,
    ),
  );
  const gaps: Gap[] = [];
  const lines = kept.map(({ row, cells }, index) => {
    const texts = columns.map((column, at) => {
      const one = cells[at];
      if (one === undefined) {
        const gap = gapOf(results, row, column);
        gaps.push(gap);
        return gap.mark;
      }
      return winners[at] === index ? `**${cell(one)}**` : cell(one);
    });
    return `| ${row.title} | ${texts.join(" | ")} |`;
  });
  const heads = columns.map(({ title }) => title);
  return [
    `| | ${heads.join(" | ")} |`,
    `| --- |${heads.map(() => " ---: |").join("")}`,
    ...lines,
    legend(gaps),
  ].join("\n");
}
