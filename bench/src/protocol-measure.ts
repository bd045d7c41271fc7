// Times a synchronous function: warm-up, then rounds of a fixed length, of which the median counts.

const WARM_UP_MS = 300;
const ROUND_MS = 150;
const ROUNDS = 7;

export interface Measurement {
  readonly name: string;
  /** What is counted: records, frames, bytes. */
  readonly unit: string;
  readonly perSecond: number;
  readonly nanosecondsEach: number;
}

/** `action` handles `count` units at each call; what it returns keeps it from being optimised away. */
export function measure(
  name: string,
  unit: string,
  count: number,
  action: () => unknown,
): Measurement {
  const sink: unknown[] = [];
  round(action, WARM_UP_MS, sink);
  const rates = Array.from({ length: ROUNDS }, () => round(action, ROUND_MS, sink) * count);
  const perSecond = rates.sort((left, right) => left - right)[ROUNDS >> 1] as number;
  return { name, unit, perSecond, nanosecondsEach: 1e9 / perSecond };
}

/** Calls a second. */
function round(action: () => unknown, milliseconds: number, sink: unknown[]): number {
  const start = performance.now();
  let calls = 0;
  let elapsed = 0;
  while (elapsed < milliseconds) {
    sink[0] = action();
    calls++;
    elapsed = performance.now() - start;
  }
  return (calls / elapsed) * 1000;
}

function scaled(value: number): string {
  const units = ["", "k", "M", "G"];
  const step = Math.max(0, Math.min(3, Math.floor(Math.log10(value) / 3)));
  return `${(value / 1000 ** step).toFixed(2)} ${units[step]}`;
}

export function printTable(measurements: readonly Measurement[]): void {
  const width = Math.max(...measurements.map(({ name }) => name.length));
  for (const { name, unit, perSecond, nanosecondsEach } of measurements) {
    const rate = `${scaled(perSecond)}${unit}/s`.padStart(20);
    const each = nanosecondsEach < 1 ? "" : `${nanosecondsEach.toFixed(0)} ns`.padStart(12);
    process.stdout.write(`${name.padEnd(width)}${rate}${each}\n`);
  }
}
