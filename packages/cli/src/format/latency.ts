// Latencies on a terminal: a table of percentiles and a distribution drawn with bars. Pure.

import type { LatencyBucket, LatencySummary } from "../bench/latency-recorder.js";
import type { Colors } from "../terminal.js";
import { bar } from "./bar.js";
import { formatCount, formatMs, formatPercent } from "./numbers.js";
import { renderTable } from "./table.js";

export interface NamedLatency {
  readonly name: string;
  readonly summary: LatencySummary | null;
}

const shown = (value: number | undefined): string => (value === undefined ? "-" : formatMs(value));

/** One row per name. Names without figures are left out. */
export function latencyTable(rows: readonly NamedLatency[], colors: Colors): string {
  const measured = rows.filter((row) => row.summary !== null);
  const column = (title: string, key: keyof LatencySummary) => ({
    title,
    value: (row: NamedLatency) => shown(row.summary?.[key]),
    align: "right" as const,
  });
  return renderTable(
    measured,
    [
      { title: "Latency", value: (row) => row.name },
      column("p50", "p50"),
      column("p99", "p99"),
      column("p99.9", "p999"),
      column("max", "max"),
    ],
    { colors, indent: 2 },
  );
}

const BAR_WIDTH = 40;

/** Bars of the share of records per bucket. */
export function latencyHistogram(
  buckets: readonly LatencyBucket[],
  colors: Colors,
  barWidth = BAR_WIDTH,
): string {
  const total = buckets.reduce((sum, bucket) => sum + bucket.count, 0);
  const largest = buckets.reduce((most, bucket) => Math.max(most, bucket.count), 0);
  return buckets
    .map((bucket) => {
      const upTo = `< ${formatMs(bucket.toMs)}`.padStart(12);
      const share = bucket.count / Math.max(1, total);
      const drawn = bar(bucket.count / Math.max(1, largest), barWidth).padEnd(barWidth);
      const figures = `${formatPercent(share).padStart(7)}  ${formatCount(bucket.count)}`;
      return `  ${upTo}  ${colors.cyan(drawn)} ${colors.dim(figures)}`;
    })
    .join("\n");
}
