import type { ServerRuntime } from "@millrace/runtime";
import { createSimRuntime } from "@millrace/runtime/sim";
import { describe, expect, it } from "vitest";
import { JOURNAL_FILES, JOURNAL_HEADER_BYTES } from "./core/commit-journal-format.js";
import {
  type Finding,
  type LogManager,
  StateSnapshots,
  type VerifySummary,
  verifyDirectory,
} from "./index.js";
import { appendFlushed, batchOf, createLog, openManager } from "./testdata/harness.js";

const LOGS = 3;
const ROUNDS = 6;
const RECORDS = LOGS * ROUNDS;

async function verified({ fileSystem, compute }: ServerRuntime) {
  const findings: Finding[] = [];
  let summary: VerifySummary | undefined;
  for await (const item of verifyDirectory(fileSystem, "/data", { compute })) {
    if (item.kind === "finding") {
      findings.push(item.finding);
    } else {
      summary = item.summary;
    }
  }
  return { findings, summary };
}

type SimulatedNode = ReturnType<typeof createSimRuntime>["node"];

/** Three logs share the commit journal, from their second batch on. */
async function fillThroughTheJournal(node: SimulatedNode): Promise<LogManager> {
  const manager = await openManager({ runtime: node.runtime(), config: { syncsAtOnceMax: 1 } });
  const logs = await Promise.all(
    Array.from({ length: LOGS }, (_, partition) => createLog(manager, {}, partition)),
  );
  for (let round = 0; round < ROUNDS; round++) {
    await Promise.all(logs.map((log) => appendFlushed(log, { values: [`value-${round}`] })));
  }
  return manager;
}

/** The power goes, and of what went through the journal nothing is anywhere else. */
async function crashedBehindTheJournal(node: SimulatedNode): Promise<void> {
  await fillThroughTheJournal(node);
  node.crash({ powerLoss: true });
  const batchBytes = batchOf({ values: ["value-0"] }).length;
  for (const path of node.disk.paths().filter((one) => one.endsWith(".log"))) {
    node.disk.replaceContent(path, node.disk.peek(path).slice(0, batchBytes));
  }
}

describe("verifyDirectory", () => {
  it("passes over a directory whose creation was interrupted, as a start does", async () => {
    const { simulation, node } = createSimRuntime();
    await simulation.run(async () => {
      const manager = await openManager({ runtime: node.runtime() });
      await createLog(manager);
      await manager.close();
      const { fileSystem, compute } = node.runtime();
      await fileSystem.createDirectory("/data/events-1");
      node.disk.plant("/data/events-2/partition.metadata.tmp", new Uint8Array(3));
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

  it("counts what is durable in the commit journal as written, and says so", async () => {
    const { simulation, node } = createSimRuntime();
    await simulation.run(async () => {
      await crashedBehindTheJournal(node);
      const { findings, summary } = await verified(node.runtime());
      expect(findings.map(({ severity }) => severity)).toEqual(["hint", "hint", "hint"]);
      expect(findings[0]?.problem).toMatch(/in the commit journal; the next start writes them/);
      expect(summary?.records).toBe(RECORDS);
      const manager = await openManager({ runtime: node.runtime() });
      await manager.close();
      expect(await verified(node.runtime())).toMatchObject({
        findings: [],
        summary: { records: RECORDS },
      });
    });
  });

  it("finds fewer records where the journal was taken away (negative control)", async () => {
    const { simulation, node } = createSimRuntime();
    await simulation.run(async () => {
      await crashedBehindTheJournal(node);
      for (const name of JOURNAL_FILES) {
        if (node.disk.paths().includes(`/data/${name}`)) {
          node.disk.loseFile(`/data/${name}`);
        }
      }
      expect((await verified(node.runtime())).summary?.records).toBeLessThan(RECORDS);
    });
  });

  it("finds damage within the journal, and bytes of a log that are nowhere", async () => {
    const { simulation, node } = createSimRuntime();
    await simulation.run(async () => {
      await crashedBehindTheJournal(node);
      // In the first frame's extent.
      node.disk.flipBit(`/data/${JOURNAL_FILES[0]}`, 8 * (JOURNAL_HEADER_BYTES + 96));
      const { findings } = await verified(node.runtime());
      const damaged = findings.filter(({ severity }) => severity === "damage");
      expect(damaged[0]?.problem).toBe("a frame of the commit journal is damaged");
      expect(damaged[1]?.problem).toMatch(/neither here nor in the commit journal/);
    });
  });

  it("shows a running broker's files as they are", async () => {
    const { simulation, node } = createSimRuntime();
    await simulation.run(async () => {
      const manager = await fillThroughTheJournal(node);
      expect(node.disk.paths()).toContain(`/data/${JOURNAL_FILES[0]}`);
      expect((await verified(node.runtime())).findings).toEqual([]);
      await manager.close();
    });
  });

  it("looks at snapshots: of a state machine from end to end, of producers by their checksums", async () => {
    const { simulation, node } = createSimRuntime();
    await simulation.run(async () => {
      const runtime = node.runtime();
      const manager = await openManager({ runtime });
      const log = await createLog(manager);
      await appendFlushed(log, { values: ["a"], producerId: 7, baseSequence: 0 });
      const snapshots = new StateSnapshots({ runtime, directory: log.directory });
      for (const endOffset of [1, 2]) {
        const record = { key: null, value: new Uint8Array([endOffset]) };
        await snapshots.write({ endOffset, epoch: 0 }, { timestampMs: 1, records: [record] });
      }
      await manager.close();
      expect((await verified(runtime)).findings).toEqual([]);
      const paths = node.disk.paths().filter((path) => /\.(snapshot|producer-state)$/.test(path));
      expect(paths).toHaveLength(2);
      for (const path of paths) {
        node.disk.flipBit(path, 8 * 9);
      }
      const states = node.disk.paths().filter((path) => path.endsWith(".checkpoint"));
      expect(states).toHaveLength(2);
      node.disk.flipBit(states[0] ?? "", 8 * 100);
      const { findings } = await verified(runtime);
      expect(findings.map(({ path, severity }) => [path, severity]).sort()).toEqual(
        [states[0] ?? "", ...paths].map((path) => [path, "hint"]).sort(),
      );
      // Without any that is whole the state is lost.
      node.disk.flipBit(states[1] ?? "", 8 * 100);
      expect((await verified(runtime)).findings.map(({ severity }) => severity).sort()).toEqual([
        "damage",
        "damage",
        "hint",
        "hint",
      ]);
    });
  });
});
