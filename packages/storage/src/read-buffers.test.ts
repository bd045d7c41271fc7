import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type ReadBuffer, ReadBuffers } from "./read-buffers.js";

const KIB = 1024;

describe("read buffers", () => {
  it("are used again once given back, for requests of about their size", () => {
    const buffers = new ReadBuffers(1_000 * KIB);
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

  it("given back twice are not handed out twice", () => {
    const buffers = new ReadBuffers(1_000 * KIB);
    const first = buffers.take(100 * KIB);
    first.release();
    first.release();
    const [second, third] = [buffers.take(100 * KIB), buffers.take(100 * KIB)];
    expect(second.bytes.buffer === third.bytes.buffer).toBe(false);
    first.release();
    expect(buffers.take(100 * KIB).bytes.buffer === second.bytes.buffer).toBe(false);
  });

  it("kept for nobody stay within the bound, and with a bound of 0 there are none", () => {
    const buffers = new ReadBuffers(256 * KIB);
    const taken = Array.from({ length: 10 }, () => buffers.take(100 * KIB));
    for (const buffer of taken) {
      buffer.release();
    }
    expect(buffers.freeBytes).toBe(256 * KIB);
    expect(buffers.takenBytes).toBe(0);
    const none = new ReadBuffers(0);
    none.take(100 * KIB).release();
    expect(none.freeBytes).toBe(0);
  });

  it("never overlap while they are out, whatever is taken and given back", () => {
    const step = fc.record({ length: fc.integer({ min: 0, max: 400 * KIB }), gives: fc.nat(5) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const buffers = new ReadBuffers(600 * KIB);
        const out: ReadBuffer[] = [];
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
