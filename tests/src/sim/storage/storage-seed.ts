// One seed of the storage suite: one data directory through several lives, and what it saw.

import { Simulation } from "@millrace/runtime/sim";
import type { SeedOptions, SeedResult } from "../suite.js";
import { drawHazards } from "./hazards.js";
import { plantStorageBug, type StorageBug } from "./planted-bugs.js";
import { StorageWorld } from "./world.js";

/** A seed counts only with at least so many batches acknowledged. */
export const ACKNOWLEDGED_MIN = 20;

/** Nothing in it takes so long, unless something hangs. */
const VIRTUAL_MS_MAX = 30 * 60_000;

export async function runStorageSeed(options: SeedOptions<StorageBug>): Promise<SeedResult> {
  const { seed, bug, log } = options;
  const simulation = new Simulation({
    seed,
    maxVirtualMs: VIRTUAL_MS_MAX,
    ...(log === undefined ? {} : { log }),
  });
  const world = new StorageWorld({
    simulation,
    hazards: drawHazards(simulation.random),
    plant: (runtime) => plantStorageBug(runtime, bug),
    note: (text) => log?.(`${simulation.nowMs.toFixed(3).padStart(12)} -- ${text}`),
  });
  let problem: string | undefined;
  try {
    await simulation.run(() => world.run());
  } catch (error) {
    const isNamed = error instanceof Error && error.name !== "Error";
    problem =
      error instanceof Error
        ? `${isNamed ? `${error.name}: ` : ""}${error.message}`
        : String(error);
    log?.(String(error instanceof Error ? error.stack : error));
  }
  const faults = new Map([...simulation.faultCounts, ...world.tally.counts].sort(byName));
  const { acknowledged, read } = world.tally;
  return {
    seed,
    problem,
    counts: acknowledged >= ACKNOWLEDGED_MIN,
    virtualMs: simulation.nowMs,
    eventCount: simulation.eventCount,
    traceHash: simulation.traceHash,
    faults,
    acknowledged,
    read,
  };
}

function byName([left]: readonly [string, number], [right]: readonly [string, number]): number {
  return left < right ? -1 : 1;
}
