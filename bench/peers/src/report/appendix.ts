// The parts of the document that are not comparisons: the machine, memory, promises, versions, and what is missing. Pure.

import { clients, durabilities } from "../clients.js";
import type { Results } from "../results.js";
import { spread } from "../statistics.js";
import { IDLE_GAP_MS } from "../workloads.js";
import { allSeries, type Figure, figureOf, figures, highest } from "./figures.js";
import { cell, number } from "./tables.js";

export function acknowledgementTable(): string {
  const lines = Object.entries(durabilities).flatMap(([server, list]) =>
    list.map(
      ({ name, acknowledgement, synced }) =>
        `| ${server} | ${name} | ${acknowledgement} | ${synced ? "yes" : "no"} |`,
    ),
  );
  return [
    "| server | setting | an acknowledged record is | on the disk |",
    "| --- | --- | --- | --- |",
    ...lines,
    "",
  ].join("\n");
}

export function baselineTable(results: Results): string {
  const of = (take: (one: Results["baselines"][number]["baseline"]) => number): string => {
    const found = spread(results.baselines.map(({ baseline }) => take(baseline)));
    return found === undefined ? "" : cell(found);
  };
  return [
    "| | |",
    "| --- | ---: |",
    `| load average of the minute before (the round before it included) | ${of((one) => one.loadAverage)} |`,
    `| disk: 1 MiB writes, each with \`fdatasync\`, MB/s | ${of((one) => one.diskMegabytesPerSecond)} |`,
    `| disk: 1 KiB write and \`fdatasync\`, p50 ms | ${of((one) => one.syncMs.p50)} |`,
    `| the same, p99 ms | ${of((one) => one.syncMs.p99)} |`,
    `| bare \`ws\` echo of 100 B, p50 ms | ${of((one) => one.echoMs.p50)} |`,
    `| the same, p99 ms | ${of((one) => one.echoMs.p99)} |`,
    `| bare \`ws\` echoes one at a time, per second | ${of((one) => one.echoPerSecond)} |`,
    `| bare \`ws\` echoes with 1,000 on their way, per second | ${of((one) => one.echoPipelinedPerSecond)} |`,
    "",
  ].join("\n");
}

/** What stood beside each of Millrace's loads. Empty when nothing did. */
export function besideTable(results: Results): string {
  const rows: readonly (readonly [what: string, workload: string, ...figures: Figure[]])[] = [
    ["awaited: write and `fdatasync`", "awaited", figures.besideSyncP50, figures.besideSyncP99],
    ["awaited: `ws` round trip", "awaited", figures.besideEchoP50, figures.besideEchoP99],
    [
      "10,000/s: write and `fdatasync`, back to back",
      "latency-10000",
      figures.besideSyncP50,
      figures.besideSyncP99,
    ],
    [
      "the same, one every millisecond",
      "latency-10000",
      figures.besidePacedSyncP50,
      figures.besidePacedSyncP99,
    ],
    [
      "idle: write and `fdatasync`, back to back",
      "idle",
      figures.besideSyncP50,
      figures.besideSyncP99,
    ],
    [
      `the same, one every ${IDLE_GAP_MS} ms`,
      "idle",
      figures.besidePacedSyncP50,
      figures.besidePacedSyncP99,
    ],
    ["idle: `ws` round trip, back to back", "idle", figures.besideEchoP50, figures.besideEchoP99],
    [
      `the same, one every ${IDLE_GAP_MS} ms`,
      "idle",
      figures.besidePacedEchoP50,
      figures.besidePacedEchoP99,
    ],
  ];
  const of = (workload: string, figure: Figure): string => {
    const series = { client: "millrace", durability: "sync" };
    const found = figureOf(results, series, workload, figure);
    return found === undefined ? "" : cell(found);
  };
  const lines = rows
    .map(([what, workload, ...taken]) => ({
      what,
      cells: taken.map((figure) => of(workload, figure)),
    }))
    .filter(({ cells }) => cells.some((text) => text !== ""))
    .map(({ what, cells }) => `| ${what} | ${cells.join(" | ")} |`);
  const disk = [
    ["1 KiB batched: disk, 1 MiB writes with `fdatasync`, MB/s", figures.diskMegabytes],
    ["1 KiB batched: Millrace in turns with it, MB/s", figures.diskLoadMegabytes],
  ] as const;
  const diskLines = disk
    .map(([what, figure]) => ({ what, text: of("beside-disk", figure) }))
    .filter(({ text }) => text !== "")
    .map(({ what, text }) => `| ${what} | ${text} | |`);
  const all = [...lines, ...diskLines];
  return all.length === 0
    ? ""
    : ["| | p50 ms | p99 ms |", "| --- | ---: | ---: |", ...all, ""].join("\n");
}

export function memoryTable(results: Results): string {
  const lines = allSeries()
    .map((series) => ({ series, peak: highest(results, series, figures.peakMegabytes) }))
    .filter(({ peak }) => peak !== undefined)
    .map(({ series, peak = 0 }) => `| ${series.title} | ${series.durability} | ${number(peak)} |`);
  return ["| | setting | MB |", "| --- | --- | ---: |", ...lines, ""].join("\n");
}

export function versionList(results: Results): string {
  return Object.entries(results.versions)
    .map(([client, version]) => {
      const caveat = clients.find(({ name }) => name === client)?.caveat;
      return `- \`${client}\`: ${version}${caveat === undefined ? "" : `. ${caveat}`}`;
    })
    .join("\n");
}

export function configurationList(results: Results): string {
  return Object.entries(results.configurations)
    .map(([name, settings]) => {
      const list = Object.entries(settings).map(([key, value]) => `\`${key}=${value}\``);
      return `- ${name}: ${list.length === 0 ? "as it comes" : list.join(", ")}`;
    })
    .join("\n");
}

export function absences(results: Results): string {
  const missing = Object.entries(results.unavailable).map(
    ([client, reason]) =>
      `- \`${client}\` was not measured:\n\n  \`\`\`text\n${indent(reason)}\n  \`\`\``,
  );
  const failed = results.measurements
    .filter(({ failure }) => failure !== undefined)
    .map(
      ({ client, durability, workload, run, failure }) =>
        `- \`${client}\`, ${durability}, ${workload}, run ${run}: ${firstLines(failure ?? "")}`,
    );
  const all = [...missing, ...failed];
  return all.length === 0 ? "Nothing failed, nothing was left out.\n" : `${all.join("\n")}\n`;
}

const indent = (text: string): string =>
  text
    .split("\n")
    .map((line) => `  ${line}`)
    .join("\n");

const firstLines = (text: string): string =>
  `\`${text.split("\n").slice(0, 2).join(" ").replaceAll("`", "'").slice(0, 200)}\``;
