import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PlannedProducer, readLog, type Spoiler } from "./actors.js";
import { ClientWorld } from "./client-world.js";
import { type Plan, type Promises, plans } from "./plans.js";
import {
  acknowledgementProblems,
  exactlyOnceProblems,
  type Sent,
  type Stored,
} from "./sent-log.js";
import { repeatsSequences } from "./spoilers.js";

interface Told {
  readonly sent: readonly Sent[];
  readonly log: readonly Stored[];
}

/** All producers of the plan send through its storm; then everything is read. */
async function live(plan: Plan, spoil?: Spoiler): Promise<Told> {
  const world = new ClientWorld({ seed: plan.seed, partitions: plan.partitions });
  return await world.run(async () => {
    const producers = plan.producers.map(
      (producer, index) =>
        new PlannedProducer(world, { name: `producer-${index}`, plan: producer, spoil }),
    );
    world.unleash(plan.storm);
    await Promise.all(producers.map((producer) => producer.handIn()));
    await world.calm();
    await Promise.all(producers.map((producer) => producer.answered()));
    await world.settle();
    await Promise.all(producers.map((producer) => producer.close()));
    return { sent: producers.flatMap((producer) => producer.sent), log: await readLog(world) };
  });
}

const failuresOf = (sent: readonly Sent[]): unknown[] =>
  sent.flatMap(({ outcome }) => (outcome.kind === "acknowledged" ? [] : [outcome]));

const idempotent: readonly Promises[] = [{ acks: "all", idempotent: true }];
const plain: readonly Promises[] = [
  { acks: "all", idempotent: false },
  { acks: 1, idempotent: false },
];

/** One producer with twenty sends at once, in any number of batches, in any storm. */
const twenty = (promises: readonly Promises[]): fc.Arbitrary<Plan> =>
  plans(promises).map((plan) => ({
    ...plan,
    partitions: 1,
    producers: plan.producers
      .slice(0, 1)
      .map((producer) => ({ ...producer, records: 20, atOnce: 20, perCall: 1 })),
  }));

const offsetsOf = (sent: readonly Sent[]): number[] =>
  sent.map(({ outcome }) => (outcome.kind === "acknowledged" ? outcome.offset : -1));

/** The first plans of a fixed sequence: the same at every run, for controls that must find something. */
const samples = (promises: readonly Promises[], count: number): Plan[] =>
  fc.sample(plans(promises), { numRuns: count, seed: 20_260_101 });

describe("acknowledgements", () => {
  it("are distinct offsets at which the records are, once each, whatever is retried, cut off or killed", async () => {
    await fc.assert(
      fc.asyncProperty(plans(idempotent), async (plan) => {
        const { sent, log } = await live(plan);
        expect(failuresOf(sent)).toEqual([]);
        expect(acknowledgementProblems(sent, log)).toEqual([]);
        expect(exactlyOnceProblems(sent, log)).toEqual([]);
      }),
      { numRuns: 25 },
    );
  });

  it("without idempotence are still distinct offsets at which the records are; copies may lie beside them", async () => {
    await fc.assert(
      fc.asyncProperty(plans(plain), async (plan) => {
        const { sent, log } = await live(plan);
        expect(failuresOf(sent)).toEqual([]);
        expect(acknowledgementProblems(sent, log)).toEqual([]);
      }),
      { numRuns: 20 },
    );
  });

  it("of producers with different promises in one storm are told apart", async () => {
    const all: Promises[] = [...idempotent, ...plain, { acks: 0, idempotent: false }];
    await fc.assert(
      fc.asyncProperty(plans(all), async (plan) => {
        const { sent, log } = await live(plan);
        const isPromised = ({ producer }: Sent): boolean =>
          plan.producers[Number(producer.split("-")[1])]?.options.acks !== 0;
        expect(acknowledgementProblems(sent.filter(isPromised), log)).toEqual([]);
        for (const { outcome } of sent.filter((record) => !isPromised(record))) {
          // Handed to the connection: no offset is promised, none is made up.
          expect(
            outcome.kind === "pending" ||
              (outcome.kind === "acknowledged" && outcome.offset !== -1),
          ).toBe(false);
        }
      }),
      { numRuns: 10 },
    );
  });

  it("of twenty concurrent sends are twenty offsets in the order of the calls, in any storm", async () => {
    await fc.assert(
      fc.asyncProperty(twenty([{ acks: "all", idempotent: true }]), async (plan) => {
        const { sent, log } = await live(plan);
        expect(log).toHaveLength(20);
        expect(offsetsOf(sent)).toEqual(Array.from({ length: 20 }, (_, index) => index));
      }),
      { numRuns: 20 },
    );
  });

  it("of twenty concurrent sends are twenty offsets without idempotence, too, in a log that may hold copies", async () => {
    await fc.assert(
      fc.asyncProperty(twenty(plain), async (plan) => {
        const { sent, log } = await live(plan);
        expect(new Set(offsetsOf(sent)).size).toBe(20);
        expect(acknowledgementProblems(sent, log)).toEqual([]);
        expect(log.length).toBeGreaterThanOrEqual(20);
      }),
      { numRuns: 25 },
    );
  });

  it("of twenty concurrent sends are fewer offsets when two batches get one sequence number", async () => {
    const counts: number[] = [];
    for (const plan of fc.sample(twenty(idempotent), { numRuns: 10, seed: 20_260_102 })) {
      const { sent } = await live(plan, repeatsSequences);
      counts.push(new Set(offsetsOf(sent)).size);
    }
    expect(Math.min(...counts)).toBeLessThan(20);
  });

  it("are caught when two batches get one sequence number", async () => {
    const problems: string[] = [];
    for (const plan of samples(idempotent, 5)) {
      const { sent, log } = await live(plan, repeatsSequences);
      problems.push(...acknowledgementProblems(sent, log));
    }
    expect(problems.join("\n")).toMatch(/were both acknowledged at/);
  });

  it("without idempotence come with copies in the log: the check for those can fail", async () => {
    const problems: string[] = [];
    for (const plan of samples(plain, 60)) {
      if (problems.length > 0) {
        break;
      }
      const { sent, log } = await live(plan);
      problems.push(...exactlyOnceProblems(sent, log));
    }
    expect(problems.join("\n")).toMatch(/is stored \d+ times/);
  });
});
