import { cp, mkdir, mkdtemp, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { computeBatchCrc, RecordBatchBuilder } from "@millrace/protocol";
import { silentLogger } from "@millrace/runtime";
import { createNodeRuntime } from "@millrace/runtime/node";
import { JournalOverlay, LogManager, parseLogConfig } from "@millrace/storage";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Findings } from "./finding.js";
import { baseOffsetOfFile, readOffsetIndex, readTimeIndex } from "./index-file.js";
import { findLogDirectories, PartitionVerifier } from "./verify.js";

const { compute, fileSystem } = createNodeRuntime();
const RECORDS = 10;
const name = (offset: number, suffix: string): string =>
  `${String(offset).padStart(20, "0")}.${suffix}`;

function batch(baseOffset: number, leaderEpoch = 1): Uint8Array {
  const builder = new RecordBatchBuilder();
  for (let index = 0; index < RECORDS; index += 1) {
    builder.append({
      key: `k${index}`,
      value: `value ${String(baseOffset + index).padStart(3, "0")}`,
      timestamp: 1000 + baseOffset + index,
    });
  }
  return builder.build({ compute, baseOffset, leaderEpoch });
}

function offsetIndex(
  entries: readonly (readonly [relative: number, position: number])[],
): Uint8Array {
  const bytes = new Uint8Array(entries.length * 8);
  const view = new DataView(bytes.buffer);
  for (const [index, [relative, position]] of entries.entries()) {
    view.setInt32(index * 8, relative);
    view.setInt32(index * 8 + 4, position);
  }
  return bytes;
}

function timeIndex(
  entries: readonly (readonly [timestamp: number, relative: number])[],
): Uint8Array {
  const bytes = new Uint8Array(entries.length * 12);
  const view = new DataView(bytes.buffer);
  for (const [index, [timestamp, relative]] of entries.entries()) {
    view.setBigInt64(index * 12, BigInt(timestamp));
    view.setInt32(index * 12 + 8, relative);
  }
  return bytes;
}

let root = "";
let partition = "";
const batches = [0, 10, 20].map((offset) => batch(offset));
const size = batches[0]?.length ?? 0;
const log = (): string => join(partition, name(0, "log"));

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "millrace-verify-"));
  partition = join(root, "orders-0");
  await mkdir(partition);
  await writeFile(log(), Buffer.concat(batches));
  await writeFile(join(partition, name(0, "index")), offsetIndex([[19, size]]));
  await writeFile(join(partition, name(0, "timeindex")), timeIndex([[1019, 19]]));
  await writeFile(join(partition, name(30, "log")), Buffer.concat([batch(30), batch(40)]));
  await writeFile(join(partition, name(30, "index")), new Uint8Array(0));
  await writeFile(join(partition, name(30, "timeindex")), new Uint8Array(0));
});

afterEach(() => rm(root, { recursive: true, force: true }));

async function verify(path = root) {
  const findings = new Findings();
  const signal = new AbortController().signal;
  const directories = await findLogDirectories(path);
  const journal = await JournalOverlay.open({ compute, fileSystem }, path);
  const reports = [];
  for (const directory of directories) {
    const options = { compute, fileSystem, journal, signal, findings, onProgress: () => {} };
    reports.push(await new PartitionVerifier(path, directory, options).run());
  }
  await journal.close();
  return { findings, reports, list: findings.list };
}

async function patch(path: string, position: number, bytes: Uint8Array): Promise<void> {
  const content = await readFile(path);
  content.set(bytes, position);
  await writeFile(path, content);
}

