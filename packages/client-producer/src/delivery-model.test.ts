// The accumulator and its sequences against a model of an idempotent broker, under any interleaving of lost
// requests, lost answers, refusals, late copies, and delivery timeouts. What must hold whatever happens: every
// acknowledged record is in the log once, at the offset it was told; no record is there twice; a record said to
// be definitely not stored is not there; order is the order of sending.

import { MillraceError, type WireErrorName } from "@millrace/protocol";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Accumulator } from "./accumulator.js";
import { deliveryError, isDefinite } from "./delivery-errors.js";
import type { ProducerBatch } from "./producer-batch.js";

interface WireCopy {
  readonly producerId: number;
  readonly epoch: number;
  readonly baseSequence: number;
  readonly records: readonly number[];
}

type Answer = { readonly baseOffset: number } | { readonly error: WireErrorName };

/** Kafka's rules: the last five batches are known again, a new epoch begins at 0, gaps are refused. */
class ModelBroker {
  readonly log: number[] = [];
  #epoch = -1;
  #producerId = -1;
  #next = 0;
  #recent: { readonly copy: WireCopy; readonly baseOffset: number }[] = [];

  receive(copy: WireCopy): Answer {
    if (copy.producerId !== this.#producerId) {
      if (copy.producerId < this.#producerId) {
        return { error: "INVALID_PRODUCER_EPOCH" };
      }
      if (copy.baseSequence !== 0) {
        return { error: "UNKNOWN_PRODUCER_ID" };
      }
      this.#producerId = copy.producerId;
      this.#startEpoch(copy.epoch);
    } else if (copy.epoch < this.#epoch) {
      return { error: "INVALID_PRODUCER_EPOCH" };
    } else if (copy.epoch > this.#epoch) {
      if (copy.baseSequence !== 0) {
        return { error: "OUT_OF_ORDER_SEQUENCE_NUMBER" };
      }
      this.#startEpoch(copy.epoch);
    }
    const known = this.#recent.find((entry) => entry.copy.baseSequence === copy.baseSequence);
    if (known !== undefined) {
      return { baseOffset: known.baseOffset };
    }
    if (copy.baseSequence !== this.#next) {
      return { error: "OUT_OF_ORDER_SEQUENCE_NUMBER" };
    }
    const baseOffset = this.log.length;
    this.log.push(...copy.records);
    this.#next += copy.records.length;
    this.#recent = [...this.#recent.slice(-4), { copy, baseOffset }];
    return { baseOffset };
  }

  #startEpoch(epoch: number): void {
    this.#epoch = epoch;
    this.#next = 0;
    this.#recent = [];
  }
}

interface Outgoing {
  readonly batch: ProducerBatch;
  readonly copy: WireCopy;
}

type Fate =
  | "answered"
  | "requestLost"
  | "answerLost"
  | "copyArrivesLate"
  | "refusedForNow"
  | "refusedForGood"
  | "refusedThoughPerhapsStored";

type Step =
  | { readonly type: "send"; readonly count: number }
  | { readonly type: "deliver"; readonly index: number; readonly fate: Fate }
  | { readonly type: "lateCopy" }
  | { readonly type: "wait"; readonly ms: number };

const fate = fc.oneof(
  { weight: 6, arbitrary: fc.constant<Fate>("answered") },
  {
    weight: 5,
    arbitrary: fc.constantFrom<Fate>(
      "requestLost",
      "answerLost",
      "copyArrivesLate",
      "refusedForNow",
      "refusedForGood",
      "refusedThoughPerhapsStored",
    ),
  },
);
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ type: fc.constant("send" as const), count: fc.integer({ min: 1, max: 4 }) }),
  fc.record({ type: fc.constant("deliver" as const), index: fc.nat({ max: 4 }), fate }),
  fc.record({ type: fc.constant("deliver" as const), index: fc.constant(0), fate }),
  fc.record({ type: fc.constant("lateCopy" as const) }),
  fc.record({ type: fc.constant("wait" as const), ms: fc.constantFrom(1, 50, 400) }),
);

const DELIVERY_TIMEOUT_MS = 1_000;

class World {
  readonly broker = new ModelBroker();
  readonly acknowledged = new Map<number, number>();
  readonly failed = new Map<number, MillraceError>();
  readonly #contents = new Map<ProducerBatch, number[]>();
  readonly #onWire: Outgoing[] = [];
  /** Copies that lie in a socket of the broker, in order. */
  readonly #late: WireCopy[] = [];
  readonly accumulator: Accumulator;
  #nowMs = 0;
  #sent = 0;
  #producerIds = 0;
  doneCount = 0;
  openedCount = 0;

  constructor() {
    this.accumulator = new Accumulator({
      batchBytes: 80,
      lingerMs: 0,
      maxInFlight: 5,
      deliveryTimeoutMs: DELIVERY_TIMEOUT_MS,
      isIdempotent: true,
      takeBuffer: (minBytes) => new Uint8Array(minBytes),
      onOpened: () => {
        this.openedCount++;
      },
      onClosed: () => {},
      onDone: () => {
        this.doneCount++;
      },
    });
  }

  get sentCount(): number {
    return this.#sent;
  }

