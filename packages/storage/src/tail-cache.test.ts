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
    tail.append({ bytes, header: readBatchHeader(bytes), undo: undefined });
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
});
