// The middle and the spread of a few figures. Pure.

import { roundTo } from "../format/numbers.js";

export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** null when there is nothing to summarise. */
export function spreadOf(values: readonly number[], digits?: number): Spread | null {
  if (values.length === 0) {
    return null;
  }
  const sorted = [...values].sort((a, b) => a - b);
  const at = (index: number): number => sorted[index] ?? 0;
  const half = sorted.length >> 1;
  const median = sorted.length % 2 === 1 ? at(half) : (at(half - 1) + at(half)) / 2;
  return {
    median: roundTo(median, digits),
    min: roundTo(at(0), digits),
    max: roundTo(at(sorted.length - 1), digits),
  };
}
