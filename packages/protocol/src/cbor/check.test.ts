import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ProtocolError } from "../errors.js";
import { fromHex, toHex, utf8 } from "../test-support/fixtures.js";
import { checkCbor } from "./check.js";
import { decodeCbor, encodeCbor } from "./codec.js";

function problem(hex: string, limits?: Parameters<typeof checkCbor>[1]): string {
  try {
    checkCbor(fromHex(hex), limits);
    return "accepted";
  } catch (error) {
    if (!(error instanceof ProtocolError) || error.code !== "INVALID_REQUEST") {
      throw error;
    }
    return error.message;
  }
}

const bytes = (hex: string): Uint8Array => fromHex(hex);

// The kinds of RFC 8949 appendix A that Millrace uses.
const accepted: readonly (readonly [string, unknown])[] = [
  ["00", 0],
  ["01", 1],
  ["0a", 10],
  ["17", 23],
  ["1818", 24],
  ["1864", 100],
  ["1903e8", 1000],
  ["1a000f4240", 1_000_000],
  ["1affffffff", 2 ** 32 - 1],
  ["1b0000000100000000", 2n ** 32n],
  ["1b000000e8d4a51000", 1_000_000_000_000n],
  ["1b001fffffffffffff", 2n ** 53n - 1n],
  ["20", -1],
  ["29", -10],
  ["3863", -100],
  ["3903e7", -1000],
  ["3a7fffffff", -(2 ** 31)],
  ["3affffffff", -(2 ** 32)],
  ["3b001ffffffffffffe", -(2n ** 53n - 1n)],
  ["f4", false],
  ["f5", true],
  ["f6", null],
  ["40", bytes("")],
  ["4401020304", bytes("01020304")],
  ["60", ""],
  ["6161", "a"],
  ["6449455446", "IETF"],
  ["62225c", '"\\'],
  ["62c3bc", "\u00fc"],
  ["63e6b0b4", "\u6c34"],
  ["64f0908591", "\ud800\udd51"],
  ["80", []],
  ["83010203", [1, 2, 3]],
  ["8301820203820405", [1, [2, 3], [4, 5]]],
  [
    "98190102030405060708090a0b0c0d0e0f101112131415161718181819",
    Array.from({ length: 25 }, (_, index) => index + 1),
  ],
  ["a0", {}],
  ["a26161016162820203", { a: 1, b: [2, 3] }],
  ["826161a161626163", ["a", { b: "c" }]],
  ["a56161614161626142616361436164614461656145", { a: "A", b: "B", c: "C", d: "D", e: "E" }],
];

// Well-formed items of appendix A that Millrace does not use, and what appendix F calls not well-formed.
const refused: readonly (readonly [string, string])[] = [
  ["2^53", "1b0020000000000000"],
  ["2^64-1", "1bffffffffffffffff"],
  ["-2^53", "3b001fffffffffffff"],
  ["-2^64", "3bffffffffffffffff"],
  ["a bignum", "c249010000000000000000"],
  ["a date tag", "c11a514b67b0"],
  ["the self-described tag", "d9d9f700"],
  ["a half float 0.0", "f90000"],
  ["a float", "fa47c35000"],
  ["a double 1.1", "fb3ff199999999999a"],
  ["NaN", "f97e00"],
  ["undefined", "f7"],
  ["simple 16", "f0"],
  ["simple 255", "f8ff"],
  ["a simple value in two bytes below 32", "f818"],
  ["an indefinite byte string", "5f42010243030405ff"],
  ["an indefinite text", "7f657374726561646d696e67ff"],
  ["an indefinite array", "9f01ff"],
  ["an indefinite map", "bf616101ff"],
  ["a lone break", "ff"],
  ["nothing", ""],
  ["a cut-off argument of 1 byte", "18"],
  ["a cut-off argument of 2 bytes", "1901"],
  ["a cut-off argument of 4 bytes", "1a010203"],
  ["a cut-off argument of 8 bytes", "1b01020304050607"],
  ["a cut-off tag", "c0"],
  ["a byte string longer than the frame", "41"],
  ["a byte string of 4 GiB", "5affffffff00"],
  ["a byte string of 2^63-1", "5b7fffffffffffffff010203"],
  ["a text longer than the frame", "61"],
  ["an array with an element missing", "8200"],
  ["an array of 2^64-1", "9bffffffffffffffff"],
  ["an array of 2^53-1", "9b001fffffffffffff00"],
  ["an array of 2^32-1", "9affffffff00"],
  ["a map with a value missing", "a16161"],
  ["a map of 2^63", "bb8000000000000000"],
  ["a map of 2^53-1", "bb001fffffffffffff00"],
  ["reserved additional information 28", "1c"],
  ["reserved additional information 29", "5d"],
  ["reserved additional information 30", "9e"],
  ["reserved simple 28", "fc"],
  ["an integer 31", "1f"],
  ["bytes behind the item", "0000"],
  ["an integer key", "a10102"],
  ["a byte string key", "a1416101"],
  ["a null key", "a1f601"],
  ["a key that comes twice", "a2616101616102"],
  ["a key that comes twice, once with a longer head", "a261610178016102"],
  ["__proto__", "a1695f5f70726f746f5f5f01"],
  ["constructor", "a16b636f6e7374727563746f7201"],
  ["prototype", "a16970726f746f7479706501"],
  ["__proto__ with a longer head", "a178095f5f70726f746f5f5f01"],
  ["text with a lone continuation byte", "6180"],
  ["text with an overlong slash", "62c0af"],
  ["text with an overlong of three bytes", "63e08080"],
  ["text with a surrogate", "63eda080"],
  ["text above U+10FFFF", "64f4908080"],
  ["text cut inside a character", "62e282"],
  ["text whose character continues behind it", "8262e282620a0a"],
  ["a key that is not UTF-8", "a161ff01"],
];

