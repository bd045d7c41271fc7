// Batches that Kafka's own Java classes wrote (kafka-clients 3.9), held against our decoder and our encoder.

import { describe, expect, it } from "vitest";
import { compute, fromHex, readVectors, toHex } from "../test-support/fixtures.js";
import { RecordBatchBuilder } from "./builder.js";
import { readBatch } from "./decode.js";
import { type BatchHeader, readBatchHeader } from "./header.js";
import { isBatchCrcValid, patchBatchPosition, patchLogAppendTime } from "./patch.js";

interface KafkaBatch {
  readonly name: string;
  readonly hex: string;
  readonly header: Partial<BatchHeader>;
  readonly records: readonly {
    readonly offset: number;
    readonly timestamp: number;
    readonly key: string | null;
    readonly value: string | null;
    readonly headers: readonly (readonly [string, string | null])[];
  }[];
}

const vectors = readVectors<readonly KafkaBatch[]>("record-batch/kafka-batches.json");
const hexOrNull = (bytes: Uint8Array | null): string | null =>
  bytes === null ? null : toHex(bytes);
const bytesOrNull = (hex: string | null): Uint8Array | null => (hex === null ? null : fromHex(hex));

describe.each(vectors)("a batch of Kafka's: $name", (vector) => {
  const bytes = fromHex(vector.hex);
  const header = readBatchHeader(bytes);

  it("has the header Kafka reads from it, and a valid CRC", () => {
    expect(header).toMatchObject(vector.header);
    expect(isBatchCrcValid(bytes, 0, compute)).toBe(true);
  });

  it("holds the records Kafka reads from it", async () => {
    const batch = await readBatch(bytes, 0, { compute, maxDecompressedBytes: 1 << 20 });
    const records = [...batch].map((record) => ({
      offset: record.offset,
      timestamp: record.timestamp,
      key: hexOrNull(record.key),
      value: hexOrNull(record.value),
      headers: record.headers.map(({ key, value }) => [key, hexOrNull(value)]),
    }));
    expect(records).toEqual(vector.records);
  });
});

const encodable = vectors.filter(
  ({ header }) => header.codec === "none" && header.timestampType === "CreateTime",
);

describe("our builder", () => {
  it.each(encodable)("writes the same bytes as Kafka: $name", ({ hex, records }) => {
    const builder = new RecordBatchBuilder();
    for (const { timestamp, key, value, headers } of records) {
      builder.append({
        timestamp,
        key: bytesOrNull(key),
        value: bytesOrNull(value),
        headers: headers.map(([name, content]) => ({ key: name, value: bytesOrNull(content) })),
      });
    }
    expect(toHex(builder.build({ ...readBatchHeader(fromHex(hex)), compute }))).toBe(hex);
  });

  it("and a later stamp give the bytes of a batch that Kafka stamped", () => {
    const stamped = vectors.find(({ header }) => header.timestampType === "LogAppendTime");
    const { hex, header, records } = stamped as KafkaBatch;
    const original = readBatchHeader(fromHex(hex)).baseTimestamp;
    const builder = new RecordBatchBuilder();
    records.forEach(({ key, value }, index) => {
      // The records keep the time they were created at; readers see the stamp.
      builder.append({
        timestamp: original + index,
        key: bytesOrNull(key),
        value: bytesOrNull(value),
      });
    });
    const bytes = builder.build({ compute });
    patchBatchPosition(bytes, 0, {
      baseOffset: header.baseOffset as number,
      leaderEpoch: header.leaderEpoch as number,
    });
    patchLogAppendTime(bytes, 0, { timestampMs: header.maxTimestamp as number, compute });
    expect(toHex(bytes)).toBe(hex);
  });
});
