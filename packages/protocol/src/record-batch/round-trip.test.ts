import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isMillraceError } from "../errors.js";
import { compute, toHex, utf8 } from "../test-support/fixtures.js";
import { RecordBatchBuilder } from "./builder.js";
import { decodeRecords, type RecordBatch, readBatch } from "./decode.js";
import { batchHeaders, readBatchHeader } from "./header.js";
import {
  isBatchCrcValid,
  patchBatchPosition,
  patchLogAppendTime,
  rewriteProducer,
} from "./patch.js";
import type { DecodedRecord, RecordInput } from "./record.js";
import { validateProducedBatch } from "./validate.js";

const text = fc.string({ unit: "grapheme", maxLength: 200 });
const field = fc.option(fc.oneof(fc.uint8Array({ maxLength: 200 }), text));
const headers = fc.array(
  fc.record({ key: text, value: fc.option(fc.uint8Array({ maxLength: 40 })) }),
  { maxLength: 4 },
);
const timestamp = fc.oneof(fc.constant(-1), fc.nat(), fc.integer({ min: 0, max: 2 ** 51 }));
const record: fc.Arbitrary<RecordInput> = fc.record(
  { key: field, value: field, headers, timestamp },
  { requiredKeys: ["key", "value", "timestamp"] },
);
const records = fc.array(record, { minLength: 1, maxLength: 20 });
const options = { compute, maxDecompressedBytes: 1 << 24 };

function build(inputs: readonly RecordInput[], initialBytes?: number): Uint8Array {
  const builder = new RecordBatchBuilder(initialBytes === undefined ? {} : { initialBytes });
  for (const input of inputs) {
    builder.append(input);
  }
  return builder.build({ compute });
}

const asBytes = (value: Uint8Array | string | null): string | null => {
  if (value === null) {
    return null;
  }
  return toHex(typeof value === "string" ? utf8(value) : value);
};

function plain(source: RecordInput | DecodedRecord): unknown {
  return {
    key: asBytes(source.key),
    value: asBytes(source.value),
    timestamp: source.timestamp,
    headers: (source.headers ?? []).map(({ key, value }) => [key, asBytes(value)]),
  };
}

describe("encoding and decoding a batch", () => {
  it("gives back every record, at every initial buffer size, and passes the broker's checks", () => {
    fc.assert(
      fc.property(records, fc.integer({ min: 0, max: 300 }), (inputs, initialBytes) => {
        const bytes = build(inputs, initialBytes);
        const batch = readBatch(bytes, 0, options) as RecordBatch;
        const decoded = [...batch];
        expect(decoded.map(plain)).toEqual(inputs.map(plain));
        expect(decoded.map(({ offset }) => offset)).toEqual(inputs.map((_, index) => index));
        const header = validateProducedBatch(bytes, 0, { compute, maxMessageBytes: 1 << 24 });
        expect(header).toEqual(batch.header);
        expect(header.maxTimestamp).toBe(Math.max(...inputs.map((input) => input.timestamp)));
      }),
      { numRuns: 300 },
    );
  });

  it("never adds more bytes than estimateBytes announced", () => {
    fc.assert(
      fc.property(records, (inputs) => {
        const builder = new RecordBatchBuilder();
        for (const input of inputs) {
          const before = builder.sizeBytes;
          builder.append(input);
          expect(builder.sizeBytes - before).toBeLessThanOrEqual(
            RecordBatchBuilder.estimateBytes(input),
          );
        }
        expect(builder.recordCount).toBe(inputs.length);
        expect(builder.build({ compute }).length).toBe(builder.sizeBytes);
      }),
      { numRuns: 100 },
    );
  });

  it("compresses and decompresses", async () => {
    const inputs = Array.from({ length: 50 }, (_, index) => ({
      key: `k${index}`,
      value: "so often the same ".repeat(20),
      timestamp: 1000 + index,
    }));
    const builder = new RecordBatchBuilder();
    inputs.map((input) => builder.append(input));
    const uncompressed = builder.sizeBytes;
    const bytes = await builder.buildCompressed({ compute, codec: "gzip", producerId: 5 });
    expect(bytes.length).toBeLessThan(uncompressed / 10);
    expect(isBatchCrcValid(bytes, 0, compute)).toBe(true);
    const batch = await readBatch(bytes, 0, options);
    expect(batch.header).toMatchObject({ codec: "gzip", producerId: 5, recordCount: 50 });
    expect([...batch].map(plain)).toEqual(inputs.map(plain));
    await expect(
      Promise.resolve(readBatch(bytes, 0, { compute, maxDecompressedBytes: 1000 })),
    ).rejects.toMatchObject({ code: "CORRUPT_MESSAGE" });
  });

  it("gives the same bytes in a buffer that was used before", () => {
    const inputs = [1, 2, 3].map((index) => ({
      key: index === 2 ? null : `k${index}`,
      value: "v".repeat(index * 40),
      timestamp: 1000 + index,
    }));
    const used = new Uint8Array(640).fill(0xff);
    const builder = new RecordBatchBuilder({ buffer: used });
    inputs.map((input) => builder.append(input));
    const bytes = builder.build({ compute });
    expect(bytes).toEqual(build(inputs));
    expect(bytes.buffer).toBe(used.buffer);
    expect(builder.takeBuffer()).toBe(used);
    expect(() => builder.append({ key: null, value: null, timestamp: 0 })).toThrow(/built already/);
  });

  it("says which codec it cannot read", async () => {
    const bytes = build([{ key: null, value: "v", timestamp: 1 }]);
    bytes[22] = 4; // zstd
    await expect(Promise.resolve(readBatch(bytes, 0, options))).rejects.toMatchObject({
      code: "UNSUPPORTED_COMPRESSION_TYPE",
    });
  });

  it("moves the body when a record turns out longer than its characters", () => {
    // 40 characters of three bytes: the record's length takes two bytes, not one.
    const inputs = [10, 21, 22, 40, 63, 64, 2730, 2731, 5461, 5462, 8191, 8192].map((length) => ({
      key: "é".repeat(length),
      value: "€".repeat(length),
      timestamp: 7,
    }));
    const decoded = [...(readBatch(build(inputs), 0, options) as RecordBatch)];
    expect(decoded.map(plain)).toEqual(inputs.map(plain));
  });
});

