import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { planEpochTruncation } from "./epoch-truncation.js";
import { LeaderEpochs } from "./leader-epochs.js";

/** A log as the protocol sees it: who wrote each offset. `id` tells apart what two leaders of one epoch never write. */
interface Entry {
  readonly epoch: number;
  readonly id: number;
}

class Replica {
  entries: Entry[] = [];

  get epochs(): LeaderEpochs {
    const epochs = new LeaderEpochs();
    for (const [offset, { epoch }] of this.entries.entries()) {
      epochs.assign(epoch, offset);
    }
    return epochs;
  }

  /** What this replica answers as the leader. */
  endOf(epoch: number) {
    return this.epochs.endOffsetFor(epoch, this.entries.length);
  }
}

function commonLength(left: Replica, right: Replica): number {
  let length = 0;
  while (
    length < left.entries.length &&
    length < right.entries.length &&
    left.entries[length]?.id === right.entries[length]?.id
  ) {
    length++;
  }
  return length;
}

/** Runs the protocol to its end; returns how many questions it took. */
function truncate(follower: Replica, leader: Replica): number {
  for (let questions = 1; ; questions++) {
    const { epochs } = follower;
    const plan = planEpochTruncation(
      { epochs, endOffset: follower.entries.length },
      leader.endOf(epochs.latestEpoch),
    );
    const epochCount = epochs.entries.length;
    follower.entries = follower.entries.slice(0, plan.offset);
    if (plan.isFinal) {
      return questions;
    }
    expect(follower.epochs.entries.length).toBeLessThan(epochCount);
  }
}

/** An election and what follows: who leads, how much it writes, who fetches how much of it before the next one. */
const step = fc.record({
  leader: fc.nat(2),
  writes: fc.nat(4),
  fetched: fc.tuple(fc.nat(12), fc.nat(12), fc.nat(12)),
  reaches: fc.tuple(fc.boolean(), fc.boolean(), fc.boolean()),
});

function history(steps: readonly (typeof step extends fc.Arbitrary<infer S> ? S : never)[]): {
  readonly replicas: readonly Replica[];
  readonly visit: (check: (follower: Replica, leader: Replica) => void) => void;
} {
  const replicas = [new Replica(), new Replica(), new Replica()];
  let id = 0;
  const visit = (check: (follower: Replica, leader: Replica) => void): void => {
    for (const [epoch, { leader: at, writes, fetched, reaches }] of steps.entries()) {
      const leader = replicas[at] as Replica;
      for (let count = 0; count < writes; count++) {
        leader.entries.push({ epoch, id: id++ });
      }
      for (const [index, follower] of replicas.entries()) {
        if (follower !== leader && reaches[index] === true) {
          check(follower, leader);
          const from = follower.entries.length;
          follower.entries.push(...leader.entries.slice(from, from + (fetched[index] ?? 0)));
        }
      }
    }
  };
  return { replicas, visit };
}

describe("truncation by leader epochs", () => {
  it("leaves a follower with all that it has in common with any leader, and nothing else", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 14 }), (steps) => {
        history(steps).visit((follower, leader) => {
          const common = commonLength(follower, leader);
          truncate(follower, leader);
          expect(follower.entries.length).toBe(common);
        });
      }),
      { numRuns: 2_000 },
    );
  });

  it("would leave a fork in place if only the log ends were compared", () => {
    const counterexample = fc.check(
      fc.property(fc.array(step, { maxLength: 14 }), (steps) => {
        history(steps).visit((follower, leader) => {
          follower.entries.length = Math.min(follower.entries.length, leader.entries.length);
          expect(commonLength(follower, leader)).toBe(follower.entries.length);
        });
      }),
      { numRuns: 2_000 },
    );
    expect(counterexample.failed).toBe(true);
  });

  it("asks again when the leader names an epoch that the follower never saw", () => {
    const epochs = new LeaderEpochs([
      { epoch: 1, startOffset: 0 },
      { epoch: 5, startOffset: 10 },
    ]);
    const plan = planEpochTruncation({ epochs, endOffset: 15 }, { epoch: 3, endOffset: 12 });
    expect(plan).toEqual({ offset: 10, isFinal: false });
  });

  it("goes back epoch by epoch when the leader has nothing as old", () => {
    const epochs = new LeaderEpochs([
      { epoch: 1, startOffset: 4 },
      { epoch: 2, startOffset: 10 },
    ]);
    const unknown = { epoch: -1, endOffset: -1 };
    expect(planEpochTruncation({ epochs, endOffset: 15 }, unknown)).toEqual({
      offset: 10,
      isFinal: false,
    });
    epochs.truncateFromEnd(10);
    expect(planEpochTruncation({ epochs, endOffset: 10 }, unknown)).toEqual({
      offset: 4,
      isFinal: true,
    });
  });

  it("keeps a log whole that is a prefix of the leader's, or empty", () => {
    const epochs = new LeaderEpochs([{ epoch: 1, startOffset: 0 }]);
    const whole = { offset: 7, isFinal: true };
    expect(planEpochTruncation({ epochs, endOffset: 7 }, { epoch: 1, endOffset: 90 })).toEqual(
      whole,
    );
    const empty = { epochs: new LeaderEpochs(), endOffset: 7 };
    expect(planEpochTruncation(empty, { epoch: -1, endOffset: -1 })).toEqual(whole);
  });
});
