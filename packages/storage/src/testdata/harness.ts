// What the tests of this package share: batches, opening a directory, reading a log from end to end.

import { batchHeaders, decodeRecords, isBatchCrcValid, RecordBatchBuilder } from "@millrace/protocol";
import { crc32c, type FileHandle, type FileSystem } from "@millrace/runtime";
import { type Log, LogManager, type LogManagerOptions, parseLogConfig } from "../index.js";
import type { LogSlice } from "../log-types.js";

export const TOPIC_ID = "0b1f2c3d-4e5f-4a6b-8c7d-9e0f1a2b3c4d";

export interface BatchOptions {
  readonly values: readonly string[];
  readonly timestamp?: number;
  readonly timestamps?: readonly number[];
  readonly producerId?: number;
  readonly producerEpoch?: number;
  readonly baseSequence?: number;
}

export function batchOf(options: BatchOptions): Uint8Array {
  const builder = new RecordBatchBuilder();
  options.values.forEach((value, index) => {
    builder.append({
      key: null,
      value,
      timestamp: options.timestamps?.[index] ?? options.timestamp ?? 1_000,
    });
  });
  const { producerId = -1, producerEpoch = producerId < 0 ? -1 : 0, baseSequence = -1 } = options;
  return builder.build({ producerId, producerEpoch, baseSequence, compute: { crc32c } });
}

export async function openManager(
  options: Pick<LogManagerOptions, "runtime"> & Partial<LogManagerOptions>,
): Promise<LogManager> {
  // Thousands of starts on copies of a disk: the reserve's bytes would be most of what is copied.
  // And nothing is verified in the background: a test that waits for a day would wait for that, too.
  const config = { reserveBytes: 0, scrubBytesPerSecond: 0, ...options.config };
  return await LogManager.open({ path: "/data", nodeId: 1, ...options, config });
}

export async function createLog(
  manager: LogManager,
  entries: Record<string, string> = {},
  partition = 0,
): Promise<Log> {
  const id = { topic: "events", topicId: TOPIC_ID, partition };
  return await manager.createLog(id, parseLogConfig(entries));
}

/** Appends and waits; returns the base offset. */
export async function appendFlushed(log: Log, options: BatchOptions): Promise<number> {
  const outcome = log.append(batchOf(options), { leaderEpoch: 0 });
  if (!outcome.ok) {
    throw new Error(`${outcome.error}: ${outcome.message}`);
  }
  await log.whenFlushed(outcome.lastOffset);
  return outcome.baseOffset;
}

export async function readAll(log: Log, maxBytes = 10_000): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let offset = log.logStartOffset;
  while (offset < log.flushedOffset) {
    const slice: LogSlice = await log.read({
      offset,
      maxBytes,
      endOffset: log.flushedOffset,
      minOneBatch: true,
    });
    if (slice.sizeBytes === 0) {
      throw new Error(`nothing at ${offset}, flushed ${log.flushedOffset}`);
    }
    chunks.push(...slice.chunks);
    offset = slice.nextOffset;
  }
  const whole = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}

/** The values of all records, by offset. */
export async function valuesOf(log: Log, maxBytes?: number): Promise<Map<number, string>> {
  const bytes = await readAll(log, maxBytes);
  const values = new Map<number, string>();
  const decoder = new TextDecoder();
  for (const { position, header } of batchHeaders(bytes)) {
    if (!isBatchCrcValid(bytes, position, { crc32c })) {
      throw new Error(`a batch with a wrong CRC was served at offset ${header.baseOffset}`);
    }
    const payload = bytes.subarray(position + 61, position + header.sizeBytes);
    for (const record of decodeRecords(header, payload)) {
      if (values.has(record.offset)) {
        throw new Error(`offset ${record.offset} was served twice`);
      }
      values.set(record.offset, decoder.decode(record.value ?? new Uint8Array(0)));
    }
  }
  return values;
}

/** A file system whose open files behave differently: what a planted bug looks like from outside. */
export function wrapFiles(
  fileSystem: FileSystem,
  change: (file: FileHandle) => Partial<FileHandle>,
): FileSystem {
  return new Proxy(fileSystem, {
    get(target, name) {
      if (name === "open") {
        return async (...args: Parameters<FileSystem["open"]>) => {
          const file = await target.open(...args);
          const changed: Partial<Record<PropertyKey, unknown>> = change(file);
          return new Proxy(file, {
            get: (handle, key) => {
              const value = changed[key] ?? Reflect.get(handle, key, handle);
              return typeof value === "function" ? value.bind(handle) : value;
            },
          });
        };
      }
      const value = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
