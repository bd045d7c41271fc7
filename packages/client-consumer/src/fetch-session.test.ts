import { describe, expect, it } from "vitest";
import { type FetchPartition, FetchSession } from "./fetch-session.js";

const wanted = (partition: number): [string, FetchPartition] => [
  `${partition}`,
  {
    topicId: "00000000-0000-4000-8000-000000000001",
    partition,
    fetchOffset: 0,
    maxBytes: 1000,
    currentLeaderEpoch: -1,
    lastFetchedEpoch: -1,
    flushedOffset: -1,
    logStartOffset: -1,
  },
];

describe("a fetch session of the client", () => {
  it("names only what changed once the broker keeps it", () => {
    const session = new FetchSession();
    expect(session.plan(new Map([wanted(0), wanted(1)]))).toMatchObject({
      sessionId: 0,
      sessionEpoch: 0,
      partitions: [{ partition: 0 }, { partition: 1 }],
    });
    session.answered(7);
    expect(session.plan(new Map([wanted(1), wanted(2)]))).toMatchObject({
      sessionId: 7,
      sessionEpoch: 1,
      partitions: [{ partition: 2 }],
      forgotten: [{ partition: 0 }],
    });
  });

  it("begins again with everything, and ends the broker's old session by that", () => {
    const session = new FetchSession();
    session.plan(new Map([wanted(0)]));
    session.answered(7);
    session.reset();
    expect(session.plan(new Map([wanted(0)]))).toMatchObject({
      sessionId: 7,
      sessionEpoch: 0,
      partitions: [{ partition: 0 }],
      forgotten: [],
    });
    session.answered(8);
    expect(session.plan(new Map([wanted(0)]))).toMatchObject({ sessionId: 8, sessionEpoch: 1 });
  });

  it("forgets the session that the broker does not keep", () => {
    const session = new FetchSession();
    session.plan(new Map([wanted(0)]));
    session.answered(7);
    session.plan(new Map([wanted(0)]));
    session.answered(0);
    expect(session.plan(new Map([wanted(0)]))).toMatchObject({ sessionId: 0, sessionEpoch: 0 });
  });
});
