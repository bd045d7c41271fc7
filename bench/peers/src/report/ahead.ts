// Where a peer is ahead of Millrace: every column of every table whose best figure is somebody else's. Pure.

import type { Results } from "../results.js";
import type { Spread } from "../statistics.js";
import { type Group, groups } from "./columns.js";
import { allSeries, figures, highest } from "./figures.js";
import { type Column, cell, grid, number, winner } from "./tables.js";

export interface Lead {
  readonly what: string;
  readonly promise: string;
  readonly peer: string;
  /** As the tables have them. */
  readonly theirs: string;
  readonly ours: string;
  /** Of several rounds, some of ours were as good as some of theirs. */
  readonly overlaps: boolean;
}

const promiseOf = (synced: boolean | undefined): string =>
  synced === undefined ? "each at its default" : synced ? "synced" : "not synced";

function overlaps(ours: Spread, theirs: Spread, best: Column["best"]): boolean {
  return best === "highest" ? ours.max >= theirs.min : ours.min <= theirs.max;
}

function leadsIn(results: Results, { section, synced, rows, columns }: Group): Lead[] {
  const kept = grid(results, rows, columns);
  return columns.flatMap(({ label, best }, at) => {
    const spreads = kept.map(({ cells }) => cells[at]);
    const first = kept[winner(spreads, best) ?? -1];
    const theirs = first?.cells[at];
    const ours = kept.find(({ row }) => row.client === "millrace")?.cells[at];
    if (
      first === undefined ||
      theirs === undefined ||
      ours === undefined ||
      first.row.client === "millrace"
    ) {
      return [];
    }
    return [
      {
        what: `${section}: ${label}`,
        promise: promiseOf(synced),
        peer: first.row.title,
        theirs: cell(theirs),
        ours: cell(ours),
        overlaps: ours.runs > 1 && overlaps(ours, theirs, best),
      },
    ];
  });
}

function memoryLead(results: Results, synced: boolean): Lead[] {
  const peaks = allSeries(synced)
    .map((series) => ({ series, peak: highest(results, series, figures.peakMegabytes) }))
    .filter(
      (one): one is { series: (typeof one)["series"]; peak: number } => one.peak !== undefined,
    )
    .toSorted((left, right) => left.peak - right.peak);
  const [first] = peaks;
  const ours = peaks.find(({ series }) => series.client === "millrace");
  return first === undefined || ours === undefined || first === ours
    ? []
    : [
        {
          what: "Server memory: the most in any measurement, MB",
          promise: promiseOf(synced),
          peer: first.series.title,
          theirs: number(first.peak),
          ours: number(ours.peak),
          overlaps: false,
        },
      ];
}

export function leadsOf(results: Results): Lead[] {
  const inTables = Object.values(groups)
    .flat()
    .flatMap((group) => leadsIn(results, group));
  return [...inTables, ...memoryLead(results, true), ...memoryLead(results, false)];
}

export function aheadText(results: Results): string {
  const leads = leadsOf(results);
  if (leads.length === 0) {
    return "Nowhere in these tables.\n";
  }
  return [
    "| | | best peer | its figure | Millrace's |",
    "| --- | --- | --- | ---: | ---: |",
    ...leads.map(
      ({ what, promise, peer, theirs, ours, overlaps: isClose }) =>
        `| ${what} | ${promise} | ${peer} | ${theirs} | ${ours}${isClose ? " *" : ""} |`,
    ),
    "",
    leads.some((lead) => lead.overlaps) ? "\\*: the rounds of both overlap.\n" : "",
  ].join("\n");
}
