// One round of a log's group commit: all that is queued, one write, one sync. Returns or throws; who is told about it
// is the log's business. Rounds of one log never overlap.

import type { BatchHeader } from "@millrace/protocol";
import type { JournalExtent } from "./core/commit-journal-format.js";
import { OFFSET_INDEX_ENTRY_BYTES } from "./core/offset-index.js";
import { EPOCH_CHECKPOINT_FILE } from "./core/segment-name.js";
import { encodeEpochCheckpoint } from "./core/text-checkpoints.js";
import { TIME_INDEX_ENTRY_BYTES } from "./core/time-index.js";
import { assertWhole, isFileError, replaceFile } from "./files.js";
import type { Hold } from "./hold.js";
import type { LogConfig } from "./log-config.js";
import { activeSegment, directoryName, type LogParts, segmentPlace } from "./log-parts.js";
import { storeProducerSnapshot } from "./producer-snapshots.js";
import { Segment } from "./segment.js";
import type { PendingBatch } from "./tail-cache.js";

const RELATIVE_OFFSET_MAX = 2 ** 31 - 1;

/** The write could not be done (disk full, no file handles left); the file is as it was. Nothing is broken. */
export class RoundRefused extends Error {
  override readonly name = "RoundRefused";
  readonly error: "STORAGE_FULL" | "KAFKA_STORAGE_ERROR";

  constructor(error: RoundRefused["error"], cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
    this.error = error;
  }
}

/** A sync failed. Nothing is known about what it should have covered, and a later success would prove nothing. */
export class SyncFailed extends Error {
  override readonly name = "SyncFailed";

  constructor(cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
  }
}

/**
 * Writes the oldest queued batches (up to `roundBytesMax`, within one segment) and moves the written mark.
 * Undefined when there was nothing to write, or nobody to write it for any more. `holds` gets the round's own shares in
 * the batches, which may leave the tail meanwhile: for the caller to give back when neither the write nor the extent is
 * looked at any more.
 * @throws RoundRefused when the disk is full; the file was cut back to where it was, and synced. Anything else that
 *   is thrown is final.
 */
export async function writeRound(log: LogParts, holds: Hold[]): Promise<JournalExtent | undefined> {
  let batches: PendingBatch[];
  try {
    if (isNextRollDue(log)) {
      await roll(log);
    }
    // While they are stored, batches of yet another epoch may be appended: those would be taken, too.
    while (log.areEpochsDirty) {
      await storeEpochs(log);
    }
    batches = takeRound(log);
    for (const { hold } of batches) {
      if (hold !== undefined) {
        holds.push(hold.another());
      }
    }
    await write(log, batches);
  } catch (error) {
    const isFull = isFileError(error, "STORAGE_FULL");
    if (!isFull && !isFileError(error, "TOO_MANY_OPEN_FILES")) {
      throw error;
    }
    await cutBack(log);
    throw new RoundRefused(isFull ? "STORAGE_FULL" : "KAFKA_STORAGE_ERROR", error);
  }
  if (log.isOffline) {
    // Refused meanwhile: what was written is not part of the log.
    return undefined;
  }
  const segment = activeSegment(log);
  const position = segment.sizeBytes;
  let bytes = 0;
  for (const { header } of batches) {
    segment.wrote(header, log.config.indexIntervalBytes);
    bytes += header.sizeBytes;
  }
  log.marks.wrote(segment.endOffset);
  log.tail.wrote(batches.length);
  log.bytesSinceSnapshot += bytes;
  log.services.countQueued(-bytes);
  log.services.countWritten(bytes);
  const { baseOffset } = segment;
  const chunks = batches.map((batch) => batch.bytes);
  const name = directoryName(log);
  return bytes === 0
    ? undefined
    : { kind: "extent", name, baseOffset, position, chunks, sizeBytes: bytes };
}

/**
 * Whether a round now would only append, little, to what is durable already: the commit journal can take its bytes,
 * and replaying them leaves no gap.
 */
export function fitsJournal(log: LogParts): boolean {
  const { config, marks, storage, tail } = log;
  return (
    config.flush === "sync" &&
    marks.synced === marks.written &&
    tail.pendingBytes <= storage.journalRoundBytesMax &&
    !log.areEpochsDirty &&
    !isNextRollDue(log)
  );
}

/**
 * The commit journal has nothing of this log any more, durably: to be done before the log gets shorter at its end or
 * goes away, or a replay would bring back what is gone.
 * @throws SyncFailed, FileError
 */
export async function leaveJournal(log: LogParts): Promise<void> {
  await syncRound(log);
  await log.services.journal.forget(directoryName(log));
}

/**
 * Syncs what is written to the log's own file and moves the synced mark.
 * @throws SyncFailed
 */
export async function syncRound(log: LogParts): Promise<void> {
  const { written, landed } = log.marks;
  if (landed === written) {
    return;
  }
  const file = await activeSegment(log).file();
  try {
    await file.sync();
  } catch (error) {
    throw new SyncFailed(error);
  }
  log.marks.syncedTo(written);
}

