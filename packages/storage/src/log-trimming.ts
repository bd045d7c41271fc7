// Making a log shorter: at the front by retention and deleteRecords, at the back by truncation. The order of steps is
// what makes a crash at any point harmless: the new bound is stored first, the files go after.
// Runs while the log does nothing else (`Log` sees to it).

import { scanBatches } from "./batch-scanner.js";
import { leaveJournal, roll, storeEpochs } from "./commit-round.js";
import { BatchSequence } from "./core/batch-sequence.js";
import { INDEX_STATE_SUFFIX } from "./core/index-state.js";
import { planRetention, type RetainedSegment } from "./core/retention-plan.js";
import { LOG_SUFFIX, segmentFileName } from "./core/segment-name.js";
import { removeIfPresent } from "./files.js";
import { isCompacted } from "./log-config.js";
import { activeSegment, type LogParts, segmentAt, segmentPlace } from "./log-parts.js";
import { replayProducers } from "./producer-replay.js";
import { removeSnapshotsBeyond } from "./producer-snapshots.js";
import { removeQuarantine } from "./quarantine-marker.js";
import { Segment } from "./segment.js";
import { SegmentIndexes } from "./segment-indexes.js";

/** Below every offset. */
const NOTHING = -1;

/** Removes what retention.ms and retention.bytes no longer keep. Returns the bytes removed. */
export async function trimByRetention(log: LogParts, nowMs: number): Promise<number> {
  const deletes = log.config.cleanupPolicy !== "compact";
  const segments = await retainedSegments(log);
  const count = planRetention(segments, {
    retentionMs: deletes ? log.config.retentionMs : -1,
    retentionBytes: deletes ? log.config.retentionBytes : -1,
    logStartOffset: log.marks.start,
    highWatermark: log.marks.flushed,
    nowMs,
  });
  if (count === 0) {
    return 0;
  }
  if (count === log.segments.length) {
    await roll(log);
  }
  const first = log.segments[count] as Segment;
  return await trimFront(log, Math.max(log.marks.start, first.baseOffset));
}

async function retainedSegments(log: LogParts): Promise<RetainedSegment[]> {
  const segments = await Promise.all(log.segments.map((segment) => retained(log, segment)));
  if (!isCompacted(log.config)) {
    return segments;
  }
  // A cleaned segment without records was written just now, but is older than what follows it.
  let nextMs = Number.POSITIVE_INFINITY;
  for (let index = segments.length - 1; index >= 0; index--) {
    const segment = segments[index] as RetainedSegment;
    const hasTimestamp = (log.segments[index]?.maxTimestamp ?? -1) >= 0;
    nextMs = hasTimestamp ? segment.newestMs : Math.min(segment.newestMs, nextMs);
    segments[index] = { ...segment, newestMs: nextMs };
  }
  return segments;
}

/** Without timestamps the time of the last write counts; the file system knows it, across restarts too. */
async function retained(log: LogParts, segment: Segment): Promise<RetainedSegment> {
  const { path, sizeBytes, maxTimestamp, endOffset } = segment;
  const newestMs =
    maxTimestamp >= 0 ? maxTimestamp : (await log.runtime.fileSystem.status(path)).modifiedMs;
  return { sizeBytes, newestMs, endOffset };
}

/** The log begins at `startOffset` from now on; segments that lie wholly before it are removed. */
export async function trimFront(log: LogParts, startOffset: number): Promise<number> {
  log.marks.startMoved(startOffset);
  await log.services.storeOffsets();
  if (log.epochs.truncateFromStart(startOffset)) {
    log.areEpochsDirty = true;
    await storeEpochs(log);
  }
  const isBefore = (segment: Segment): boolean =>
    segment !== activeSegment(log) && segment.endOffset <= startOffset;
  let bytes = 0;
  for (const segment of log.segments.filter(isBefore)) {
    const before = log.segments;
    log.segments = before.filter((other) => other !== segment);
    try {
      await retire(log, segment);
    } catch (error) {
      // It is still there (no file handles left, say): the next round tries again.
      log.segments = before;
      throw error;
    }
    bytes += segment.sizeBytes;
  }
  return bytes;
}

/**
 * Cuts everything from the batch that contains `offset` on; nothing may be pending. The lowered recovery point is
 * stored first: a log that is shorter than its recovery point would count as damaged.
 */
