import { describe, expect, it } from "vitest";
import { SmallCopies } from "./small-copies.js";

const bytesOf = (length: number, value: number): Uint8Array => new Uint8Array(length).fill(value);

describe("copies of small batches", () => {
  it("stay what they were, whatever is copied after them and whatever becomes of the original", () => {
    const copies = new SmallCopies();
    const originals = Array.from({ length: 300 }, (_, index) => bytesOf(1 + index * 40, index));
    const made = originals.map((original) => copies.copy(original));
    for (const original of originals) {
      original.fill(0xee);
    }
    for (const [index, copy] of made.entries()) {
      expect(copy).toEqual(bytesOf(1 + index * 40, index));
    }
  });

  it("share memory, so that a thousand of them are no thousand buffers", () => {
    const copies = new SmallCopies();
    const buffers = new Set(
      Array.from({ length: 1_000 }, () => copies.copy(bytesOf(1_100, 1)).buffer),
    );
    expect(buffers.size).toBeLessThan(20);
  });

  it("keep no chunk for the sake of a large one", () => {
    const copies = new SmallCopies();
    const large = copies.copy(bytesOf(30_000, 1));
    expect(large.buffer.byteLength).toBe(30_000);
  });
});
