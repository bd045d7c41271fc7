// What the seeds run until now saw, in sum, and how it is printed.

import type { SeedResult, Suite } from "./suite.js";

export class Tally {
  ran = 0;
  counted = 0;
  acknowledged = 0;
  read = 0;
  virtualMs = 0;
  events = 0;
  readonly failed: SeedResult[] = [];
  readonly faults = new Map<string, number>();
  readonly #suite: Suite;
  readonly #startedAt = performance.now();

  constructor(suite: Suite) {
    this.#suite = suite;
  }

  add(result: SeedResult): void {
    this.ran++;
    this.counted += result.counts ? 1 : 0;
    this.acknowledged += result.acknowledged;
    this.read += result.read;
    this.virtualMs += result.virtualMs;
    this.events += result.eventCount;
    for (const [kind, count] of result.faults) {
      this.faults.set(kind, (this.faults.get(kind) ?? 0) + count);
    }
    if (result.problem !== undefined) {
      this.failed.push(result);
    }
  }

  /** Kinds of faults that the suite claims to see and did not; none is missed before enough seeds ran. */
  get neverSeen(): string[] {
    return this.ran < this.#suite.faultsSeenWithin
      ? []
      : this.#suite.requiredFaults.filter((kind) => !this.faults.has(kind));
  }

  line(total: number): string {
    const seconds = this.#seconds;
    return (
      `${this.ran}/${total} seeds, ${this.counted} count, ${this.failed.length} failed; ` +
      `${this.acknowledged} acknowledged ${this.#suite.unit}, ${this.read} read, ` +
      `${virtualTime(this.virtualMs)}; ${(this.ran / seconds).toFixed(1)} seeds/s, ` +
      `${Math.round(this.virtualMs / 1000 / seconds)} times real time`
    );
  }

  summary(): Record<string, unknown> {
    return {
      suite: this.#suite.name,
      seeds: this.ran,
      counted: this.counted,
      acknowledged: this.acknowledged,
      read: this.read,
      events: this.events,
      virtualHours: this.virtualMs / 3_600_000,
      seedsPerSecond: this.ran / this.#seconds,
      failedSeeds: this.failed.map((result) => result.seed),
      neverSeen: this.neverSeen,
      faults: Object.fromEntries([...this.faults].sort(byName)),
    };
  }

  get #seconds(): number {
    return (performance.now() - this.#startedAt) / 1000;
  }
}

export function printFaults(faults: ReadonlyMap<string, number>): void {
  const width = Math.max(0, ...[...faults.keys()].map((kind) => kind.length));
  for (const [kind, count] of [...faults].sort(byName)) {
    console.log(`  ${kind.padEnd(width)} ${String(count).padStart(8)}`);
  }
}

function virtualTime(ms: number): string {
  return ms < 3_600_000
    ? `${(ms / 60_000).toFixed(1)} virtual minutes`
    : `${(ms / 3_600_000).toFixed(1)} virtual hours`;
}

function byName([left]: readonly [string, number], [right]: readonly [string, number]): number {
  return left < right ? -1 : 1;
}
