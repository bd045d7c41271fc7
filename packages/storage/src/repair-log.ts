// `millrace log repair`: makes a damaged log whole again without what cannot be read. Damaged bytes are copied aside,
// and a batch without records takes the place of the offsets that were in them, so that all others stay what they are.
// The broker must be stopped. Each segment is replaced by one rename: a crash leaves the old one or the new one.

import type { FileHandle, FileSystem } from "@millrace/runtime";
import { finishSwaps } from "./compaction-swap.js";
import { INDEX_STATE_SUFFIX } from "./core/index-state.js";
import { LeaderEpochs } from "./core/leader-epochs.js";
import {
  EPOCH_CHECKPOINT_FILE,
  LOG_START_OFFSET_FILE,
  LOG_SUFFIX,
  OFFSET_INDEX_SUFFIX,
  RECOVERY_POINT_FILE,
  segmentFileName,
  TEMPORARY_SUFFIX,
  TIME_INDEX_SUFFIX,
} from "./core/segment-name.js";
import { decodeEpochCheckpoint, decodeOffsetCheckpoint } from "./core/text-checkpoints.js";
import type { SegmentView } from "./epoch-rebuild.js";
import { CHUNK_BYTES, readFully, readTextIfPresent, removeIfPresent, writeFully } from "./files.js";
import { JournalOverlay } from "./journal-overlay.js";
import { replayJournal } from "./journal-replay.js";
import { placeholderBatches } from "./placeholder-batch.js";
import { removeSnapshotsBeyond } from "./producer-snapshots.js";
import { readQuarantine, removeQuarantine } from "./quarantine-marker.js";
import { type DamagedRange, planRepair, type SegmentPlan } from "./repair-plan.js";
import type { StorageRuntime } from "./storage-config.js";

export interface RepairOptions {
  readonly runtime: Pick<StorageRuntime, "fileSystem" | "compute" | "clock" | "logger">;
  /** The data directory. */
  readonly path: string;
  readonly topic: string;
  readonly partition: number;
  /** False: nothing is written, what the commit journal holds counts, and a broker may run. True: the directory is locked while it is done. */
  readonly apply: boolean;
}

export interface RepairedRange {
  /** The segment's file name. */
  readonly segment: string;
  readonly position: number;
  readonly sizeBytes: number;
  readonly firstOffset: number;
  readonly lastOffset: number;
  readonly problem: string;
  /** The file that holds the damaged bytes now; undefined when there are none, and before `apply`. */
  readonly savedAs: string | undefined;
}

export interface RepairReport {
  readonly topic: string;
  readonly partition: number;
  readonly applied: boolean;
  /** Empty: no byte is damaged. */
  readonly ranges: readonly RepairedRange[];
  readonly lostOffsets: number;
  readonly savedBytes: number;
  /** Why the partition is quarantined (with `apply`: was), whatever is damaged now; undefined when it is not. */
  readonly quarantine: string | undefined;
}

/**
 * @throws FileError `LOCKED` when a broker uses the directory (with `apply`), `NOT_FOUND` when there is no such
 *   partition, and what reading and writing may throw; a repair that was interrupted can be repeated.
 */
export async function repairLog(options: RepairOptions): Promise<RepairReport> {
  const { apply, path, runtime } = options;
  if (!apply) {
    // As the files will be when the journal is replayed, which comes before a repair.
    const overlay = await JournalOverlay.open(runtime, path);
    try {
      const name = partitionName(options);
      return await repair(options, (base, file) => overlay.view(name, base, file));
    } finally {
      await overlay.close();
    }
  }
  // A missing partition is told before a lock is left in a directory that is none of ours.
  await runtime.fileSystem.status(`${path}/${partitionName(options)}`);
  const lock = await runtime.fileSystem.lockDirectory(path);
  try {
    // Or a later start would write what the journal holds into files that are no longer what they were.
    await replayJournal(runtime, path);
    return await repair(options);
  } finally {
    await lock.release();
  }
}

const partitionName = ({ partition, topic }: RepairOptions): string => `${topic}-${partition}`;

async function repair(options: RepairOptions, view?: SegmentView): Promise<RepairReport> {
  const { apply, partition, path, runtime, topic } = options;
  const { compute, fileSystem } = runtime;
  const name = partitionName(options);
  const directory = `${path}/${name}`;
  if (apply) {
    await finishSwaps({ fileSystem, compute, directory });
  }
  const quarantine = await readQuarantine(fileSystem, directory);
  const plans = await planRepair({
    fileSystem,
    compute,
    directory,
    recoveryPoint: (await checkpoint(fileSystem, `${path}/${RECOVERY_POINT_FILE}`, name)) ?? 0,
    logStartOffset: await checkpoint(fileSystem, `${path}/${LOG_START_OFFSET_FILE}`, name),
    epochs: await loadEpochs(fileSystem, directory),
    isQuarantined: quarantine !== undefined,
    view,
  });
  if (apply && (plans.length > 0 || quarantine !== undefined)) {
    // A start that could not read on from the damage stored what it knew: nothing of the producers behind it.
    const known = plans[0]?.ranges[0]?.firstOffset ?? 0;
    await removeSnapshotsBeyond({ fileSystem, compute, directory }, known);
  }
  const ranges: RepairedRange[] = [];
  const side = `${name}.${stamp(runtime.clock.nowMs())}-repair`;
  for (const plan of plans) {
    const saved = apply ? await saveRanges(options, plan, side) : [];
    if (apply) {
      await replaceSegment(options, plan);
    }
    ranges.push(...plan.ranges.map((range, index) => repaired(plan, range, saved[index])));
  }
  if (apply) {
    await removeQuarantine(fileSystem, directory);
  }
  return {
    topic,
    partition,
    applied: apply && (ranges.length > 0 || quarantine !== undefined),
    ranges,
    lostOffsets: ranges.reduce((sum, range) => sum + range.lastOffset + 1 - range.firstOffset, 0),
    savedBytes: ranges.reduce((sum, range) => sum + range.sizeBytes, 0),
    quarantine,
  };
}

