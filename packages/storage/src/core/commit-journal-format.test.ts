import { crc32c } from "@millrace/runtime";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
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
      const flipped = frame.slice();
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(read(flipped, 99)).toBeUndefined();
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
  it("goes both ways, and is not taken with any bit flipped or byte missing", () => {
    const header = { salt: 0xfedcba98, generation: 2 ** 40 };
    const bytes = encodeJournalHeader(header, compute);
    expect(decodeJournalHeader(bytes, compute)).toEqual(header);
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const flipped = bytes.slice();
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      const isReserved = bit >> 3 === 6 || bit >> 3 === 7;
      expect(decodeJournalHeader(flipped, compute)).toEqual(isReserved ? header : undefined);
    }
    for (let length = 0; length < bytes.length; length++) {
      expect(decodeJournalHeader(bytes.subarray(0, length), compute)).toBeUndefined();
    }
  });
});
