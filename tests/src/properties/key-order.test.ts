import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PlannedProducer, Reader, type Spoiler } from "./actors.js";
import { ClientWorld } from "./client-world.js";
import { type Plan, type Promises, plans } from "./plans.js";
import { keyOrderProblems, type Sent, type Stored } from "./sent-log.js";
import { hidesProducer } from "./spoilers.js";

interface Seen {
  readonly sent: readonly Sent[];
  /** What a consumer saw that followed through the storm. */
  readonly followed: readonly Stored[];
  /** What one saw that came afterwards. */
  readonly reread: readonly Stored[];
}

interface Mistakes {
  readonly spoil?: Spoiler;
  readonly partitioner?: () => number;
}

/** Producers, each with keys of its own, and a consumer that reads along, in one storm. */
async function live(plan: Plan, { spoil, partitioner }: Mistakes = {}): Promise<Seen> {
  const world = new ClientWorld({ seed: plan.seed, partitions: plan.partitions });
  return await world.run(async () => {
    const producers = plan.producers.map(
      (producer, index) =>
        new PlannedProducer(world, {
          name: `producer-${index}`,
          plan: producer,
          spoil,
          options: { partitioner },
        }),
    );
    const follower = new Reader(world, "follower");
    world.unleash(plan.storm);
    await Promise.all(producers.map((producer) => producer.handIn()));
    await world.calm();
    await Promise.all(producers.map((producer) => producer.answered()));
    await world.settle();
    await Promise.all(producers.map((producer) => producer.close()));
    const ends = await world.ends();
    return {
      sent: producers.flatMap((producer) => producer.sent),
      followed: await follower.finish(ends),
      reread: await new Reader(world, "latecomer").finish(ends),
    };
  });
}

const idempotent: readonly Promises[] = [{ acks: "all", idempotent: true }];
const samples = (count: number): Plan[] =>
  fc.sample(plans(idempotent), { numRuns: count, seed: 20_260_103 });

const byPlace = (one: Stored, other: Stored): number =>
  one.partition - other.partition || one.offset - other.offset;

describe("a consumer", () => {
  it("sees each key's records in the order of the sends, in the key's murmur2 partition, through any storm", async () => {
    await fc.assert(
      fc.asyncProperty(plans(idempotent), async (plan) => {
        const { sent, followed, reread } = await live(plan);
        expect(keyOrderProblems(followed, plan.partitions)).toEqual([]);
        expect(keyOrderProblems(reread, plan.partitions)).toEqual([]);
        expect(followed).toHaveLength(sent.length);
        // Whoever read along through every fault saw what the log holds: nothing twice, nothing left out.
        expect(followed.toSorted(byPlace)).toEqual(reread.toSorted(byPlace));
      }),
      { numRuns: 25 },
    );
  });

  it("is shown wrong orders when batches travel without their producer's number", async () => {
    const problems: string[] = [];
    for (const plan of samples(30)) {
      if (problems.length > 0) {
        break;
      }
      const { followed } = await live(plan, { spoil: hidesProducer });
      problems.push(...keyOrderProblems(followed, plan.partitions));
    }
    expect(problems.join("\n")).toMatch(/came after/);
  });

  it("is shown keys in foreign partitions when a partitioner does not look at them", async () => {
    const plan = samples(30).find(({ partitions }) => partitions > 1);
    let turn = 0;
    const { followed } = await live(plan as Plan, {
      partitioner: () => turn++ % (plan as Plan).partitions,
    });
    expect(keyOrderProblems(followed, (plan as Plan).partitions).join("\n")).toMatch(
      /is in partition/,
    );
  });
});
