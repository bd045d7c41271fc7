import { crc32c } from "@millrace/runtime";
import { describe, expect, it } from "vitest";
import { isSingleBitError } from "./single-bit-error.js";

const bytes = Uint8Array.from({ length: 200 }, (_, index) => (index * 89) & 255);
const claimed = crc32c(bytes);

describe("isSingleBitError", () => {
  it("knows every flipped bit, in the bytes and in the CRC", () => {
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const flipped = bytes.slice();
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(isSingleBitError(crc32c(flipped), claimed, bytes.length)).toBe(true);
    }
    for (let bit = 0; bit < 32; bit++) {
      expect(isSingleBitError(claimed, (claimed ^ (1 << bit)) >>> 0, bytes.length)).toBe(true);
    }
  });

  it("takes no two flipped bits for one, nor a lost stretch, nor undamaged bytes", () => {
    for (let bit = 1; bit < bytes.length * 8; bit++) {
      const flipped = bytes.slice();
      flipped[0] = (flipped[0] ?? 0) ^ 1;
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(isSingleBitError(crc32c(flipped), claimed, bytes.length)).toBe(false);
    }
    const lost = bytes.slice().fill(0, 50, 90);
    expect(isSingleBitError(crc32c(lost), claimed, bytes.length)).toBe(false);
    expect(isSingleBitError(claimed, claimed, bytes.length)).toBe(false);
  });
});
