// What fast-check draws: how many producers, how they send, and what weather they live in.

import type { ProducerOptions } from "@millrace/client-producer";
import fc from "fast-check";
import type { Hazard, Storm } from "./client-world.js";

export interface ProducerPlan {
  readonly records: number;
  /** Calls of `send` made at once, before the producer pauses. */
  readonly atOnce: number;
  readonly pauseMs: number;
  /** Records of one call: 1 is `send(record)`, more is `send(list)`. */
  readonly perCall: number;
  /** Keys of its own that the records take in turn. */
  readonly keys: number;
  readonly options: ProducerOptions;
}

export interface Plan {
  readonly seed: number;
  readonly partitions: number;
  readonly producers: readonly ProducerPlan[];
  readonly storm: Storm;
}

/** Within this time all records are sent and all hazards begin. */
const STORM_MS = 3_000;

/** Long enough for every storm: what is not acknowledged then never is. */
const patience: ProducerOptions = {
  requestTimeoutMs: 2_000,
  deliveryTimeoutMs: 600_000,
  maxBlockMs: 600_000,
};

const seed = fc.integer({ min: 1, max: 2 ** 31 });

const hazard: fc.Arbitrary<Hazard> = fc.record({
  kind: fc.constantFrom<Hazard["kind"]>(
    "reset",
    "reset",
    "kill",
    "power loss",
    "partition",
    "black hole",
    "pause",
  ),
  atMs: fc.integer({ min: 0, max: STORM_MS }),
  durationMs: fc.integer({ min: 1, max: 1_500 }),
  client: fc.nat(5),
});

export const storm: fc.Arbitrary<Storm> = fc.record({
  hazards: fc.array(hazard, { maxLength: 8 }),
  maxLatencyMs: fc.integer({ min: 1, max: 15 }),
  resetRate: fc.constantFrom(0, 0.01, 0.05),
  spikeRate: fc.constantFrom(0, 0.02),
});

/** How a producer promises: acks with or without idempotence. */
export type Promises = Pick<ProducerOptions, "acks" | "idempotent">;

/** From a buffer that is full most of the time to one that never is. */
const memory = fc.constantFrom<Pick<ProducerOptions, "batchBytes" | "bufferBytes">>(
  { batchBytes: 256, bufferBytes: 1_024 },
  { batchBytes: 1_024, bufferBytes: 4_096 },
  { batchBytes: 65_536 },
);

const sending = {
  lingerMs: fc.constantFrom(0, 1, 20),
  maxInFlight: fc.integer({ min: 1, max: 5 }),
};

function producerPlan(promises: fc.Arbitrary<Promises>): fc.Arbitrary<ProducerPlan> {
  return fc.record({
    records: fc.integer({ min: 1, max: 150 }),
    atOnce: fc.integer({ min: 1, max: 25 }),
    pauseMs: fc.integer({ min: 0, max: 200 }),
    perCall: fc.constantFrom(1, 1, 7),
    keys: fc.integer({ min: 1, max: 5 }),
    options: fc
      .tuple(fc.record(sending), memory, promises)
      .map((parts) => Object.assign({}, patience, ...parts) as ProducerOptions),
  });
}

/** Plans whose producers promise one of these. */
export function plans(promises: readonly Promises[]): fc.Arbitrary<Plan> {
  return fc.record({
    seed,
    partitions: fc.integer({ min: 1, max: 3 }),
    producers: fc.array(producerPlan(fc.constantFrom(...promises)), { minLength: 1, maxLength: 4 }),
    storm,
  });
}
