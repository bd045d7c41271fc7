// The codecs of our own, beyond the compute contract: against published values, hand-made frames and lies.
// Batches that Kafka compressed are read in packages/protocol/src/record-batch/kafka-compressed.test.ts.

import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createTextDecoder, createTextEncoder } from "../platform.js";
import { compressLz4, decompressLz4 } from "./lz4.js";
import { compressSnappy, decompressSnappy } from "./snappy.js";
import { xxh32 } from "./xxh32.js";
import { loadZstdCompressor } from "./zstd-compress.js";
import { decompressZstd } from "./zstd-decompress.js";

const text = (value: string): Uint8Array => createTextEncoder().encode(value);
const MIB = 1024 * 1024;

/** Bytes with repetitions near and far, as records have them. */
const content = fc
  .array(
    fc.record({
      piece: fc.uint8Array({ maxLength: 40 }),
      times: fc.integer({ min: 1, max: 1_000 }),
    }),
    { maxLength: 12 },
  )
  .map((pieces) => {
    const all: number[] = [];
    for (const { piece, times } of pieces) {
      for (let index = 0; index < times && all.length < 100_000; index++) {
        all.push(...piece);
      }
    }
    return Uint8Array.from(all);
  });

const codecs = [
  { name: "lz4", compress: compressLz4, decompress: decompressLz4 },
  { name: "snappy", compress: compressSnappy, decompress: decompressSnappy },
];

describe.each(codecs)("$name", ({ compress, decompress }) => {
  it("brings back any content, and counts it to the byte", () => {
    fc.assert(
      fc.property(content, (bytes) => {
        const packed = compress(bytes);
        expect(decompress(packed, bytes.length)).toEqual(bytes);
        if (bytes.length > 0) {
          expect(() => decompress(packed, bytes.length - 1)).toThrow(
            expect.objectContaining({ code: "TOO_LARGE" }),
          );
        }
      }),
      { numRuns: 60 },
    );
  });

  it("answers any bytes with bounded content or an error of its own", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 400 }),
        fc.array(fc.tuple(fc.nat(399), fc.nat(255)), { maxLength: 6 }),
        fc.boolean(),
        (bytes, edits, isPacked) => {
          const input = isPacked ? compress(bytes) : bytes.slice();
          for (const [at, byte] of edits) {
            if (at < input.length) {
              input[at] = byte;
            }
          }
          try {
            expect(decompress(input, 1_000).length).toBeLessThanOrEqual(1_000);
          } catch (error) {
            expect(["MALFORMED", "TOO_LARGE"]).toContain((error as { code?: unknown }).code);
          }
        },
      ),
      { numRuns: 2_000 },
    );
  });

  it("reads a view into larger memory", () => {
    const packed = compress(text("to and fro, ".repeat(50)));
    const larger = new Uint8Array(packed.length + 14).fill(0xaa);
    larger.set(packed, 7);
    const view = larger.subarray(7, 7 + packed.length);
    expect(createTextDecoder().decode(decompress(view, 600))).toBe("to and fro, ".repeat(50));
  });
});

describe("xxHash32", () => {
  it.each([
    ["", 0x02cc5d05],
    ["a", 0x550d7456],
    ["abc", 0x32d153ff],
    ["Nobody inspects the spammish repetition", 0xe2293b2f],
  ])("of %j is the published value", (input, hash) => {
    expect(xxh32(text(input))).toBe(hash);
  });
});

/** A frame around hand-made blocks; `flags` beside the version's. */
function lz4Frame(flags: number, blocks: readonly number[][], trailer: readonly number[] = []) {
  const descriptor = Uint8Array.of(0x40 | flags, 0x40);
  const header = [0x04, 0x22, 0x4d, 0x18, ...descriptor, (xxh32(descriptor) >>> 8) & 0xff];
  const body = blocks.flatMap((block) => [block.length, 0, 0, 0, ...block]);
  return Uint8Array.from([...header, ...body, 0, 0, 0, 0, ...trailer]);
}

const littleEndian = (value: number): number[] =>
  [0, 8, 16, 24].map((shift) => (value >>> shift) & 0xff);

