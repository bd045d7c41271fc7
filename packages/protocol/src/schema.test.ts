import { describe, expect, it } from "vitest";
import { decodeCbor, encodeCbor } from "./cbor/codec.js";
import { isMillraceError, MillraceError, ProtocolError } from "./errors.js";
import {
  array,
  boolean,
  bytes,
  integer,
  map,
  nullable,
  oneOf,
  optional,
  text,
  textMap,
  tuple,
  uuid,
} from "./schema.js";
import { toHex } from "./test-support/fixtures.js";
import { uuidFromBytes, uuidToBytes } from "./uuid.js";

const id = "00112233-4455-6677-8899-aabbccddeeff";

function failure(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    return isMillraceError(error) ? error.message : `unexpected ${String(error)}`;
  }
  return "none";
}

describe("integers", () => {
  it.each([
    0,
    1,
    23,
    24,
    255,
    256,
    65_535,
    65_536,
    2 ** 31,
    2 ** 32 - 1,
    2 ** 32,
    2 ** 40 + 1,
    2 ** 53 - 1,
    -1,
    -24,
    -25,
    -256,
    -257,
    -(2 ** 31),
    -(2 ** 31) - 1,
    -(2 ** 32),
    -(2 ** 32) - 1,
    -(2 ** 53) + 1,
  ])("%d goes to the wire as a CBOR integer and comes back a number", (value) => {
    const encoded = encodeCbor(integer().toWire(value));
    expect((encoded[0] as number) >> 5).toBe(value < 0 ? 1 : 0);
    expect(integer().fromWire(decodeCbor(encoded), "x")).toBe(value);
  });

  it.each([-0, Number.NaN, 1.5, 2 ** 53, -(2 ** 53), Number.POSITIVE_INFINITY])(
    "%d is refused before it is written",
    (value) => {
      expect(() => integer().toWire(value)).toThrow(MillraceError);
    },
  );

  it("are held to their range in both directions", () => {
    const port = integer(0, 65_535);
    expect(failure(() => port.toWire(65_536))).toMatch(/INVALID_ARGUMENT/);
    expect(failure(() => port.fromWire(-1, "port"))).toMatch(
      /INVALID_REQUEST: port: .* 0 to 65535/,
    );
    expect(failure(() => port.fromWire("1", "port"))).toMatch(/port: expected an integer/);
    expect(failure(() => port.fromWire(1n << 60n, "port"))).toMatch(/expected an integer/);
  });
});

describe("nested schemas", () => {
  const schema = map({
    topics: array(map({ parts: array(tuple({ id: uuid, n: integer(0, 9) })) })),
  });

  it("name the path of what does not fit, reading", () => {
    const read = (wire: unknown) => failure(() => schema.fromWire(wire, "body"));
    const raw = uuidToBytes(id);
    expect(read({ topics: [{ parts: [[raw, 1]] }] })).toBe("none");
    expect(
      read({
        topics: [
          {
            parts: [
              [raw, 1],
              [raw, 10],
            ],
          },
        ],
      }),
    ).toMatch(/: body\/topics\/0\/parts\/1\/n: expected an integer from 0 to 9/);
    expect(read({ topics: [{ parts: [[raw.subarray(1), 1]] }] })).toMatch(/parts\/0\/id: .*UUID/);
    expect(read({ topics: [{ parts: 3 }] })).toMatch(/body\/topics\/0\/parts: expected a list/);
    expect(read({ topics: [7] })).toMatch(/body\/topics\/0: expected a map/);
    expect(read({})).toMatch(/body\/topics: expected a list/);
    expect(read(null)).toMatch(/body: expected a map/);
  });

  it("name the path of what cannot be written", () => {
    const write = (n: number, text: string) =>
      failure(() => schema.toWire({ topics: [{ parts: [{ id: text, n }] }] }));
    expect(write(1, id)).toBe("none");
    expect(write(Number.NaN, id)).toMatch(
      /topics\/0\/parts\/0\/n: expected a safe integer, got NaN/,
    );
    expect(write(1, "nonsense")).toMatch(/topics\/0\/parts\/0\/id: expected a UUID/);
  });

  it("ignore unknown keys and trailing elements, and fill in what is absent", () => {
    const shape = map({ a: integer(), pair: tuple({ x: integer(), y: optional(text(), "none") }) });
    expect(shape.fromWire({ a: 1, pair: [2], later: true }, "")).toEqual({
      a: 1,
      pair: { x: 2, y: "none" },
    });
    expect(shape.fromWire({ a: 1, pair: [2, "two", 3, 4] }, "").pair).toEqual({ x: 2, y: "two" });
  });

  it("do not take inherited properties for fields", () => {
    expect(() => map({ toString: text() }).fromWire({}, "")).toThrow(ProtocolError);
  });
});