describe("RecordBatchBuilder", () => {
  it("refuses to build nothing, to build twice and to append afterwards", () => {
    const builder = new RecordBatchBuilder();
    const code = (action: () => unknown): string => {
      try {
        action();
      } catch (error) {
        return isMillraceError(error) ? error.code : "other";
      }
      return "none";
    };
    expect(code(() => builder.build({ compute }))).toBe("INVALID_ARGUMENT");
    builder.append({ key: null, value: null, timestamp: 0 });
    expect(code(() => builder.build({ compute }))).toBe("none");
    expect(code(() => builder.build({ compute }))).toBe("INVALID_ARGUMENT");
    expect(code(() => builder.append({ key: null, value: null, timestamp: 0 }))).toBe(
      "INVALID_ARGUMENT",
    );
  });

  it.each([Number.NaN, 1.5, -2, 2 ** 53, Number.POSITIVE_INFINITY])(
    "refuses %s as a timestamp",
    (bad) => {
      const builder = new RecordBatchBuilder();
      expect(() => builder.append({ key: null, value: null, timestamp: bad })).toThrow(/timestamp/);
      expect(builder.recordCount).toBe(0);
    },
  );
});

describe("patching", () => {
  const bytes = (): Uint8Array => build([{ key: "k", value: "v", timestamp: 100 }]);

  it("of base offset and epoch leaves the CRC valid", () => {
    const batch = bytes();
    patchBatchPosition(batch, 0, { baseOffset: 2 ** 40 + 3, leaderEpoch: 9 });
    expect(readBatchHeader(batch)).toMatchObject({ baseOffset: 2 ** 40 + 3, leaderEpoch: 9 });
    expect(isBatchCrcValid(batch, 0, compute)).toBe(true);
  });

  it("of the time and of the producer writes a new CRC", () => {
    const batch = bytes();
    patchLogAppendTime(batch, 0, { timestampMs: 2 ** 41, compute });
    rewriteProducer(batch, { producerId: 2 ** 50, producerEpoch: 3, baseSequence: 77 }, compute);
    expect(isBatchCrcValid(batch, 0, compute)).toBe(true);
    const read = readBatch(batch, 0, options) as RecordBatch;
    expect(read.header).toMatchObject({
      timestampType: "LogAppendTime",
      producerId: 2 ** 50,
      producerEpoch: 3,
      baseSequence: 77,
    });
    expect([...read].map((item) => item.timestamp)).toEqual([2 ** 41]);
  });
});

describe("a compacted batch", () => {
  it("keeps the offsets of the records that are left, and may have none", () => {
    const payload = Uint8Array.of(12, 0, 0, 4, 1, 1, 0, 12, 0, 2, 14, 1, 1, 0);
    const header = {
      ...readBatchHeader(build([{ key: null, value: null, timestamp: 50 }])),
      baseOffset: 100,
      lastOffsetDelta: 9,
      lastOffset: 109,
      recordCount: 2,
    };
    const records = [...decodeRecords(header, payload)];
    expect(records.map(({ offset, timestamp }) => [offset, timestamp])).toEqual([
      [102, 50],
      [107, 51],
    ]);
    expect([...decodeRecords({ ...header, recordCount: 0 }, new Uint8Array(0))]).toEqual([]);
    expect(() => [...decodeRecords({ ...header, lastOffset: 106 }, payload)]).toThrow(/offset/);
  });
});

describe("batchHeaders", () => {
  it("finds batch after batch and stops before a partial one, wherever it is cut", () => {
    const first = build([{ key: "a", value: "1", timestamp: 1 }]);
    const second = build([{ key: "b", value: "22", timestamp: 2 }]);
    const both = Uint8Array.from([...first, ...second]);
    for (let length = 0; length <= both.length; length++) {
      const positions = [...batchHeaders(both.subarray(0, length))].map(({ position }) => position);
      const expected = [0, first.length].filter(
        (_, index) => length >= (index === 0 ? first.length : both.length),
      );
      expect(positions).toEqual(expected);
    }
  });
});