describe("verifying a partition", () => {
  it("finds nothing in a sound one and counts what is there", async () => {
    const { list, reports } = await verify();
    expect(list).toEqual([]);
    expect(reports).toMatchObject([
      {
        directory: "orders-0",
        segments: 2,
        batches: 5,
        records: 50,
        firstOffset: 0,
        lastOffset: 49,
      },
    ]);
  });

  it("takes a partition's own directory as well as the data directory", async () => {
    expect(await findLogDirectories(partition)).toMatchObject([
      { path: partition, segments: [0, 30] },
    ]);
  });

  it("finds a flipped bit by the CRC and reads on behind it", async () => {
    await patch(log(), size - 1, new Uint8Array([0x7f]));
    const { list, reports } = await verify();
    expect(list).toMatchObject([
      { severity: "damage", file: `orders-0/${name(0, "log")}`, position: 0, offset: 0 },
    ]);
    expect(list[0]?.problem).toMatch(/CRC/);
    expect(reports[0]?.batches).toBe(5);
  });

  it("finds a changed base offset, which the CRC does not cover", async () => {
    await patch(log(), size + 7, new Uint8Array([5]));
    const { list } = await verify();
    expect(list[0]).toMatchObject({ severity: "damage", position: size });
    expect(list[0]?.problem).toMatch(/offset 5 comes after 9/);
  });

  it("finds a leader epoch that goes back", async () => {
    await writeFile(log(), Buffer.concat([batch(0, 3), batch(10, 2), batch(20, 3)]));
    const { list } = await verify();
    expect(list.map((finding) => finding.problem)).toContain("leader epoch 2 comes after 3");
  });

  it("finds records that do not fit their batch although the CRC is right", async () => {
    const lying = batch(0);
    new DataView(lying.buffer, lying.byteOffset).setInt32(57, RECORDS - 1);
    new DataView(lying.buffer, lying.byteOffset).setUint32(17, computeBatchCrc(lying, 0, compute));
    await patch(log(), 0, lying);
    const { list } = await verify();
    expect(list[0]).toMatchObject({ severity: "damage", position: 0 });
    expect(list[0]?.problem).toMatch(/belong to no record/);
  });

  it("warns of missing offsets, which compaction explains", async () => {
    await writeFile(join(partition, name(30, "log")), Buffer.concat([batch(35), batch(45)]));
    const { findings, list } = await verify();
    expect(findings.damageCount).toBe(0);
    expect(list[0]).toMatchObject({ severity: "warning", offset: 35 });
  });

  it("warns of a torn tail, and calls the same inside the log damage", async () => {
    await truncate(join(partition, name(30, "log")), size + 20);
    expect((await verify()).list).toMatchObject([{ severity: "warning", position: size }]);
    await truncate(log(), 2 * size + 70);
    const { list } = await verify();
    expect(list.find((finding) => finding.file.endsWith(name(0, "log")))).toMatchObject({
      severity: "damage",
      position: 2 * size,
      offset: 20,
    });
  });

  it("stops at bytes that cannot begin a batch and says how many are left", async () => {
    await patch(log(), size, new Uint8Array(size).fill(0xee));
    const { list } = await verify();
    expect(list[0]).toMatchObject({ severity: "damage", position: size });
    expect(list[0]?.problem).toContain(`${2 * size} bytes`);
  });

  it("finds index entries that point at the wrong place", async () => {
    await writeFile(
      join(partition, name(0, "index")),
      offsetIndex([
        [19, size + 1],
        [29, 2 * size],
        [99, 9 * size],
      ]),
    );
    const { list } = await verify();
    expect(list.map((finding) => finding.position)).toEqual([0, 16]);
    await writeFile(join(partition, name(0, "index")), offsetIndex([[18, size]]));
    expect((await verify()).list[0]?.problem).toMatch(/says 18, the batch ends at 19/);
  });

  it("finds a time index that goes back, or beyond its segment", async () => {
    await writeFile(
      join(partition, name(0, "timeindex")),
      timeIndex([
        [1019, 19],
        [1009, 9],
        [1029, 99],
      ]),
    );
    const { list } = await verify();
    expect(list.map((finding) => finding.position)).toEqual([12, 24]);
    await writeFile(join(partition, name(0, "timeindex")), timeIndex([[99999, 19]]));
    expect((await verify()).list[0]?.problem).toMatch(/later than any record/);
  });

  it("warns of a missing or half-written index", async () => {
    await rm(join(partition, name(0, "index")));
    await writeFile(join(partition, name(0, "timeindex")), new Uint8Array(5));
    const { findings } = await verify();
    expect([findings.damageCount, findings.warningCount]).toEqual([0, 2]);
  });
});

