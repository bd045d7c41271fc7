// How a cleaned segment becomes part of its log. `.cleaned` is renamed to `.swap`: once that name is durable the swap is
// a fact, which a start finishes. Then the segments it covers are retired, durably, and `.swap` loses its suffix,
// durably. At every point it can be told whether the old segments are the log or the new one is.

import type { FileSystem } from "@millrace/runtime";
import { scanBatches } from "./batch-scanner.js";
import type { CleanedSegment } from "./cleaned-segment.js";
import { BatchSequence } from "./core/batch-sequence.js";
import {
  CLEANED_SUFFIX,
  LOG_SUFFIX,
  parseSegmentFileName,
  SWAP_SUFFIX,
  segmentFileName,
} from "./core/segment-name.js";
import { isFileError, removeIfPresent } from "./files.js";
import { activeSegment, type LogParts, segmentPlace } from "./log-parts.js";
import { SEGMENT_SUFFIXES, Segment } from "./segment.js";
import type { IndexPlace } from "./segment-indexes.js";

/** A step that finds no space or no file handle is tried again for about ten seconds. */
const ATTEMPTS_MAX = 100;
const ATTEMPT_INTERVAL_MS = 100;

const SWAP_FILE_SUFFIX = LOG_SUFFIX + SWAP_SUFFIX;
const CLEANED_FILE_SUFFIX = LOG_SUFFIX + CLEANED_SUFFIX;

/**
 * Puts `cleaned` in the place of `replaced`, segments of the log one after the other. Runs while nothing else changes
 * the log's files. What is thrown once the swap is a fact is final.
 */
export async function swapSegments(
  log: LogParts,
  replaced: readonly Segment[],
  cleaned: CleanedSegment,
): Promise<void> {
  const { fileSystem } = log.runtime;
  const { directory } = log;
  const [first] = replaced as readonly [Segment, ...Segment[]];
  const path = `${directory}/${segmentFileName(first.baseOffset, LOG_SUFFIX)}`;
  // Its index files get the names that the new segment's have.
  await first.leaveIndexFiles();
  const syncDirectory = (): Promise<void> => {
    return patiently(log, () => fileSystem.syncDirectory(directory));
  };
  await patiently(log, () => fileSystem.rename(cleaned.path, path + SWAP_SUFFIX));
  await syncDirectory();
  for (const segment of replaced) {
    await patiently(log, () => segment.retire());
  }
  await syncDirectory();
  await patiently(log, () => fileSystem.rename(path + SWAP_SUFFIX, path));
  await syncDirectory();
  const place = segmentPlace(log, first.baseOffset);
  const segment = new Segment({ ...place, summary: cleaned.indexes });
  log.segments = log.segments.flatMap((other) => {
    return other === first ? [segment] : replaced.includes(other) ? [] : [other];
  });
  for (const old of replaced) {
    log.services.removeLater(old, log.config.fileDeleteDelayMs);
  }
  // Readers of the tail see what readers of the file see.
  log.tail.dropThrough(segment.endOffset - 1);
  await cleaned.indexes.storeOrForget();
}

/** Tries a step again while file handles or space are short: half a swap cannot be taken back. */
async function patiently(log: LogParts, step: () => Promise<void>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await step();
      return;
    } catch (error) {
      const isShort =
        isFileError(error, "TOO_MANY_OPEN_FILES") || isFileError(error, "STORAGE_FULL");
      if (!isShort || attempt === ATTEMPTS_MAX) {
        throw error;
      }
      await log.runtime.clock.sleep(ATTEMPT_INTERVAL_MS);
    }
  }
}

/** Whether the segments (none, perhaps) are still sealed parts of the log, side by side. */
export function areCurrent(log: LogParts, segments: readonly Segment[]): boolean {
  const [first] = segments;
  const at = first === undefined ? 0 : log.segments.indexOf(first);
  return (
    at >= 0 &&
    segments.every((segment, index) => log.segments[at + index] === segment) &&
    !segments.includes(activeSegment(log))
  );
}

/**
 * At a start: finishes swaps that a stop interrupted after they were a fact, and removes what cleanings left
 * unfinished before. Durable when it resolves; may be repeated when it did not.
 */
export async function finishSwaps(place: Omit<IndexPlace, "baseOffset">): Promise<void> {
  const { fileSystem, directory } = place;
  const names = await fileSystem.readDirectory(directory);
  const swaps: number[] = [];
  for (const { name } of names) {
    const parsed = parseSegmentFileName(name);
    if (parsed?.suffix === CLEANED_FILE_SUFFIX) {
      await removeIfPresent(fileSystem, `${directory}/${name}`);
    } else if (parsed?.suffix === SWAP_FILE_SUFFIX) {
      swaps.push(parsed.baseOffset);
    }
  }
  for (const baseOffset of swaps) {
    await finishSwap({ ...place, baseOffset });
  }
}

async function finishSwap(place: IndexPlace): Promise<void> {
  const { fileSystem, directory, baseOffset } = place;
  const path = `${directory}/${segmentFileName(baseOffset, LOG_SUFFIX)}`;
  const endOffset = await endOf(place, path + SWAP_SUFFIX);
  const bases = await logBases(fileSystem, directory);
  if (endOffset === undefined && bases.includes(baseOffset)) {
    // Damaged, and the segments it was to replace are still there.
    await removeIfPresent(fileSystem, path + SWAP_SUFFIX);
    await fileSystem.syncDirectory(directory);
    return;
  }
  for (const covered of bases) {
    if (covered >= baseOffset && covered < (endOffset ?? baseOffset + 1)) {
      await removeSegment(fileSystem, directory, covered);
    }
  }
  // Also the hints of segments whose batches went before theirs.
  await removeSegment(fileSystem, directory, baseOffset);
  await fileSystem.syncDirectory(directory);
  await fileSystem.rename(path + SWAP_SUFFIX, path);
  await fileSystem.syncDirectory(directory);
}

/** Where the segment file ends, exclusive; undefined when it is damaged. */
async function endOf(place: IndexPlace, path: string): Promise<number | undefined> {
  const file = await place.fileSystem.open(path, "read");
  try {
    const sequence = new BatchSequence(place.baseOffset);
    const { problem } = await scanBatches({
      file,
      from: 0,
      to: await file.size(),
      verifyCrc: place.compute,
      sequence,
      visit: () => undefined,
    });
    return problem === undefined ? sequence.nextOffset : undefined;
  } finally {
    await file.close();
  }
}

async function logBases(fileSystem: FileSystem, directory: string): Promise<number[]> {
  const entries = await fileSystem.readDirectory(directory);
  return entries.flatMap(({ name }) => {
    const parsed = parseSegmentFileName(name);
    return parsed?.suffix === LOG_SUFFIX ? [parsed.baseOffset] : [];
  });
}

async function removeSegment(
  fileSystem: FileSystem,
  directory: string,
  baseOffset: number,
): Promise<void> {
  for (const suffix of SEGMENT_SUFFIXES) {
    await removeIfPresent(fileSystem, `${directory}/${segmentFileName(baseOffset, suffix)}`);
  }
}
