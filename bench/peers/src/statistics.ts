// Figures from samples: percentiles of one run, and the spread over runs. Pure.

/** Milliseconds. */
export interface LatencySummary {
  readonly count: number;
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

/** One figure over several runs. */
export interface Spread {
  readonly min: number;
  readonly median: number;
  readonly max: number;
  readonly runs: number;
}

/**
 * The smallest sample that at least `share` of all samples do not exceed (nearest rank).
 * @param sorted ascending
 * @param share 0 to 1
 */
export function percentile(sorted: ArrayLike<number>, share: number): number {
  if (sorted.length === 0) {
    throw new RangeError("percentile of no samples");
  }
  // Rounding keeps 0.999 * 1000 from becoming 999.0000000000001.
  const rank = Math.ceil(Number((share * sorted.length).toFixed(9)));
  return sorted[Math.min(sorted.length - 1, Math.max(0, rank - 1))] as number;
}

/** undefined when there is no sample. */
export function summarise(samplesMs: ArrayLike<number>): LatencySummary | undefined {
  if (samplesMs.length === 0) {
    return undefined;
  }
  const sorted = Float64Array.from(samplesMs).sort();
  const at = (share: number): number => round(percentile(sorted, share), 4);
  return { count: sorted.length, p50: at(0.5), p99: at(0.99), p999: at(0.999), max: at(1) };
}

/** The median of an even number of figures is the mean of the middle two. undefined for none. */
export function spread(figures: readonly number[]): Spread | undefined {
  const sorted = figures.filter(Number.isFinite).toSorted((left, right) => left - right);
  const [min, max] = [sorted.at(0), sorted.at(-1)];
  if (min === undefined || max === undefined) {
    return undefined;
  }
  const upper = sorted[Math.floor(sorted.length / 2)] ?? max;
  const lower = sorted[Math.floor((sorted.length - 1) / 2)] ?? min;
  return { min, median: (lower + upper) / 2, max, runs: sorted.length };
}

export function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
