// Where a log's producer snapshots are kept: two, the newest and the one before. Written when the log rolls, when it
// closes, and after every 64 MiB, so that a start replays little. Failing to write one is no fault: the log has it all.
// Beside each that holds a producer stands the same in Kafka's format, for Kafka's tools; nothing here reads it.

import type { Compute, FileSystem } from "@millrace/runtime";
import { encodeKafkaProducerSnapshot } from "./core/kafka-producer-snapshot.js";
import {
  decodeProducerSnapshot,
  encodeProducerSnapshot,
  type ProducerSnapshot,
} from "./core/producer-snapshot.js";
import type { ProducerState } from "./core/producer-state.js";
import {
  KAFKA_SNAPSHOT_SUFFIX,
  PRODUCER_SNAPSHOT_SUFFIX,
  parseSegmentFileName,
  segmentFileName,
} from "./core/segment-name.js";
import { readIfPresent, removeIfPresent, replaceFile } from "./files.js";

const SNAPSHOTS_KEPT = 2;
/** A snapshot is due after so many bytes: the bound of what a start replays. */
export const SNAPSHOT_INTERVAL_BYTES = 64 * 1024 * 1024;

export interface SnapshotPlace {
  readonly fileSystem: FileSystem;
  readonly compute: Pick<Compute, "crc32c">;
  readonly directory: string;
}

/** @param offset where the log ended when the producers stood as given */
export async function storeProducerSnapshot(
  place: SnapshotPlace,
  offset: number,
  producers: ProducerState,
): Promise<void> {
  const { fileSystem, directory } = place;
  const snapshot = { offset, producers: [...producers.entries()] };
  await replaceFile(fileSystem, {
    directory,
    name: segmentFileName(offset, PRODUCER_SNAPSHOT_SUFFIX),
    content: encodeProducerSnapshot(snapshot, place.compute),
  });
  if (producers.size > 0) {
    await replaceFile(fileSystem, {
      directory,
      name: segmentFileName(offset, KAFKA_SNAPSHOT_SUFFIX),
      content: encodeKafkaProducerSnapshot(snapshot, place.compute),
    });
  }
  const offsets = await listSnapshots(place);
  for (const old of offsets.slice(0, -SNAPSHOTS_KEPT)) {
    await removeSnapshot(place, old);
  }
}

/** The newest undamaged snapshot at or before `endOffset`. */
export async function loadProducerSnapshot(
  place: SnapshotPlace,
  endOffset: number,
): Promise<ProducerSnapshot | undefined> {
  const offsets = await listSnapshots(place);
  for (const offset of offsets.reverse()) {
    const bytes =
      offset <= endOffset ? await readIfPresent(place.fileSystem, path(place, offset)) : undefined;
    const snapshot = bytes === undefined ? undefined : decodeProducerSnapshot(bytes, place.compute);
    if (snapshot?.offset === offset) {
      return snapshot;
    }
  }
  return undefined;
}

/** After the log's end was cut: later snapshots know batches that are no more. Durable when it resolves. */
export async function removeSnapshotsBeyond(
  place: SnapshotPlace,
  endOffset: number,
): Promise<void> {
  const beyond = (await listSnapshots(place)).filter((offset) => offset > endOffset);
  for (const offset of beyond) {
    await removeSnapshot(place, offset);
  }
  if (beyond.length > 0) {
    await place.fileSystem.syncDirectory(place.directory);
  }
}

async function listSnapshots(place: SnapshotPlace): Promise<number[]> {
  const entries = await place.fileSystem.readDirectory(place.directory);
  return entries
    .map((entry) => parseSegmentFileName(entry.name))
    .filter((name) => name?.suffix === PRODUCER_SNAPSHOT_SUFFIX)
    .map((name) => name?.baseOffset ?? 0)
    .sort((left, right) => left - right);
}

/** Ours last: as long as it is there, a removal that a crash cut short is found again. */
async function removeSnapshot(place: SnapshotPlace, offset: number): Promise<void> {
  const { fileSystem, directory } = place;
  await removeIfPresent(
    fileSystem,
    `${directory}/${segmentFileName(offset, KAFKA_SNAPSHOT_SUFFIX)}`,
  );
  await removeIfPresent(fileSystem, path(place, offset));
}

function path(place: SnapshotPlace, offset: number): string {
  return `${place.directory}/${segmentFileName(offset, PRODUCER_SNAPSHOT_SUFFIX)}`;
}
