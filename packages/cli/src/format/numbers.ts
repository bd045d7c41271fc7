// Numbers for people: counts with separators, sizes in KiB, durations, rates. Pure; independent of the locale,
// so that output looks the same everywhere.

/** `1234567` -> `1,234,567`. */
export function formatCount(value: number): string {
  return Math.round(value)
    .toString()
    .replace(/\B(?=(\d{3})+$)/g, ",");
}

const byteUnits = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"] as const;

/** `1536` -> `1.5 KiB`; whole bytes below 1 KiB. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (Math.abs(value) >= 1024 && unit < byteUnits.length - 1) {
    value /= 1024;
    unit += 1;
  }
  const digits = unit === 0 ? 0 : Math.abs(value) >= 100 ? 0 : 1;
  return `${value.toFixed(digits)} ${byteUnits[unit] ?? "B"}`;
}

/** Three significant digits: `0.42 ms`, `3.14 ms`, `250 ms`, `1.5 s`, `2 min 5 s`. */
export function formatMs(milliseconds: number): string {
  if (milliseconds < 1000) {
    const digits = milliseconds >= 100 ? 0 : milliseconds >= 10 ? 1 : 2;
    return `${milliseconds.toFixed(digits)} ms`;
  }
  const seconds = milliseconds / 1000;
  if (seconds < 60) {
    return `${seconds.toFixed(seconds >= 10 ? 1 : 2)} s`;
  }
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)} min ${whole % 60} s`;
}

/** `0.4567` -> `45.7 %`. */
export function formatPercent(fraction: number): string {
  return `${(fraction * 100).toFixed(1)} %`;
}

/** Rounds to `digits` decimals, for JSON output that reads well. */
export function roundTo(value: number, digits = 2): number {
  const factor = 10 ** digits;
  return Math.round(value * factor) / factor;
}

/** UTC in ISO form; "-" for none (-1) or for what no calendar holds. */
export function formatTimestamp(timestampMs: number): string {
  if (timestampMs < 0 || timestampMs > 8.64e15) {
    return "-";
  }
  return new Date(timestampMs).toISOString();
}

/** `1 record`, `2,000 records`. */
export const counted = (count: number, noun: string): string =>
  `${formatCount(count)} ${noun}${count === 1 ? "" : "s"}`;
