// Batches that Kafka's own Java classes compressed (kafka-clients 4.1), read by our codecs.

import { createNodeRuntime } from "@millrace/runtime/node";
import { describe, expect, it } from "vitest";
import { fromHex, readVectors } from "../test-support/fixtures.js";
import { RecordBatchBuilder } from "./builder.js";
import { readBatch } from "./decode.js";
import { readBatchHeader } from "./header.js";
import { patchBatchPosition } from "./patch.js";
import { validateProducedBatch } from "./validate.js";

interface CompressedBatch {
  readonly codec: "gzip" | "snappy" | "lz4" | "zstd";
  readonly batch: string;
}

const vectors = readVectors<readonly CompressedBatch[]>(
  "record-batch/kafka-compressed-batches.json",
);
const { compute } = createNodeRuntime();
const limits = { compute, maxDecompressedBytes: 1 << 20 };
const decoder = new TextDecoder();

/** What the Java program put into each batch: texts, then noise under a null key, then one long repetition. */
const texts = Array.from(
  { length: 40 },
  (_, index) => `The mill grinds slowly, and record ${index} passes by the mill.`,
);

describe.each(vectors)("a batch that Kafka compressed with $codec", ({ codec, batch }) => {
  const bytes = fromHex(batch);

  it("passes validation by its header", () => {
    const produced = bytes.slice();
    patchBatchPosition(produced, 0, { baseOffset: 0, leaderEpoch: -1 });
    const header = validateProducedBatch(produced, 0, { compute, maxMessageBytes: 1 << 20 });
    expect(header).toMatchObject({ codec, lastOffsetDelta: 41, recordCount: 42 });
  });

  it("holds the records that went in", async () => {
    const records = [...(await readBatch(bytes, 0, limits))];
    expect(records.slice(0, 40).map(({ value }) => decoder.decode(value ?? undefined))).toEqual(
      texts,
    );
    expect(records.map(({ offset }) => offset)).toEqual(
      Array.from({ length: 42 }, (_, index) => 42 + index),
    );
    expect(decoder.decode(records[8]?.key ?? undefined)).toBe("key-1");
    expect(records[8]?.headers).toEqual([{ key: "n", value: Uint8Array.of(8) }]);
    expect(records[40]?.key).toBeNull();
    expect(records[40]?.value?.length).toBe(300);
    expect(decoder.decode(records[41]?.value ?? undefined)).toBe("mill".repeat(500));
  });

  it("is refused when it would grow beyond the bound", async () => {
    await expect(readBatch(bytes, 0, { compute, maxDecompressedBytes: 3_000 })).rejects.toThrow();
  });

  it("can be written by us as well, and read back", async () => {
    const builder = new RecordBatchBuilder();
    for (const [index, value] of texts.entries()) {
      builder.append({ key: null, value, timestamp: index });
    }
    const ours = await builder.buildCompressed({ compute, codec, level: 1 });
    expect(readBatchHeader(ours).codec).toBe(codec);
    const records = [...(await readBatch(ours, 0, limits))];
    expect(records.map(({ value }) => decoder.decode(value ?? undefined))).toEqual(texts);
  });
});
