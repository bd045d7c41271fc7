import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { readBatchHeader } from "@millrace/protocol";
import { describe, expect, it } from "vitest";
import { LogTail, TailCache } from "./tail-cache.js";
import { batchOf } from "./testdata/harness.js";

const MESSAGE_BYTES = 1024 * 1024;

/** V8's own, which Node only hides. */
function collectGarbage(): void {
  setFlagsFromString("--expose-gc");
  (runInNewContext("gc") as () => void)();
}

/** A tail for every batch, as when one message brings batches for many partitions, or junk beside them. */
function hold(cache: TailCache, buffers: readonly ArrayBuffer[]): LogTail[] {
  return buffers.map((buffer, index) => {
    const batch = batchOf({ values: ["x"] });
    const bytes = new Uint8Array(buffer, (index % 100) * 100, batch.length);
    bytes.set(batch);
    const tail = new LogTail(cache);
    tail.append({ bytes, header: readBatchHeader(bytes), undo: undefined, hold: undefined });
    tail.wrote(1);
    return tail;
  });
}

const heldCount = (tails: readonly LogTail[]): number =>
  tails.filter((tail) => tail.from(0) !== undefined).length;

describe("the tail cache", () => {
  it("counts the whole message that a small batch keeps in memory", () => {
    const cache = new TailCache(4.5 * MESSAGE_BYTES);
    const tails = hold(
      cache,
      Array.from({ length: 20 }, () => new ArrayBuffer(MESSAGE_BYTES)),
    );
    expect(heldCount(tails)).toBe(4);
    expect(cache.sizeBytes).toBeGreaterThanOrEqual(4 * MESSAGE_BYTES);
  });

  it("counts a message once, however many batches are views of it, until the last one goes", () => {
    const cache = new TailCache(1.5 * MESSAGE_BYTES);
    const shared = new ArrayBuffer(MESSAGE_BYTES);
    const tails = hold(
      cache,
      Array.from({ length: 100 }, () => shared),
    );
    expect(heldCount(tails)).toBe(100);
    for (const tail of tails.slice(1)) {
      tail.clear();
    }
    expect(cache.sizeBytes).toBeGreaterThan(MESSAGE_BYTES);
    tails[0]?.clear();
    expect(cache.sizeBytes).toBe(0);
  });

  it("does not hold more tiny batches than their bookkeeping allows", () => {
    const cache = new TailCache(MESSAGE_BYTES);
    const shared = new ArrayBuffer(20_000);
    const tails = hold(
      cache,
      Array.from({ length: 10_000 }, () => shared),
    );
    expect(heldCount(tails)).toBeLessThan(MESSAGE_BYTES / 256);
  });

  it("keeps what quiet logs wrote while one busy log writes many times its size", () => {
    const cache = new TailCache(64 * MESSAGE_BYTES);
    const some = readBatchHeader(batchOf({ values: ["x"] }));
    const write = (tail: LogTail, size: number, baseOffset: number): void => {
      const header = { ...some, baseOffset, lastOffset: baseOffset };
      tail.append({
        bytes: new Uint8Array(new ArrayBuffer(size)),
        header,
        undo: undefined,
        hold: undefined,
      });
      tail.wrote(1);
    };
    const busy = new LogTail(cache);
    const quiet = Array.from({ length: 1_000 }, () => new LogTail(cache));
    for (let second = 0; second < 10; second++) {
      for (const tail of quiet) {
        write(tail, 1_000, second);
      }
      for (let count = 0; count < 100; count++) {
        write(busy, MESSAGE_BYTES, second * 100 + count);
      }
    }
    expect(quiet.every((tail) => tail.from(0) !== undefined)).toBe(true);
    expect(busy.from(999 - 40)).toBeDefined();
    expect(busy.from(0)).toBeUndefined();
    // Nor do the quiet ones, left alone, hold more than half against it for ever.
    for (let second = 10; second < 100; second++) {
      for (const tail of quiet) {
        write(tail, 1_000, second);
      }
    }
    for (let count = 0; count < 100; count++) {
      write(busy, MESSAGE_BYTES, 1_000 + count);
    }
    expect(busy.from(1_099 - 28)).toBeDefined();
    expect(quiet.every((tail) => tail.from(99) !== undefined)).toBe(true);
    expect(cache.sizeBytes).toBeLessThanOrEqual(64 * MESSAGE_BYTES);
  });

  it("frees what a log lets go of by itself, and drops the others' oldest as before", () => {
    const cache = new TailCache(10.5 * MESSAGE_BYTES);
    const some = readBatchHeader(batchOf({ values: ["x"] }));
    const write = (tail: LogTail, offset: number): void => {
      const header = { ...some, baseOffset: offset, lastOffset: offset };
      const bytes = new Uint8Array(new ArrayBuffer(MESSAGE_BYTES));
      tail.append({ bytes, header, undo: undefined, hold: undefined });
      tail.wrote(1);
    };
    const [first, second] = [new LogTail(cache), new LogTail(cache)];
    for (let offset = 0; offset < 5; offset++) {
      write(first, offset);
      write(second, offset);
    }
    first.dropThrough(3);
    expect(first.startOffset).toBe(4);
    expect(cache.sizeBytes).toBeLessThan(6.1 * MESSAGE_BYTES);
    for (let offset = 5; offset < 9; offset++) {
      write(second, offset);
    }
    expect(second.startOffset).toBe(0);
    write(second, 9);
    write(second, 10);
    expect(cache.sizeBytes).toBeLessThanOrEqual(10.5 * MESSAGE_BYTES);
    expect(second.from(10)).toBeDefined();
    first.clear();
    second.clear();
    expect(cache.sizeBytes).toBe(0);
  });

  it("gives all of its memory to one log that is alone", () => {
    const cache = new TailCache(10.5 * MESSAGE_BYTES);
    const tail = new LogTail(cache);
    for (let offset = 0; offset < 50; offset++) {
      const bytes = new Uint8Array(new ArrayBuffer(MESSAGE_BYTES));
      bytes.set(batchOf({ values: ["x"] }));
      const header = { ...readBatchHeader(bytes), baseOffset: offset, lastOffset: offset };
      tail.append({ bytes, header, undo: undefined, hold: undefined });
      tail.wrote(1);
    }
    expect(tail.startOffset).toBe(40);
  });

  it("lets go of the memory of what it dropped", async () => {
    const cache = new TailCache(4.5 * MESSAGE_BYTES);
    const buffers = Array.from({ length: 50 }, () => new ArrayBuffer(MESSAGE_BYTES));
    const references = buffers.map((buffer) => new WeakRef(buffer));
    const tails = hold(cache, buffers.splice(0));
    // A reference that was made in this turn of the event loop still counts until its end.
    await new Promise((resolve) => setTimeout(resolve, 0));
    collectGarbage();
    const aliveCount = references.filter((reference) => reference.deref() !== undefined).length;
    expect(aliveCount).toBeLessThan(10);
    expect(heldCount(tails)).toBe(4);
  });

  it("keeps nothing of a batch that is written but its bytes and offsets", async () => {
    const tail = new LogTail(new TailCache(MESSAGE_BYTES));
    const append = (baseOffset: number): WeakRef<object>[] => {
      const bytes = batchOf({ values: ["x"] });
      const header = { ...readBatchHeader(bytes), baseOffset, lastOffset: baseOffset };
      const undo = { producerId: 1, previous: undefined };
      tail.append({ bytes, header, undo, hold: undefined });
      return [new WeakRef(header), new WeakRef(undo)];
    };
    const references = [append(0), append(1)];
    tail.wrote(1);
    await new Promise((resolve) => setTimeout(resolve, 0));
    collectGarbage();
    const areAlive = references.map((pair) => pair.map((one) => one.deref() !== undefined));
    expect(areAlive).toEqual([
      [false, false],
      [true, true],
    ]);
    expect([...(tail.from(0) ?? [])].map(({ lastOffset }) => lastOffset)).toEqual([0, 1]);
    expect([...(tail.from(1) ?? [])].map(({ lastOffset }) => lastOffset)).toEqual([1]);
    expect(tail.from(2)).toBeUndefined();
  });
});
