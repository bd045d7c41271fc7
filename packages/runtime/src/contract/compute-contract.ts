// What every Compute promises: Castagnoli's CRC, and codecs that round-trip and never outgrow their bound.

import { type Compute, ComputeError } from "../compute.js";
import { createTextEncoder } from "../platform.js";
import {
  type ContractHarness,
  caseRunner,
  patternBytes,
  rejectionCode,
  sameBytes,
  type TestFramework,
} from "./harness.js";

const ascending = Uint8Array.from({ length: 32 }, (_, index) => index);

/** RFC 3720, appendix B.4, and the check value of the CRC catalogues. */
const vectors: readonly (readonly [string, Uint8Array, number])[] = [
  ["nothing", new Uint8Array(0), 0],
  ["32 zeros", new Uint8Array(32), 0x8a9136aa],
  ["32 bytes of 0xff", new Uint8Array(32).fill(0xff), 0x62a8ab43],
  ["0 to 31", ascending, 0x46dd794e],
  ["31 to 0", ascending.toReversed(), 0x113fdb5c],
  ['"123456789"', createTextEncoder().encode("123456789"), 0xe3069283],
];

export function computeContract(framework: TestFramework, harness: ContractHarness<Compute>): void {
  const { describe, expect } = framework;
  const test = caseRunner(framework, harness);

  describe("a compute port", () => {
    test("agrees with the known CRC-32C values", (compute) => {
      for (const [name, bytes, crc] of vectors) {
        expect(compute.crc32c(bytes), name).toBe(crc);
      }
    });

    test("continues a CRC from its seed, wherever the bytes are cut", (compute) => {
      const bytes = patternBytes(10_000);
      const whole = compute.crc32c(bytes);
      for (const cut of [0, 1, 7, 64, 1_023, 4_096, 9_999, 10_000]) {
        const seed = compute.crc32c(bytes.subarray(0, cut));
        expect(compute.crc32c(bytes.subarray(cut), seed)).toBe(whole);
      }
    });

    test("gives the same CRC at every alignment, large inputs included", (compute) => {
      const whole = patternBytes(70_000);
      const crc = compute.crc32c(whole);
      for (const shift of [1, 2, 3, 5, 8]) {
        const shifted = new Uint8Array(whole.length + shift);
        shifted.set(whole, shift);
        expect(compute.crc32c(shifted.subarray(shift))).toBe(crc);
      }
    });

    test("lists the codec none, and each codec once", (compute) => {
      expect(compute.codecs.includes("none")).toBe(true);
      expect(new Set(compute.codecs).size).toBe(compute.codecs.length);
    });

    test("brings back what each of its codecs compressed, from nothing to megabytes", async (compute) => {
      for (const codec of compute.codecs) {
        for (const length of [0, 1, 1_000, 3 * 1024 * 1024]) {
          const bytes = patternBytes(length);
          const packed = await compute.compress(codec, bytes);
          const unpacked = await compute.decompress(codec, packed, length);
          expect(sameBytes(unpacked, bytes), `${codec}, ${length} bytes`).toBe(true);
        }
      }
    });

    test("leaves its input alone", async (compute) => {
      const bytes = patternBytes(5_000);
      for (const codec of compute.codecs) {
        const packed = await compute.compress(codec, bytes);
        const before = packed.slice();
        await compute.decompress(codec, packed, 5_000);
        expect(sameBytes(packed, before)).toBe(true);
      }
      expect(sameBytes(bytes, patternBytes(5_000))).toBe(true);
    });

    test("works on many inputs at once without mixing them", async (compute) => {
      for (const codec of compute.codecs) {
        const inputs = Array.from({ length: 24 }, (_, index) => patternBytes(4_000, index + 1));
        const outputs = await Promise.all(
          inputs.map(async (bytes) =>
            compute.decompress(codec, await compute.compress(codec, bytes), 4_000),
          ),
        );
        expect(outputs.every((bytes, index) => sameBytes(bytes, inputs[index] ?? bytes))).toBe(
          true,
        );
      }
    });

    test("stops when the output would exceed its bound", async (compute) => {
      for (const codec of compute.codecs) {
        const bomb = await compute.compress(codec, new Uint8Array(8 * 1024 * 1024));
        expect(await rejectionCode(compute.decompress(codec, bomb, 64 * 1024))).toBe("TOO_LARGE");
        const one = await compute.compress(codec, new Uint8Array(101));
        expect(await rejectionCode(compute.decompress(codec, one, 100))).toBe("TOO_LARGE");
      }
    });

    test("refuses malformed and truncated input", async (compute) => {
      for (const codec of compute.codecs) {
        if (codec === "none") {
          continue;
        }
        const packed = await compute.compress(codec, patternBytes(20_000));
        const inputs = [
          new Uint8Array(0),
          patternBytes(100),
          packed.subarray(0, packed.length / 2),
        ];
        for (const input of inputs) {
          expect(await rejectionCode(compute.decompress(codec, input, 1 << 20))).toBe("MALFORMED");
        }
      }
    });

    test("finds repetitions: a text shrinks to less than half", async (compute) => {
      const text = createTextEncoder().encode("The mill grinds slowly. ".repeat(5_000));
      for (const codec of compute.codecs) {
        const packed = await compute.compress(codec, text);
        if (codec !== "none") {
          expect(packed.length, codec).toBeLessThan(text.length / 2);
        }
        const unpacked = await compute.decompress(codec, packed, text.length);
        expect(sameBytes(unpacked, text), codec).toBe(true);
      }
    });

    test("never hangs, and never gives more than its bound, whatever byte is flipped", async (compute) => {
      const text = createTextEncoder().encode("to and fro, to and fro ".repeat(20));
      for (const codec of compute.codecs) {
        const packed = await compute.compress(codec, text);
        for (let index = 0; index < packed.length; index++) {
          const broken = packed.slice();
          broken[index] = (broken[index] ?? 0) ^ (1 << (index % 8));
          const outcome = await compute.decompress(codec, broken, 4_096).then(
            (bytes) => bytes.length <= 4_096,
            (error: unknown) =>
              error instanceof ComputeError &&
              (error.code === "MALFORMED" || error.code === "TOO_LARGE"),
          );
          expect(outcome, `${codec}, byte ${index}`).toBe(true);
        }
      }
    });

    test("says UNSUPPORTED_CODEC when asked to compress by a codec that it does not list", async (compute) => {
      for (const codec of ["none", "gzip", "snappy", "lz4", "zstd"] as const) {
        if (!compute.codecs.includes(codec)) {
          const bytes = new Uint8Array(1);
          expect(await rejectionCode(compute.compress(codec, bytes))).toBe("UNSUPPORTED_CODEC");
        }
      }
    });
  });
}
