import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isMillraceError, ProtocolError } from "../errors.js";
import { compute } from "../test-support/fixtures.js";
import { writeInt32, writeInt64 } from "./big-endian.js";
import { RecordBatchBuilder } from "./builder.js";
import { RecordBatch, readBatch } from "./decode.js";
import { readBatchHeader } from "./header.js";
import { computeBatchCrc } from "./patch.js";
import {
  type ProducedBatchLimits,
  validateDecompressed,
  validateProducedBatch,
} from "./validate.js";
import { writeVarint } from "./varint.js";

const limits: ProducedBatchLimits = { compute, maxMessageBytes: 1 << 20 };

function batch(): Uint8Array {
  const builder = new RecordBatchBuilder();
  builder.append({ key: "k1", value: "value", timestamp: 1000 });
  builder.append({
    key: null,
    value: "v2",
    timestamp: 1005,
    headers: [{ key: "h", value: new Uint8Array([1]) }],
  });
  return builder.build({ compute });
}

/** Changes a batch and gives it a CRC that fits. */
function altered(change: (bytes: Uint8Array) => void): Uint8Array {
  const bytes = batch();
  change(bytes);
  writeInt32(bytes, 17, computeBatchCrc(bytes, 0, compute));
  return bytes;
}

/** A batch of hand-made record bytes. */
function withRecords(count: number, payload: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(61 + payload.length);
  bytes.set(batch().subarray(0, 61));
  bytes.set(payload, 61);
  writeInt32(bytes, 8, bytes.length - 12);
  writeInt32(bytes, 23, count - 1);
  writeInt64(bytes, 35, 1000);
  writeInt32(bytes, 57, count);
  writeInt32(bytes, 17, computeBatchCrc(bytes, 0, compute));
  return bytes;
}

function verdict(bytes: Uint8Array, more: Partial<ProducedBatchLimits> = {}): string {
  try {
    validateProducedBatch(bytes, 0, { ...limits, ...more });
    return "accepted";
  } catch (error) {
    return error instanceof ProtocolError ? error.code : `${error}`;
  }
}

const varint = (value: number): number[] => {
  const bytes = new Uint8Array(12);
  return [...bytes.subarray(0, writeVarint(bytes, 0, value))];
};

