import { crc32c } from "@millrace/runtime";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  copiesThatSurvive,
  decodeJournalEntries,
  decodeJournalFrameHeader,
  decodeJournalHeader,
  encodeJournalFrame,
  encodeJournalHeader,
  JOURNAL_FRAME_HEADER_BYTES,
  type JournalEntry,
  journalEntryBytes,
} from "./commit-journal-format.js";

const compute = { crc32c };
const offset = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
const name = fc.stringMatching(/^[a-zA-Z0-9._-]{1,20}-[0-9]{1,4}$/);
const extent = fc
  .record({ name, baseOffset: offset, position: offset, chunks: fc.array(fc.uint8Array()) })
  .map((fields): JournalEntry => {
    const sizeBytes = fields.chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    return { kind: "extent", ...fields, sizeBytes };
  });
const forget = name.map((of): JournalEntry => ({ kind: "forget", name: of }));
const entries = fc.array(fc.oneof(extent, forget), { minLength: 1, maxLength: 6 });
const salt = fc.nat(2 ** 32 - 1);

function frameOf(of: readonly JournalEntry[], withSalt: number): Uint8Array {
  const sizeBytes = of.reduce((sum, entry) => sum + journalEntryBytes(entry), 0);
  return encodeJournalFrame(of, sizeBytes, { salt: withSalt, compute });
}

/** What a replay would take from the frame. */
function read(frame: Uint8Array, withSalt: number) {
  const header = decodeJournalFrameHeader(frame.subarray(0, JOURNAL_FRAME_HEADER_BYTES), {
    salt: withSalt,
    compute,
  });
  const body = frame.subarray(JOURNAL_FRAME_HEADER_BYTES);
  const isWhole = header?.bodyBytes === body.length && crc32c(body, withSalt) === header.bodyCrc;
  return isWhole ? decodeJournalEntries(body) : undefined;
}

function withFlippedBit(bytes: Uint8Array, bit: number): Uint8Array {
  const flipped = bytes.slice();
  flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
  return flipped;
}

describe("a journal's frame", () => {
  it("gives back the entries it was made of", () => {
    fc.assert(
      fc.property(entries, salt, (of, withSalt) => {
        const frame = frameOf(of, withSalt);
        const body = frame.subarray(JOURNAL_FRAME_HEADER_BYTES);
        const found = read(frame, withSalt) ?? [];
        expect(found).toHaveLength(of.length);
        for (const [index, entry] of of.entries()) {
          const other = found[index];
          if (entry.kind === "forget" || other?.kind !== "extent") {
            expect(other).toEqual(entry);
            continue;
          }
          const { chunks, ...fields } = entry;
          const { from, ...rest } = other;
          expect(rest).toEqual(fields);
          const bytes = body.subarray(from, from + entry.sizeBytes);
          expect([...bytes]).toEqual(chunks.flatMap((chunk) => [...chunk]));
        }
      }),
    );
  });

  it("is not taken with any bit flipped, nor with another generation's salt", () => {
    const one: JournalEntry = {
      kind: "extent",
      name: "orders-3",
      baseOffset: 70,
      position: 4_096,
      chunks: [new Uint8Array(40).fill(7)],
      sizeBytes: 40,
    };
    const frame = frameOf([one, { kind: "forget", name: "orders-4" }], 99);
    expect(read(frame, 99)).toHaveLength(2);
    expect(read(frame, 98)).toBeUndefined();
    for (let bit = 0; bit < frame.length * 8; bit++) {
      expect(read(withFlippedBit(frame, bit), 99)).toBeUndefined();
    }
  });

  it("is read without a fault whatever its body holds", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (body) => {
        for (const entry of decodeJournalEntries(body) ?? []) {
          const end = entry.kind === "extent" ? entry.from + entry.sizeBytes : 0;
          expect(end).toBeLessThanOrEqual(body.length);
        }
      }),
    );
  });
});

describe("a journal's header", () => {
  const header = { salt: 0xfedcba98, generation: 2 ** 40 };
  const bytes = encodeJournalHeader(header, compute);

  it("goes both ways, whatever bit is flipped, whatever sector lost", () => {
    expect(decodeJournalHeader(bytes, compute)).toEqual(header);
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      expect(decodeJournalHeader(withFlippedBit(bytes, bit), compute)).toEqual(header);
    }
    for (const sector of [0, 512]) {
      expect(decodeJournalHeader(bytes.slice().fill(0, sector, sector + 512), compute)).toEqual(
        header,
      );
    }
  });

  it("is not taken when neither copy is whole", () => {
    const oneCopy = bytes.slice().fill(0, 512);
    for (let bit = 0; bit < 24 * 8; bit++) {
      const isReserved = bit >> 3 === 6 || bit >> 3 === 7;
      const read = decodeJournalHeader(withFlippedBit(oneCopy, bit), compute);
      expect(read).toEqual(isReserved ? header : undefined);
    }
    for (let length = 0; length < 24; length++) {
      expect(decodeJournalHeader(bytes.subarray(0, length), compute)).toBeUndefined();
    }
  });
});

describe("what is said so often that it is heard", () => {
  it("has a whole copy left behind any lost sector", () => {
    for (let frameBytes = 37; frameBytes < 2_000; frameBytes += 13) {
      const copies = copiesThatSurvive(frameBytes);
      for (let start = 0; start < 512; start += 7) {
        // A sector that is lost, as it lies to the first frame.
        const lost = [512 - start, 1024 - start];
        const isWhole = (copy: number): boolean =>
          (copy + 1) * frameBytes <= (lost[0] ?? 0) || copy * frameBytes >= (lost[1] ?? 0);
        const left = Array.from({ length: copies }, (_, copy) => copy).filter(isWhole);
        expect(left.length).toBeGreaterThan(0);
      }
    }
  });
});
