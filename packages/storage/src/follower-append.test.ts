import { patchBatchPosition } from "@millrace/protocol";
import type { ServerRuntime } from "@millrace/runtime";
import { createSimRuntime, Simulation } from "@millrace/runtime/sim";
import { describe, expect, it } from "vitest";
import type { Log } from "./log.js";
import {
  batchOf,
  createLog,
  openManager,
  readAll,
  valuesOf,
  wrapFiles,
} from "./testdata/harness.js";

interface LeaderBatch {
  readonly value: string;
  readonly baseOffset: number;
  readonly epoch: number;
  readonly sequence?: number;
}

/** A batch as a leader's log holds it. */
function leaderBatch(batch: LeaderBatch): Uint8Array {
  const bytes = batchOf({
    values: [batch.value],
    timestamp: 5_000 + batch.baseOffset,
    ...(batch.sequence === undefined ? {} : { producerId: 9, baseSequence: batch.sequence }),
  });
  patchBatchPosition(bytes, 0, { baseOffset: batch.baseOffset, leaderEpoch: batch.epoch });
  return bytes;
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

async function withLog(
  work: (log: Log, runtime: ServerRuntime) => Promise<void>,
  entries: Record<string, string> = {},
): Promise<void> {
  const { simulation, runtime } = createSimRuntime();
  await simulation.run(async () => {
    const manager = await openManager({ runtime });
    await work(await createLog(manager, entries), runtime);
    await manager.close();
  });
}

const history = [
  { value: "a", baseOffset: 0, epoch: 2, sequence: 0 },
  { value: "b", baseOffset: 1, epoch: 2, sequence: 1 },
  { value: "c", baseOffset: 2, epoch: 5, sequence: 2 },
];

describe("appending as a follower", () => {
  it("keeps the leader's bytes: offsets, epochs and timestamps", () =>
    withLog(
      async (log) => {
        const bytes = joined(history.map(leaderBatch));
        const outcome = log.appendAsFollower(bytes.slice(), { leaderEpoch: 7 });
        expect(outcome).toMatchObject({ ok: true, baseOffset: 0, lastOffset: 2 });
        await log.whenFlushed(2);
        expect(await readAll(log)).toEqual(bytes);
        expect(log.latestEpoch).toBe(5);
        expect(log.endOffsetForEpoch(2)).toEqual({ epoch: 2, endOffset: 2 });
      },
      { "message.timestamp.type": "LogAppendTime" },
    ));

  it("learns the producers' sequences: as the leader it answers a retry with the original offset", () =>
    withLog(async (log) => {
      log.appendAsFollower(joined(history.map(leaderBatch)), { leaderEpoch: 5 });
      await log.whenFlushed(2);
      const retry = batchOf({ values: ["b"], producerId: 9, baseSequence: 1 });
      expect(log.append(retry, { leaderEpoch: 6 })).toMatchObject({
        isDuplicate: true,
        baseOffset: 1,
      });
      const next = batchOf({ values: ["d"], producerId: 9, baseSequence: 3 });
      expect(log.append(next, { leaderEpoch: 6 })).toMatchObject({ ok: true, baseOffset: 3 });
    }));

  it("refuses gaps, overlaps, epochs out of order and damaged bytes, and changes nothing", () =>
    withLog(async (log) => {
      log.appendAsFollower(joined(history.map(leaderBatch)), { leaderEpoch: 5 });
      const flipped = leaderBatch({ value: "d", baseOffset: 3, epoch: 5 });
      flipped[63] = (flipped[63] as number) ^ 1;
      const next = leaderBatch({ value: "d", baseOffset: 3, epoch: 5 });
      const cases: [string, Uint8Array][] = [
        ["OFFSET_OUT_OF_RANGE", leaderBatch({ value: "d", baseOffset: 4, epoch: 5 })],
        ["OFFSET_OUT_OF_RANGE", leaderBatch({ value: "d", baseOffset: 2, epoch: 5 })],
        [
          "OFFSET_OUT_OF_RANGE",
          joined([next, leaderBatch({ value: "f", baseOffset: 5, epoch: 5 })]),
        ],
        ["FENCED_LEADER_EPOCH", leaderBatch({ value: "d", baseOffset: 3, epoch: 4 })],
        ["UNKNOWN_LEADER_EPOCH", leaderBatch({ value: "d", baseOffset: 3, epoch: 6 })],
        ["CORRUPT_MESSAGE", flipped],
        ["CORRUPT_MESSAGE", next.subarray(0, -1)],
        ["INVALID_RECORD", new Uint8Array(0)],
      ];
      for (const [error, bytes] of cases) {
        const outcome = log.appendAsFollower(bytes, { leaderEpoch: 5 });
        expect(outcome).toMatchObject({ ok: false, error });
        expect(log.logEndOffset).toBe(3);
        expect(log.latestEpoch).toBe(5);
      }
      expect(log.appendAsFollower(next, { leaderEpoch: 5 })).toMatchObject({ ok: true });
    }));

  it("takes gaps between batches where the leader's log is compacted", () =>
    withLog(async (log) => {
      const bytes = joined([
        leaderBatch({ value: "a", baseOffset: 3, epoch: 1 }),
        leaderBatch({ value: "b", baseOffset: 8, epoch: 1 }),
      ]);
      const options = { leaderEpoch: 1, mayHaveGaps: true };
      expect(log.appendAsFollower(bytes, options)).toMatchObject({ ok: true, baseOffset: 3 });
      await log.whenFlushed(8);
      expect(log.logEndOffset).toBe(9);
      const overlap = leaderBatch({ value: "c", baseOffset: 8, epoch: 1 });
      expect(log.appendAsFollower(overlap, options)).toMatchObject({
        error: "OFFSET_OUT_OF_RANGE",
      });
    }));
});

describe("truncating by epoch", () => {
  it("cuts a fork, takes the leader's batches, and is the leader's log", () =>
    withLog(
      async (log) => {
        const fork = [
          { value: "a", baseOffset: 0, epoch: 2 },
          { value: "x", baseOffset: 1, epoch: 3 },
          { value: "y", baseOffset: 2, epoch: 3 },
        ];
        log.appendAsFollower(joined(fork.map(leaderBatch)), { leaderEpoch: 3 });
        await log.whenFlushed(2);
        // The leader's history: epoch 2 up to offset 2, then 5. It never saw epoch 3.
        expect(await log.truncateToEpochEnd({ epoch: 2, endOffset: 2 })).toBe(true);
        expect(log.logEndOffset).toBe(1);
        expect(log.latestEpoch).toBe(2);
        const rest = joined(history.slice(1).map(leaderBatch));
        expect(log.appendAsFollower(rest, { leaderEpoch: 5 })).toMatchObject({ ok: true });
        await log.whenFlushed(2);
        expect([...(await valuesOf(log)).values()]).toEqual(["a", "b", "c"]);
      },
      { "segment.bytes": "100" },
    ));
});

describe("starting again at an offset", () => {
  for (const offset of [0, 1, 3, 40]) {
    it(`makes an empty log at ${offset}, also after a restart, and knows nothing of before`, async () => {
      const { simulation, runtime } = createSimRuntime();
      await simulation.run(async () => {
        const manager = await openManager({ runtime });
        const log = await createLog(manager, { "segment.bytes": "100" });
        log.appendAsFollower(joined(history.map(leaderBatch)), { leaderEpoch: 5 });
        await log.whenFlushed(2);
        await log.truncateFullyAndStartAt(offset);
        const expectEmpty = (empty: Log): void => {
          expect([empty.logStartOffset, empty.logEndOffset, empty.flushedOffset]).toEqual([
            offset,
            offset,
            offset,
          ]);
          expect([empty.latestEpoch, empty.producerCount]).toEqual([-1, 0]);
        };
        expectEmpty(log);
        await manager.close();
        const second = await openManager({ runtime });
        const again = await createLog(second);
        expectEmpty(again);
        const batch = leaderBatch({ value: "z", baseOffset: offset, epoch: 1 });
        expect(again.appendAsFollower(batch, { leaderEpoch: 1 })).toMatchObject({ ok: true });
        await again.whenFlushed(offset);
        expect([...(await valuesOf(again)).values()]).toEqual(["z"]);
        await second.close();
      });
    });
  }

  it("brings back nothing that was deleted before, wherever a crash interrupts it", async () => {
    for (let operation = 0; ; operation++) {
      const { simulation, node } = createSimRuntime();
      const isDone = await simulation.run(async () => {
        const manager = await openManager({ runtime: node.runtime() });
        const log = await createLog(manager, { "file.delete.delay.ms": "0" });
        // The log start lies within a batch.
        log.append(batchOf({ values: ["a", "b"] }), { leaderEpoch: 0 });
        log.append(batchOf({ values: ["c", "d", "e"] }), { leaderEpoch: 1 });
        await log.whenFlushed(4);
        await log.deleteRecordsBefore(3);
        const due = node.disk.operationCount + operation;
        let stop = (): void => {};
        const crashed = new Promise<boolean>((resolve) => {
          stop = node.disk.onOperation(({ index }) => {
            if (index === due) {
              node.crash();
              resolve(false);
            }
          });
        });
        const done = log.truncateFullyAndStartAt(40).then(() => true);
        const isFinished = await Promise.race([done, crashed]);
        stop();
        node.crash();
        const again = (await openManager({ runtime: node.runtime() })).getLog("events", 0);
        expect([3, 40]).toContain(again?.logStartOffset);
        expect(again?.state).toBe("online");
        return isFinished;
      });
      if (isDone) {
        expect(operation).toBeGreaterThan(5);
        return;
      }
    }
  });

  it("ends a quarantine, for good", async () => {
    const { simulation, node, runtime } = createSimRuntime();
    await simulation.run(async () => {
      const manager = await openManager({ runtime });
      const log = await createLog(manager);
      log.appendAsFollower(joined(history.map(leaderBatch)), { leaderEpoch: 5 });
      await log.whenFlushed(2);
      await manager.close();
      node.disk.flipBit("/data/events-0/00000000000000000000.log", 8 * 17);
      await runtime.fileSystem.removeFile("/data/events-0/00000000000000000000.index-state");
      const second = await openManager({ runtime, config: { tailCacheBytes: 0 } });
      const damaged = await createLog(second);
      await Promise.resolve(
        damaged.read({ offset: 0, maxBytes: 1000, endOffset: 3, minOneBatch: true }),
      ).catch(() => undefined);
      expect(damaged.state).toBe("quarantined");
      await damaged.truncateFullyAndStartAt(20);
      expect(damaged.state).toBe("online");
      await second.close();
      const third = await openManager({ runtime });
      expect((await createLog(third)).state).toBe("online");
      await third.close();
    });
  });
});

describe("a power loss at any operation of a follower's life", () => {
  /** Appends across epochs and segments, truncates a fork, refills, starts again beyond the end. */
  async function life(runtime: ServerRuntime, progress: { steps: number }): Promise<void> {
    const manager = await openManager({ runtime, config: { checkpointBytes: 200 } });
    const log = await createLog(manager, { "segment.bytes": "150", "file.delete.delay.ms": "0" });
    const take = async (batches: readonly LeaderBatch[]): Promise<void> => {
      const outcome = log.appendAsFollower(joined(batches.map(leaderBatch)), { leaderEpoch: 9 });
      if (!outcome.ok) {
        throw new Error(outcome.message);
      }
      await log.whenFlushed(outcome.lastOffset);
      progress.steps++;
    };
    await take(lives[0]);
    await log.truncateToEpochEnd({ epoch: 2, endOffset: 2 });
    progress.steps++;
    await take(lives[1]);
    await log.truncateFullyAndStartAt(40);
    progress.steps++;
    await take(lives[2]);
    await manager.close();
  }

  const lives = [
    [
      { value: "a", baseOffset: 0, epoch: 2 },
      { value: "b", baseOffset: 1, epoch: 2 },
      { value: "x", baseOffset: 2, epoch: 3 },
      { value: "y", baseOffset: 3, epoch: 4 },
    ],
    [
      { value: "c", baseOffset: 2, epoch: 5 },
      { value: "d", baseOffset: 3, epoch: 5 },
      { value: "e", baseOffset: 4, epoch: 6 },
    ],
    [{ value: "z", baseOffset: 40, epoch: 6 }],
  ] as const;

  /** What the log may hold, by how many steps had been promised; each also with any part of the next step. */
  const promised = [[], ["a", "b", "x", "y"], ["a", "b"], ["a", "b", "c", "d", "e"], [], ["z"]];

  function isBetween(values: readonly string[], steps: number): boolean {
    const before = promised[steps] ?? [];
    const after = promised[steps + 1] ?? before;
    const longer = before.length > after.length ? before : after;
    const shorter = longer === before ? after : before;
    return (
      values.length >= shorter.length && values.every((value, index) => value === longer[index])
    );
  }

  async function crashAt(
    at: number | undefined,
    options: { readonly seed: number; readonly unsynced?: string } = { seed: 3 },
  ): Promise<number> {
    const { seed, unsynced } = options;
    const simulation = new Simulation({ seed });
    const node = simulation.node("follower");
    const progress = { steps: 0 };
    let operations = 0;
    await simulation.run(async () => {
      const crashed = new Promise<void>((resolve) => {
        node.disk.onOperation((operation) => {
          if (operation.index === at) {
            node.crash({ powerLoss: true });
            resolve();
          }
        });
      });
      const runtime = node.runtime();
      const fileSystem = wrapFiles(runtime.fileSystem, (file) =>
        unsynced !== undefined && file.path.includes(unsynced)
          ? { sync: () => Promise.resolve() }
          : {},
      );
      await Promise.race([life({ ...runtime, fileSystem }, progress), crashed]);
      operations = node.disk.operationCount;
      node.crash({ powerLoss: true });
      const manager = await openManager({ runtime: node.runtime() });
      const log = manager.getLog("events", 0);
      const values = log === undefined ? [] : [...(await valuesOf(log)).entries()];
      expect(log?.damage).toBeUndefined();
      expect(
        isBetween(
          values.map(([, value]) => value),
          progress.steps,
        ),
        `after ${progress.steps} steps: ${JSON.stringify(values)}`,
      ).toBe(true);
      if (log !== undefined) {
        expectEpochsOf(log, new Map(values));
      }
      await manager.close();
    });
    return operations;
  }

  /** The epoch checkpoint says of each record what its batch says. */
  function expectEpochsOf(log: Log, values: ReadonlyMap<number, string>): void {
    const epochs = new Map<string, number>(lives.flat().map(({ value, epoch }) => [value, epoch]));
    for (const [offset, value] of values) {
      const epoch = epochs.get(value) ?? -1;
      const { endOffset } = log.endOffsetForEpoch(epoch);
      expect(endOffset).toBeGreaterThan(offset);
      expect(log.endOffsetForEpoch(epoch - 1).endOffset).toBeLessThanOrEqual(offset);
    }
  }

  it("leaves the log of before the step, of after it, or a prefix; never damage, never a fork", async () => {
    const operations = await crashAt(undefined);
    expect(operations).toBeGreaterThan(100);
    for (let at = 0; at < operations; at++) {
      await crashAt(at);
    }
  });

  for (const unsynced of [".log", "leader-epoch-checkpoint"]) {
    it(`is noticed here when ${unsynced} is never synced`, async () => {
      const failures: unknown[] = [];
      for (let seed = 0; seed < 20 && failures.length === 0; seed++) {
        const operations = await crashAt(undefined, { seed });
        for (let at = 0; at < operations && failures.length === 0; at += 3) {
          await crashAt(at, { seed, unsynced }).catch((error: unknown) => failures.push(error));
        }
      }
      expect(failures).toHaveLength(1);
    });
  }
});
