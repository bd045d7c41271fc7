// Latencies of one kind, collected over slices, and what is said about them. Milliseconds.

export interface LatencySummary {
  readonly count: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

export class Latencies {
  readonly #values: number[] = [];

  add(milliseconds: number): void {
    this.#values.push(milliseconds);
  }

  get count(): number {
    return this.#values.length;
  }

  /** Zeros when there are none. */
  summary(): LatencySummary {
    const sorted = Float64Array.from(this.#values).sort();
    const at = (share: number): number =>
      sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
    return { count: sorted.length, p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) };
  }
}

/** Runs `operation` again and again for `sliceMs`, one at a time, and adds what each took. */
export async function timeOneByOne(
  latencies: Latencies,
  sliceMs: number,
  operation: () => Promise<unknown>,
): Promise<void> {
  const end = performance.now() + sliceMs;
  for (let started = performance.now(); started < end; started = performance.now()) {
    await operation();
    latencies.add(performance.now() - started);
  }
}
