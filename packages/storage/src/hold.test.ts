import { BufferPool } from "@millrace/runtime";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Hold, releaseAll } from "./hold.js";

const BYTES = 64 * 1024;

function pooled(): { readonly pool: BufferPool; readonly hold: Hold } {
  const pool = new BufferPool({ maxFreeBytes: 10 * BYTES });
  return { pool, hold: Hold.of(pool.take(BYTES)) };
}

describe("a hold", () => {
  it("keeps the bytes from being used again until it and all that came of it are released", () => {
    const { pool, hold } = pooled();
    const second = hold.another();
    const third = second.another();
    releaseAll([hold, third]);
    expect(pool.freeBytes).toBe(0);
    second.release();
    expect(pool.freeBytes).toBe(BYTES);
  });

  it("released twice counts once", () => {
    const { pool, hold } = pooled();
    const other = hold.another();
    hold.release();
    hold.release();
    expect(pool.freeBytes).toBe(0);
    other.release();
    expect(pool.freeBytes).toBe(BYTES);
  });

  it("gives no share in bytes that it does not hold any more, even while others do", () => {
    const { hold } = pooled();
    const other = hold.another();
    hold.release();
    expect(() => hold.another()).toThrow("let go");
    other.release();
    expect(() => other.another()).toThrow("let go");
  });

  it("gives the buffer back exactly when a count of the open ones says so, whatever is done", () => {
    const step = fc.record({ at: fc.nat(9), shares: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const { pool, hold } = pooled();
        const holds = [{ hold, isOpen: true }];
        for (const { at, shares } of steps) {
          const picked = holds[at % holds.length] as (typeof holds)[number];
          if (!shares) {
            picked.hold.release();
            picked.isOpen = false;
          } else if (picked.isOpen) {
            holds.push({ hold: picked.hold.another(), isOpen: true });
          } else {
            expect(() => picked.hold.another()).toThrow();
          }
          expect(pool.takenBytes > 0).toBe(holds.some(({ isOpen }) => isOpen));
        }
      }),
    );
  });
});
