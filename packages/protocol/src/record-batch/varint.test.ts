import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fromHex, toHex } from "../test-support/fixtures.js";
import { VarintReader, varintSize, writeVarint } from "./varint.js";

const safe = fc.oneof(
  fc.integer(),
  fc.maxSafeInteger(),
  fc.integer({ min: 0, max: 53 }).map((bit) => 2 ** bit - 1),
  fc.integer({ min: 0, max: 52 }).map((bit) => -(2 ** bit)),
);

function read(hex: string): VarintReader {
  const bytes = fromHex(hex);
  return new VarintReader(bytes, 0, bytes.length);
}

function zigzag(value: number): bigint {
  return value >= 0 ? BigInt(value) * 2n : -BigInt(value) * 2n - 1n;
}

function referenceEncoding(value: number): string {
  let rest = zigzag(value);
  const bytes: number[] = [];
  while (rest >= 0x80n) {
    bytes.push(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  }
  return toHex(Uint8Array.from([...bytes, Number(rest)]));
}

describe("varints", () => {
  it("are written as a reference with bigints writes them, at the size announced", () => {
    fc.assert(
      fc.property(safe, (value) => {
        const bytes = new Uint8Array(12);
        const end = writeVarint(bytes, 1, value);
        expect(toHex(bytes.subarray(1, end))).toBe(referenceEncoding(value));
        expect(varintSize(value)).toBe(end - 1);
      }),
      { numRuns: 2000 },
    );
  });

  it("read back as written, as 64-bit values and where they fit as 32-bit ones", () => {
    fc.assert(
      fc.property(safe, (value) => {
        const reader = read(referenceEncoding(value));
        const isReadable = zigzag(value) <= BigInt(Number.MAX_SAFE_INTEGER);
        const result = reader.readLong();
        expect(reader.isMalformed).toBe(!isReadable);
        expect(result).toBe(isReadable ? value : 0);
        if (value === (value | 0)) {
          expect(read(referenceEncoding(value)).readInt()).toBe(value);
        }
      }),
      { numRuns: 2000 },
    );
  });

  it.each([
    ["cut off", "80"],
    ["empty", ""],
    ["of ten bytes 0xff", "ffffffffffffffffffff"],
    ["of eleven bytes", "8080808080808080808001"],
    ["of five bytes with bits beyond the 32nd", "ffffffff1f"],
  ])("32-bit: one %s is malformed and stops the reader", (_, hex) => {
    const reader = read(hex);
    expect(reader.readInt()).toBe(0);
    expect(reader.isMalformed).toBe(true);
    expect(reader.position).toBe(reader.end);
  });

  it.each([
    ["cut off", "80"],
    ["of ten bytes 0xff", "ffffffffffffffffffff"],
    ["of 2^63-1", "feffffffffffffffff01"],
    ["of -2^63", "ffffffffffffffffff01"],
    ["of eleven bytes", "8080808080808080808001"],
  ])("64-bit: one %s is malformed", (_, hex) => {
    const reader = read(hex);
    expect(reader.readLong()).toBe(0);
    expect(reader.isMalformed).toBe(true);
  });
});
