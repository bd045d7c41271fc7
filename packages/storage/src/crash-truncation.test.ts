import type { ServerRuntime } from "@millrace/runtime";
import { Simulation } from "@millrace/runtime/sim";
import { describe, expect, it } from "vitest";
import type { Log } from "./index.js";
import { appendFlushed, createLog, openManager, valuesOf } from "./testdata/harness.js";

const COUNT = 12;
const CUT = 4;

async function prepare(runtime: ServerRuntime) {
  const manager = await openManager({ runtime });
  const log = await createLog(manager, { "segment.bytes": "250" });
  for (let index = 0; index < COUNT; index++) {
    await appendFlushed(log, { values: [`value-${index}`] });
  }
  await runtime.clock.sleep(6_000);
  return log;
}

/** Crashes at the truncation's disk operation number `at`; returns false when it has fewer. */
async function crashWhileTruncating(at: number): Promise<boolean> {
  const simulation = new Simulation({ seed: at + 1 });
  const node = simulation.node("broker");
  return await simulation.run(async () => {
    const log = await prepare(node.runtime());
    const first = node.disk.operationCount;
    let isCrashed = false;
    let stop = (): void => undefined;
    const crashed = new Promise<void>((resolve) => {
      stop = node.disk.onOperation((operation) => {
        if (operation.index === first + at) {
          isCrashed = true;
          node.crash({ powerLoss: true });
          resolve();
        }
      });
    });
    await Promise.race([log.truncateTo(CUT), crashed]);
    stop();
    const wasDone = !isCrashed;
    node.crash({ powerLoss: true });
    const again = (await openManager({ runtime: node.runtime() })).getLog("events", 0);
    expect(again?.damage).toBeUndefined();
    expect(again?.logEndOffset).toBeGreaterThanOrEqual(CUT);
    if (wasDone) {
      expect(again?.logEndOffset).toBe(CUT);
    }
    const values = await valuesOf(again as never);
    for (const [offset, value] of values) {
      expect(value).toBe(`value-${offset}`);
    }
    return isCrashed;
  });
}

/** Of one that goes back behind the log start, within a batch. False when it has fewer operations. */
async function crashBelowTheStart(at: number): Promise<boolean> {
  const simulation = new Simulation({ seed: at + 1 });
  const node = simulation.node("broker");
  return await simulation.run(async () => {
    const manager = await openManager({ runtime: node.runtime() });
    const log = await createLog(manager);
    for (let index = 0; index < COUNT; index += 2) {
      await appendFlushed(log, { values: [`value-${index}`, `value-${index + 1}`] });
    }
    await log.deleteRecordsBefore(5);
    const due = node.disk.operationCount + at;
    let isCrashed = false;
    let stop = (): void => undefined;
    const crashed = new Promise<void>((resolve) => {
      stop = node.disk.onOperation((operation) => {
        if (operation.index === due) {
          isCrashed = true;
          node.crash({ powerLoss: true });
          resolve();
        }
      });
    });
    await Promise.race([log.truncateTo(5), crashed]);
    stop();
    node.crash({ powerLoss: true });
    const second = await openManager({ runtime: node.runtime() });
    const { logStartOffset: start, logEndOffset: end } = second.getLog("events", 0) as Log;
    await second.close();
    node.disk.loseFile("/data/log-start-offset-checkpoint");
    const third = await openManager({ runtime: node.runtime() });
    const again = third.getLog("events", 0);
    expect(again?.damage).toBeUndefined();
    if (start < end) {
      // An empty log has no epoch that could say it.
      expect(again?.logStartOffset).toBe(start);
    }
    await third.close();
    return isCrashed;
  });
}

describe("a power loss at every operation of a truncation", () => {
  it("to below the log start leaves epochs that say where the log begins", async () => {
    let at = 0;
    while (await crashBelowTheStart(at)) {
      at++;
    }
    expect(at).toBeGreaterThan(10);
  });

  it("leaves a log that is whole and no shorter than asked for", async () => {
    let at = 0;
    while (await crashWhileTruncating(at)) {
      at++;
    }
    expect(at).toBeGreaterThan(10);
  });
});
