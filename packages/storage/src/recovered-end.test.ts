import { createSimRuntime } from "@millrace/runtime/sim";
import { describe, expect, it } from "vitest";
import { appendFlushed, createLog, openManager } from "./testdata/harness.js";

describe("the log end that a start has found", () => {
  it("stays where it is when a truncation was killed before its sync, and the power goes", async () => {
    const { simulation, node } = createSimRuntime();
    await simulation.run(async () => {
      const log = await createLog(await openManager({ runtime: node.runtime() }));
      for (let index = 0; index < 5; index++) {
        await appendFlushed(log, { values: [`value-${index}`] });
      }
      const killed = new Promise<void>((resolve) => {
        let isTruncated = false;
        const stop = node.disk.onOperation(({ kind, path }) => {
          if (path.endsWith(".log") && isTruncated && kind === "sync") {
            stop();
            node.crash();
            resolve();
          }
          isTruncated ||= path.endsWith(".log") && kind === "truncate";
        });
      });
      void log.truncateTo(2).catch(() => undefined);
      await killed;

      const second = await openManager({ runtime: node.runtime() });
      expect(second.getLog("events", 0)?.logEndOffset).toBe(2);
      node.crash({ powerLoss: true, model: "nothing" });

      const third = await openManager({ runtime: node.runtime() });
      expect(third.getLog("events", 0)?.logEndOffset).toBe(2);
      await third.close();
    });
  });

  it("stays where it is when the sync of a truncation failed, and the power goes", async () => {
    const { simulation, node } = createSimRuntime();
    await simulation.run(async () => {
      const log = await createLog(await openManager({ runtime: node.runtime() }));
      for (let index = 0; index < 5; index++) {
        await appendFlushed(log, { values: [`value-${index}`] });
      }
      const path = "/data/events-0/00000000000000000000.log";
      const stop = node.disk.onOperation((operation) => {
        if (operation.kind === "truncate" && operation.path === path) {
          stop();
          node.disk.failNext("sync", { path });
        }
      });
      await expect(log.truncateTo(2)).rejects.toThrow("the disk failed");
      node.crash();

      const second = await openManager({ runtime: node.runtime() });
      expect(second.getLog("events", 0)?.logEndOffset).toBe(2);
      node.crash({ powerLoss: true, model: "nothing" });

      const third = await openManager({ runtime: node.runtime() });
      expect(third.getLog("events", 0)?.logEndOffset).toBe(2);
      await third.close();
    });
  });
});
