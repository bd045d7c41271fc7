import { batchHeaders, decodeRecords, RECORD_BATCH_HEADER_BYTES } from "@millrace/protocol";
import type { ServerRuntime } from "@millrace/runtime";
import { createSimRuntime, Simulation } from "@millrace/runtime/sim";
import { describe, expect, it } from "vitest";
import { snapshotFileName } from "./core/state-snapshot-format.js";
import { StateSnapshots } from "./state-snapshots.js";
import { wrapFiles } from "./testdata/harness.js";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

function* recordsOf(values: Iterable<string>) {
  for (const value of values) {
    yield { key: null, value: encoder.encode(value) };
  }
}

const content = (values: Iterable<string>) => ({ timestampMs: 7_000, records: recordsOf(values) });

async function storeIn(runtime: ServerRuntime): Promise<StateSnapshots> {
  await runtime.fileSystem.createDirectory("/log");
  await runtime.fileSystem.syncDirectory("/");
  return new StateSnapshots({ runtime, directory: "/log" });
}

/** The newest undamaged snapshot. */
async function newest(store: StateSnapshots) {
  const snapshot = await store.openNewest();
  if (snapshot === undefined) {
    return undefined;
  }
  const values: string[] = [];
  for await (const batch of snapshot.batches()) {
    for (const { position, header } of batchHeaders(batch)) {
      const from = position + RECORD_BATCH_HEADER_BYTES;
      for (const record of decodeRecords(header, batch.subarray(from))) {
        values.push(decoder.decode(record.value ?? new Uint8Array(0)));
      }
    }
  }
  await snapshot.close();
  const { id, timestampMs, recordCount } = snapshot;
  return { id, timestampMs, recordCount, values };
}

describe("snapshots of a state machine", () => {
  it("come back as they were written, the newest first", async () => {
    const { simulation, runtime } = createSimRuntime();
    await simulation.run(async () => {
      const store = await storeIn(runtime);
      expect(await newest(store)).toBeUndefined();
      await store.write({ endOffset: 9, epoch: 1 }, content(["old"]));
      await store.write({ endOffset: 12, epoch: 3 }, content(["a", "b", "c"]));
      expect(await newest(store)).toEqual({
        id: { endOffset: 12, epoch: 3 },
        timestampMs: 7_000,
        recordCount: 3,
        values: ["a", "b", "c"],
      });
      await store.removeBefore(12);
      expect(await store.list()).toEqual([{ endOffset: 12, epoch: 3 }]);
    });
  });

  it("may hold nothing at all", async () => {
    const { simulation, runtime } = createSimRuntime();
    await simulation.run(async () => {
      const store = await storeIn(runtime);
      await store.write({ endOffset: 0, epoch: 0 }, { timestampMs: -1, records: [] });
      expect(await newest(store)).toMatchObject({ recordCount: 0, timestampMs: -1, values: [] });
    });
  });

  it("are written and read in slices, whatever their size", async () => {
    const { simulation, runtime } = createSimRuntime();
    await simulation.run(async () => {
      let largestWrite = 0;
      let largestRead = 0;
      const fileSystem = wrapFiles(runtime.fileSystem, (file) => ({
        write: (chunks, position) => {
          largestWrite = Math.max(largestWrite, ...chunks.map((chunk) => chunk.length));
          return file.write(chunks, position);
        },
        read: (target, position) => {
          largestRead = Math.max(largestRead, target.length);
          return file.read(target, position);
        },
      }));
      const store = await storeIn({ ...runtime, fileSystem });
      const values = Array.from({ length: 20_000 }, (_, index) => `${index} ${"x".repeat(200)}`);
      const sizeBytes = await store.write({ endOffset: 5, epoch: 0 }, content(values));
      expect(sizeBytes).toBeGreaterThan(4_000_000);
      expect((await newest(store))?.values).toEqual(values);
      expect(largestWrite).toBeLessThanOrEqual(64 * 1024);
      expect(largestRead).toBeLessThanOrEqual(1024 * 1024);
    });
  });

  it("take a record that is larger than a slice", async () => {
    const { simulation, runtime } = createSimRuntime();
    await simulation.run(async () => {
      const store = await storeIn(runtime);
      const values = ["a", "y".repeat(3_000_000), "b"];
      await store.write({ endOffset: 5, epoch: 0 }, content(values));
      expect((await newest(store))?.values).toEqual(values);
    });
  });

  it("leave nothing behind when the disk is full", async () => {
    const { simulation, node, runtime } = createSimRuntime();
    await simulation.run(async () => {
      const store = await storeIn(runtime);
      await store.write({ endOffset: 1, epoch: 0 }, content(["whole"]));
      const paths = node.disk.paths();
      node.disk.setCapacity(50_000);
      const values = Array.from({ length: 1_000 }, () => "x".repeat(100));
      const writing = store.write({ endOffset: 2, epoch: 0 }, content(values));
      await expect(writing).rejects.toMatchObject({ code: "STORAGE_FULL" });
      expect(node.disk.paths()).toEqual(paths);
      expect((await newest(store))?.values).toEqual(["whole"]);
    });
  });
});

