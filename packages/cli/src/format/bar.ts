// Bars and percentiles drawn with block characters, eighths of a column fine. Pure.

const eighths = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"] as const;

/** A bar of `fraction` (0 to 1) of `width` columns; anything above zero shows. */
export function bar(fraction: number, width: number): string {
  const clamped = Math.min(1, Math.max(0, fraction));
  const parts = Math.round(clamped * width * 8);
  const shown = clamped > 0 ? Math.max(1, parts) : 0;
  return "█".repeat(Math.floor(shown / 8)) + (eighths[shown % 8] ?? "");
}

const levels = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"] as const;

/** One character per value, scaled to the largest. */
export function sparkline(values: readonly number[]): string {
  const largest = values.reduce((most, value) => Math.max(most, value), 0);
  return values
    .map((value) => {
      const level = largest === 0 ? 0 : Math.round((value / largest) * (levels.length - 1));
      return levels[level] ?? "▁";
    })
    .join("");
}

/** Joins neighbours (by average) until at most `count` values are left. */
export function resample(values: readonly number[], count: number): number[] {
  if (values.length <= count) {
    return [...values];
  }
  return Array.from({ length: count }, (_, index) => {
    const from = Math.floor((index * values.length) / count);
    const to = Math.max(from + 1, Math.floor(((index + 1) * values.length) / count));
    const part = values.slice(from, to);
    return part.reduce((sum, value) => sum + value, 0) / part.length;
  });
}
