// Verifying what a log has on disk, a slice at a time: every batch of its sealed segments is read again, before
// somebody needs it. Damage is reported like a read's.

import { scanBatches } from "./batch-scanner.js";
import { BatchSequence } from "./core/batch-sequence.js";
import type { LogDamage } from "./log-damage.js";
import { type LogParts, watchTruncation } from "./log-parts.js";
import { SegmentDamage } from "./segment-reader.js";

/** Where to go on. */
export interface ScrubPlace {
  /** Base offset of the segment. */
  readonly segment: number;
  /** In its file. */
  readonly position: number;
  /** Of the batch there. */
  readonly nextOffset: number;
}

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
  const { place = { segment: -1, position: 0, nextOffset: 0 }, maxBytes, damage } = slice;
  const sealed = log.segments.slice(0, -1);
  const segment = sealed.find(
    ({ baseOffset, runs }) => baseOffset >= place.segment && runs === undefined,
  );
  if (segment === undefined) {
    return { verifiedBytes: 0, damage: undefined, next: undefined };
  }
  const isSame = segment.baseOffset === place.segment;
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
  const behind = { segment: segment.baseOffset + 1, position: 0, nextOffset: 0 };
  if (isDisturbed() || log.isOffline) {
    return { verifiedBytes, damage: undefined, next: undefined };
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
  const next = { segment: segment.baseOffset, position, nextOffset };
  return { verifiedBytes, damage: undefined, next: isAtEnd ? behind : next };
}
