import { createSimRuntime } from "@millrace/runtime/sim";
import { describe, expect, it } from "vitest";
import { appendFlushed, createLog, openManager, valuesOf } from "./testdata/harness.js";

const LOG_DIRECTORY = "/data/events-0";

describe("a start behind a kill", () => {
  it("makes the names of the segments durable that it goes on with", async () => {
    const { simulation, node } = createSimRuntime();
    await simulation.run(async () => {
      const log = await createLog(await openManager({ runtime: node.runtime() }), {
        "segment.bytes": "300",
      });
      let hasSecondSegment = false;
      const stop = node.disk.onOperation(({ kind, path }) => {
        const isSegment = kind === "create" && path.endsWith(".log");
        hasSecondSegment ||= isSegment && path.startsWith(LOG_DIRECTORY);
        if (hasSecondSegment && kind === "syncDirectory" && path === LOG_DIRECTORY) {
          stop();
          node.crash();
        }
      });
      const killed = (async () => {
        for (;;) {
          await appendFlushed(log, { values: ["before the kill"] });
        }
      })();
      await Promise.race([killed, simulation.sleep(1_000)]);
      expect(node.disk.paths().filter((path) => path.endsWith(".log"))).toHaveLength(2);

      const second = await openManager({ runtime: node.runtime() });
      const acknowledged = await appendFlushed(await createLog(second), { values: ["after it"] });
      node.crash({ powerLoss: true, model: "nothing" });

      const third = await openManager({ runtime: node.runtime() });
      const values = await valuesOf(await createLog(third));
      expect(values.get(acknowledged)).toBe("after it");
    });
  });

  it("passes over a log whose creation was interrupted before its metadata was in place", async () => {
    const { simulation, node } = createSimRuntime();
    await simulation.run(async () => {
      const first = await openManager({ runtime: node.runtime() });
      const path = `${LOG_DIRECTORY}/partition.metadata.tmp`;
      const killed = new Promise<void>((resolve) => {
        const stop = node.disk.onOperation((operation) => {
          if (operation.kind === "sync" && operation.path === path) {
            stop();
            node.crash();
            resolve();
          }
        });
      });
      void createLog(first).catch(() => undefined);
      await killed;
      expect(node.disk.paths()).toContain(path);

      const second = await openManager({ runtime: node.runtime() });
      expect([...second.logs()]).toEqual([]);
      const log = await createLog(second);
      const acknowledged = await appendFlushed(log, { values: ["in the end"] });
      node.crash({ powerLoss: true, model: "nothing" });

      const third = await openManager({ runtime: node.runtime() });
      expect((await valuesOf(await createLog(third))).get(acknowledged)).toBe("in the end");
      expect(node.disk.paths()).not.toContain(path);
    });
  });
});
