// How close the storage engine comes to the raw disk: 1 MiB appends, each followed by fdatasync, on a plain file and through a
// `Log`, in alternating slices of a second in the same directory. Run: node dist/storage-append.js [directory] [slices]

import { randomUUID } from "node:crypto";
import { mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RecordBatchBuilder } from "@millrace/protocol";
import { createNodeRuntime } from "@millrace/runtime/node";
import { type Log, LogManager, parseLogConfig } from "@millrace/storage";

const SLICE_MS = 1_000;
const CHUNK_BYTES = 1024 * 1024;
const RECORD_BYTES = 1024;

const runtime = createNodeRuntime();
const parent = process.argv[2] ?? tmpdir();
const slices = Number(process.argv[3] ?? 5);
const directory = await mkdtemp(join(parent, "millrace-bench-"));

function median(numbers: readonly number[]): number {
  return [...numbers].sort((left, right) => left - right)[numbers.length >> 1] ?? 0;
}

function batchTemplate(sizeBytes: number): Uint8Array {
  const builder = new RecordBatchBuilder({ initialBytes: sizeBytes });
  const value = new Uint8Array(RECORD_BYTES).fill(120);
  while (builder.sizeBytes + RECORD_BYTES + 64 < sizeBytes) {
    builder.append({ key: null, value, timestamp: 1 });
  }
  return builder.build({ compute: runtime.compute }).slice();
}

/** Bytes per second. */
async function rawSlice(): Promise<number> {
  const file = await open(join(directory, "raw"), "w");
  const chunk = new Uint8Array(CHUNK_BYTES).fill(120);
  const start = performance.now();
  let bytes = 0;
  while (performance.now() - start < SLICE_MS) {
    await file.write(chunk, 0, chunk.length, bytes);
    await file.datasync();
    bytes += chunk.length;
  }
  const seconds = (performance.now() - start) / 1000;
  await file.close();
  return bytes / seconds;
}

/** Bytes per second with `inFlightBytes` appended ahead of the flush. */
async function logSlice(log: Log, template: Uint8Array, inFlightBytes: number): Promise<number> {
  const start = performance.now();
  const waiting: Promise<boolean>[] = [];
  const depth = Math.max(1, Math.floor(inFlightBytes / template.length));
  let bytes = 0;
  while (performance.now() - start < SLICE_MS) {
    const outcome = log.append(template.slice(), { leaderEpoch: 0 });
    if (!outcome.ok) {
      throw new Error(outcome.message);
    }
    bytes += template.length;
    waiting.push(log.whenFlushed(outcome.lastOffset));
    if (waiting.length >= depth) {
      await waiting.shift();
    }
  }
  await Promise.all(waiting);
  return bytes / ((performance.now() - start) / 1000);
}

function appendCostMicros(log: Log, template: Uint8Array): number {
  const copies = Array.from({ length: 50 }, () => template.slice());
  const start = performance.now();
  for (const copy of copies) {
    log.append(copy, { leaderEpoch: 0 });
  }
  return ((performance.now() - start) * 1000) / copies.length;
}

try {
  const manager = await LogManager.open({ runtime, path: join(directory, "data"), nodeId: 1 });
  const id = { topic: "bench", topicId: randomUUID(), partition: 0 };
  const log = await manager.createLog(id, parseLogConfig({ "retention.bytes": "0" }));
  for (const batchBytes of [16 * 1024, 128 * 1024, CHUNK_BYTES]) {
    const template = batchTemplate(batchBytes);
    const ratios: number[] = [];
    const rates: number[] = [];
    for (let slice = 0; slice < slices; slice++) {
      const raw = await rawSlice();
      const engine = await logSlice(log, template, 8 * CHUNK_BYTES);
      ratios.push(engine / raw);
      rates.push(engine / 1e6);
    }
    const micros = appendCostMicros(log, template);
    await log.whenFlushed(log.logEndOffset - 1);
    const line = {
      batchBytes,
      megabytesPerSecond: Math.round(median(rates)),
      diskRatio: Number(median(ratios).toFixed(2)),
      spread: [Math.min(...ratios), Math.max(...ratios)].map((ratio) => Number(ratio.toFixed(2))),
      appendMicros: Number(micros.toFixed(1)),
    };
    process.stdout.write(`${JSON.stringify(line)}\n`);
  }
  await manager.close();
} finally {
  await rm(directory, { recursive: true, force: true });
}
