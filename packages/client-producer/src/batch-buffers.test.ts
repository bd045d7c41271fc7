import { describe, expect, it } from "vitest";
import { BatchBuffers } from "./batch-buffers.js";

const KIB = 1024;

describe("BatchBuffers", () => {
  it("gives a buffer again once it was given back", () => {
    const buffers = new BatchBuffers(1024 * KIB);
    const first = buffers.take(100 * KIB);
    buffers.give(first);
    expect(buffers.take(100 * KIB)).toBe(first);
    expect(buffers.take(100 * KIB)).not.toBe(first);
  });

  it("lets a batch have the buffer of one that was a little smaller", () => {
    const buffers = new BatchBuffers(1024 * KIB);
    const first = buffers.take(100 * KIB - 100);
    buffers.give(first);
    expect(buffers.take(100 * KIB)).toBe(first);
  });

  it("gives neither too small nor far too large a buffer", () => {
    const buffers = new BatchBuffers(1024 * KIB);
    buffers.give(new Uint8Array(64 * KIB));
    expect(buffers.take(65 * KIB).length).toBeGreaterThanOrEqual(65 * KIB);
    expect(buffers.take(20 * KIB).length).toBeLessThanOrEqual(40 * KIB);
    expect(buffers.keptBytes).toBe(64 * KIB);
  });

  it("keeps no more than its bound, the newest ones", () => {
    const buffers = new BatchBuffers(100 * KIB);
    const [first, second, third] = [30, 40, 50].map((size) => new Uint8Array(size * KIB));
    for (const buffer of [first, second, third]) {
      buffers.give(buffer as Uint8Array);
    }
    expect(buffers.keptBytes).toBe(90 * KIB);
    expect(buffers.take(20 * KIB)).toBe(second);
    buffers.give(new Uint8Array(101 * KIB));
    expect(buffers.keptBytes).toBe(50 * KIB);
  });

  it("bounds the number of buffers, too", () => {
    const buffers = new BatchBuffers(1024 * 1024 * KIB);
    for (let count = 0; count < 1000; count++) {
      buffers.give(new Uint8Array(16 * KIB));
    }
    expect(buffers.keptBytes).toBe(32 * 16 * KIB);
  });
});
