// Opening one segment after a stop of any kind. A sealed segment is taken at its index state's word, or its headers
// are walked. The active one is trusted up to the recovery point; what lies beyond is verified batch by batch, written
// again and synced before it counts: after a failed sync the page cache shows bytes that the disk does not have.

import { isMillraceError, RECORD_BATCH_HEADER_BYTES, readBatchHeader } from "@millrace/protocol";
import type { FileHandle } from "@millrace/runtime";
import { scanBatches } from "./batch-scanner.js";
import { BatchSequence } from "./core/batch-sequence.js";
import type { LeaderEpochs } from "./core/leader-epochs.js";
import { LOG_SUFFIX, segmentFileName } from "./core/segment-name.js";
import { CHUNK_BYTES, readFully, writeFully } from "./files.js";
import { Segment } from "./segment.js";
import { type IndexPlace, readIndexState, SegmentIndexes } from "./segment-indexes.js";
import { runsBehind, runsBehindBadBatch, type UndamagedRun, undamagedRuns } from "./torn-tail.js";

export interface SealedRecovery {
  readonly segment: Segment;
  /** Why the segment is not whole; undefined when it is. */
  readonly damage: string | undefined;
}

export interface SealedRecoveryOptions {
  /** The next segment's base offset: where this one must end. */
  readonly endOffset: number;
  /** What the checkpoint file says; undefined when it is lost. */
  readonly epochs: LeaderEpochs | undefined;
  readonly indexIntervalBytes: number;
}

export async function recoverSealed(
  place: IndexPlace,
  options: SealedRecoveryOptions,
): Promise<SealedRecovery> {
  const path = `${place.directory}/${segmentFileName(place.baseOffset, LOG_SUFFIX)}`;
  const { size } = await place.fileSystem.status(path);
  const state = await readIndexState(place);
  if (state?.logBytes === size && state.endOffset === options.endOffset) {
    return { segment: new Segment({ ...place, summary: state }), damage: undefined };
  }
  const indexes = new SegmentIndexes(place);
  const file = await place.fileSystem.open(path, "read");
  try {
    const end = await scanBatches({
      file,
      from: 0,
      to: size,
      sequence: new BatchSequence(place.baseOffset, options.epochs),
      visit: ({ header }) => {
        indexes.add(header, options.indexIntervalBytes);
        return undefined;
      },
    });
    indexes.finish();
    const isWhole = end.problem === undefined && indexes.endOffset === options.endOffset;
    if (isWhole) {
      await indexes.storeOrForget();
    }
    const damage = isWhole
      ? undefined
      : `${path}: the batch at byte ${end.position} is damaged: ${end.problem ?? `records up to ${options.endOffset} are missing`}`;
    const summary = {
      logBytes: size,
      endOffset: options.endOffset,
      maxTimestamp: indexes.maxTimestamp,
      maxTimestampOffset: indexes.maxTimestampOffset,
      firstTimestamp: indexes.firstTimestamp,
    };
    const runs = isWhole
      ? undefined
      : await undamagedRuns({ ...place, file, size, epochs: options.epochs });
    return { segment: new Segment({ ...place, summary, runs }), damage };
  } finally {
    await file.close();
  }
}

export interface ActiveRecovery {
  readonly segment: Segment;
  readonly verifiedBytes: number;
  readonly cutBytes: number;
  readonly cutReason: string | undefined;
  readonly damage: string | undefined;
}

export interface ActiveRecoveryOptions {
  /** Everything before it was on the disk once. */
  readonly recoveryPoint: number;
  /** What the checkpoint file says; undefined when it is lost. */
  readonly epochs: LeaderEpochs | undefined;
  readonly indexIntervalBytes: number;
  /** Damage of the log was found before: nothing is cut, for what looks like a torn tail may be that damage. */
  readonly isQuarantined: boolean;
  /** After a clean stop. A size that is set again counts as a write, by which retention tells a file's age. */
  readonly isSizeDurable: boolean;
}

