// Opening one log: its segments (segment-recovery.ts), epochs, marks and producers. Decides what is a torn tail (cut),
// what is damage (quarantine), and finishes what a crash interrupted.

import { storeEpochs } from "./commit-round.js";
import { finishSwaps } from "./compaction-swap.js";
import { LeaderEpochs } from "./core/leader-epochs.js";
import { OffsetMarks } from "./core/offset-marks.js";
import type { ProducerState } from "./core/producer-state.js";
import {
  DELETED_SUFFIX,
  EPOCH_CHECKPOINT_FILE,
  LOG_SUFFIX,
  parseSegmentFileName,
  TEMPORARY_SUFFIX,
} from "./core/segment-name.js";
import { decodeEpochCheckpoint } from "./core/text-checkpoints.js";
import { mapDamaged, rebuildEpochs } from "./epoch-rebuild.js";
import { isFileError, readTextIfPresent, removeIfPresent } from "./files.js";
import type { LogConfig } from "./log-config.js";
import { type LogParts, type LogServices, segmentPlace } from "./log-parts.js";
import type { LogId, RecoveryReport } from "./log-types.js";
import { replayProducers } from "./producer-replay.js";
import { removeSnapshotsBeyond } from "./producer-snapshots.js";
import { readQuarantine, storeQuarantine } from "./quarantine-marker.js";
import { Segment } from "./segment.js";
import { type ActiveRecovery, recoverActive, recoverSealed } from "./segment-recovery.js";
import type { StorageConfig, StorageRuntime } from "./storage-config.js";
import { LogTail, type TailCache } from "./tail-cache.js";

export interface LogEnvironment {
  readonly runtime: StorageRuntime;
  readonly storage: StorageConfig;
  readonly services: LogServices;
  readonly tailCache: TailCache;
  readonly createProducerState: () => ProducerState;
}

export interface RecoverLogOptions {
  readonly environment: LogEnvironment;
  readonly id: LogId;
  readonly directory: string;
  readonly config: LogConfig;
  /** From the checkpoint; 0 when it has none. */
  readonly recoveryPoint: number;
  /** From the checkpoint; undefined when that is lost, so that nothing can be concluded from it. */
  readonly logStartOffset: number | undefined;
  /** From the cleaner's checkpoint; 0 when it has none. */
  readonly cleanedTo: number;
  /** The directory was left in order: its names are on the disk. */
  readonly areNamesDurable: boolean;
}

export interface RecoveredLog {
  readonly parts: LogParts;
  readonly report: RecoveryReport;
}

interface RecoveredSegments {
  readonly segments: Segment[];
  readonly active: Omit<ActiveRecovery, "segment">;
  readonly damage: string | undefined;
}

export async function recoverLog(options: RecoverLogOptions): Promise<RecoveredLog> {
  const { environment, id, directory } = options;
  const { fileSystem, compute } = environment.runtime;
  await finishSwaps({ fileSystem, compute, directory });
  const storedEpochs = await loadEpochs(options);
  const bases = await findSegments(options, storedEpochs);
  const place = { fileSystem, compute, directory };
  // Before anything is judged by them.
  const lost = storedEpochs === undefined ? await rebuildEpochs({ ...place, bases }) : undefined;
  const marked = await readQuarantine(fileSystem, directory);
  const epochs = storedEpochs ?? lost?.epochs;
  const found = await recoverSegments({ ...options, bases, epochs, marked });
  const { active, segments } = found;
  if (!options.areNamesDurable) {
    // A process that was killed may have left a segment's file whose name no power cut would spare.
    await fileSystem.syncDirectory(directory);
  }
  const end = segments.at(-1)?.endOffset ?? 0;
  const start = Math.max(knownStart(options, storedEpochs), segments[0]?.baseOffset ?? 0);
  // The epochs begin at the log start; when all records were deleted, none is left. Records before that are back because the
  // log start is lost, or an earlier start has stored what it made of that, or a truncation to below it was interrupted: they
  // have theirs.
  const firstKnown = storedEpochs?.entries[0]?.startOffset ?? Number.POSITIVE_INFINITY;
  const areForgotten = storedEpochs !== undefined && start < Math.min(firstKnown, end);
  const rebuilt = areForgotten ? await rebuildEpochs({ ...place, bases }) : lost;
  const foundLate = rebuilt && (await mapDamaged(segments, rebuilt, compute));
  const damage = await durableDamage({ ...options, marked }, found.damage ?? foundLate);
  // A damaged log ends where it once was known to end, so that nobody reads less without noticing.
  const knownEnd = Math.max(end, options.recoveryPoint);
  const logEnd = damage === undefined ? end : knownEnd;
  const parts: LogParts = {
    id,
    directory,
    runtime: environment.runtime,
    storage: environment.storage,
    services: environment.services,
    config: options.config,
    marks: new OffsetMarks(Math.min(start, logEnd), logEnd),
    segments,
    epochs: rebuilt?.epochs ?? epochs ?? new LeaderEpochs(),
    areEpochsDirty: rebuilt !== undefined,
    producers: environment.createProducerState(),
    mayUseReserveTo: 0,
    bytesSinceSnapshot: 0,
    tail: new LogTail(environment.tailCache),
    mustRoll: false,
    truncations: 0,
    isOffline: false,
    isTruncating: false,
    damage,
    compaction: {
      cleanedTo: options.cleanedTo > logEnd ? 0 : options.cleanedTo,
      nextHorizonMs: undefined,
      problem: undefined,
    },
  };
  if (damage === undefined) {
    fitEpochs(parts, options.logStartOffset === undefined ? undefined : start, end);
    await removeSnapshotsBeyond({ fileSystem, compute, directory }, end);
  }
  await storeFoundEpochs(parts);
  await replayProducers(parts, logEnd);
  const { verifiedBytes, cutBytes, cutReason } = active;
  const report = { ...id, verifiedBytes, cutBytes, cutReason, damage };
  return { parts, report };
}

