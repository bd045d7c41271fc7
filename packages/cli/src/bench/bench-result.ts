// What a measurement gives: one JSON object, and the same for people. Pure.

import { bar, resample, sparkline } from "../format/bar.js";
import { latencyHistogram, latencyTable, type NamedLatency } from "../format/latency.js";
import { formatBytes, formatCount, formatMs, roundTo } from "../format/numbers.js";
import { wrapWords } from "../format/text.js";
import type { Colors } from "../terminal.js";
import type { LatencyBucket, LatencySummary } from "./latency-recorder.js";
import { type Spread, spreadOf } from "./spread.js";

const RATIO_DIGITS = 3;

export interface DiskResult {
  /** One file, 1 MiB appends, each followed by fdatasync; 10^6 bytes per second. */
  readonly baselineMegabytesPerSecond: Spread;
  /** What the partitions' logs grew by, batch headers included, per second of load. */
  readonly storedMegabytesPerSecond: number;
  /** Each part of the load over the mean of the two slices around it. */
  readonly ratio: Spread;
  readonly slices: number;
}

/** A part of the load, and what the disk did by itself right before and right after it. */
export interface DiskPart {
  readonly storedBytes: number;
  readonly seconds: number;
  /** Megabytes (10^6 bytes) per second. */
  readonly baselineBefore: number;
  readonly baselineAfter: number;
}

export interface BenchResult {
  readonly bench: "produce" | "consume" | "latency";
  readonly records: number;
  readonly recordBytes: number;
  /** Of load: pauses for the disk baseline are not in it. */
  readonly seconds: number;
  readonly recordsPerSecond: number;
  /** Payload; 10^6 bytes. */
  readonly megabytesPerSecond: number;
  readonly ackMs: LatencySummary | null;
  readonly endToEndMs: LatencySummary | null;
  /** Stored bytes per second over the disk's own, part by part: the median. null when it was not measured. */
  readonly diskRatio: number | null;
  readonly disk: DiskResult | null;
  /** A raw append and fdatasync of `fdatasyncBytes` in the same run. */
  readonly fdatasyncMs?: LatencySummary | null;
  readonly fdatasyncBytes?: number;
  /** CPU time of both processes while the load ran; null where unknown. */
  readonly cpuSeconds: { readonly broker: number | null; readonly client: number };
  /** How it was measured. */
  readonly settings: Readonly<Record<string, string | number | boolean | null>>;
}

export interface RatesInput {
  readonly records: number;
  readonly recordBytes: number;
  readonly seconds: number;
}

/** The figures every measurement has. */
export function rates(input: RatesInput): {
  seconds: number;
  recordsPerSecond: number;
  megabytesPerSecond: number;
} {
  const perSecond = input.seconds > 0 ? input.records / input.seconds : 0;
  return {
    seconds: roundTo(input.seconds, 3),
    recordsPerSecond: Math.round(perSecond),
    megabytesPerSecond: roundTo((perSecond * input.recordBytes) / 1e6),
  };
}

/**
 * Compares what was stored with what the disk could do in the same seconds. A shared or throttled disk changes its
 * speed by the second, so each part is compared with its own neighbours; the ratio of two totals would compare a
 * part's good seconds with a slice's bad ones.
 */
export function diskResult(parts: readonly DiskPart[]): {
  disk: DiskResult | null;
  diskRatio: number | null;
} {
  const ratio = spreadOf(parts.map(partRatio), RATIO_DIGITS);
  const last = parts.at(-1);
  const baselines = parts.map((part) => part.baselineBefore);
  const baseline = last && spreadOf([...baselines, last.baselineAfter]);
  if (ratio === null || !baseline) {
    return { disk: null, diskRatio: null };
  }
  const storedBytes = parts.reduce((sum, part) => sum + part.storedBytes, 0);
  const seconds = parts.reduce((sum, part) => sum + part.seconds, 0);
  return {
    diskRatio: ratio.median,
    disk: {
      baselineMegabytesPerSecond: baseline,
      storedMegabytesPerSecond: roundTo(storedBytes / 1e6 / seconds),
      ratio,
      slices: parts.length + 1,
    },
  };
}

function partRatio(part: DiskPart): number {
  const baseline = (part.baselineBefore + part.baselineAfter) / 2;
  return part.storedBytes / 1e6 / part.seconds / baseline;
}