describe("leaves", () => {
  it.each([
    ["text", () => text(3).fromWire("four", "p")],
    ["bytes", () => bytes(1).fromWire(new Uint8Array(2), "p")],
    ["boolean", () => boolean.fromWire(1, "p")],
    ["oneOf", () => oneOf("a", "b").fromWire("c", "p")],
    ["array", () => array(text(), 1).fromWire(["a", "b"], "p")],
    ["textMap", () => textMap.fromWire({ a: 1 }, "p")],
    ["textMap of a list", () => textMap.fromWire([], "p")],
    ["tuple", () => tuple({ a: text() }).fromWire({ a: "a" }, "p")],
  ])("%s refuses what it is not", (_, action) => {
    expect(failure(action)).toMatch(/INVALID_REQUEST: p/);
  });

  it.each<[string, () => unknown]>([
    ["text too long", () => text(3).toWire("four")],
    ["text that is none", () => text().toWire(undefined as never)],
    ["half a surrogate pair", () => text().toWire("a\ud800b")],
    ["half a surrogate pair in a map", () => textMap.toWire({ a: "\udc00" })],
    ["a map's value that is no text", () => textMap.toWire({ a: 1 as never })],
    ["bytes too long", () => bytes(1).toWire(new Uint8Array(2))],
    ["a boolean that is none", () => boolean.toWire(undefined as never)],
    ["a text outside the set", () => oneOf("a").toWire("b" as never)],
    ["a list too long", () => array(text(), 1).toWire(["a", "b"])],
    ["a map that is none", () => map({ a: text() }).toWire(null as never)],
    ["a field that is missing", () => map({ a: text() }).toWire({} as never)],
  ])("%s is refused before it is written", (_, action) => {
    expect(failure(action)).toMatch(/^INVALID_ARGUMENT: .*expected/);
  });

  it("an optional or nullable field that is left out is written as what it reads as", () => {
    const shape = map({ a: optional(integer(), 7), b: nullable(text()) });
    expect(shape.toWire({} as never)).toEqual({ a: 7, b: null });
    expect(text().toWire("\ud83d\ude00")).toBe("\ud83d\ude00");
  });

  it("nullable passes null both ways", () => {
    expect(nullable(text()).toWire(null)).toBeNull();
    expect(nullable(text()).fromWire(null, "")).toBeNull();
    expect(nullable(text()).fromWire("x", "")).toBe("x");
  });
});

describe("UUIDs", () => {
  it("turn into bytes and back, upper case accepted", () => {
    expect(toHex(uuidToBytes(id))).toBe("00112233445566778899aabbccddeeff");
    expect(uuidFromBytes(uuidToBytes(id.toUpperCase()))).toBe(id);
  });

  it.each([
    "",
    "x",
    id.slice(1),
    `${id}0`,
    id.replace("-", "0"),
    id.replaceAll("-", ""),
    id.replace("0", "g"),
    id.replace("a", "ｆ"),
  ])("refuse %j", (bad) => {
    expect(() => uuidToBytes(bad)).toThrow(/UUID/);
  });
});
