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

/** A column in which Millrace and others have figures, and who has the best. */
interface Comparison {
  readonly lead: Lead;
  readonly isOurs: boolean;
}

function comparisonsIn(
  results: Results,
  { section, synced, rows, columns }: Group,
): readonly Comparison[] {
  const kept = grid(results, rows, columns);
  return columns.flatMap(({ label, best }, at) => {
    const spreads = kept.map(({ cells }) => cells[at]);
    const first = kept[winner(spreads, best) ?? -1];
    const theirs = first?.cells[at];
    const ours = kept.find(({ row }) => row.client === "millrace")?.cells[at];
    if (first === undefined || theirs === undefined || ours === undefined) {
      return [];
    }
    const lead = {
      what: `${section}: ${label}`,
      promise: promiseOf(synced),
      peer: first.row.title,
      theirs: cell(theirs),
      ours: cell(ours),
      overlaps: ours.runs > 1 && overlaps(ours, theirs, best),
    };
    return [{ lead, isOurs: first.row.client === "millrace" }];
  });
}

const allComparisons = (results: Results): Comparison[] =>
  Object.values(groups)
    .flat()
    .flatMap((group) => comparisonsIn(results, group));

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
  const inTables = allComparisons(results)
    .filter(({ isOurs }) => !isOurs)
    .map(({ lead }) => lead);
  return [...inTables, ...memoryLead(results, true), ...memoryLead(results, false)];
}

export function aheadText(results: Results): string {
  const compared = allComparisons(results);
  const ours = compared.filter(({ isOurs }) => isOurs).length;
  const leads = leadsOf(results);
  if (leads.length === 0) {
    return "Nowhere in these tables.\n";
  }
  return [
    `Of ${compared.length} columns that compare Millrace with peers, it is the best in ${ours}. These are the others, from the tables below, and memory:`,
    "",
    "| | | best peer | its figure | Millrace's |",
    "| --- | --- | --- | ---: | ---: |",
    ...leads.map(
      ({ what, promise, peer, theirs, ours: mine, overlaps: isClose }) =>
        `| ${what} | ${promise} | ${peer} | ${theirs} | ${mine}${isClose ? " \\*" : ""} |`,
    ),
    "",
    "*Synced*: an acknowledgement means that the disk has the record. *Not synced*: it [means less](#what-an-acknowledgement-means).",
    leads.some((lead) => lead.overlaps)
      ? "\\*: Millrace's best round is as good as the peer's worst.\n"
      : "",
  ].join("\n");
}
