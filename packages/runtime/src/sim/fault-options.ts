// The fault model as data: what goes wrong by itself, and how often. Rates are probabilities per operation or
// message; `...EveryMs` are mean times between events, 0 for never. Faults that need a test's cooperation (a
// crash, whose victim must be started again) are called by the test, not listed here.

import { Prng } from "./prng.js";

export interface DiskFaults {
  /** Each operation takes this long, uniformly. */
  readonly minLatencyMs: number;
  readonly maxLatencyMs: number;
  /** Some operations take up to `maxStallMs` instead. */
  readonly stallRate: number;
  readonly maxStallMs: number;
  /** `sync` rejects; the unsynced bytes are then clean in the page cache but not on the disk (fsync-gate). */
  readonly syncErrorRate: number;
  readonly writeErrorRate: number;
  readonly readErrorRate: number;
}

export interface NetworkFaults {
  /** One way between machines, uniformly. A machine's way to itself takes a tenth. */
  readonly minLatencyMs: number;
  readonly maxLatencyMs: number;
  /** Some messages take up to `maxSpikeMs` longer, and hold up those behind them. */
  readonly spikeRate: number;
  readonly maxSpikeMs: number;
  /** The connection breaks in the middle of a message: the receiver does not get it. */
  readonly resetRate: number;
  /** From this message on nothing passes in this direction until `heal()`; nobody is told. */
  readonly blackHoleRate: number;
  /** Two random machines are separated, one way or both, for up to `maxPartitionMs`. */
  readonly partitionEveryMs: number;
  readonly maxPartitionMs: number;
}

export interface NodeFaults {
  /** A random process freezes for up to `maxPauseMs`. */
  readonly pauseEveryMs: number;
  readonly maxPauseMs: number;
  /** A random machine's wall clock jumps, either way. */
  readonly clockJumpEveryMs: number;
  readonly maxClockJumpMs: number;
  /** Each machine's clock runs fast or slow by up to this share (0.05: 5 %). */
  readonly maxClockDrift: number;
  /** Each machine's wall clock starts wrong by up to so much, either way. */
  readonly maxClockOffsetMs: number;
}

export interface FaultModel {
  readonly disk: DiskFaults;
  readonly network: NetworkFaults;
  readonly node: NodeFaults;
}

/** What to change from `calmWeather`. */
export interface FaultOptions {
  readonly disk?: Partial<DiskFaults> | undefined;
  readonly network?: Partial<NetworkFaults> | undefined;
  readonly node?: Partial<NodeFaults> | undefined;
}

/** Nothing goes wrong; disk and network take a little time. */
export const calmWeather: FaultModel = Object.freeze({
  disk: Object.freeze({
    minLatencyMs: 0.02,
    maxLatencyMs: 0.2,
    stallRate: 0,
    maxStallMs: 0,
    syncErrorRate: 0,
    writeErrorRate: 0,
    readErrorRate: 0,
  }),
  network: Object.freeze({
    minLatencyMs: 0.1,
    maxLatencyMs: 0.5,
    spikeRate: 0,
    maxSpikeMs: 0,
    resetRate: 0,
    blackHoleRate: 0,
    partitionEveryMs: 0,
    maxPartitionMs: 0,
  }),
  node: Object.freeze({
    pauseEveryMs: 0,
    maxPauseMs: 0,
    clockJumpEveryMs: 0,
    maxClockJumpMs: 0,
    maxClockDrift: 0,
    maxClockOffsetMs: 0,
  }),
});

export function resolveFaults(options: FaultOptions = {}): FaultModel {
  return {
    disk: { ...calmWeather.disk, ...options.disk },
    network: { ...calmWeather.network, ...options.network },
    node: { ...calmWeather.node, ...options.node },
  };
}

/**
 * Swarm testing (Groce et al., ISSTA 2012): each seed enables a random subset of the faults, with random
 * strength. A run with few faults goes deep where a run with all of them never gets.
 * Disk errors are not part of it (a failed sync rightly stops a broker for good): pass them beside it.
 */
export function swarmFaults(seed: number): FaultModel {
  const prng = Prng.fromSeed(seed).fork("swarm");
  const maybe = (low: number, high: number): number => {
    const isEnabled = prng.chance(0.5);
    const strength = prng.between(low, high);
    return isEnabled ? strength : 0;
  };
  return {
    disk: {
      ...calmWeather.disk,
      maxLatencyMs: prng.between(0.1, 5),
      stallRate: maybe(0.0001, 0.01),
      maxStallMs: prng.between(100, 30_000),
    },
    network: {
      minLatencyMs: 0.1,
      maxLatencyMs: prng.between(0.2, 20),
      spikeRate: maybe(0.0001, 0.02),
      maxSpikeMs: prng.between(10, 3_000),
      resetRate: maybe(0.0001, 0.005),
      blackHoleRate: maybe(0.00001, 0.0005),
      partitionEveryMs: maybe(2_000, 60_000),
      maxPartitionMs: prng.between(100, 15_000),
    },
    node: {
      pauseEveryMs: maybe(2_000, 60_000),
      maxPauseMs: prng.between(10, 12_000),
      clockJumpEveryMs: maybe(5_000, 120_000),
      maxClockJumpMs: prng.between(10, 10_800_000),
      maxClockDrift: maybe(0.0001, 0.05),
      maxClockOffsetMs: maybe(1, 3_600_000),
    },
  };
}