/** Stores the epochs if they changed: before the first batch of an epoch is written, its entry is durable. */
export async function storeEpochs(log: LogParts): Promise<void> {
  if (!log.areEpochsDirty) {
    return;
  }
  log.areEpochsDirty = false;
  try {
    await replaceFile(log.runtime.fileSystem, {
      directory: log.directory,
      name: EPOCH_CHECKPOINT_FILE,
      content: encodeEpochCheckpoint(log.epochs.entries),
    });
  } catch (error) {
    log.areEpochsDirty = true;
    throw error;
  }
}

/**
 * Seals the active segment and begins a new one. What is written is synced first and the new file's name after, so
 * every segment but the last is known to be whole.
 */
export async function roll(log: LogParts): Promise<void> {
  const { fileSystem } = log.runtime;
  const sealed = activeSegment(log);
  await syncRound(log);
  await sealed.seal();
  log.mustRoll = true;
  const segment = await Segment.create(segmentPlace(log, sealed.endOffset));
  try {
    await fileSystem.syncDirectory(log.directory);
  } catch (error) {
    await segment.close();
    throw error;
  }
  log.mustRoll = false;
  sealed.deactivate();
  log.segments = [...log.segments, segment];
  log.services.touchIndexes(sealed);
  await snapshotProducers(log);
}

/** Stores the producers as they stood at the written mark. */
export async function snapshotProducers(log: LogParts): Promise<void> {
  const offset = log.marks.written;
  const producers = log.producers.copy();
  for (const { undo } of log.tail.pendingNewestFirst()) {
    if (undo !== undefined) {
      producers.undo(undo);
    }
  }
  const { fileSystem, compute, logger } = log.runtime;
  log.bytesSinceSnapshot = 0;
  try {
    await storeProducerSnapshot(
      { fileSystem, compute, directory: log.directory },
      offset,
      producers,
    );
  } catch (error) {
    logger.warn({ directory: log.directory, offset, error }, "producer snapshot not written");
  }
}

function isNextRollDue(log: LogParts): boolean {
  const next = log.tail.firstPending;
  const segment = activeSegment(log);
  return (
    next !== undefined &&
    (log.mustRoll ||
      isRollDue(segment, { header: next.header, pendingBytes: 0, config: log.config }))
  );
}

function takeRound(log: LogParts): PendingBatch[] {
  const segment = activeSegment(log);
  let bytes = 0;
  return log.tail.takePending(({ header }) => {
    const fits =
      bytes === 0 ||
      (bytes + header.sizeBytes <= log.storage.roundBytesMax &&
        !isRollDue(segment, { header, pendingBytes: bytes, config: log.config }));
    bytes += fits ? header.sizeBytes : 0;
    return fits;
  });
}

interface RollQuestion {
  readonly header: BatchHeader;
  /** Bytes that go into the segment before the batch. */
  readonly pendingBytes: number;
  readonly config: LogConfig;
}

function isRollDue(segment: Segment, question: RollQuestion): boolean {
  const { header, pendingBytes, config } = question;
  const sizeBytes = segment.sizeBytes + pendingBytes;
  if (sizeBytes === 0) {
    return false;
  }
  const { offsets, times } = segment.activeIndexes;
  const offsetEntriesMax = Math.floor(config.segmentIndexBytes / OFFSET_INDEX_ENTRY_BYTES);
  const timeEntriesMax = Math.floor(config.segmentIndexBytes / TIME_INDEX_ENTRY_BYTES);
  const isOld =
    segment.firstTimestamp >= 0 && header.maxTimestamp - segment.firstTimestamp > config.segmentMs;
  return (
    sizeBytes + header.sizeBytes > config.segmentBytes ||
    offsets.entryCount >= offsetEntriesMax ||
    times.entryCount >= timeEntriesMax - 1 ||
    header.lastOffset - segment.baseOffset > RELATIVE_OFFSET_MAX ||
    isOld
  );
}

async function write(log: LogParts, batches: readonly PendingBatch[]): Promise<void> {
  const segment = activeSegment(log);
  const chunks = batches.map((batch) => batch.bytes);
  const sizeBytes = chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0);
  if (sizeBytes === 0) {
    return;
  }
  const file = segment.openFile ?? (await segment.file());
  const isSmall = sizeBytes <= log.storage.synchronousWriteBytesMax;
  const written = isSmall
    ? file.writeSync(chunks, segment.sizeBytes)
    : await file.write(chunks, segment.sizeBytes);
  assertWhole(file, sizeBytes, written);
}

/**
 * Takes back what a failed write left behind its last good batch, durably, before anybody is told that it failed:
 * otherwise recovery could find a whole batch there that was refused.
 */
async function cutBack(log: LogParts): Promise<void> {
  const segment = activeSegment(log);
  const file = await segment.file();
  await file.truncate(segment.sizeBytes);
  try {
    await file.sync();
  } catch (error) {
    // Even for want of space this is final, unlike the write's failure.
    throw new SyncFailed(error);
  }
  log.marks.syncedTo(log.marks.written);
}
