import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isMillraceError } from "../errors.js";
import { compute } from "../test-support/fixtures.js";
import { RecordBatchBuilder } from "./builder.js";
import {
  compactedBatch,
  deleteHorizonMs,
  emptiedBatch,
  rebaseTimestamps,
} from "./compacted-batch.js";
import { decodeRecords, type RecordBatch, readBatch } from "./decode.js";
import { readBatchHeader } from "./header.js";
import { isBatchCrcValid, patchBatchPosition } from "./patch.js";
import { RecordWalker } from "./record-walker.js";

function batch(count = 4): Uint8Array {
  const builder = new RecordBatchBuilder();
  for (let index = 0; index < count; index++) {
    builder.append({
      key: index === 2 ? null : `key ${index}`,
      value: index === 1 ? null : "v".repeat(index * 40),
      timestamp: 5_000 - index * 1_000,
      headers: index === 3 ? [{ key: "h", value: null }] : [],
    });
  }
  const bytes = builder.build({ compute, producerId: 7, producerEpoch: 2, baseSequence: 30 });
  patchBatchPosition(bytes, 0, { baseOffset: 100, leaderEpoch: 6 });
  return bytes;
}

const payloadOf = (bytes: Uint8Array): Uint8Array => bytes.subarray(61);

describe("RecordWalker", () => {
  it("finds what the decoder finds", () => {
    const bytes = batch();
    const header = readBatchHeader(bytes);
    const walker = new RecordWalker(header, payloadOf(bytes));
    let end = 0;
    for (const record of decodeRecords(header, payloadOf(bytes))) {
      expect(walker.next()).toBe(true);
      expect(walker.start).toBe(end);
      end = walker.end;
      expect(walker.offset).toBe(record.offset);
      expect(walker.timestamp).toBe(record.timestamp);
      expect(walker.keyLength).toBe(record.key?.length ?? -1);
      expect(walker.valueLength).toBe(record.value?.length ?? -1);
      const key = walker.bytes.subarray(
        walker.keyStart,
        walker.keyStart + (record.key?.length ?? 0),
      );
      expect(key).toEqual(record.key ?? new Uint8Array(0));
    }
    expect(walker.next()).toBe(false);
    expect(end).toBe(payloadOf(bytes).length);
  });

  it("meets arbitrary bytes with CORRUPT_MESSAGE, and ends", () => {
    const header = readBatchHeader(batch());
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.nat(40), (payload, recordCount) => {
        const walker = new RecordWalker({ ...header, recordCount, lastOffset: 140 }, payload);
        try {
          while (walker.next()) {
            expect(walker.end).toBeLessThanOrEqual(payload.length);
            expect(walker.keyStart + Math.max(0, walker.keyLength)).toBeLessThan(walker.end);
          }
        } catch (error) {
          expect(isMillraceError(error) && error.code).toBe("CORRUPT_MESSAGE");
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe("a batch of which records went", () => {
  it("keeps offsets, epochs, producer and sequence, and has a valid CRC", () => {
    const bytes = batch();
    const header = readBatchHeader(bytes);
    const walker = new RecordWalker(header, payloadOf(bytes));
    walker.next();
    walker.next();
    const payload = payloadOf(bytes).subarray(walker.start, walker.end);
    const maxTimestamp = walker.timestamp;
    const compacted = compactedBatch(bytes, { payload, recordCount: 1, maxTimestamp }, compute);
    expect(isBatchCrcValid(compacted, 0, compute)).toBe(true);
    expect(readBatchHeader(compacted)).toMatchObject({
      baseOffset: 100,
      lastOffset: 103,
      leaderEpoch: 6,
      producerId: 7,
      producerEpoch: 2,
      baseSequence: 30,
      lastSequence: 33,
      recordCount: 1,
      maxTimestamp: 4_000,
    });
    const [only] = readBatch(compacted, 0, { compute, maxDecompressedBytes: 1_000 }) as RecordBatch;
    expect(only).toMatchObject({ offset: 101, timestamp: 4_000, value: null });
  });

  it("has its delete horizon in place of the base timestamp, and the same timestamps", () => {
    fc.assert(
      fc.property(fc.nat(2 ** 42), (horizon) => {
        const bytes = batch();
        const header = readBatchHeader(bytes);
        expect(deleteHorizonMs(header)).toBeUndefined();
        const payload = rebaseTimestamps(header, payloadOf(bytes), horizon);
        const records = { payload, recordCount: 4, maxTimestamp: 5_000, deleteHorizonMs: horizon };
        const compacted = compactedBatch(bytes, records, compute);
        expect(deleteHorizonMs(readBatchHeader(compacted))).toBe(horizon);
        const decoded = (from: Uint8Array) =>
          [...decodeRecords(readBatchHeader(from), payloadOf(from))].map(
            ({ offset, timestamp, key, value, headers }) => [
              offset,
              timestamp,
              key,
              value,
              headers,
            ],
          );
        expect(decoded(compacted)).toEqual(decoded(bytes));
      }),
      { numRuns: 50 },
    );
  });

  it("may have none left, and still says whose offsets and sequence numbers they were", () => {
    const empty = emptiedBatch(batch(), compute);
    expect(isBatchCrcValid(empty, 0, compute)).toBe(true);
    expect(readBatchHeader(empty)).toMatchObject({
      sizeBytes: 61,
      baseOffset: 100,
      lastOffset: 103,
      producerId: 7,
      lastSequence: 33,
      recordCount: 0,
      codec: "none",
      maxTimestamp: 5_000,
    });
  });
});
