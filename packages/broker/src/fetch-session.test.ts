import { describe, expect, it } from "vitest";
import { type FetchedPartition, type FetchRequest, FetchSessions } from "./fetch-session.js";

const topicId = "00000000-0000-4000-8000-000000000001";

const wanted = (partition: number, fetchOffset = 0): FetchRequest["partitions"][number] => ({
  topicId,
  partition,
  fetchOffset,
  maxBytes: 1000,
  currentLeaderEpoch: -1,
  lastFetchedEpoch: -1,
  flushedOffset: -1,
  logStartOffset: -1,
});

const request = (
  sessionId: number,
  sessionEpoch: number,
  rest: Partial<FetchRequest> = {},
): FetchRequest => ({
  replicaId: -1,
  maxWaitMs: 0,
  minBytes: 1,
  maxBytes: 1000,
  isolationLevel: 0,
  sessionId,
  sessionEpoch,
  partitions: [],
  forgotten: [],
  rack: null,
  ...rest,
});

const answer = (partition: number, rest: Partial<FetchedPartition> = {}): FetchedPartition => ({
  topicId,
  partition,
  errorCode: 0,
  highWatermark: 5,
  lastStableOffset: 5,
  logStartOffset: 0,
  recordsLength: 0,
  leaderId: 0,
  leaderEpoch: 0,
  divergingEpoch: -1,
  divergingEndOffset: -1,
  errorMessage: null,
  ...rest,
});

function sessions(maxSessions = 10, maxPartitions = 1000) {
  const cache = new FetchSessions({ maxSessions, maxPartitions, evictionMs: 100 });
  const owner = {};
  let nextId = 0;
  const resolve = (what: FetchRequest, call: { owner?: object; nowMs?: number } = {}) =>
    cache.resolve(what, {
      owner: call.owner ?? owner,
      nowMs: call.nowMs ?? 0,
      newId: () => {
        nextId += 1;
        return nextId;
      },
    });
  const open = (...partitions: number[]) => {
    const outcome = resolve(
      request(0, 0, { partitions: partitions.map((partition) => wanted(partition)) }),
    );
    if (!outcome.ok || outcome.session === undefined) {
      throw new Error("no session");
    }
    return outcome.session;
  };
  return { cache, owner, resolve, open };
}

