// `--interval`: a line every so often while the load runs, with what happened since the line before. The load's rests
// (slices of disk, waiting for consumers) are in no line.

import type { CommandContext } from "../context.js";
import { jsonLine } from "../format/json.js";
import { formatCount, formatMs, roundTo } from "../format/numbers.js";
import { LatencyRecorder, type LatencySummary } from "./latency-recorder.js";

export interface IntervalReportOptions {
  readonly context: CommandContext;
  /** Undefined: no lines. */
  readonly intervalMs: number | undefined;
  readonly json: boolean | undefined;
  /** Records so far. */
  readonly records: () => number;
  readonly recordBytes: number;
  /** What the latencies are of: "ackMs" or "endToEndMs". */
  readonly latencyName?: "ackMs" | "endToEndMs";
}

interface IntervalLine {
  /** Of load since the beginning. */
  readonly atSeconds: number;
  readonly seconds: number;
  readonly records: number;
  readonly recordsPerSecond: number;
  readonly megabytesPerSecond: number;
  readonly latency: LatencySummary | null;
}

/** Below it a line would not fit with all its figures. */
const WIDE_COLUMNS = 80;

export class IntervalReport {
  /** Fed with what happens; forgets at each line. */
  readonly latencies = new LatencyRecorder();
  readonly #options: IntervalReportOptions;
  #loadMs = 0;

  constructor(options: IntervalReportOptions) {
    this.#options = options;
  }

  /** Reports while `work` runs. */
  async during<Result>(work: () => Promise<Result>): Promise<Result> {
    const { intervalMs } = this.#options;
    if (intervalMs === undefined) {
      return work();
    }
    let lineStart = performance.now();
    let recordsBefore = this.#options.records();
    this.latencies.reset();
    const line = (): void => {
      const now = performance.now();
      const records = this.#options.records();
      this.#loadMs += now - lineStart;
      this.#print(this.#line(records - recordsBefore, (now - lineStart) / 1000));
      recordsBefore = records;
      lineStart = now;
    };
    const timer = setInterval(line, intervalMs);
    try {
      return await work();
    } finally {
      clearInterval(timer);
      const isStopped = this.#options.context.signal.aborted;
      if (!isStopped && this.#options.records() > recordsBefore) {
        line();
      }
    }
  }

  #line(records: number, seconds: number): IntervalLine {
    const perSecond = records / Math.max(seconds, 0.001);
    const latency = this.latencies.summary();
    this.latencies.reset();
    return {
      atSeconds: roundTo(this.#loadMs / 1000, 3),
      seconds: roundTo(seconds, 3),
      records,
      recordsPerSecond: Math.round(perSecond),
      megabytesPerSecond: roundTo((perSecond * this.#options.recordBytes) / 1e6),
      latency,
    };
  }

  #print(line: IntervalLine): void {
    const { context, json, latencyName } = this.#options;
    const { latency, ...figures } = line;
    if (json) {
      const named = latencyName === undefined ? {} : { [latencyName]: latency };
      context.terminal.out(jsonLine({ interval: { ...figures, ...named } }));
      return;
    }
    const { colors } = context.terminal;
    const columns = [
      `${line.atSeconds.toFixed(1)} s`.padStart(7),
      `${formatCount(line.recordsPerSecond)} records/s`.padStart(17),
      `${line.megabytesPerSecond.toFixed(1)} MB/s`.padStart(10),
    ];
    const isWide = (context.terminal.columns ?? WIDE_COLUMNS) >= WIDE_COLUMNS;
    const max = latency === null || !isWide ? "" : `  max ${formatMs(latency.max)}`;
    const times =
      latency === null
        ? ""
        : colors.dim(`  p50 ${formatMs(latency.p50)}  p99 ${formatMs(latency.p99)}${max}`);
    context.terminal.out(`${columns.join("  ")}${times}`);
  }
}
