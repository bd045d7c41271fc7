// What a suite of seeds is: something that runs one seed, bugs that can be planted in it, and faults that it claims to see.

export interface SeedOptions<Bug extends string = string> {
  readonly seed: number;
  readonly bug?: Bug | undefined;
  /** Receives one line per event. */
  readonly log?: ((line: string) => void) | undefined;
}

export interface SeedResult {
  readonly seed: number;
  /** In words, when something promised was not kept. */
  readonly problem: string | undefined;
  /** Enough happened in it to prove something. */
  readonly counts: boolean;
  readonly virtualMs: number;
  readonly eventCount: number;
  readonly traceHash: string;
  readonly faults: ReadonlyMap<string, number>;
  readonly acknowledged: number;
  readonly read: number;
}

export interface Suite<Bug extends string = string> {
  readonly name: string;
  /** What `acknowledged` counts. */
  readonly unit: string;
  readonly bugs: readonly Bug[];
  /** A planted bug needs the right mixture of faults; so many seeds always had it. */
  readonly plantedSeedsMax: number;
  /** Kinds of faults that `faultsSeenWithin` seeds must have seen; a run of fewer is not held to it. */
  readonly requiredFaults: readonly string[];
  readonly faultsSeenWithin: number;
  /** A method, so that suites of different bugs fit into one list. */
  run(options: SeedOptions<Bug>): Promise<SeedResult>;
}
