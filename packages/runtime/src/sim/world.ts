// What the parts of one simulation share: virtual time, the seed, the fault model, the tally of faults.

import type { FaultModel } from "./fault-options.js";
import type { Prng } from "./prng.js";
import type { Scheduler } from "./scheduler.js";
import type { Trace } from "./trace.js";

export interface World {
  readonly scheduler: Scheduler;
  readonly trace: Trace;
  readonly prng: Prng;
  /** The faults in force now; replaced by `calm()`. Read it at each use. */
  faults: FaultModel;
  readonly faultCounts: Map<string, number>;
  readonly handlerErrors: unknown[];
}

/** Errors kept for the test to look at. */
const maxHandlerErrors = 100;

/** A connection's handler threw: that costs its connection, and the test should know. */
export function noteHandlerError(world: World, error: unknown): void {
  if (world.handlerErrors.length < maxHandlerErrors) {
    world.handlerErrors.push(error);
  }
  countFault(world, "net.handlerError");
}

/** Remembers that a fault really happened, so that a test can insist on having seen it. */
export function countFault(world: World, kind: string): void {
  world.faultCounts.set(kind, (world.faultCounts.get(kind) ?? 0) + 1);
  world.trace.text(kind);
}