  run(action: Step): void {
    switch (action.type) {
      case "send":
        for (let count = 0; count < action.count; count++) {
          this.#send();
        }
        break;
      case "deliver":
        this.#deliver(action.index, action.fate);
        break;
      case "lateCopy": {
        const copy = this.#late.shift();
        if (copy !== undefined) {
          this.broker.receive(copy);
        }
        break;
      }
      case "wait":
        this.#nowMs += action.ms;
        this.accumulator.expire(this.#nowMs, undefined);
        break;
    }
    this.#drain();
  }

  /** The network heals: everything must be decided. */
  settle(): void {
    for (let round = 0; round < 200 && !this.accumulator.isEmpty; round++) {
      this.run({ type: "deliver", index: 0, fate: "answered" });
      this.run({ type: "wait", ms: 1 });
    }
    while (this.#late.length > 0) {
      this.run({ type: "lateCopy" });
    }
  }

  #send(): void {
    const value = this.#sent++;
    const batch = this.accumulator.append(
      { topic: "t", partition: 0, estimatedBytes: 8, maxMessageBytes: 1_000_000 },
      { key: null, value: String(value), timestamp: 0 },
      this.#nowMs,
    );
    const contents = this.#contents.get(batch) ?? [];
    contents.push(value);
    this.#contents.set(batch, contents);
    batch.addSingle({
      delta: batch.recordCount - 1,
      timestamp: 0,
      resolve: ({ offset }) => this.acknowledged.set(value, offset),
      reject: (error) => this.failed.set(value, error),
    });
  }

  #drain(): void {
    if (this.accumulator.needsIdentity) {
      this.accumulator.identity = { producerId: this.#producerIds++, producerEpoch: 0 };
    }
    for (;;) {
      const requests = this.accumulator.drain(this.#nowMs, {
        leaderOf: () => 0,
        requestsInFlight: () => this.#onWire.length,
        maxRequestBytes: () => 1_000_000,
      });
      const batches = requests.get(0) ?? [];
      if (batches.length === 0) {
        return;
      }
      for (const batch of batches) {
        const { producerId, producerEpoch, baseSequence } = batch.sequence!;
        const records = this.#contents.get(batch)!;
        const copy = { producerId, epoch: producerEpoch, baseSequence, records };
        this.#onWire.push({ batch, copy });
      }
    }
  }

  #deliver(index: number, outcome: Fate): void {
    const [outgoing] = this.#onWire.splice(Math.min(index, this.#onWire.length - 1), 1);
    if (outgoing === undefined) {
      return;
    }
    const { batch, copy } = outgoing;
    switch (outcome) {
      case "requestLost":
        this.#fail(batch, "NETWORK_EXCEPTION");
        break;
      case "answerLost":
        this.broker.receive(copy);
        this.#fail(batch, "REQUEST_TIMED_OUT");
        break;
      case "copyArrivesLate":
        this.#late.push(copy);
        this.#fail(batch, "NETWORK_EXCEPTION");
        break;
      case "refusedForNow":
        this.#fail(batch, "BROKER_OVERLOADED");
        break;
      case "refusedForGood":
        this.#fail(batch, "INVALID_RECORD");
        break;
      case "refusedThoughPerhapsStored":
        this.broker.receive(copy);
        this.#fail(batch, "KAFKA_STORAGE_ERROR");
        break;
      case "answered": {
        const answer = this.broker.receive(copy);
        if ("error" in answer) {
          this.#fail(batch, answer.error);
          break;
        }
        const { baseOffset } = answer;
        this.accumulator.acknowledged(batch, {
          baseOffset,
          logAppendTime: -1,
          replicas: 1,
          fsynced: true,
        });
        break;
      }
    }
  }

  #fail(batch: ProducerBatch, code: WireErrorName): void {
    const { retriable } = new MillraceError(code);
    this.accumulator.attemptFailed(
      batch,
      { code, isRetriable: retriable, nowMs: this.#nowMs, retryDelayMs: () => 0 },
      (definite) => deliveryError({ code, definite, topic: "t", partition: 0 }),
    );
  }
}

function check(world: World): void {
  const { log } = world.broker;
  expect(new Set(log).size, "a record is stored twice").toBe(log.length);
  expect(
    log.every((value, index) => index === 0 || value > log[index - 1]!),
    "out of order",
  ).toBe(true);
  for (const [value, offset] of world.acknowledged) {
    expect(log[offset], `record ${value} is not where it was said to be`).toBe(value);
  }
  expect(new Set(world.acknowledged.values()).size).toBe(world.acknowledged.size);
  for (const [value, error] of world.failed) {
    if (isDefinite(error)) {
      expect(log, `record ${value} is stored, though surely not`).not.toContain(value);
    }
  }
}

describe("delivery against a model broker", () => {
  it("never loses, repeats or reorders, and never lies, whatever the network does", () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 5, maxLength: 80 }), (steps) => {
        const world = new World();
        for (const action of steps) {
          world.run(action);
          check(world);
        }
        world.settle();
        check(world);
        expect(world.accumulator.isEmpty).toBe(true);
        expect(world.acknowledged.size + world.failed.size).toBe(world.sentCount);
        expect(world.doneCount).toBe(world.openedCount);
      }),
      { numRuns: 2_000 },
    );
  });

  it("acknowledges everything when only answers and requests get lost", () => {
    const lossy = fc.constantFrom<Fate>("answered", "requestLost", "answerLost", "refusedForNow");
    const lossyStep = fc.oneof(
      fc.record({ type: fc.constant("send" as const), count: fc.integer({ min: 1, max: 4 }) }),
      fc.record({ type: fc.constant("deliver" as const), index: fc.nat({ max: 4 }), fate: lossy }),
    );
    fc.assert(
      fc.property(fc.array(lossyStep, { minLength: 5, maxLength: 80 }), (steps) => {
        const world = new World();
        for (const action of steps) {
          world.run(action);
        }
        world.settle();
        check(world);
        expect(world.failed.size).toBe(0);
        expect(world.broker.log).toHaveLength(world.sentCount);
      }),
      { numRuns: 1_000 },
    );
  });
});