describe("a fetch session", () => {
  it("remembers what was asked for, with changes and without what is forgotten", () => {
    const { resolve, open } = sessions();
    const session = open(0, 1, 2);
    const outcome = resolve(
      request(session.id, 1, {
        partitions: [wanted(1, 77), wanted(3)],
        forgotten: [{ topicId, partition: 0 }],
      }),
    );
    expect(outcome).toMatchObject({ ok: true, isNew: false });
    expect(session.wanted().map((entry) => [entry.partition, entry.fetchOffset])).toEqual([
      [1, 77],
      [2, 0],
      [3, 0],
    ]);
  });

  it("answers only with what is new", () => {
    const session = sessions().open(0, 1, 2);
    expect(session.changed([answer(0), answer(1), answer(2)])).toHaveLength(3);
    expect(session.changed([answer(0), answer(1), answer(2)])).toEqual([]);
    const news = session.changed([
      answer(0, { highWatermark: 6 }),
      answer(1, { recordsLength: 10 }),
      answer(2, { logStartOffset: 2 }),
    ]);
    expect(news.map((entry) => entry.partition)).toEqual([0, 1, 2]);
  });

  it("tells an error each time, and that it is gone", () => {
    const session = sessions().open(0);
    const error = answer(0, { errorCode: 1, highWatermark: -1, logStartOffset: -1 });
    expect(session.changed([error])).toHaveLength(1);
    expect(session.changed([error])).toHaveLength(1);
    expect(session.changed([answer(0)])).toHaveLength(1);
    expect(session.changed([answer(0)])).toHaveLength(0);
  });

  it("puts a partition that got records behind the others", () => {
    const session = sessions().open(0, 1, 2);
    session.changed([answer(0, { recordsLength: 5 }), answer(1), answer(2)]);
    expect(session.wanted().map((entry) => entry.partition)).toEqual([1, 2, 0]);
  });

  it("demands the next epoch with every request", () => {
    const { resolve, open } = sessions();
    const session = open(0);
    expect(resolve(request(session.id, 2))).toEqual({
      ok: false,
      error: "INVALID_FETCH_SESSION_EPOCH",
    });
    expect(resolve(request(session.id, 1)).ok).toBe(true);
    expect(resolve(request(session.id, 1)).ok).toBe(false);
    expect(resolve(request(session.id, 2)).ok).toBe(true);
  });

  it("goes from the last epoch to 1", () => {
    const { resolve, open } = sessions();
    const session = open(0);
    session.epoch = 0x7fffffff;
    expect(resolve(request(session.id, 0x7fffffff)).ok).toBe(true);
    expect(session.epoch).toBe(1);
  });

  it("belongs to its connection", () => {
    const { resolve, open } = sessions();
    const session = open(0);
    expect(resolve(request(session.id, 1), { owner: {} })).toEqual({
      ok: false,
      error: "FETCH_SESSION_ID_NOT_FOUND",
    });
  });

  it("ends with its connection, and ends the wait in it", () => {
    const { cache, owner, resolve, open } = sessions();
    const session = open(0);
    let superseded = 0;
    session.supersede = () => {
      superseded += 1;
    };
    cache.endAllOf(owner);
    expect([cache.size, superseded]).toEqual([0, 1]);
    expect(resolve(request(session.id, 1))).toMatchObject({ error: "FETCH_SESSION_ID_NOT_FOUND" });
  });

  it("is closed by epoch -1, which is answered in full", () => {
    const { cache, resolve, open } = sessions();
    const session = open(0);
    expect(resolve(request(session.id, -1))).toEqual({
      ok: true,
      session: undefined,
      isNew: false,
    });
    expect(cache.size).toBe(0);
  });

  it("is not given when all slots are in use", () => {
    const { resolve, open } = sessions(2);
    open(0);
    open(0);
    expect(resolve(request(0, 0), { nowMs: 99 })).toMatchObject({ session: undefined });
  });

  it("is not given, and does not grow, beyond the partitions that all sessions may have", () => {
    const { cache, resolve, open } = sessions(10, 3);
    const session = open(0, 1);
    const two = { partitions: [wanted(0), wanted(1)] };
    expect(resolve(request(0, 0, two))).toMatchObject({ ok: true, session: undefined });
    open(0);
    expect(resolve(request(session.id, 1))).toMatchObject({ ok: true });
    expect(resolve(request(session.id, 2, { partitions: [wanted(2)] }))).toEqual({
      ok: false,
      error: "FETCH_SESSION_ID_NOT_FOUND",
    });
    expect(cache.size).toBe(1);
  });

  it("loses its slot when it was unused for long, the longest unused first", () => {
    const { resolve, open } = sessions(2);
    const first = open(0);
    const second = open(0);
    expect(resolve(request(first.id, 1), { nowMs: 60 }).ok).toBe(true);
    expect(resolve(request(0, 0), { nowMs: 120 })).toMatchObject({ isNew: true });
    expect(resolve(request(second.id, 1), { nowMs: 120 })).toMatchObject({
      error: "FETCH_SESSION_ID_NOT_FOUND",
    });
    expect(resolve(request(first.id, 2), { nowMs: 120 }).ok).toBe(true);
  });

  it("gets an id no other session has", () => {
    const cache = new FetchSessions({ maxSessions: 10, maxPartitions: 10, evictionMs: 1 });
    const ids = [5, 5, 5, 6];
    const call = { owner: {}, nowMs: 0, newId: () => ids.shift() ?? 0 };
    cache.resolve(request(0, 0), call);
    expect(cache.resolve(request(0, 0), call)).toMatchObject({ session: { id: 6 } });
  });
});