describe("checkCbor", () => {
  it.each(accepted)("accepts and decodes %s", (hex, value) => {
    expect(problem(hex)).toBe("accepted");
    expect(decodeCbor(fromHex(hex))).toEqual(value);
    expect(toHex(encodeCbor(value))).toBe(hex);
  });

  it.each(refused)("refuses %s", (_, hex) => {
    expect(problem(hex)).toMatch(/malformed CBOR at byte \d+/);
  });

  it("refuses every cut of everything it accepts", () => {
    for (const [hex] of accepted) {
      for (let length = 0; length < hex.length; length += 2) {
        expect(problem(hex.slice(0, length))).not.toBe("accepted");
      }
    }
  });

  it("bounds depth: 12,000 nested arrays end at the limit, not in a stack overflow", () => {
    expect(problem("81".repeat(12_000))).toMatch(/deep/);
    expect(problem("a16161".repeat(12_000))).toMatch(/deep/);
    expect(problem(`${"81".repeat(11)}80`)).toBe("accepted");
    expect(problem(`${"81".repeat(12)}80`)).toMatch(/deep/);
    expect(problem("818100", { maxDepth: 1 })).toMatch(/deep/);
  });

  it("bounds the number of items, counting keys and values", () => {
    expect(problem("83000000", { maxItems: 3 })).toBe("accepted");
    expect(problem("8400000000", { maxItems: 3 })).toMatch(/too many/);
    expect(problem("a2616100616200", { maxItems: 3 })).toMatch(/too many/);
    expect(problem("83808080", { maxItems: 3 })).toBe("accepted");
    expect(problem("8381008080", { maxItems: 3 })).toMatch(/too many/);
  });

  it("finds a key that comes twice among many thousands", () => {
    const distinct = Array.from(
      { length: 5000 },
      (_, index) => `68${toHex(utf8(index.toString(16).padStart(8, "0")))}00`,
    );
    expect(problem(`b91388${distinct.join("")}`)).toBe("accepted");
    expect(problem(`b91389${distinct.join("")}${distinct[4321]}`)).toMatch(/twice/);
  });

  it("bounds the length of keys", () => {
    const withKey = (length: number): string =>
      `a179${length.toString(16).padStart(4, "0")}${"61".repeat(length)}00`;
    expect(problem(withKey(1024))).toBe("accepted");
    expect(problem(withKey(1025))).toMatch(/a key of 1025 bytes/);
  });

  it("steps over a byte string without touching it", () => {
    let touched = 0;
    const message = new Uint8Array(1 << 20);
    message.set(fromHex("5a000ffffb"));
    const watched = new Proxy(message, {
      get(target, property) {
        if (typeof property === "string" && /^\d+$/.test(property)) {
          touched++;
        }
        return Reflect.get(target, property, target);
      },
    });
    checkCbor(watched);
    expect(touched).toBe(5);
  });

  it("meets arbitrary bytes with a verdict, and cbor-x reads all that it accepts", () => {
    // Bytes from which deep and odd structures are likely.
    const token = fc.constantFrom(
      ...[0x00, 0x17, 0x18, 0x19, 0x1a, 0x1b, 0x20, 0x3b, 0x40, 0x41, 0x5b, 0x60, 0x61, 0x62, 0x78],
      ...[0x80, 0x81, 0x82, 0x9b, 0x9f, 0xa0, 0xa1, 0xa2, 0xbb, 0xc0, 0xf4, 0xf6, 0xf7, 0xf9, 0xff],
    );
    const soup = fc.array(fc.oneof(token, fc.nat(255)), { maxLength: 60 });
    fc.assert(
      fc.property(soup, (numbers) => {
        const hex = toHex(Uint8Array.from(numbers));
        if (problem(hex) === "accepted") {
          expect(() => decodeCbor(fromHex(hex))).not.toThrow();
        }
      }),
      { numRuns: 5000 },
    );
  });

  it("accepts whatever the codec writes of plain values, and gives them back", () => {
    const leaf = fc.oneof(
      fc.integer({ min: -(2 ** 31), max: 2 ** 31 }),
      fc.boolean(),
      fc.constant(null),
      fc.string({ unit: "grapheme", maxLength: 100 }),
      fc.uint8Array({ maxLength: 300 }),
    );
    const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
      tree: fc.oneof(
        { maxDepth: 5 },
        leaf,
        fc.array(tie("tree"), { maxLength: 30 }),
        fc.dictionary(fc.string({ minLength: 1, maxLength: 12 }), tie("tree"), {
          noNullPrototype: true,
        }),
      ),
    }));
    fc.assert(
      fc.property(tree, (value) => {
        fc.pre(!/__proto__|constructor|prototype/.test(JSON.stringify(value)));
        expect(decodeCbor(encodeCbor(value))).toEqual(value);
      }),
      { numRuns: 500 },
    );
  });
});