export async function trimBack(log: LogParts, offset: number): Promise<void> {
  await leaveJournal(log);
  const segment = segmentAt(log, offset);
  const indexes = await indexPrefix(log, segment, offset);
  const end = Math.max(indexes.endOffset, segment.baseOffset);
  await dropBegunSegment(log);
  forgetBehind(log, end);
  await log.services.storeOffsets();
  const { fileSystem, compute } = log.runtime;
  const removed = log.segments.slice(log.segments.indexOf(segment) + 1);
  log.segments = log.segments.slice(0, log.segments.indexOf(segment) + 1);
  await retireNewestFirst(log, removed);
  await segment.replaceIndexes(indexes);
  // The stored indexes describe batches that will be no more.
  const stateName = segmentFileName(segment.baseOffset, INDEX_STATE_SUFFIX);
  await removeIfPresent(fileSystem, `${log.directory}/${stateName}`);
  await fileSystem.syncDirectory(log.directory);
  // Inside, so that nobody closes the file of a sealed segment that has come to rest.
  await segment.reading(async (file) => {
    await file.truncate(indexes.logBytes);
    await file.sync();
  });
  log.marks.syncedTo(end);
  await indexes.store({ sync: true });
  await fileSystem.syncDirectory(log.directory);
  if (log.epochs.truncateFromEnd(end)) {
    log.areEpochsDirty = true;
    await storeEpochs(log);
  }
  const place = { fileSystem, compute, directory: log.directory };
  await removeSnapshotsBeyond(place, end);
  await replayProducers(log, end);
}

/**
 * The log is empty and begins at `offset` from now on; nothing may be pending. First it becomes an empty log where it
 * begins, which is not where its first file does: what was deleted must not be back after a crash on the way. Then, while
 * it has no file at all, its start moves: without a file any start is a whole, empty log.
 */
export async function startAgainAt(log: LogParts, offset: number): Promise<void> {
  const { fileSystem, compute } = log.runtime;
  await leaveJournal(log);
  await dropBegunSegment(log);
  const [first, ...later] = log.segments as [Segment, ...Segment[]];
  // The log start may lie within a batch.
  forgetBehind(log, log.marks.start, first.baseOffset);
  await log.services.storeOffsets();
  log.segments = [first];
  await retireNewestFirst(log, [first, ...later]);
  // What a producer had sent by then says nothing about what it has sent by `offset`.
  await removeSnapshotsBeyond({ fileSystem, compute, directory: log.directory }, NOTHING);
  log.producers.restore([]);
  log.areEpochsDirty = log.epochs.clear() || log.areEpochsDirty;
  await storeEpochs(log);
  log.marks.startedAgain(offset);
  await log.services.storeOffsets();
  log.segments = [await Segment.create(segmentPlace(log, offset))];
  await fileSystem.syncDirectory(log.directory);
  log.marks.syncedTo(offset);
  await removeQuarantine(fileSystem, log.directory);
  log.damage = undefined;
}

/** The empty file of a segment that was begun in vain would lie beyond the new end. */
async function dropBegunSegment(log: LogParts): Promise<void> {
  if (log.mustRoll) {
    const name = segmentFileName(activeSegment(log).endOffset, LOG_SUFFIX);
    await removeIfPresent(log.runtime.fileSystem, `${log.directory}/${name}`);
    await log.runtime.fileSystem.syncDirectory(log.directory);
    log.mustRoll = false;
  }
}

function forgetBehind(log: LogParts, end: number, landed = end): void {
  log.truncations++;
  log.tail.clear();
  log.marks.truncated(end, landed);
  // What comes in its place is not clean: a tombstone would go before what it deletes.
  log.compaction.cleanedTo = Math.min(log.compaction.cleanedTo, end);
}

/** Each durably: what a crash leaves has no gap. */
async function retireNewestFirst(log: LogParts, segments: readonly Segment[]): Promise<void> {
  for (const segment of segments.toReversed()) {
    await retire(log, segment);
    await log.runtime.fileSystem.syncDirectory(log.directory);
  }
}

/** The indexes of the segment as it will be when it ends before the batch that contains `offset`. */
async function indexPrefix(
  log: LogParts,
  segment: Segment,
  offset: number,
): Promise<SegmentIndexes> {
  const indexes = new SegmentIndexes(segmentPlace(log, segment.baseOffset));
  await segment.reading((file) =>
    scanBatches({
      file,
      from: 0,
      to: segment.sizeBytes,
      sequence: new BatchSequence(segment.baseOffset),
      visit: ({ header }) => {
        if (header.lastOffset >= offset) {
          return false;
        }
        indexes.add(header, log.config.indexIntervalBytes);
        return undefined;
      },
    }),
  );
  return indexes;
}

async function retire(log: LogParts, segment: Segment): Promise<void> {
  await segment.retire();
  log.services.removeLater(segment, log.config.fileDeleteDelayMs);
  const name = segmentFileName(segment.baseOffset, LOG_SUFFIX);
  log.runtime.logger.debug({ directory: log.directory, segment: name }, "segment removed");
}
