import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { crc32c as portable } from "../crc32c.js";
import { type Crc32c, fastestCrc32c } from "./native-crc32c.js";

const long = new Uint8Array(2_000).map((_, at) => at * 7);

describe("fastestCrc32c", () => {
  it("agrees with the portable one at every length, alignment and seed, whatever is installed", () => {
    const fastest = fastestCrc32c();
    const input = fc.tuple(
      fc.uint8Array({ maxLength: 3_000, size: "max" }),
      fc.nat(8),
      fc.nat(0xffff_ffff),
    );
    fc.assert(
      fc.property(input, ([bytes, shift, seed]) => {
        const shifted = new Uint8Array(bytes.length + shift);
        shifted.set(bytes, shift);
        expect(fastest(shifted.subarray(shift), seed)).toBe(portable(bytes, seed));
      }),
    );
  });

  it("hands long inputs to the module and short ones not", () => {
    const lengths: number[] = [];
    const counted: Crc32c = (bytes, seed) => {
      lengths.push(bytes.length);
      return portable(bytes, seed);
    };
    const fastest = fastestCrc32c({ crc32c: counted });
    lengths.length = 0;
    expect(fastest(long, 5)).toBe(portable(long, 5));
    expect(fastest(long.subarray(0, 100), 5)).toBe(portable(long.subarray(0, 100), 5));
    expect(lengths).toEqual([2_000]);
  });

  const useless: [string, unknown][] = [
    ["is missing", null],
    ["has no such function", {}],
    [
      "throws",
      {
        crc32c: () => {
          throw new Error("not this processor");
        },
      },
    ],
    ["computes another CRC", { crc32c: (bytes: Uint8Array) => bytes.length }],
    ["ignores the seed", { crc32c: (bytes: Uint8Array) => portable(bytes) }],
    [
      "is wrong for long inputs alone",
      {
        crc32c: (bytes: Uint8Array, seed?: number) =>
          bytes.length > 60_000 ? 0 : portable(bytes, seed),
      },
    ],
  ];
  it.each(useless)("stays with the portable one when the module %s", (_, module) => {
    expect(fastestCrc32c(module)).toBe(portable);
  });
});
