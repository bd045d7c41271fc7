// Writes one snapshot of a state machine: header, records in batches of bounded size, footer. It is written beside its
// place, synced, renamed, and its directory synced: a crash leaves the whole snapshot or none. The memory it takes is one
// batch's, and the event loop turns between any two.

import { RecordBatchBuilder } from "@millrace/protocol";
import type { FileHandle } from "@millrace/runtime";
import {
  footerBatch,
  headerBatch,
  PARTIAL_SUFFIX,
  type SnapshotId,
  snapshotFileName,
} from "./core/state-snapshot-format.js";
import { removeIfPresent, writeFully } from "./files.js";
import type { StorageRuntime } from "./storage-config.js";

/** A batch is written when it is as large; a record larger than that has a batch of its own. */
const BATCH_BYTES = 64 * 1024;

export interface SnapshotRecord {
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
}

export interface WriteSnapshotOptions {
  readonly runtime: Pick<StorageRuntime, "fileSystem" | "compute">;
  readonly directory: string;
  readonly id: SnapshotId;
  /** Of the last record that the state contains; -1 when there is none. */
  readonly timestampMs: number;
  /** Taken one by one, while the file is written. */
  readonly records: Iterable<SnapshotRecord>;
}

/** Durable when it resolves; when it rejects, nothing is left. Returns the bytes written. */
export async function writeSnapshot(options: WriteSnapshotOptions): Promise<number> {
  const { runtime, directory, id } = options;
  const { fileSystem } = runtime;
  const path = `${directory}/${snapshotFileName(id)}`;
  const partial = path + PARTIAL_SUFFIX;
  await removeIfPresent(fileSystem, partial);
  const file = await fileSystem.open(partial, "createNew");
  let sizeBytes: number;
  try {
    sizeBytes = await writeBatches(file, options);
    await file.sync();
  } catch (error) {
    await file.close().catch(() => undefined);
    // On a full disk what was written would take the space that others wait for.
    await removeIfPresent(fileSystem, partial).catch(() => undefined);
    throw error;
  }
  await file.close();
  await fileSystem.rename(partial, path);
  await fileSystem.syncDirectory(directory);
  return sizeBytes;
}

async function writeBatches(file: FileHandle, options: WriteSnapshotOptions): Promise<number> {
  const { id, timestampMs, records } = options;
  const { compute } = options.runtime;
  const header = headerBatch({ id, timestampMs, compute });
  await writeFully(file, [header], 0);
  let position = header.length;
  let baseOffset = 1;
  let builder = new RecordBatchBuilder({ initialBytes: BATCH_BYTES });
  const writeBatch = async (): Promise<void> => {
    const { recordCount } = builder;
    if (recordCount > 0) {
      const batch = builder.build({ compute, baseOffset, leaderEpoch: id.epoch });
      await writeFully(file, [batch], position);
      position += batch.length;
      baseOffset += recordCount;
      builder = new RecordBatchBuilder({ initialBytes: BATCH_BYTES });
    }
  };
  for (const record of records) {
    const input = { ...record, timestamp: timestampMs };
    if (builder.sizeBytes + RecordBatchBuilder.estimateBytes(input) > BATCH_BYTES) {
      await writeBatch();
    }
    builder.append(input);
  }
  await writeBatch();
  const footer = footerBatch({ id, baseOffset, timestampMs, compute });
  await writeFully(file, [footer], position);
  return position + footer.length;
}
