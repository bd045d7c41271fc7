import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BatchBuffers } from "./batch-buffers.js";

const KIB = 1024;

describe("BatchBuffers", () => {
  it.each([1, 100])("gives a buffer of %i KiB again once it was given back", (kib) => {
    const buffers = new BatchBuffers(1024 * KIB);
    const first = buffers.take(kib * KIB);
    buffers.give(first);
    expect(buffers.take(kib * KIB)).toBe(first);
    expect(buffers.take(kib * KIB)).not.toBe(first);
  });

  it("lets a batch have the buffer of one that was a little smaller", () => {
    const buffers = new BatchBuffers(1024 * KIB);
    const first = buffers.take(100 * KIB - 100);
    buffers.give(first);
    expect(buffers.take(100 * KIB)).toBe(first);
  });

  it("gives neither too small nor far too large a buffer, whatever was given", () => {
    const sizes = fc.array(fc.integer({ min: 8, max: 300 * KIB }), { maxLength: 40 });
    fc.assert(
      fc.property(sizes, sizes, (given, asked) => {
        const buffers = new BatchBuffers(1024 * KIB);
        for (const size of given) {
          buffers.give(new Uint8Array(size));
        }
        for (const size of asked) {
          const { length } = buffers.take(size);
          expect(length).toBeGreaterThanOrEqual(size);
          expect(length).toBeLessThan(size * 2);
        }
      }),
    );
  });

  it("never has a buffer given out twice, and counts what it keeps", () => {
    const steps = fc.array(
      fc.record({ isTake: fc.boolean(), bytes: fc.integer({ min: 400, max: 64 * KIB }) }),
    );
    fc.assert(
      fc.property(steps, (all) => {
        const maxBytes = 100 * KIB;
        const buffers = new BatchBuffers(maxBytes);
        const out = new Set<Uint8Array>();
        for (const { isTake, bytes } of all) {
          if (isTake) {
            const buffer = buffers.take(bytes);
            expect(out.has(buffer)).toBe(false);
            out.add(buffer);
          } else {
            for (const buffer of out) {
              out.delete(buffer);
              buffers.give(buffer);
              break;
            }
          }
          expect(buffers.keptBytes).toBeGreaterThanOrEqual(0);
          expect(buffers.keptBytes).toBeLessThanOrEqual(maxBytes);
        }
      }),
    );
  });

  it("keeps no more than its bound, the newest ones", () => {
    const buffers = new BatchBuffers(100 * KIB);
    const [first, second, third] = [32, 40, 48].map((size) => new Uint8Array(size * KIB));
    for (const buffer of [first, second, third]) {
      buffers.give(buffer as Uint8Array);
    }
    expect(buffers.keptBytes).toBe(88 * KIB);
    expect(buffers.take(30 * KIB)).toBe(second);
    buffers.give(new Uint8Array(101 * KIB));
    expect(buffers.keptBytes).toBe(48 * KIB);
  });

  it("bounds the number of buffers, too", () => {
    const buffers = new BatchBuffers(1024 * 1024 * KIB);
    for (let count = 0; count < 10_000; count++) {
      buffers.give(new Uint8Array(KIB));
    }
    expect(buffers.keptBytes).toBe(4_096 * KIB);
  });
});
