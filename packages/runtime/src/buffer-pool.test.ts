import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BufferPool, type PooledBuffer } from "./buffer-pool.js";

const KIB = 1024;

describe("pooled buffers", () => {
  it("are used again once given back, for requests of about their size", () => {
    const buffers = new BufferPool({ maxFreeBytes: 1_000 * KIB });
    const first = buffers.take(200 * KIB);
    const memory = first.bytes.buffer;
    first.release();
    const second = buffers.take(180 * KIB);
    expect(second.bytes.buffer === memory).toBe(true);
    expect(second.bytes.length).toBe(180 * KIB);
    second.release();
    expect(buffers.take(100 * KIB).bytes.buffer === memory).toBe(false);
    expect(buffers.take(400 * KIB).bytes.buffer === memory).toBe(false);
  });

  it("fit again for the length they were made for, whatever it is", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 300 * KIB }), (length) => {
        const buffers = new BufferPool({ maxFreeBytes: 1_000 * KIB });
        const first = buffers.take(length);
        first.release();
        const isSame = buffers.take(length).bytes.buffer === first.bytes.buffer;
        expect(isSame).toBe(buffers.keeps(length));
        expect(first.bytes.buffer.byteLength).toBeLessThanOrEqual(length * 1.5);
      }),
    );
    expect(new BufferPool({ maxFreeBytes: KIB }).keeps(64 * KIB)).toBe(true);
  });

  it("given back twice are not handed out twice", () => {
    const buffers = new BufferPool({ maxFreeBytes: 1_000 * KIB });
    const first = buffers.take(100 * KIB);
    first.release();
    first.release();
    const [second, third] = [buffers.take(100 * KIB), buffers.take(100 * KIB)];
    expect(second.bytes.buffer === third.bytes.buffer).toBe(false);
    first.release();
    expect(buffers.take(100 * KIB).bytes.buffer === second.bytes.buffer).toBe(false);
  });

  it("kept for nobody stay within the bound, and with a bound of 0 there are none", () => {
    const buffers = new BufferPool({ maxFreeBytes: 256 * KIB });
    const taken = Array.from({ length: 10 }, () => buffers.take(100 * KIB));
    for (const buffer of taken) {
      buffer.release();
    }
    expect(buffers.freeBytes).toBe(208 * KIB);
    expect(buffers.takenBytes).toBe(0);
    const none = new BufferPool({ maxFreeBytes: 0 });
    none.take(100 * KIB).release();
    expect(none.freeBytes).toBe(0);
  });

  it("are taken from what is free, where only that is asked for", () => {
    const buffers = new BufferPool({ maxFreeBytes: 1_000 * KIB });
    expect(buffers.takeFree(200 * KIB)).toBeUndefined();
    const first = buffers.take(200 * KIB);
    first.release();
    expect(buffers.takeFree(100 * KIB)).toBeUndefined();
    const again = buffers.takeFree(200 * KIB);
    expect(again?.bytes.buffer === first.bytes.buffer).toBe(true);
    expect(buffers.takenBytes).toBe(first.bytes.buffer.byteLength);
    // What once was its holder's means nothing any more.
    first.release();
    expect(buffers.takeFree(200 * KIB)).toBeUndefined();
  });

  it("are overwritten instead of used again, of any size, in a pool that spoils them", () => {
    const buffers = new BufferPool({ maxFreeBytes: 1_000 * KIB, spoils: true });
    for (const length of [1, 100 * KIB]) {
      const { bytes, release } = buffers.take(length);
      bytes.fill(7);
      release();
      expect(bytes.some((byte) => byte === 7)).toBe(false);
      expect(buffers.take(length).bytes.buffer === bytes.buffer).toBe(false);
    }
    expect(buffers.freeBytes).toBe(0);
  });

  it("never overlap while they are out, whatever is taken and given back", () => {
    const step = fc.record({ length: fc.integer({ min: 0, max: 400 * KIB }), gives: fc.nat(5) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const buffers = new BufferPool({ maxFreeBytes: 600 * KIB });
        const out: PooledBuffer[] = [];
        for (const { length, gives } of steps) {
          const buffer = buffers.take(length);
          expect(buffer.bytes.length).toBe(length);
          expect(out.every(({ bytes }) => bytes.buffer !== buffer.bytes.buffer)).toBe(true);
          out.push(buffer);
          for (const given of out.splice(gives)) {
            given.release();
          }
          const outBytes = out.reduce((sum, { bytes }) => sum + bytes.buffer.byteLength, 0);
          expect(buffers.takenBytes).toBe(outBytes);
          expect(buffers.freeBytes).toBeLessThanOrEqual(600 * KIB);
        }
      }),
    );
  });
});