describe("an LZ4 frame", () => {
  const abcd = [0x40, 0x61, 0x62, 0x63, 0x64];
  /** A match of 4, 4 back, then one literal. */
  const repeatFour = [0x00, 4, 0, 0x10, 0x65];

  it("begins as Kafka's do: version 1, independent blocks of 64 KiB, no checksums", () => {
    expect([...compressLz4(text("x")).subarray(0, 7)]).toEqual([
      0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82,
    ]);
  });

  it("may have blocks that reach back into earlier ones, if it says so", () => {
    const linked = decompressLz4(lz4Frame(0, [abcd, repeatFour]), 100);
    expect(createTextDecoder().decode(linked)).toBe("abcdabcde");
    expect(() => decompressLz4(lz4Frame(0x20, [abcd, repeatFour]), 100)).toThrow("reaches back");
  });

  it("is refused when its content does not match its checksum", () => {
    const checksum = littleEndian(xxh32(text("abcd")));
    expect(decompressLz4(lz4Frame(0x24, [abcd], checksum), 4)).toEqual(text("abcd"));
    expect(() => decompressLz4(lz4Frame(0x24, [abcd], [1, 2, 3, 4]), 4)).toThrow("checksum");
  });

  it("may be followed by another, and by nothing else", () => {
    const frame = lz4Frame(0x20, [abcd]);
    expect(decompressLz4(Uint8Array.from([...frame, ...frame]), 8)).toEqual(text("abcdabcd"));
    expect(() => decompressLz4(Uint8Array.from([...frame, 0]), 8)).toThrow("not an LZ4 frame");
  });

  it("that expands without end is refused before memory is taken for it", () => {
    // 16 bytes of lengths for each 4,080 of output, again and again.
    const packed = compressLz4(new Uint8Array(32 * MIB));
    expect(packed.length).toBeLessThan(200_000);
    expect(() => decompressLz4(packed, MIB)).toThrow(
      expect.objectContaining({ code: "TOO_LARGE" }),
    );
  });
});

describe("Snappy", () => {
  it("is framed as the Java library does it", () => {
    const packed = compressSnappy(new Uint8Array(40_000));
    expect(createTextDecoder().decode(packed.subarray(1, 7))).toBe("SNAPPY");
    const view = new DataView(packed.buffer, packed.byteOffset);
    expect([view.getInt32(8), view.getInt32(12)]).toEqual([1, 1]);
    expect(view.getInt32(16)).toBeLessThan(packed.length - 24);
  });

  it("is read without framing, too", () => {
    // Length 9, literal "abc", a copy of 6 from 3 back.
    const bare = Uint8Array.of(9, 0x08, 0x61, 0x62, 0x63, 0x09, 0x03);
    expect(decompressSnappy(bare, 9)).toEqual(text("abcabcabc"));
  });

  it("refuses a length that its bytes cannot give, before memory is taken for it", () => {
    const lie = Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x0f, 0x00, 0x61);
    expect(() => decompressSnappy(lie, 2 ** 40)).toThrow("more than it can give");
  });

  it("refuses a literal whose length would lead back to where it began", () => {
    const loop = Uint8Array.of(4, 0xfc, 0xfa, 0xff, 0xff, 0xff, 0x61, 0x62);
    expect(() => decompressSnappy(loop, 4)).toThrow("does not fit");
  });
});

describe("zstd in JavaScript", () => {
  it("brings back what the reference implementation wrote, at any level", async () => {
    const compress = await loadZstdCompressor();
    fc.assert(
      fc.property(content, fc.constantFrom(1, 3, 9, 19), (bytes, level) => {
        expect(decompressZstd(compress(bytes, level), bytes.length)).toEqual(bytes);
      }),
      { numRuns: 40 },
    );
  });

  it("takes no more memory than the blocks of a frame can fill, whatever window it asks for", () => {
    // One run of 5 bytes behind a header that asks for a window of 1 GiB.
    const frame = Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xa0, 0x2b, 0, 0, 0x61);
    const before = process.memoryUsage().arrayBuffers;
    expect(decompressZstd(frame, 10)).toEqual(text("aaaaa"));
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(MIB);
  });

  it("refuses a size that its blocks cannot give", () => {
    // A single segment that declares 2 GiB - 1, with a run of 5 bytes.
    const lie = Uint8Array.of(
      ...[0x28, 0xb5, 0x2f, 0xfd, 0xa0, 0xff, 0xff, 0xff, 0x7f, 0x2b, 0, 0, 0x61],
    );
    expect(() => decompressZstd(lie, 2 ** 40)).toThrow("more than it can give");
    expect(() => decompressZstd(lie, MIB)).toThrow(expect.objectContaining({ code: "TOO_LARGE" }));
  });

  it("skips skippable frames and reads the frames around them", async () => {
    const compress = await loadZstdCompressor();
    const frame = compress(text("mill"), 3);
    const skippable = [0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3];
    const both = Uint8Array.from([...frame, ...skippable, ...frame]);
    expect(decompressZstd(both, 8)).toEqual(text("millmill"));
  });
});
