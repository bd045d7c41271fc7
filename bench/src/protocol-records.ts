// Record batches: encoding bytes and strings, validating as the broker does, decoding as a consumer does.

import {
  type DecodedRecord,
  RecordBatch,
  RecordBatchBuilder,
  type RecordInput,
  readBatch,
  validateProducedBatch,
} from "@millrace/protocol";
import type { Compute } from "@millrace/runtime";
import { type Measurement, measure } from "./protocol-measure.js";

const BATCH_RECORDS = 1000;
const TIMESTAMP = 1_700_000_000_000;

function build(inputs: readonly RecordInput[], compute: Compute): Uint8Array {
  const builder = new RecordBatchBuilder({ initialBytes: 128 * 1024 });
  for (const input of inputs) {
    builder.append(input);
  }
  return builder.build({ compute });
}

function inputs(key: RecordInput["key"], value: RecordInput["value"]): RecordInput[] {
  return Array.from({ length: BATCH_RECORDS }, (_, index) => ({
    key,
    value,
    timestamp: TIMESTAMP + index,
  }));
}

/** Sums something of each record, so that what is read is really read. */
function consume(batch: Iterable<DecodedRecord>, visit: (record: DecodedRecord) => number): number {
  let sum = 0;
  for (const record of batch) {
    sum += visit(record);
  }
  return sum;
}

export function recordCases(compute: Compute): Measurement[] {
  const bytes = inputs(null, new Uint8Array(100).fill(120));
  const ascii = inputs(null, "x".repeat(100));
  const keyed = inputs("user-12345", "x".repeat(100));
  const accented = inputs(null, `ü${"x".repeat(98)}`);
  const noChecksum: Compute = { ...compute, codecs: compute.codecs, crc32c: () => 0 };
  const whole = build(bytes, compute);
  const limits = { compute, maxMessageBytes: 1 << 20 };
  const batch = readBatch(whole, 0, { compute, maxDecompressedBytes: 1 << 20 });
  if (!(batch instanceof RecordBatch)) {
    throw new Error("an uncompressed batch reads synchronously");
  }
  const perBatch = (name: string, action: () => unknown): Measurement =>
    measure(name, " records", BATCH_RECORDS, action);
  return [
    perBatch("encode, 100-byte values, no CRC", () => build(bytes, noChecksum)),
    perBatch("encode, 100-byte values", () => build(bytes, compute)),
    perBatch("encode, 100-character ASCII strings", () => build(ascii, compute)),
    perBatch("encode, ASCII strings and keys", () => build(keyed, compute)),
    perBatch("encode, 100-byte strings, not ASCII", () => build(accented, compute)),
    perBatch("validate, CRC included", () => validateProducedBatch(whole, 0, limits)),
    perBatch("decode, offsets only", () => consume(batch, ({ offset }) => offset)),
    perBatch("decode, values", () => consume(batch, ({ value }) => value?.length ?? 0)),
    perBatch("decode, keys, values, headers", () =>
      consume(
        batch,
        ({ key, value, headers }) => (key?.length ?? 0) + (value?.length ?? 0) + headers.length,
      ),
    ),
  ];
}
