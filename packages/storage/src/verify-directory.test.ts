import { createSimRuntime } from "@millrace/runtime/sim";
import { describe, expect, it } from "vitest";
import { type Finding, verifyDirectory } from "./index.js";
import { createLog, openManager } from "./testdata/harness.js";

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
});