/**
 * Those of what the log holds, as Kafka's log does when it opens: a crash may have come between its bounds and them. An empty
 * log has none, or it would refuse older ones from its next leader. `start`: undefined when the epochs themselves say it.
 */
function fitEpochs(log: LogParts, start: number | undefined, end: number): void {
  const before = start !== undefined && log.epochs.truncateFromStart(start);
  const behind = log.epochs.truncateFromEnd(end);
  log.areEpochsDirty ||= before || behind;
}

/** They say where the log begins should that be lost, so they do not wait for the next append; unless the disk is full. */
async function storeFoundEpochs(parts: LogParts): Promise<void> {
  try {
    await storeEpochs(parts);
  } catch (error) {
    if (!isFileError(error, "STORAGE_FULL") && !isFileError(error, "TOO_MANY_OPEN_FILES")) {
      throw error;
    }
    parts.runtime.logger.warn({ directory: parts.directory, error }, "leader epochs not stored");
  }
}

/**
 * Why the log is quarantined, by what this start `found` or an earlier word. What is found now is written down before
 * this start stores new recovery points: how much was on the disk once is known from those alone, and without that file
 * the next start might take the damage for a torn tail, and cut it.
 */
async function durableDamage(
  { environment, directory, marked }: RecoverLogOptions & Marked,
  found: string | undefined,
): Promise<string | undefined> {
  const { fileSystem, logger } = environment.runtime;
  if (found === undefined || marked !== undefined) {
    return found ?? marked;
  }
  try {
    const { withReserve } = environment.services;
    await withReserve(() => storeQuarantine(fileSystem, directory, found));
  } catch (error) {
    if (!isFileError(error, "STORAGE_FULL")) {
      throw error;
    }
    logger.error({ directory, error }, "the next start must find the damage again");
  }
  return found;
}

/** The first epoch's entry moves with the log start: where the checkpoint is lost, it says what was deleted. */
function knownStart(
  { logStartOffset }: RecoverLogOptions,
  epochs: LeaderEpochs | undefined,
): number {
  return logStartOffset ?? epochs?.entries[0]?.startOffset ?? 0;
}

