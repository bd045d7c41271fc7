// What the tests of compaction share: keyed batches of every shape, and a log's content as its readers see it.

import {
  batchHeaders,
  type BatchHeader,
  isBatchCrcValid,
  readBatch,
  RecordBatchBuilder,
} from "@millrace/protocol";
import type { CompressionCodec, Compute } from "@millrace/runtime";
import type { Log } from "../index.js";
import { readAll } from "./harness.js";

export interface KeyedRecord {
  readonly key: string | null;
  /** null: a tombstone. */
  readonly value: string | null;
  readonly timestamp?: number | undefined;
}

export interface KeyedBatch {
  readonly records: readonly KeyedRecord[];
  readonly codec?: CompressionCodec | undefined;
  readonly producerId?: number | undefined;
  readonly baseSequence?: number | undefined;
}

export interface SeenRecord {
  readonly offset: number;
  readonly key: string | null;
  readonly value: string | null;
  readonly timestamp: number;
}

export const TIMESTAMP = 1_000;

export async function keyedBatch(batch: KeyedBatch, compute: Compute): Promise<Uint8Array> {
  const builder = new RecordBatchBuilder();
  for (const { key, value, timestamp } of batch.records) {
    const headers = value === null ? [] : [{ key: "h", value: new Uint8Array([1]) }];
    builder.append({ key, value, timestamp: timestamp ?? TIMESTAMP, headers });
  }
  const { producerId = -1, baseSequence = -1, codec = "none" } = batch;
  const producerEpoch = producerId < 0 ? -1 : 0;
  return await builder.buildCompressed({ producerId, producerEpoch, baseSequence, compute, codec });
}

/** Appends and waits until it is flushed. */
export async function appendKeyed(log: Log, batch: KeyedBatch, compute: Compute): Promise<number> {
  const outcome = log.append(await keyedBatch(batch, compute), { leaderEpoch: 0 });
  if (!outcome.ok) {
    throw new Error(`${outcome.error}: ${outcome.message}`);
  }
  await log.whenFlushed(outcome.lastOffset);
  return outcome.baseOffset;
}

/** The headers of all batches, each with a valid CRC, without a gap. */
export async function headersOf(log: Log, compute: Compute): Promise<BatchHeader[]> {
  const bytes = await readAll(log);
  const headers: BatchHeader[] = [];
  for (const { position, header } of batchHeaders(bytes)) {
    if (!isBatchCrcValid(bytes, position, compute)) {
      throw new Error(`a batch with a wrong CRC was served at offset ${header.baseOffset}`);
    }
    const before = headers.at(-1);
    if (before !== undefined && header.baseOffset !== before.lastOffset + 1) {
      throw new Error(`offset ${header.baseOffset} comes after ${before.lastOffset}`);
    }
    headers.push(header);
  }
  return headers;
}

/** Every record that a consumer reads from the log start to the flushed mark, in order. */
export async function recordsOf(log: Log, compute: Compute): Promise<SeenRecord[]> {
  const bytes = await readAll(log);
  const decoder = new TextDecoder();
  const text = (field: Uint8Array | null): string | null => field && decoder.decode(field);
  const records: SeenRecord[] = [];
  for (const { position } of batchHeaders(bytes)) {
    const options = { compute, maxDecompressedBytes: 1 << 20 };
    for (const { offset, key, value, timestamp } of await readBatch(bytes, position, options)) {
      if (offset >= log.logStartOffset) {
        records.push({ offset, key: text(key), value: text(value), timestamp });
      }
    }
  }
  return records;
}

/** What a consumer that read everything knows: the newest value of each key. */
export function tableOf(records: Iterable<SeenRecord>): Map<string, string> {
  const table = new Map<string, string>();
  for (const { key, value } of records) {
    if (key !== null && value !== null) {
      table.set(key, value);
    } else if (key !== null) {
      table.delete(key);
    }
  }
  return table;
}
