import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { KeyHash } from "./key-hash.js";
import { OFFSET_MAP_SLOT_BYTES, OffsetMap } from "./offset-map.js";

const secret = Uint8Array.from({ length: 16 }, (_, index) => index);

function hex(length: number, padding = 0): string {
  const bytes = Uint8Array.from({ length: length + padding }, (_, index) => index - padding);
  const hash = new KeyHash(secret);
  hash.hash(bytes, padding, length);
  const view = new DataView(new ArrayBuffer(16));
  [hash.a, hash.b, hash.c, hash.d].forEach((word, index) => {
    view.setUint32(index * 4, word, true);
  });
  return [...new Uint8Array(view.buffer)]
    .map((byte) => byte.toString(16).padStart(2, "0"))
    .join("");
}

describe("KeyHash", () => {
  // From OpenSSL 3: openssl mac -macopt hexkey:000102030405060708090a0b0c0d0e0f -macopt size:16 SIPHASH
  it.each([
    [0, "a3817f04ba25a8e66df67214c7550293"],
    [1, "da87c1d86b99af44347659119b22fc45"],
    [7, "a1f1ebbed8dbc153c0b84aa61ff08239"],
    [8, "3b62a9ba6258f5610f83e264f31497b4"],
    [15, "5493e99933b0a8117e08ec0f97cfc3d9"],
    [16, "6ee2a4ca67b054bbfd3315bf85230577"],
    [33, "77c6077146f01c32b6b69d5f4ea9ffcf"],
  ])("is SipHash-2-4 with 128 bits, for the %i bytes 00 01 02 ...", (length, expected) => {
    expect(hex(length)).toBe(expected);
    expect(hex(length, 3)).toBe(expected);
  });
});

function mapOf(options: Partial<ConstructorParameters<typeof OffsetMap>[0]> = {}): OffsetMap {
  return new OffsetMap({ baseOffset: 0, maxBytes: 100_000, keysMax: 1_000, secret, ...options });
}

const encoder = new TextEncoder();

function put(map: OffsetMap, key: string, offset: number): boolean {
  const bytes = encoder.encode(key);
  return map.put(bytes, { start: 0, length: bytes.length }, offset);
}

function get(map: OffsetMap, key: string): number {
  const bytes = encoder.encode(key);
  return map.get(bytes, 0, bytes.length);
}

describe("OffsetMap", () => {
  it("agrees with a Map, whatever the keys", () => {
    fc.assert(
      fc.property(fc.nat(2 ** 40), fc.array(fc.string({ maxLength: 20 })), (baseOffset, keys) => {
        const map = mapOf({ baseOffset, keysMax: keys.length });
        const model = new Map<string, number>();
        keys.forEach((key, index) => {
          expect(put(map, key, baseOffset + index)).toBe(true);
          model.set(key, baseOffset + index);
        });
        expect(map.size).toBe(model.size);
        for (const [key, offset] of model) {
          expect(get(map, key)).toBe(offset);
        }
        expect(get(map, "a key of another length altogether")).toBe(-1);
      }),
    );
  });

  it("takes no further key when it is full, but newer offsets of those it has", () => {
    const map = mapOf({ maxBytes: 10 * OFFSET_MAP_SLOT_BYTES });
    let keys = 0;
    while (put(map, `key ${keys}`, keys)) {
      keys++;
    }
    expect(keys).toBe(9);
    expect(put(map, "key 3", 100)).toBe(true);
    expect(get(map, "key 3")).toBe(100);
    expect(get(map, `key ${keys}`)).toBe(-1);
    expect(map.sizeBytes).toBeLessThanOrEqual(10 * OFFSET_MAP_SLOT_BYTES);
  });

  it("is no larger than the keys there can be need", () => {
    expect(mapOf({ keysMax: 10, maxBytes: 2 ** 30 }).sizeBytes).toBeLessThan(400);
  });

  it("ends where an offset is too far from its base", () => {
    const map = mapOf({ baseOffset: 7 });
    expect(put(map, "near", 7 + 2 ** 32 - 2)).toBe(true);
    expect(put(map, "far", 7 + 2 ** 32 - 1)).toBe(false);
    expect(get(map, "near")).toBe(7 + 2 ** 32 - 2);
  });
});
