// Verifying what a log has on disk, a slice at a time: every batch of its sealed segments is read again, before
// somebody needs it. Damage is reported like a read's.

import { scanBatches } from "./batch-scanner.js";
import { BatchSequence } from "./core/batch-sequence.js";
import type { LogDamage } from "./log-damage.js";
import { type LogParts, watchTruncation } from "./log-parts.js";
import type { Segment } from "./segment.js";
import { SegmentDamage } from "./segment-reader.js";

/** Where to go on. */
export interface ScrubPlace {
  /** Segments that begin before it are done. */
  readonly baseOffset: number;
  /** Begun; compaction may have put another in its place since. */
  readonly segment: Segment | undefined;
  /** In its file. */
  readonly position: number;
  /** Of the batch there. */
  readonly nextOffset: number;
}

const BEGINNING: ScrubPlace = { baseOffset: 0, segment: undefined, position: 0, nextOffset: 0 };

export interface ScrubStep {
  readonly verifiedBytes: number;
  readonly damage: string | undefined;
  /** Undefined: that was the last sealed segment. */
  readonly next: ScrubPlace | undefined;
}

export interface ScrubSlice {
  /** Undefined: from the first segment on. */
  readonly place: ScrubPlace | undefined;
  /** A batch that is larger is verified whole. */
  readonly maxBytes: number;
  readonly damage: LogDamage;
}

/** Never throws for damage; a segment with known damage is passed over. */
export async function scrubSlice(log: LogParts, slice: ScrubSlice): Promise<ScrubStep> {
  const { place = BEGINNING, maxBytes, damage } = slice;
  const sealed = log.segments.slice(0, -1);
  const segment = sealed.find(
    ({ baseOffset, runs }) => baseOffset >= place.baseOffset && runs === undefined,
  );
  if (segment === undefined) {
    return { verifiedBytes: 0, damage: undefined, next: undefined };
  }
  const isSame = segment === place.segment;
  const from = isSame ? place.position : 0;
  const isDisturbed = watchTruncation(log);
  let nextOffset = isSame ? place.nextOffset : segment.baseOffset;
  const sequence = new BatchSequence(nextOffset, log.epochs);
  const { position, problem } = await segment.reading((file) =>
    scanBatches({
      file,
      from,
      to: segment.sizeBytes,
      verifyCrc: log.runtime.compute,
      sequence,
      visit: ({ header, position: at }) => {
        if (at - from >= maxBytes) {
          return false;
        }
        nextOffset = header.lastOffset + 1;
        return undefined;
      },
    }),
  );
  const verifiedBytes = position - from;
  const behind = { ...BEGINNING, baseOffset: segment.baseOffset + 1 };
  if (isDisturbed() || log.isOffline) {
    return { verifiedBytes, damage: undefined, next: undefined };
  }
  if (!log.segments.includes(segment)) {
    // Removed, or compacted: what is there now begins as it does.
    const next = { ...BEGINNING, baseOffset: segment.baseOffset };
    return { verifiedBytes, damage: undefined, next };
  }
  const isAtEnd = position === segment.sizeBytes;
  const missing = isAtEnd && nextOffset !== segment.endOffset;
  const wrong = problem ?? (missing ? `records up to ${segment.endOffset} are missing` : undefined);
  if (wrong !== undefined) {
    const error = new SegmentDamage(segment.path, position, wrong);
    await damage.found(error);
    await damage.mapped(segment);
    return { verifiedBytes, damage: error.message, next: behind };
  }
  const next = { baseOffset: segment.baseOffset, segment, position, nextOffset };
  return { verifiedBytes, damage: undefined, next: isAtEnd ? behind : next };
}
