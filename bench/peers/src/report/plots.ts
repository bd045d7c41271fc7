// The plots: Vega-Lite specifications rendered to SVG without a browser.

import { parse, View } from "vega";
import { compile, type TopLevelSpec } from "vega-lite";
import type { Results } from "../results.js";
import { partitionCounts } from "../workloads.js";
import { allSeries, type Figure, figureOf, figures } from "./figures.js";

export interface Plot {
  /** Without ending. */
  readonly name: string;
  readonly description: string;
  readonly svg: string;
}

const SYNCED = "synced before the acknowledgement";
const NOT_SYNCED = "not synced";
const colours = { domain: [SYNCED, NOT_SYNCED], range: ["#1f5fa8", "#e08a1e"] };
const common = {
  $schema: "https://vega.github.io/schema/vega-lite/v6.json",
  background: "white",
  padding: 12,
  config: {
    font: "system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif",
    axis: { labelFontSize: 11, titleFontSize: 11, labelLimit: 400, gridColor: "#e6e6e6" },
    title: { fontSize: 14, anchor: "start", offset: 10 },
    legend: { orient: "bottom", title: null, labelFontSize: 11, labelLimit: 400, columns: 2 },
    view: { stroke: null },
  },
} as const;

interface Bar {
  readonly client: string;
  readonly promise: string;
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

function bars(results: Results, workload: string, figure: Figure): Bar[] {
  return [true, false].flatMap((synced) =>
    allSeries(synced).flatMap(({ title, ...series }) => {
      const found = figureOf(results, series, workload, figure);
      return found === undefined
        ? []
        : [{ client: title, promise: synced ? SYNCED : NOT_SYNCED, ...found }];
    }),
  );
}

/** The client on one axis, one bar for each promise, the spread over the runs as a thin line. */
function barChart(
  title: string,
  values: readonly Bar[],
  axis: {
    readonly title: string;
    readonly scale: "linear" | "log";
    readonly order: "ascending" | "descending";
  },
): TopLevelSpec {
  const client = {
    field: "client",
    type: "nominal",
    title: null,
    sort: { field: "median", op: axis.order === "ascending" ? "min" : "max", order: axis.order },
  } as const;
  const promise = { field: "promise", type: "nominal", scale: colours } as const;
  const y = { ...client };
  const yOffset = { field: "promise", type: "nominal", sort: [SYNCED, NOT_SYNCED] } as const;
  // A logarithmic axis has no zero for bars to stand on: points tell the same.
  const mark =
    axis.scale === "log"
      ? ({ type: "point", filled: true, size: 70 } as const)
      : ({ type: "bar", cornerRadiusEnd: 2 } as const);
  return {
    ...common,
    title,
    width: 560,
    height: { step: 15 },
    data: { values: [...values] },
    layer: [
      {
        mark,
        encoding: {
          y,
          yOffset,
          color: promise,
          x: {
            field: "median",
            type: "quantitative",
            title: axis.title,
            scale: { type: axis.scale },
          },
        },
      },
      {
        mark: { type: "rule", color: "#333", opacity: 0.7 },
        encoding: {
          y,
          yOffset,
          x: { field: "min", type: "quantitative" },
          x2: { field: "max" },
        },
      },
    ],
  };
}

function partitionChart(results: Results): TopLevelSpec {
  const values = allSeries().flatMap(({ title, ...series }) =>
    partitionCounts.flatMap((partitions) => {
      const found = figureOf(
        results,
        series,
        `partitions-${partitions}`,
        figures.producedPerCpuSecond,
      );
      return found === undefined ? [] : [{ client: title, partitions, perCpuSecond: found.median }];
    }),
  );
  return {
    ...common,
    title: "Records of 1 KiB per CPU second of client and server, by partitions",
    width: 560,
    height: 280,
    data: { values },
    mark: { type: "line", point: true },
    encoding: {
      x: {
        field: "partitions",
        type: "quantitative",
        scale: { type: "log" },
        axis: { values: [...partitionCounts] },
      },
      y: { field: "perCpuSecond", type: "quantitative", title: "records per CPU second" },
      color: { field: "client", type: "nominal" },
    },
  };
}

function hasValues(data: TopLevelSpec["data"]): boolean {
  return typeof data === "object" && data !== null && "values" in data
    ? Array.isArray(data.values) && data.values.length > 0
    : false;
}

function render(spec: TopLevelSpec): Promise<string> {
  return new View(parse(compile(spec).spec), { renderer: "none" }).toSVG();
}

export async function drawPlots(results: Results): Promise<Plot[]> {
  const charts: readonly [name: string, description: string, spec: TopLevelSpec][] = [
    [
      "produce",
      "Records of 100 bytes produced per second, in batches",
      barChart(
        "Produce, 100 B in batches of 1 MB",
        bars(results, "produce-100b", figures.producedPerSecond),
        { title: "records per second", scale: "linear", order: "descending" },
      ),
    ],
    [
      "consume",
      "Records of 100 bytes read per second, catching up",
      barChart("Catch-up read, 100 B", bars(results, "produce-100b", figures.readPerSecond), {
        title: "records per second",
        scale: "linear",
        order: "descending",
      }),
    ],
    [
      "latency",
      "99th percentile from due to consumed at 10,000 records per second",
      barChart(
        "End to end at 10,000 records/s, p99 (open loop)",
        bars(results, "latency-10000", figures.endToEndP99),
        { title: "milliseconds (logarithmic)", scale: "log", order: "ascending" },
      ),
    ],
    [
      "idle",
      "99th percentile from due to consumed on an idle topic",
      barChart("End to end on an idle topic, p99", bars(results, "idle", figures.endToEndP99), {
        title: "milliseconds (logarithmic)",
        scale: "log",
        order: "ascending",
      }),
    ],
    ["partitions", "Records per CPU second by number of partitions", partitionChart(results)],
  ];
  const drawn = charts.filter(([, , { data }]) => hasValues(data));
  return Promise.all(
    drawn.map(async ([name, description, spec]) => ({
      name,
      description,
      svg: await render(spec),
    })),
  );
}
