// The leader epochs of a log whose checkpoint file is lost, from its batches. The price is a walk over all of them, also
// over segments that a start takes at their index state's word: damage that the walk meets is found by it, and must not
// hide the epochs that begin behind it.

import type { Compute, FileHandle } from "@millrace/runtime";
import { scanBatches } from "./batch-scanner.js";
import { BatchSequence } from "./core/batch-sequence.js";
import { LeaderEpochs } from "./core/leader-epochs.js";
import type { Segment } from "./segment.js";
import { type UndamagedRun, undamagedRuns } from "./torn-tail.js";

export interface RebuiltEpochs {
  readonly epochs: LeaderEpochs;
  /** What the walk found; undefined when every batch led to the next one. */
  readonly damage: string | undefined;
}

/** A segment in which damage is found gets its undamaged runs. */
export async function rebuildEpochs(
  segments: readonly Segment[],
  compute: Pick<Compute, "crc32c">,
): Promise<RebuiltEpochs> {
  const epochs = new LeaderEpochs();
  let damage: string | undefined;
  for (const segment of segments) {
    const { baseOffset, sizeBytes: size } = segment;
    await segment.reading(async (file) => {
      if (segment.runs === undefined) {
        const { position, problem } = await walk(file, { from: 0, to: size, baseOffset }, epochs);
        if (problem === undefined) {
          return;
        }
        damage ??= `${segment.path}: the batch at byte ${position} is damaged: ${problem}`;
        segment.mapRuns(await undamagedRuns({ file, compute, size, baseOffset }), size);
      }
      for (const run of segment.runs ?? []) {
        await walk(file, run, epochs);
      }
    });
  }
  return { epochs, damage };
}

/** What is walked over twice is assigned twice, which changes nothing. */
async function walk(
  file: FileHandle,
  { from, to, baseOffset }: Pick<UndamagedRun, "from" | "to" | "baseOffset">,
  epochs: LeaderEpochs,
): ReturnType<typeof scanBatches> {
  return await scanBatches({
    file,
    from,
    to,
    sequence: new BatchSequence(baseOffset),
    visit: ({ header }) => {
      epochs.assign(header.leaderEpoch, header.baseOffset);
      return undefined;
    },
  });
}
