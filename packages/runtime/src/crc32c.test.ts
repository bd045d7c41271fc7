import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { crc32c } from "./crc32c.js";

/** Bit by bit, straight from the definition. */
function bitwise(bytes: Uint8Array, seed = 0): number {
  let crc = ~seed;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) {
      crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
    }
  }
  return ~crc >>> 0;
}

describe("crc32c", () => {
  it("agrees with the iSCSI read command of RFC 3720, B.4", () => {
    const command = new Uint8Array(48);
    command.set([0x01, 0xc0], 0);
    command[16] = 0x14;
    command[22] = 0x04;
    command[27] = 0x14;
    command[31] = 0x18;
    command[32] = 0x28;
    command[40] = 0x02;
    expect(crc32c(command)).toBe(0xd9963a56);
  });

  it("agrees with a bitwise reference at every length, alignment and seed", () => {
    const input = fc.tuple(fc.uint8Array({ maxLength: 300 }), fc.nat(8), fc.nat(0xffff_ffff));
    fc.assert(
      fc.property(input, ([bytes, shift, seed]) => {
        const shifted = new Uint8Array(bytes.length + shift);
        shifted.set(bytes, shift);
        expect(crc32c(shifted.subarray(shift), seed)).toBe(bitwise(bytes, seed));
      }),
    );
  });
});