/** Base offsets in order. Leftovers of interrupted steps and segments wholly before the log start are removed. */
async function findSegments(
  options: RecoverLogOptions,
  epochs: LeaderEpochs | undefined,
): Promise<number[]> {
  const { fileSystem } = options.environment.runtime;
  const bases: number[] = [];
  for (const { name } of await fileSystem.readDirectory(options.directory)) {
    if (name.endsWith(DELETED_SUFFIX) || name.endsWith(TEMPORARY_SUFFIX)) {
      await removeIfPresent(fileSystem, `${options.directory}/${name}`);
      continue;
    }
    const parsed = parseSegmentFileName(name);
    if (parsed?.suffix === LOG_SUFFIX) {
      bases.push(parsed.baseOffset);
    }
  }
  bases.sort((left, right) => left - right);
  const start = knownStart(options, epochs);
  const isBeforeStart = (index: number): boolean => (bases[index + 1] ?? Infinity) <= start;
  for (const [index, base] of bases.entries()) {
    if (isBeforeStart(index)) {
      const summary = {
        logBytes: 0,
        endOffset: base,
        maxTimestamp: -1,
        maxTimestampOffset: -1,
        firstTimestamp: -1,
      };
      const place = segmentPlace(partsPlace(options), base);
      const segment = new Segment({ ...place, summary });
      await segment.retire();
      await segment.remove();
    }
  }
  return bases.filter((_, index) => !isBeforeStart(index));
}

/** What an earlier start, or a read, has written down. */
interface Marked {
  readonly marked: string | undefined;
}

interface SegmentsOptions extends RecoverLogOptions, Marked {
  readonly bases: readonly number[];
  readonly epochs: LeaderEpochs | undefined;
}

async function recoverSegments(options: SegmentsOptions): Promise<RecoveredSegments> {
  const { bases, epochs } = options;
  const place = (base: number) => segmentPlace(partsPlace(options), base);
  const { indexIntervalBytes } = options.config;
  const segments: Segment[] = [];
  let damage = missingStart(options, bases);
  for (const [index, base] of bases.slice(0, -1).entries()) {
    const endOffset = bases[index + 1] ?? 0;
    const sealed = await recoverSealed(place(base), { endOffset, epochs, indexIntervalBytes });
    segments.push(sealed.segment);
    damage ??= sealed.damage;
  }
  const last = bases.at(-1);
  if (last === undefined) {
    await durableDamage(options, damage);
    segments.push(await createFirst(options));
    return { segments, active: untouched, damage };
  }
  // Every segment but the last was synced before its successor was created.
  const recoveryPoint = Math.max(options.recoveryPoint, last);
  const active = await recoverActive(place(last), {
    recoveryPoint,
    epochs,
    indexIntervalBytes,
    isQuarantined: options.marked !== undefined,
    isSizeDurable: options.areNamesDurable,
  });
  damage ??= active.damage;
  const isBehindStart = active.segment.endOffset < (options.logStartOffset ?? 0);
  if (damage === undefined && isBehindStart) {
    // With flush=os a power cut may take records back that were deleted before: nothing of the log is left. What its files
    // hold would look damaged as soon as nobody knew the log start.
    for (const segment of [...segments, active.segment]) {
      await segment.retire();
      await segment.remove();
    }
    return { segments: [await createFirst(options)], active, damage };
  }
  segments.push(active.segment);
  return { segments, active, damage };
}

const untouched = { verifiedBytes: 0, cutBytes: 0, cutReason: undefined, damage: undefined };

/** Segments are removed only after the new log start was stored: one that lies beyond it means that some are lost. */
function missingStart(options: RecoverLogOptions, bases: readonly number[]): string | undefined {
  const [first] = bases;
  const { logStartOffset, recoveryPoint, directory } = options;
  if (logStartOffset !== undefined && first !== undefined && first > logStartOffset) {
    return `${directory}: the segments from ${logStartOffset} to ${first} are missing`;
  }
  const isGone = first === undefined && recoveryPoint > (logStartOffset ?? 0);
  return isGone ? `${directory}: all segments up to ${recoveryPoint} are missing` : undefined;
}

async function createFirst(options: RecoverLogOptions): Promise<Segment> {
  const base = options.logStartOffset ?? 0;
  const segment = await Segment.create(segmentPlace(partsPlace(options), base));
  await options.environment.runtime.fileSystem.syncDirectory(options.directory);
  return segment;
}

async function loadEpochs(options: RecoverLogOptions): Promise<LeaderEpochs | undefined> {
  const { fileSystem } = options.environment.runtime;
  const text = await readTextIfPresent(fileSystem, `${options.directory}/${EPOCH_CHECKPOINT_FILE}`);
  const entries = text === undefined ? undefined : decodeEpochCheckpoint(text);
  return entries === undefined ? undefined : new LeaderEpochs(entries);
}

function partsPlace(options: RecoverLogOptions): Pick<LogParts, "runtime" | "directory"> {
  return { runtime: options.environment.runtime, directory: options.directory };
}
