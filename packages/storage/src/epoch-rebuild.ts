// The leader epochs of a log whose checkpoint file is lost, from its batches. The price is a walk over all of them, also
// over segments that a start takes at their index state's word: damage that the walk meets is found by it, and must not
// hide the epochs that begin behind it.

import type { Compute, FileSystem } from "@millrace/runtime";
import { scanBatches } from "./batch-scanner.js";
import { EpochReading, type EpochSighting } from "./core/epoch-reading.js";
import type { LeaderEpochs } from "./core/leader-epochs.js";
import { LOG_SUFFIX, segmentFileName } from "./core/segment-name.js";
import type { SizedFile } from "./journal-overlay.js";
import type { Segment } from "./segment.js";
import { nextBatch, undamagedRuns } from "./torn-tail.js";

export interface RebuildOptions {
  readonly fileSystem: FileSystem;
  readonly compute: Pick<Compute, "crc32c">;
  /** The partition's. */
  readonly directory: string;
  /** Of its segments, in order. */
  readonly bases: readonly number[];
  /** What is read in a segment's file's place. Default: the file. */
  readonly view?: SegmentView | undefined;
}

/** A segment's file as somebody will find it who does more than look. */
export type SegmentView = (baseOffset: number, file: SizedFile) => SizedFile;

export interface RebuiltEpochs {
  readonly epochs: LeaderEpochs;
  /** By the base offset of its segment: the first thing that the walk found wrong in it. */
  readonly damages: ReadonlyMap<number, FoundDamage>;
}

export interface FoundDamage {
  /** In the segment's file. */
  readonly position: number;
  /** In words, with the file's path. */
  readonly problem: string;
}

interface WalkedSegment {
  readonly path: string;
  readonly baseOffset: number;
  readonly file: SizedFile;
  readonly size: number;
}

interface Sighting extends EpochSighting {
  readonly segment: WalkedSegment;
  readonly position: number;
}

/** Reads only. What it finds wrong at the end of the last segment may be a torn tail. */
export async function rebuildEpochs(options: RebuildOptions): Promise<RebuiltEpochs> {
  const { bases, compute, directory, fileSystem } = options;
  const damages = new Map<number, FoundDamage>();
  const report = (segment: WalkedSegment, position: number, problem: string): void => {
    if (position < (damages.get(segment.baseOffset)?.position ?? Infinity)) {
      const what = `the batch at byte ${position} is damaged: ${problem}`;
      damages.set(segment.baseOffset, { position, problem: `${segment.path}: ${what}` });
    }
  };
  const reading = new EpochReading<Sighting>(({ suspect, witness }) => {
    const isFirst = suspect.baseOffset < witness.baseOffset;
    const relation = isFirst ? "above its successor's" : "below its predecessor's";
    const problem = `its leader epoch ${suspect.leaderEpoch} is ${relation} ${witness.leaderEpoch}`;
    report(suspect.segment, suspect.position, problem);
  });
  for (const baseOffset of bases) {
    const path = `${directory}/${segmentFileName(baseOffset, LOG_SUFFIX)}`;
    const opened = await fileSystem.open(path, "read");
    try {
      const file = options.view?.(baseOffset, opened) ?? opened;
      const segment = { path, baseOffset, file, size: await file.size() };
      await walk(segment, compute, { see: (batch) => reading.see(batch), report });
    } finally {
      await opened.close();
    }
  }
  return { epochs: reading.finish(), damages };
}

/** From batch to batch, and over damage to the next undamaged one. */
async function walk(
  segment: WalkedSegment,
  compute: Pick<Compute, "crc32c">,
  found: {
    readonly see: (batch: Sighting) => void;
    readonly report: (segment: WalkedSegment, position: number, problem: string) => void;
  },
): Promise<void> {
  const { file, size } = segment;
  let from = 0;
  let expectedOffset = segment.baseOffset;
  while (from < size) {
    const end = await scanBatches({
      file,
      from,
      to: size,
      verifyCrc: compute,
      visit: ({ header: { baseOffset, lastOffset, leaderEpoch }, position }) => {
        if (baseOffset !== expectedOffset) {
          return false;
        }
        found.see({ leaderEpoch, baseOffset, segment, position });
        expectedOffset = lastOffset + 1;
        return undefined;
      },
    });
    const { position, problem } = end;
    if (position === size) {
      return;
    }
    found.report(segment, position, problem ?? `${expectedOffset} should be its base offset`);
    const next = await nextBatch({ file, compute, size, position, expectedOffset });
    from = next?.position ?? size;
    expectedOffset = next?.baseOffset ?? expectedOffset;
  }
}

/**
 * Of segments that a start took at their index state's word, and that are damaged: what can be read.
 * @returns the first damage; undefined when none is left
 */
export async function mapDamaged(
  segments: readonly Segment[],
  { damages, epochs }: RebuiltEpochs,
  compute: Pick<Compute, "crc32c">,
): Promise<string | undefined> {
  let first: string | undefined;
  for (const segment of segments) {
    const { baseOffset, sizeBytes: size } = segment;
    const damage = damages.get(baseOffset);
    // What lay behind the end was a torn tail.
    if (damage === undefined || damage.position >= size) {
      continue;
    }
    first ??= damage.problem;
    if (segment.runs === undefined) {
      const runs = await segment.reading((file) =>
        undamagedRuns({ file, compute, size, epochs, baseOffset }),
      );
      segment.mapRuns(runs, size);
    }
  }
  return first;
}
