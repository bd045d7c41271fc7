// Latencies in a histogram of constant size (HdrHistogram, three significant digits, microseconds).

import { build, type Histogram } from "hdr-histogram-js";
import { roundTo } from "../format/numbers.js";

/** Milliseconds. */
export interface LatencySummary {
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

/** One line of a drawn distribution. */
export interface LatencyBucket {
  readonly fromMs: number;
  readonly toMs: number;
  readonly count: number;
}

const HIGHEST_MICROS = 3_600_000_000;

export class LatencyRecorder {
  /** Told everything too: the recorder of an interval. */
  also: LatencyRecorder | undefined;
  readonly #histogram: Histogram = build({
    bitBucketSize: 32,
    lowestDiscernibleValue: 1,
    highestTrackableValue: HIGHEST_MICROS,
    numberOfSignificantValueDigits: 3,
  });

  /** Counts of 1, 2..3, 4..7, ... microseconds. */
  readonly #doubling = new Float64Array(32);

  /** `weight` records had this latency. */
  record(milliseconds: number, weight = 1): void {
    this.also?.record(milliseconds, weight);
    const micros = Math.min(HIGHEST_MICROS, Math.max(1, Math.round(milliseconds * 1000)));
    this.#histogram.recordValueWithCount(micros, weight);
    const bucket = Math.min(31, Math.floor(Math.log2(micros)));
    this.#doubling[bucket] = (this.#doubling[bucket] ?? 0) + weight;
  }

  get count(): number {
    return this.#histogram.totalCount;
  }

  reset(): void {
    this.#histogram.reset();
    this.#doubling.fill(0);
  }

  /** null when nothing was recorded. */
  summary(): LatencySummary | null {
    if (this.count === 0) {
      return null;
    }
    const at = (percentile: number): number =>
      roundTo(this.#histogram.getValueAtPercentile(percentile) / 1000, 3);
    const max = roundTo(this.#histogram.maxValue / 1000, 3);
    return { p50: at(50), p99: at(99), p999: at(99.9), max };
  }

  /** The distribution in buckets that double, from the first to the last with anything in it. */
  buckets(): LatencyBucket[] {
    const first = this.#doubling.findIndex((count) => count > 0);
    const last = this.#doubling.findLastIndex((count) => count > 0);
    return first < 0
      ? []
      : Array.from(this.#doubling.slice(first, last + 1), (count, index) => ({
          fromMs: first + index === 0 ? 0 : 2 ** (first + index) / 1000,
          toMs: 2 ** (first + index + 1) / 1000,
          count,
        }));
  }
}