function repaired(
  plan: SegmentPlan,
  range: DamagedRange,
  savedAs: string | undefined,
): RepairedRange {
  return {
    segment: segmentFileName(plan.baseOffset, LOG_SUFFIX),
    position: range.fromPosition,
    sizeBytes: range.toPosition - range.fromPosition,
    firstOffset: range.firstOffset,
    lastOffset: range.lastOffset,
    problem: range.problem,
    savedAs,
  };
}

/** Undefined when the file is lost or damaged, or does not know the partition. */
async function checkpoint(
  fileSystem: FileSystem,
  path: string,
  name: string,
): Promise<number | undefined> {
  const text = await readTextIfPresent(fileSystem, path);
  return text === undefined ? undefined : decodeOffsetCheckpoint(text)?.get(name);
}

async function loadEpochs(
  fileSystem: FileSystem,
  directory: string,
): Promise<LeaderEpochs | undefined> {
  const text = await readTextIfPresent(fileSystem, `${directory}/${EPOCH_CHECKPOINT_FILE}`);
  const entries = text === undefined ? undefined : decodeEpochCheckpoint(text);
  return entries === undefined ? undefined : new LeaderEpochs(entries);
}

/** `20261121T044500123Z`: legal in a file name, and with an ending that no partition's directory has. */
const stamp = (nowMs: number): string => new Date(nowMs).toISOString().replace(/[-:.]/g, "");

/**
 * Copies the damaged bytes to a directory of their own beside the partition's, durably.
 * @returns for each range its file, relative to the data directory
 */
async function saveRanges(
  options: RepairOptions,
  plan: SegmentPlan,
  side: string,
): Promise<readonly (string | undefined)[]> {
  const { path, runtime } = options;
  const { fileSystem } = runtime;
  const saved: (string | undefined)[] = [];
  for (const { fromPosition: from, toPosition: to } of plan.ranges) {
    if (from === to) {
      saved.push(undefined);
      continue;
    }
    await fileSystem.createDirectory(`${path}/${side}`);
    const segment = segmentFileName(plan.baseOffset, LOG_SUFFIX);
    const name = `${segment}.${from}-${to}`;
    const source = await fileSystem.open(`${path}/${partitionName(options)}/${segment}`, "read");
    const target = await fileSystem.open(`${path}/${side}/${name}`, "createNew");
    try {
      await copyBytes({ source, target, from, to, at: 0 });
      await target.sync();
    } finally {
      await source.close();
      await target.close();
    }
    await fileSystem.syncDirectory(`${path}/${side}`);
    await fileSystem.syncDirectory(path);
    saved.push(`${side}/${name}`);
  }
  return saved;
}

/** Writes the segment again, with placeholders where ranges are damaged, and puts it in the old one's place. */
async function replaceSegment(options: RepairOptions, plan: SegmentPlan): Promise<void> {
  const { fileSystem } = options.runtime;
  const directory = `${options.path}/${partitionName(options)}`;
  const path = `${directory}/${segmentFileName(plan.baseOffset, LOG_SUFFIX)}`;
  const temporary = path + TEMPORARY_SUFFIX;
  await removeIfPresent(fileSystem, temporary);
  const target = await fileSystem.open(temporary, "createNew");
  try {
    await writeRepaired(options, plan, { path, target });
    await target.sync();
  } finally {
    await target.close();
  }
  // The indexes describe the old file. Gone first, so that no crash leaves them beside the new one.
  for (const suffix of [OFFSET_INDEX_SUFFIX, TIME_INDEX_SUFFIX, INDEX_STATE_SUFFIX]) {
    await removeIfPresent(fileSystem, `${directory}/${segmentFileName(plan.baseOffset, suffix)}`);
  }
  await fileSystem.syncDirectory(directory);
  await fileSystem.rename(temporary, path);
  await fileSystem.syncDirectory(directory);
}

async function writeRepaired(
  { runtime }: RepairOptions,
  plan: SegmentPlan,
  files: { readonly path: string; readonly target: FileHandle },
): Promise<void> {
  const { target } = files;
  const source = plan.isMissing ? undefined : await runtime.fileSystem.open(files.path, "read");
  try {
    let from = 0;
    let at = 0;
    const copyUpTo = async (to: number): Promise<void> => {
      if (source !== undefined) {
        await copyBytes({ source, target, from, to, at });
        at += to - from;
      }
    };
    for (const range of plan.ranges) {
      await copyUpTo(range.fromPosition);
      const batches = placeholderBatches(range, runtime.compute);
      await writeFully(target, batches, at);
      at += batches.reduce((sum, { length }) => sum + length, 0);
      from = range.toPosition;
    }
    await copyUpTo(plan.sizeBytes);
  } finally {
    await source?.close();
  }
}

async function copyBytes(copy: {
  readonly source: FileHandle;
  readonly target: FileHandle;
  readonly from: number;
  readonly to: number;
  readonly at: number;
}): Promise<void> {
  const { at, from, source, target, to } = copy;
  for (let position = from; position < to; position += CHUNK_BYTES) {
    const bytes = await readFully(source, position, Math.min(CHUNK_BYTES, to - position));
    if (bytes === undefined) {
      throw new Error(`${source.path}: the file shrank while it was copied`);
    }
    await writeFully(target, [bytes], at + position - from);
  }
}
