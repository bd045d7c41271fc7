import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createNodeRuntime } from "@millrace/runtime/node";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { dumpOffsetIndex, dumpSegment } from "./dump-segment.js";
import { appendFlushed, createLog, openManager, valuesOf } from "./testdata/harness.js";

let directory = "";
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "millrace-storage-"));
});
afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

describe("on Node's files", () => {
  it("keeps records over a restart, and the tools read the segment", async () => {
    const runtime = createNodeRuntime();
    const path = join(directory, "data");
    const first = await openManager({ runtime, path, config: { tailCacheBytes: 0 } });
    const log = await createLog(first, { "segment.bytes": "20000", "index.interval.bytes": "500" });
    for (let index = 0; index < 60; index++) {
      await appendFlushed(log, { values: [`${index}`.padEnd(700, ".")] });
    }
    expect(log.segmentCount).toBeGreaterThan(1);
    await first.close();
    const second = await openManager({ runtime, path });
    const again = second.getLog("events", 0);
    expect(second.wasCleanShutdown).toBe(true);
    expect((await valuesOf(again as never)).size).toBe(60);
    const base = `${path}/events-0/00000000000000000000`;
    const items = [];
    const positions = new Map<number, number>();
    for await (const item of dumpSegment(runtime.fileSystem, `${base}.log`, {
      compute: runtime.compute,
      records: true,
    })) {
      items.push(item.kind === "batch" ? item.batch.records.length : item.rest.problem);
      if (item.kind === "batch") {
        positions.set(item.batch.header.lastOffset, item.batch.position);
      }
    }
    expect(items.length).toBeGreaterThan(10);
    expect(new Set(items)).toEqual(new Set([1]));
    const entries = await dumpOffsetIndex(runtime.fileSystem, `${base}.index`);
    expect(entries.length).toBeGreaterThan(10);
    for (const { lastOffset, position } of entries) {
      expect(positions.get(lastOffset)).toBe(position);
    }
    await second.close();
  });

  it("leaves directories alone that are not its own", async () => {
    const runtime = createNodeRuntime();
    const path = join(directory, "data");
    await (await openManager({ runtime, path })).close();
    await writeFile(join(path, "notes.txt"), "mine");
    const manager = await openManager({ runtime, path });
    expect([...manager.logs()]).toEqual([]);
    await manager.close();
    expect(await runtime.fileSystem.readFile(join(path, "notes.txt"))).toHaveLength(4);
  });
});
