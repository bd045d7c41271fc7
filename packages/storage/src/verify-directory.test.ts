import { createSimRuntime } from "@millrace/runtime/sim";
import { describe, expect, it } from "vitest";
import { type Finding, verifyDirectory } from "./index.js";
import { appendFlushed, createLog, openManager } from "./testdata/harness.js";

describe("verifyDirectory", () => {
  it("passes over a directory whose creation was interrupted, as a start does", async () => {
    const { simulation, node } = createSimRuntime();
    await simulation.run(async () => {
      const manager = await openManager({ runtime: node.runtime() });
      await createLog(manager);
      await manager.close();
      const { fileSystem, compute } = node.runtime();
      await fileSystem.createDirectory("/data/events-1");
      const findings: Finding[] = [];
      for await (const item of verifyDirectory(fileSystem, "/data", { compute })) {
        if (item.kind === "finding") {
          findings.push(item.finding);
        }
      }
      expect(findings).toEqual([]);
    });
  });

  it("says nothing of segments before the log start, some of which a power cut brings back", async () => {
    const { simulation, node } = createSimRuntime();
    await simulation.run(async () => {
      const manager = await openManager({ runtime: node.runtime() });
      const log = await createLog(manager, { "segment.bytes": "200" });
      for (let index = 0; index < 10; index++) {
        await appendFlushed(log, { values: [`value-${index}`] });
      }
      await manager.close();
      const kept = node.disk.peek("/data/events-0/00000000000000000000.log");

      const again = await openManager({ runtime: node.runtime() });
      await again.getLog("events", 0)?.deleteRecordsBefore(8);
      await again.close();
      node.disk.plant("/data/events-0/00000000000000000000.log", kept);

      const { fileSystem, compute } = node.runtime();
      const findings: Finding[] = [];
      for await (const item of verifyDirectory(fileSystem, "/data", { compute })) {
        if (item.kind === "finding") {
          findings.push(item.finding);
        }
      }
      expect(findings).toEqual([]);
    });
  });
});
