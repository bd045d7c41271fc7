import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FrameMeter } from "./frame-meter.js";

/** A frame as a client sends it: masked, of any opcode. */
function frame(opcode: number, payloadBytes: number, isFinal = true): Uint8Array {
  const lengthBytes = payloadBytes < 126 ? 0 : payloadBytes < 65_536 ? 2 : 8;
  const bytes = new Uint8Array(2 + lengthBytes + 4 + payloadBytes);
  const view = new DataView(bytes.buffer);
  bytes[0] = (isFinal ? 0x80 : 0) | opcode;
  bytes[1] = 0x80 | (lengthBytes === 0 ? payloadBytes : lengthBytes === 2 ? 126 : 127);
  if (lengthBytes === 2) {
    view.setUint16(2, payloadBytes);
  } else if (lengthBytes === 8) {
    view.setBigUint64(2, BigInt(payloadBytes));
  }
  return bytes.fill(0x5a, bytes.length - payloadBytes);
}

const concat = (...parts: Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(parts));

describe("FrameMeter", () => {
  it("holds nothing after whole messages, however the socket cut them", () => {
    const message = fc.record({
      fragments: fc.array(fc.nat(70_000), { minLength: 1, maxLength: 3 }),
      hasPing: fc.boolean(),
    });
    const input = fc.tuple(
      fc.array(message, { minLength: 1, maxLength: 5 }),
      fc.array(fc.integer({ min: 1, max: 20_000 }), { minLength: 1, maxLength: 20 }),
    );
    fc.assert(
      fc.property(input, ([messages, cuts]) => {
        const frames = messages.flatMap(({ fragments, hasPing }) =>
          fragments.flatMap((length, index) => [
            frame(index === 0 ? 2 : 0, length, index === fragments.length - 1),
            ...(hasPing ? [frame(9, 5)] : []),
          ]),
        );
        const bytes = concat(...frames);
        const meter = new FrameMeter(1_000_000);
        for (let position = 0, round = 0; position < bytes.length; round++) {
          const end = position + (cuts[round % cuts.length] ?? 1);
          meter.push(bytes.subarray(position, end));
          position = end;
          expect(position >= bytes.length || meter.partialBytes >= 0).toBe(true);
        }
        expect(meter.messageCount).toBe(messages.length);
        expect(meter.partialBytes).toBe(0);
        expect(meter.isTooLarge).toBe(false);
      }),
      { numRuns: 50 },
    );
  });

  it("counts what has arrived of an unfinished message, the next one's bytes only", () => {
    const meter = new FrameMeter(10_000);
    meter.push(frame(2, 5_000).subarray(0, 1_000));
    expect(meter.partialBytes).toBeGreaterThanOrEqual(1_000);
    meter.push(concat(frame(2, 5_000).subarray(1_000), frame(2, 50).subarray(0, 10)));
    expect(meter.messageCount).toBe(1);
    expect(meter.partialBytes).toBeLessThan(200);
  });

  it("finds a message too large by its header, before its payload", () => {
    const meter = new FrameMeter(1_000);
    meter.push(frame(2, 1_001).subarray(0, 8));
    expect(meter.isTooLarge).toBe(true);
  });

  it("adds up the fragments of a message", () => {
    const meter = new FrameMeter(1_000);
    meter.push(concat(frame(2, 600, false), frame(9, 100)));
    expect(meter.isTooLarge).toBe(false);
    meter.push(frame(0, 401).subarray(0, 8));
    expect(meter.isTooLarge).toBe(true);
  });

  it("takes a length of 64 bits for what it is", () => {
    const header = Uint8Array.of(0x82, 0xff, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    const meter = new FrameMeter(2 ** 32);
    meter.push(header);
    expect(meter.isTooLarge).toBe(true);
  });

  it("takes pings for no progress of a message", () => {
    const meter = new FrameMeter(1_000);
    meter.push(frame(2, 100, false));
    const before = meter.dataBytes;
    meter.push(concat(frame(9, 100), frame(9, 100)));
    expect(meter.dataBytes).toBe(before);
  });
});