describe("a damaged snapshot", () => {
  const id = { endOffset: 20, epoch: 2 };
  const path = `/log/${snapshotFileName(id)}`;

  /** What is served after `damage` was done to the newer of two snapshots. */
  async function servedAfter(damage: (bytes: Uint8Array) => Uint8Array[]): Promise<unknown[]> {
    const { simulation, node, runtime } = createSimRuntime();
    const served: unknown[] = [];
    await simulation.run(async () => {
      const store = await storeIn(runtime);
      await store.write({ endOffset: 10, epoch: 2 }, content(["older"]));
      await store.write(id, content(["a", "b", "c"]));
      for (const bytes of damage(node.disk.peek(path))) {
        node.disk.plant(path, bytes);
        served.push((await newest(store))?.values);
      }
    });
    return served;
  }

  const isOlder = (values: unknown): boolean => JSON.stringify(values) === '["older"]';

  it("is refused for every bit that is flipped, and the older one is used", async () => {
    const served = await servedAfter((whole) =>
      Array.from({ length: whole.length * 8 }, (_, bit) => {
        const bytes = whole.slice();
        bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7));
        return bytes;
      }),
    );
    expect(served.length).toBeGreaterThan(1_000);
    expect(served.filter((values) => !isOlder(values))).toEqual([]);
  });

  it("is refused for every length it is cut to, for zeros, and for anything behind its end", async () => {
    const served = await servedAfter((whole) => [
      ...Array.from({ length: whole.length }, (_, length) => whole.slice(0, length)),
      // The last few bytes are zeros anyhow.
      ...Array.from({ length: whole.length - 4 }, (_, from) => whole.slice().fill(0, from)),
      Uint8Array.of(...whole, 0),
      Uint8Array.of(...whole, ...whole),
    ]);
    expect(served.filter((values) => !isOlder(values))).toEqual([]);
  });

  it("is what these tests look at: undamaged it is served", async () => {
    const served = await servedAfter((whole) => [whole]);
    expect(served).toEqual([["a", "b", "c"]]);
  });

  it("is refused when it changes after it was opened", async () => {
    const { simulation, node, runtime } = createSimRuntime();
    await simulation.run(async () => {
      const store = await storeIn(runtime);
      await store.write(id, content(["a"]));
      const snapshot = await store.openNewest();
      node.disk.flipBit(path, 8 * 160);
      const reading = async () => {
        for await (const batch of snapshot?.batches() ?? []) {
          expect(batch).toBeUndefined();
        }
      };
      await expect(reading()).rejects.toMatchObject({ code: "CORRUPT_MESSAGE" });
      await snapshot?.close();
    });
  });
});

describe("a power loss at any operation", () => {
  /** Two snapshots, each replacing the one before. */
  async function life(runtime: ServerRuntime, durable: string[]): Promise<void> {
    const store = await storeIn(runtime);
    for (const [index, value] of ["first", "second", "third"].entries()) {
      await store.removeUnfinished();
      await store.write({ endOffset: index + 1, epoch: 0 }, content([value, "x".repeat(70_000)]));
      durable.push(value);
      await store.removeBefore(index + 1);
    }
  }

  async function crashAt(
    at: number | undefined,
    options: { readonly seed: number; readonly isSynced: boolean },
  ): Promise<number> {
    const simulation = new Simulation({ seed: options.seed });
    const node = simulation.node("n");
    const durable: string[] = [];
    let operations = 0;
    await simulation.run(async () => {
      const runtime = node.runtime();
      const fileSystem = wrapFiles(runtime.fileSystem, () =>
        options.isSynced ? {} : { sync: () => Promise.resolve() },
      );
      const crashed = new Promise<void>((resolve) => {
        node.disk.onOperation(({ index }) => {
          if (index === at) {
            node.crash({ powerLoss: true });
            resolve();
          }
        });
      });
      await Promise.race([life({ ...runtime, fileSystem }, durable), crashed]);
      operations = node.disk.operationCount;
      node.crash({ powerLoss: true });
      const store = await storeIn(node.runtime());
      await store.removeUnfinished();
      const found = await newest(store);
      const expected = ["first", "second", "third"].slice(Math.max(0, durable.length - 1));
      if (found !== undefined || durable.length > 0) {
        expect(expected).toContain(found?.values[0]);
        expect(found?.values[1]?.length).toBe(70_000);
      }
      expect(node.disk.paths().filter((path) => path.endsWith(".part"))).toEqual([]);
    });
    return operations;
  }

  it("leaves the last durable snapshot, or the next one, whole", async () => {
    for (const seed of [1, 2, 3]) {
      const operations = await crashAt(undefined, { seed, isSynced: true });
      expect(operations).toBeGreaterThan(20);
      for (let at = 0; at < operations; at++) {
        await crashAt(at, { seed, isSynced: true });
      }
    }
  });

  it("is noticed here when the file is not synced before it is renamed", async () => {
    const failures: unknown[] = [];
    for (let seed = 0; seed < 20 && failures.length === 0; seed++) {
      const operations = await crashAt(undefined, { seed, isSynced: true });
      for (let at = 0; at < operations && failures.length === 0; at++) {
        const crash = crashAt(at, { seed, isSynced: false });
        await crash.catch((error: unknown) => failures.push(error));
      }
    }
    expect(failures).toHaveLength(1);
  });
});
