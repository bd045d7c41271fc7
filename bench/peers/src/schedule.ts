// The open loop's clock work: when each record is due, whatever became of those before it. A latency counts from
// the moment a record was due, so that a stall of the server (or of this process) is charged to every record that
// should have left meanwhile: that is the correction for coordinated omission. Pure.

export interface Schedule {
  /** When record `index` is due, in milliseconds after the start. */
  dueAtMs(index: number): number;
  /** How many records are due by `elapsedMs`, never more than `total`. */
  dueBy(elapsedMs: number): number;
  readonly total: number;
}

/** Evenly spaced records; the first one is due at once. */
export function evenSchedule(ratePerSecond: number, seconds: number): Schedule {
  const total = Math.max(1, Math.round(ratePerSecond * seconds));
  const gapMs = 1000 / ratePerSecond;
  return {
    total,
    dueAtMs: (index) => index * gapMs,
    dueBy: (elapsedMs) =>
      elapsedMs < 0 ? 0 : Math.min(total, Math.floor(elapsedMs / gapMs + 1e-9) + 1),
  };
}