describe("validateProducedBatch", () => {
  it("accepts what the builder makes, also in the middle of other bytes", () => {
    expect(verdict(batch())).toBe("accepted");
    const padded = Uint8Array.from([1, 2, 3, ...batch(), 9, 9]);
    expect(validateProducedBatch(padded, 3, limits).recordCount).toBe(2);
  });

  it("detects every flipped bit that the CRC covers", () => {
    const original = batch();
    for (let bit = 17 * 8; bit < original.length * 8; bit++) {
      const bytes = original.slice();
      bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7));
      expect(verdict(bytes)).toBe("CORRUPT_MESSAGE");
    }
  });

  it("refuses a batch cut at any length", () => {
    const original = batch();
    for (let length = 0; length < original.length; length++) {
      expect(verdict(original.slice(0, length))).toBe("CORRUPT_MESSAGE");
    }
  });

  it.each<[string, string, (bytes: Uint8Array) => void]>([
    ["a size below its header", "CORRUPT_MESSAGE", (b) => writeInt32(b, 8, 40)],
    ["a negative size", "CORRUPT_MESSAGE", (b) => writeInt32(b, 8, -1)],
    ["magic 1", "CORRUPT_MESSAGE", (b) => b.fill(1, 16, 17)],
    ["an unknown codec", "CORRUPT_MESSAGE", (b) => b.fill(5, 22, 23)],
    [
      "a codec that is not supported here",
      "UNSUPPORTED_COMPRESSION_TYPE",
      (b) => b.fill(4, 22, 23),
    ],
    ["LogAppendTime", "INVALID_TIMESTAMP", (b) => b.fill(8, 22, 23)],
    ["the transactional bit without a producer", "INVALID_RECORD", (b) => b.fill(16, 22, 23)],
    ["the control bit", "INVALID_RECORD", (b) => b.fill(32, 22, 23)],
    ["the delete horizon bit", "INVALID_RECORD", (b) => b.fill(64, 22, 23)],
    ["an unused attribute bit", "INVALID_RECORD", (b) => b.fill(1, 21, 22)],
    ["a last offset delta above its count", "INVALID_RECORD", (b) => writeInt32(b, 23, 2)],
    ["a last offset delta below its count", "CORRUPT_MESSAGE", (b) => writeInt32(b, 23, 0)],
    ["a negative last offset delta", "CORRUPT_MESSAGE", (b) => writeInt32(b, 23, -1)],
    ["count 2^31-1", "CORRUPT_MESSAGE", (b) => writeInt32(b, 57, 0x7fffffff)],
    [
      "count and delta of 2^31-1",
      "CORRUPT_MESSAGE",
      (b) => {
        writeInt32(b, 57, 0x7fffffff);
        writeInt32(b, 23, 0x7ffffffe);
      },
    ],
    ["no records", "INVALID_RECORD", (b) => writeInt32(b, 57, 0)],
    ["a negative count", "CORRUPT_MESSAGE", (b) => writeInt32(b, 57, -5)],
    [
      "one record fewer than its bytes",
      "CORRUPT_MESSAGE",
      (b) => {
        writeInt32(b, 57, 1);
        writeInt32(b, 23, 0);
      },
    ],
    [
      "one record more than its bytes",
      "CORRUPT_MESSAGE",
      (b) => {
        writeInt32(b, 57, 3);
        writeInt32(b, 23, 2);
      },
    ],
    ["a base offset", "INVALID_RECORD", (b) => writeInt64(b, 0, 7)],
    ["a base timestamp of -2", "INVALID_TIMESTAMP", (b) => writeInt64(b, 27, -2)],
    ["a max timestamp above its records'", "INVALID_TIMESTAMP", (b) => writeInt64(b, 35, 1006)],
    ["a max timestamp below its records'", "INVALID_TIMESTAMP", (b) => writeInt64(b, 35, 1004)],
    ["a timestamp outside the safe integers", "CORRUPT_MESSAGE", (b) => b.fill(0x7f, 35, 43)],
    ["a producer id without a sequence", "INVALID_RECORD", (b) => writeInt64(b, 43, 1)],
  ])("refuses %s", (_, code, change) => {
    expect(verdict(altered(change))).toBe(code);
  });

  const minimal = [0, 0, 0, 1, 1, 0];
  it.each<[string, string, number, readonly number[]]>([
    ["minimal, null key and value", "accepted", 1, [...varint(6), ...minimal]],
    ["a record length of 2^31-1", "CORRUPT_MESSAGE", 1, [...varint(0x7fffffff), ...minimal]],
    ["a negative record length", "CORRUPT_MESSAGE", 1, [...varint(-1), ...minimal]],
    ["a record length beyond the batch", "CORRUPT_MESSAGE", 1, [...varint(7), ...minimal]],
    ["a record length below the least", "CORRUPT_MESSAGE", 1, [...varint(5), ...minimal]],
    ["a length of ten bytes 0xff", "CORRUPT_MESSAGE", 1, Array<number>(10).fill(0xff)],
    ["a wrong offset delta", "INVALID_RECORD", 1, [...varint(6), 0, 0, 2, 1, 1, 0]],
    [
      "a timestamp delta that is unsafe",
      "CORRUPT_MESSAGE",
      1,
      [...varint(15), 0, ...Array<number>(9).fill(0xff), 1, 0, 1, 1, 0],
    ],
    [
      "a timestamp before 1970",
      "INVALID_TIMESTAMP",
      1,
      [...varint(7), 0, ...varint(-1002), 0, 1, 1, 0],
    ],
    ["a key beyond its record", "CORRUPT_MESSAGE", 1, [...varint(6), 0, 0, 0, 0x20, 1, 0]],
    ["a key length of -2", "CORRUPT_MESSAGE", 1, [...varint(6), 0, 0, 0, 3, 1, 0]],
    [
      "a key length of 2^31-1",
      "CORRUPT_MESSAGE",
      1,
      [...varint(10), 0, 0, 0, ...varint(0x7fffffff), 1, 0],
    ],
    [
      "a value that ends in the next record",
      "CORRUPT_MESSAGE",
      2,
      [...varint(6), 0, 0, 0, 1, 0x0c, 0, ...varint(6), 0, 0, 2, 1, 1, 0],
    ],
    ["a negative header count", "CORRUPT_MESSAGE", 1, [...varint(6), 0, 0, 0, 1, 1, 1]],
    [
      "a header count of 2^31-1",
      "CORRUPT_MESSAGE",
      1,
      [...varint(10), 0, 0, 0, 1, 1, ...varint(0x7fffffff)],
    ],
    ["a header with a null key", "CORRUPT_MESSAGE", 1, [...varint(8), 0, 0, 0, 1, 1, 2, 1, 1]],
    ["unused bytes inside a record", "CORRUPT_MESSAGE", 1, [...varint(7), ...minimal, 0]],
    ["bytes behind the last record", "CORRUPT_MESSAGE", 1, [...varint(6), ...minimal, 0]],
  ])("judges records: %s", (_, code, count, payload) => {
    expect(verdict(withRecords(count, payload))).toBe(code);
  });

  it("holds a batch against max.message.bytes and the timestamp bounds", () => {
    const size = batch().length;
    expect(verdict(batch(), { maxMessageBytes: size })).toBe("accepted");
    expect(verdict(batch(), { maxMessageBytes: size - 1 })).toBe("MESSAGE_TOO_LARGE");
    expect(verdict(batch(), { minTimestampMs: 1000, maxTimestampMs: 1005 })).toBe("accepted");
    expect(verdict(batch(), { minTimestampMs: 1001 })).toBe("INVALID_TIMESTAMP");
    expect(verdict(batch(), { maxTimestampMs: 1004 })).toBe("INVALID_TIMESTAMP");
  });

  it("refuses a record without a key when the topic is compacted", () => {
    expect(verdict(batch(), { requireKeys: true })).toBe("INVALID_RECORD");
  });

  it("looks into compressed records only when they are handed over decompressed", async () => {
    const builder = new RecordBatchBuilder();
    builder.append({ key: null, value: "v", timestamp: 1 });
    const bytes = await builder.buildCompressed({ compute, codec: "gzip" });
    const header = validateProducedBatch(bytes, 0, { ...limits, requireKeys: true });
    const { payload } = await readBatch(bytes, 0, { compute, maxDecompressedBytes: 1000 });
    expect(() => validateDecompressed(header, payload, limits)).not.toThrow();
    expect(() => validateDecompressed(header, payload, { ...limits, requireKeys: true })).toThrow(
      /without a key/,
    );
    expect(() => validateDecompressed(header, payload.subarray(1), limits)).toThrow(ProtocolError);
  });

  it("meets arbitrary bytes with a ProtocolError, whatever the CRC says", () => {
    const trusting = { ...compute, crc32c: () => 0 };
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 120 }), (payload) => {
        const bytes = new Uint8Array(61 + payload.length);
        bytes.set(batch().subarray(0, 57));
        bytes.set(payload, 57);
        writeInt32(bytes, 8, bytes.length - 12);
        writeInt32(bytes, 17, 0);
        expect(["accepted", "CORRUPT_MESSAGE", "INVALID_RECORD", "INVALID_TIMESTAMP"]).toContain(
          verdict(bytes, { compute: trusting }),
        );
      }),
      { numRuns: 500 },
    );
  });
});

describe("lazy decoding of damaged records", () => {
  it("throws CORRUPT_MESSAGE and nothing else, and ends", () => {
    const header = readBatchHeader(batch());
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.nat(40), (payload, recordCount) => {
        const damaged = new RecordBatch({ ...header, recordCount, lastOffset: 40 }, payload);
        try {
          for (const record of damaged) {
            expect(record.key?.length ?? 0).toBeLessThanOrEqual(60);
            expect(record.value?.length ?? 0).toBeLessThanOrEqual(60);
            expect(record.headers.length).toBeLessThanOrEqual(30);
          }
        } catch (error) {
          expect(isMillraceError(error) && error.code).toBe("CORRUPT_MESSAGE");
        }
      }),
      { numRuns: 500 },
    );
  });
});