export interface ReportExtras {
  readonly colors: Colors;
  /** Of the terminal; undefined: no limit. */
  readonly columns: number | undefined;
  /** Records per second, interval by interval. */
  readonly samples: readonly number[];
  /** The distribution to draw, and of what. */
  readonly buckets: readonly LatencyBucket[];
  readonly bucketsOf: string;
}

const SPARK_WIDTH = 60;
const BAR_WIDTH_MAX = 40;
const BAR_WIDTH_MIN = 10;
/** What stands beside a note behind a bar and its rate. */
const BESIDE_NOTE = 30;
/** What stands beside a bar. */
const BESIDE_BAR = 38;

/** Undefined: a file or a pipe, which has no width. */
const barWidthFor = (columns: number | undefined): number =>
  columns === undefined
    ? BAR_WIDTH_MAX
    : Math.max(BAR_WIDTH_MIN, Math.min(BAR_WIDTH_MAX, columns - BESIDE_BAR));

function diskLines(result: BenchResult, { colors, columns }: ReportExtras): string[] {
  if (result.disk === null || result.diskRatio === null) {
    return [];
  }
  const { baselineMegabytesPerSecond: baseline, storedMegabytesPerSecond: stored } = result.disk;
  const { min, max } = result.disk.ratio;
  const largest = Math.max(baseline.median, stored);
  const width = barWidthFor(columns);
  const line = (name: string, value: number, note: string): string => {
    const drawn = colors.cyan(bar(value / largest, width).padEnd(width));
    const rate = `${value.toFixed(1).padStart(8)} MB/s`;
    const fits = columns === undefined || width + note.length + BESIDE_NOTE <= columns;
    return `  ${name.padEnd(10)} ${drawn} ${rate}${fits ? `  ${colors.dim(note)}` : ""}`;
  };
  return [
    "",
    `  ${colors.bold("Disk")}  ratio ${colors.bold(result.diskRatio.toFixed(2))}   ${colors.dim(`${min.toFixed(2)} to ${max.toFixed(2)}`)}`,
    line("stored", stored, "what the broker wrote and synced"),
    line(
      "disk alone",
      baseline.median,
      `1 MiB + fdatasync, ${result.disk.slices} slices, ${baseline.min.toFixed(0)} to ${baseline.max.toFixed(0)}`,
    ),
  ];
}

function headLines(result: BenchResult, extras: ReportExtras): string[] {
  const { colors } = extras;
  const what = `${formatCount(result.records)} records of ${formatBytes(result.recordBytes)} in ${formatMs(result.seconds * 1000)}`;
  const rate = `${formatCount(result.recordsPerSecond)} records/s`;
  const lines = [
    `  ${colors.bold(colors.green(rate))}   ${result.megabytesPerSecond.toFixed(1)} MB/s   ${colors.dim(what)}`,
  ];
  if (extras.samples.length > 1) {
    lines.push(`  ${colors.cyan(sparkline(resample(extras.samples, SPARK_WIDTH)))}`);
  }
  return lines;
}

function latencies(result: BenchResult): NamedLatency[] {
  return [
    { name: "acknowledged", summary: result.ackMs },
    { name: "end to end", summary: result.endToEndMs },
    { name: `fdatasync alone (${result.fdatasyncBytes} B)`, summary: result.fdatasyncMs ?? null },
  ].filter((row) => row.summary !== null);
}

/** The report for people. */
export function reportText(result: BenchResult, extras: ReportExtras): string {
  const { colors } = extras;
  const rows = latencies(result);
  const lines = ["", ...headLines(result, extras)];
  if (rows.length > 0) {
    lines.push("", latencyTable(rows, colors));
  }
  if (extras.buckets.length > 0) {
    const histogram = latencyHistogram(extras.buckets, colors, barWidthFor(extras.columns));
    lines.push("", `  ${colors.bold(extras.bucketsOf)}`, histogram);
  }
  lines.push(...diskLines(result, extras));
  const { broker, client } = result.cpuSeconds;
  const brokerCpu = broker === null ? "" : `broker ${broker.toFixed(2)} s, `;
  const settings = Object.entries(result.settings).map(([name, value]) => `${name} ${value}`);
  lines.push(
    "",
    colors.dim(`  CPU: ${brokerCpu}this process ${client.toFixed(2)} s`),
    ...wrapWords(
      settings.join(", "),
      extras.columns === undefined ? undefined : extras.columns - 2,
    ).map((line) => colors.dim(`  ${line}`)),
    "",
  );
  return lines.join("\n");
}