export async function recoverActive(
  place: IndexPlace,
  options: ActiveRecoveryOptions,
): Promise<ActiveRecovery> {
  const path = `${place.directory}/${segmentFileName(place.baseOffset, LOG_SUFFIX)}`;
  const { isSizeDurable } = options;
  const { size } = await place.fileSystem.status(path);
  const file = await place.fileSystem.open(path, "readWrite");
  try {
    const trusted = await walkTrusted({ place, file, size, options });
    const { indexes } = trusted;
    if (trusted.damage !== undefined) {
      // What is behind the damage may have been acknowledged: it stays part of the log, and can be read.
      const position = indexes.logBytes;
      const { epochs } = options;
      const runs = await undamagedRuns({ ...place, file, size, epochs });
      await writeAgain(file, { from: position, to: size, size, isSizeDurable });
      const damage = `${path}: ${trusted.damage}`;
      const segment = damagedSegment(place, { indexes, size, runs });
      return { segment, damage, verifiedBytes: 0, cutBytes: 0, cutReason: undefined };
    }
    const from = indexes.logBytes;
    const end = await scanBatches({
      file,
      from,
      to: size,
      verifyCrc: place.compute,
      sequence: new BatchSequence(indexes.endOffset, options.epochs),
      visit: ({ header }) => {
        indexes.add(header, options.indexIntervalBytes);
        return undefined;
      },
    });
    const { epochs } = options;
    const { problem } = end;
    const { isQuarantined } = options;
    const bad = { file, size, indexes, problem, epochs, isQuarantined };
    const behind = await behindDamage(place, bad);
    const to = behind === undefined ? end.position : size;
    await writeAgain(file, { from, to, size, isSizeDurable });
    const stored = await readIndexState(place);
    if (stored !== undefined && stored.logBytes !== indexes.logBytes) {
      // It may describe batches that are gone, and must not be believed when others take their place.
      await indexes.storeOrForget();
    }
    const runs = [runOf(indexes), ...(behind ?? [])];
    return {
      segment:
        behind === undefined
          ? new Segment({ ...place, summary: indexes, indexes })
          : damagedSegment(place, { indexes, size, runs }),
      damage:
        behind === undefined
          ? undefined
          : `${path}: the batch at byte ${end.position} is damaged: ${end.problem}${following(behind)}`,
      verifiedBytes: end.position - from,
      cutBytes: size - to,
      cutReason: behind === undefined ? end.problem : undefined,
    };
  } finally {
    await file.close();
  }
}

function following(runs: readonly UndamagedRun[]): string {
  const last = runs.at(-1);
  return last === undefined ? "" : `; undamaged batches up to offset ${last.endOffset} follow it`;
}

/**
 * Past the recovery point a bad batch is a torn tail unless batches follow it that may have been acknowledged, or the log
 * is quarantined: then nothing is cut, and the result is what follows.
 */
async function behindDamage(
  { compute }: IndexPlace,
  scanned: {
    readonly file: FileHandle;
    readonly size: number;
    readonly indexes: SegmentIndexes;
    readonly problem: string | undefined;
    readonly epochs: LeaderEpochs | undefined;
    readonly isQuarantined: boolean;
  },
): Promise<readonly UndamagedRun[] | undefined> {
  const { file, size, indexes, problem, epochs, isQuarantined } = scanned;
  if (problem === undefined) {
    return undefined;
  }
  const { logBytes: position, endOffset: expectedOffset } = indexes;
  const bad = { file, compute, position, size, expectedOffset, epochs };
  return isQuarantined ? await runsBehind(bad) : await runsBehindBadBatch(bad);
}

function runOf(indexes: SegmentIndexes): UndamagedRun {
  const { baseOffset, endOffset, logBytes } = indexes;
  return { from: 0, to: logBytes, baseOffset, endOffset };
}

function damagedSegment(
  place: IndexPlace,
  damaged: {
    readonly indexes: SegmentIndexes;
    readonly size: number;
    readonly runs: readonly UndamagedRun[];
  },
): Segment {
  const { indexes, size, runs } = damaged;
  const { maxTimestamp, maxTimestampOffset, firstTimestamp } = indexes;
  const endOffset = runs.at(-1)?.endOffset ?? indexes.endOffset;
  const summary = { logBytes: size, endOffset, maxTimestamp, maxTimestampOffset, firstTimestamp };
  return new Segment({ ...place, summary, indexes, runs });
}

interface TrustedWalk {
  readonly place: IndexPlace;
  readonly file: FileHandle;
  readonly size: number;
  readonly options: ActiveRecoveryOptions;
}

