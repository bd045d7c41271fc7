import type { ServerRuntime } from "@millrace/runtime";
import { Simulation } from "@millrace/runtime/sim";
import { describe, expect, it } from "vitest";
import { LogManager } from "./log-manager.js";
import { batchOf, createLog, openManager, valuesOf, wrapFiles } from "./testdata/harness.js";

// A scripted workload is crashed, with power loss, at every operation that changes its disk. After each crash the
// directory is opened again: every batch whose flush was reported is there, once, in order, and nothing wrong is served.

const BATCHES = 14;
/** A test for each share of the operations. */
const SHARES = [0, 1, 2, 3, 4, 5];
const TIMEOUT_MS = 120_000;

interface Progress {
  created: boolean;
  appended: string[];
  acknowledged: number;
  start: number;
}

type Decorate = (runtime: ServerRuntime) => ServerRuntime;

/** Appends in pairs, rolls often, deletes records, closes, opens again. */
async function workload(runtime: ServerRuntime, progress: Progress): Promise<void> {
  for (let life = 0; life < 2; life++) {
    const manager = await openManager({ runtime, config: { checkpointBytes: 200 } });
    const log = await createLog(manager, {
      "segment.bytes": "400",
      "index.interval.bytes": "80",
      "file.delete.delay.ms": "0",
    });
    progress.created = true;
    for (let index = 0; index < BATCHES / 2; index++) {
      const sequence = progress.appended.length;
      const value = `value-${sequence}`;
      progress.appended.push(value);
      const batch = batchOf({ values: [value], producerId: 5, baseSequence: sequence });
      const outcome = log.append(batch, { leaderEpoch: life });
      if (!outcome.ok) {
        throw new Error(outcome.message);
      }
      if (index % 2 === 1) {
        await log.whenFlushed(outcome.lastOffset);
        progress.acknowledged = outcome.lastOffset + 1;
      }
    }
    await log.whenFlushed(log.logEndOffset - 1);
    progress.acknowledged = log.logEndOffset;
    await log.deleteRecordsBefore(life * 5 + 3);
    progress.start = life * 5 + 3;
    await manager.close();
  }
}

async function check(runtime: ServerRuntime, progress: Progress): Promise<void> {
  const manager = await LogManager.open({
    runtime,
    path: "/data",
    nodeId: 1,
    config: { tailCacheBytes: 0 },
  });
  const log = manager.getLog("events", 0);
  if (log === undefined) {
    expect(progress.created).toBe(false);
    await manager.close();
    return;
  }
  expect(log.damage).toBeUndefined();
  expect(log.flushedOffset).toBeGreaterThanOrEqual(progress.acknowledged);
  expect(log.logStartOffset).toBeGreaterThanOrEqual(progress.start);
  const values = await valuesOf(log, 150);
  for (let offset = log.logStartOffset; offset < log.flushedOffset; offset++) {
    expect(values.get(offset)).toBe(progress.appended[offset]);
  }
  const last = log.logEndOffset - 1;
  if (last >= 0) {
    const retry = batchOf({ values: [`value-${last}`], producerId: 5, baseSequence: last });
    expect(log.append(retry, { leaderEpoch: 5 })).toMatchObject({
      isDuplicate: true,
      baseOffset: last,
    });
  }
  await manager.close();
}

async function crashAt(options: {
  readonly seed: number;
  readonly index: number | undefined;
  readonly decorate?: Decorate;
}): Promise<number> {
  const simulation = new Simulation({ seed: options.seed });
  const node = simulation.node("broker");
  const progress: Progress = { created: false, appended: [], acknowledged: 0, start: 0 };
  const decorate = options.decorate ?? ((runtime: ServerRuntime) => runtime);
  await simulation.run(async () => {
    const crashed = new Promise<void>((resolve) => {
      if (options.index !== undefined) {
        const at = options.index;
        node.disk.onOperation((operation) => {
          if (operation.index === at) {
            node.crash({ powerLoss: true });
            resolve();
          }
        });
      }
    });
    await Promise.race([workload(decorate(node.runtime()), progress), crashed]);
    const operations = node.disk.operationCount;
    node.crash({ powerLoss: true });
    await check(node.runtime(), progress);
    // What the first start counted, a second power loss must not take.
    node.crash({ powerLoss: true });
    await check(node.runtime(), progress);
    return operations;
  });
  return node.disk.operationCount;
}

async function operationsOfWorkload(): Promise<number> {
  const simulation = new Simulation({ seed: 1 });
  const node = simulation.node("broker");
  await simulation.run(() =>
    workload(node.runtime(), { created: false, appended: [], acknowledged: 0, start: 0 }),
  );
  return node.disk.operationCount;
}

/** Every sync resolves without doing anything. */
const acknowledgesBeforeTheSync: Decorate = (runtime) => ({
  ...runtime,
  fileSystem: wrapFiles(runtime.fileSystem, (file) => ({
    sync: () => file.size().then(() => undefined),
  })),
});

describe("a power loss at every operation", { timeout: TIMEOUT_MS }, () => {
  it.each(SHARES)(
    `takes nothing that was acknowledged and leaves nothing wrong (every ${SHARES.length}th, from %i on)`,
    async (first) => {
      const operations = await operationsOfWorkload();
      expect(operations).toBeGreaterThan(150);
      for (let index = first; index < operations; index += SHARES.length) {
        await crashAt({ seed: index + 1, index }).catch((error: unknown) => {
          throw new Error(`crash at operation ${index}, seed ${index + 1}`, { cause: error });
        });
      }
    },
  );

  it("is caught out when appends are acknowledged before the sync (negative control)", async () => {
    const operations = await operationsOfWorkload();
    let caught = 0;
    for (let index = 20; index < operations && caught === 0; index += 5) {
      await crashAt({ seed: index, index, decorate: acknowledgesBeforeTheSync }).catch(() => {
        caught++;
      });
    }
    expect(caught).toBeGreaterThan(0);
  });
});