describe("a partition without records", () => {
  it("needs no index", async () => {
    const empty = join(root, "payments-0");
    await mkdir(empty);
    await writeFile(join(empty, name(0, "log")), new Uint8Array(0));
    const { list, reports } = await verify();
    expect(list).toEqual([]);
    expect(reports[1]).toMatchObject({ directory: "payments-0", records: 0, firstOffset: -1 });
  });
});

describe("index files", () => {
  it("are read in Kafka's layout, relative to the base offset", () => {
    expect(readOffsetIndex(offsetIndex([[5, 100]]), 1000)).toEqual([
      { offset: 1005, position: 100 },
    ]);
    expect(readTimeIndex(timeIndex([[1_700_000_000_000, 7]]), 1000)).toEqual([
      { timestamp: 1_700_000_000_000, offset: 1007 },
    ]);
  });

  it("are named by the base offset", () => {
    expect(baseOffsetOfFile("00000000000000000042.log")).toBe(42);
    expect(baseOffsetOfFile("42.log")).toBeUndefined();
    expect(baseOffsetOfFile("00000000000000000042.snapshot")).toBeUndefined();
  });
});

describe("a data directory between a crash and the next start", () => {
  const LOGS = 4;
  const ROUNDS = 5;
  const dataDirectory = (): string => join(root, "data");

  /** The state at a moment when the logs shared the commit journal, and what was not synced in their own files is gone. */
  async function crash(): Promise<void> {
    const live = join(root, "live");
    const runtime = createNodeRuntime({ logger: silentLogger });
    const config = { syncsAtOnceMax: 1, reserveBytes: 0 };
    const manager = await LogManager.open({ runtime, path: live, nodeId: 1, config });
    const logs = await Promise.all(
      Array.from({ length: LOGS }, (_, partition) =>
        manager.createLog(
          { topic: "t", topicId: "0b1f2c3d-4e5f-4a6b-8c7d-9e0f1a2b3c4d", partition },
          parseLogConfig(),
        ),
      ),
    );
    for (let round = 0; round < ROUNDS; round++) {
      await Promise.all(
        logs.map((one) => {
          one.append(batch(0), { leaderEpoch: 0 });
          return one.whenFlushed(one.logEndOffset - 1);
        }),
      );
    }
    await cp(live, dataDirectory(), { recursive: true, filter: (path) => !path.includes(".lock") });
    await manager.close();
    for (let partition = 0; partition < LOGS; partition++) {
      await truncate(join(dataDirectory(), `t-${partition}`, name(0, "log")), size);
    }
  }

  it("is verified as it will be: the tail that the commit journal holds is no torn one", async () => {
    await crash();
    const { findings, list, reports } = await verify(dataDirectory());
    expect(findings.damageCount).toBe(0);
    expect(reports.map(({ records }) => records)).toEqual(Array(LOGS).fill(ROUNDS * RECORDS));
    const told = list.filter(({ problem }) => /in the commit journal: the broker/.test(problem));
    expect(told.map(({ position, severity }) => [position, severity])).toEqual(
      Array(LOGS).fill([size, "warning"]),
    );
  });

  it("has lost records without its journal (negative control)", async () => {
    await crash();
    await rm(join(dataDirectory(), "commit-journal-0"));
    const { reports } = await verify(dataDirectory());
    expect(reports.map(({ records }) => records)).toEqual(Array(LOGS).fill(RECORDS));
  });
});

describe("snapshots", () => {
  it("are looked at: a damaged one of producers is a warning", async () => {
    await writeFile(join(partition, name(42, "snapshot")), new Uint8Array(10));
    expect((await verify()).list).toMatchObject([
      { severity: "warning", file: `orders-0/${name(42, "snapshot")}` },
    ]);
  });

  it("of a state machine are damage when none is whole", async () => {
    await writeFile(join(partition, `${"0".repeat(18)}42-0000000001.checkpoint`), batch(0));
    expect((await verify()).list).toMatchObject([{ severity: "damage" }]);
  });
});