interface TrustedPart {
  /** Of everything before the recovery point; with damage, of everything before that. */
  readonly indexes: SegmentIndexes;
  readonly damage: string | undefined;
}

/** Finds the recovery point in the file: from the stored indexes if they lead there, else from the beginning. */
async function walkTrusted(walk: TrustedWalk): Promise<TrustedPart> {
  const stored = await loadRewound(walk);
  if (stored !== undefined) {
    const fromStored = await walkToRecoveryPoint(walk, stored);
    if (fromStored.damage === undefined) {
      return fromStored;
    }
  }
  return await walkToRecoveryPoint(walk, new SegmentIndexes(walk.place));
}

async function loadRewound(walk: TrustedWalk): Promise<SegmentIndexes | undefined> {
  const { place, file, size, options } = walk;
  const indexes = await SegmentIndexes.load(place);
  if (indexes === undefined) {
    return undefined;
  }
  if (indexes.endOffset <= options.recoveryPoint && indexes.logBytes <= size) {
    return indexes;
  }
  const entry = indexes.rewindBefore(options.recoveryPoint);
  const bytes = entry && (await readFully(file, entry.position, RECORD_BATCH_HEADER_BYTES));
  if (entry === undefined || bytes === undefined) {
    return undefined;
  }
  try {
    const header = readBatchHeader(bytes);
    indexes.resumeAt(header.baseOffset);
    return header.lastOffset === entry.lastOffset ? indexes : undefined;
  } catch (error) {
    if (isMillraceError(error)) {
      return undefined;
    }
    throw error;
  }
}

/** @param badAt where a batch lies that is known to be damaged */
async function walkToRecoveryPoint(
  walk: TrustedWalk,
  indexes: SegmentIndexes,
  badAt?: number,
): Promise<TrustedPart> {
  const { recoveryPoint, indexIntervalBytes, epochs } = walk.options;
  if (indexes.endOffset >= recoveryPoint) {
    return { indexes, damage: undefined };
  }
  let last = indexes.logBytes;
  const end = await scanBatches({
    file: walk.file,
    from: indexes.logBytes,
    to: walk.size,
    sequence: new BatchSequence(indexes.endOffset, epochs),
    visit: ({ header, position }) => {
      if (header.baseOffset >= recoveryPoint || position === badAt) {
        return false;
      }
      last = position;
      indexes.add(header, indexIntervalBytes);
      return undefined;
    },
  });
  if (indexes.endOffset === recoveryPoint) {
    // A batch's size is confirmed by its successor; the last one's has only its CRC.
    return (await isGenuine(walk, { from: last, to: indexes.logBytes }))
      ? { indexes, damage: undefined }
      : await walkToRecoveryPoint(walk, new SegmentIndexes(walk.place), last);
  }
  const problem =
    end.problem ??
    (badAt === undefined
      ? `records up to ${recoveryPoint} are missing`
      : "it does not have the CRC it claims");
  return { indexes, damage: `the batch at byte ${end.position} is damaged: ${problem}` };
}

async function isGenuine(
  { file, place }: TrustedWalk,
  batch: { readonly from: number; readonly to: number },
): Promise<boolean> {
  const { position } = await scanBatches({
    file,
    ...batch,
    verifyCrc: place.compute,
    visit: () => undefined,
  });
  return position === batch.to;
}

interface AgainRange {
  readonly from: number;
  readonly to: number;
  readonly size: number;
  readonly isSizeDurable: boolean;
}

/**
 * Cuts the file at `to`, and writes and syncs what lies between `from` and there. It is cut even if it ends there already:
 * after a truncation whose sync failed the page cache shows a size that the disk does not have, and what was cut must not
 * come back.
 */
async function writeAgain(file: FileHandle, range: AgainRange): Promise<void> {
  const { from, to, size, isSizeDurable } = range;
  if (to < size || !isSizeDurable) {
    await file.truncate(to);
  }
  for (let position = from; position < to; position += CHUNK_BYTES) {
    const bytes = await readFully(file, position, Math.min(CHUNK_BYTES, to - position));
    if (bytes === undefined) {
      throw new Error(`${file.path}: the file shrank while it was recovered`);
    }
    await writeFully(file, [bytes], position);
  }
  await file.sync();
}
