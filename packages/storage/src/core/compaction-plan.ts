// What a cleaning pass over a log would cover, whether it is due, and which segments become one. Pure: sizes, offsets
// and times in, a plan out. The rules are Kafka's (LogCleanerManager, Cleaner.groupSegmentsBySize).

export interface SealedSegment {
  readonly baseOffset: number;
  /** Exclusive: the next segment's base offset. */
  readonly endOffset: number;
  readonly sizeBytes: number;
  /** The largest record timestamp, or when there is none the time of the last write. */
  readonly newestMs: number;
  /** Of the first batch; -1: none. */
  readonly firstMs: number;
}

export interface CompactionRules {
  readonly minCompactionLagMs: number;
  readonly maxCompactionLagMs: number;
  readonly minCleanableDirtyRatio: number;
}

export interface CompactionQuestion {
  /** All segments but the active one, in order. */
  readonly segments: readonly SealedSegment[];
  /** Everything below was covered by a pass. */
  readonly cleanedTo: number;
  readonly logStartOffset: number;
  readonly logEndOffset: number;
  /** Nothing at or beyond it is decided for good: the high watermark, or the last stable offset. */
  readonly stableOffset: number;
  /** The earliest delete horizon still to come, as far as known. */
  readonly nextHorizonMs: number | undefined;
  readonly rules: CompactionRules;
  readonly nowMs: number;
}

export interface CompactionPlan {
  /** The first offset that no pass has covered. */
  readonly firstDirtyOffset: number;
  /** Exclusive end of what a pass may cover now. */
  readonly endOffset: number;
  /** Dirty bytes over all bytes up to `endOffset`. */
  readonly dirtyRatio: number;
  readonly isDue: boolean;
}

export function planCompaction(question: CompactionQuestion): CompactionPlan {
  const { segments, logStartOffset, logEndOffset, rules, nowMs } = question;
  // Beyond the log end: something was lost, and what is clean is not known any more.
  const isLost = question.cleanedTo > logEndOffset;
  const firstDirtyOffset = isLost ? logStartOffset : Math.max(question.cleanedTo, logStartOffset);
  const dirty = segments.filter((segment) => segment.endOffset > firstDirtyOffset);
  const tooYoung =
    rules.minCompactionLagMs > 0
      ? dirty.find((segment) => segment.newestMs > nowMs - rules.minCompactionLagMs)
      : undefined;
  const end = Math.min(
    question.stableOffset,
    segments.at(-1)?.endOffset ?? firstDirtyOffset,
    tooYoung?.baseOffset ?? Number.MAX_SAFE_INTEGER,
  );
  const endOffset = Math.max(firstDirtyOffset, end);
  const covered = dirty.filter((segment) => segment.baseOffset < endOffset);
  const dirtyBytes = bytesOf(covered);
  const cleanBytes = bytesOf(segments.filter((segment) => segment.endOffset <= firstDirtyOffset));
  const dirtyRatio = dirtyBytes === 0 ? 0 : dirtyBytes / (cleanBytes + dirtyBytes);
  const isOverdue = covered.some(
    ({ firstMs }) => firstMs > 0 && nowMs - firstMs > rules.maxCompactionLagMs,
  );
  const hasExpired =
    question.nextHorizonMs !== undefined && question.nextHorizonMs <= nowMs && cleanBytes > 0;
  const isDue =
    (dirtyBytes > 0 && (isOverdue || dirtyRatio > rules.minCleanableDirtyRatio)) || hasExpired;
  return { firstDirtyOffset, endOffset, dirtyRatio, isDue };
}

function bytesOf(segments: readonly SealedSegment[]): number {
  return segments.reduce((sum, segment) => sum + segment.sizeBytes, 0);
}

export interface GroupRules {
  readonly segmentBytes: number;
  readonly segmentIndexBytes: number;
  readonly indexIntervalBytes: number;
}

const RELATIVE_OFFSET_MAX = 2 ** 31 - 1;
const BATCH_BYTES_MIN = 61;
const INDEX_ENTRY_BYTES_MAX = 12;

/** Runs of segments of which each fits, as it is, into one segment: by bytes, index entries and range of offsets. */
export function groupSegments<
  T extends Pick<SealedSegment, "baseOffset" | "endOffset" | "sizeBytes">,
>(segments: readonly T[], rules: GroupRules): T[][] {
  const interval = Math.max(rules.indexIntervalBytes, BATCH_BYTES_MIN);
  const indexEntriesMax = Math.floor(rules.segmentIndexBytes / INDEX_ENTRY_BYTES_MAX);
  const bytesMax = Math.min(rules.segmentBytes, indexEntriesMax * interval);
  const groups: T[][] = [];
  let bytes = 0;
  for (const segment of segments) {
    const group = groups.at(-1);
    const first = group?.[0];
    const fits =
      group !== undefined &&
      first !== undefined &&
      bytes + segment.sizeBytes <= bytesMax &&
      segment.endOffset - 1 - first.baseOffset <= RELATIVE_OFFSET_MAX;
    if (fits) {
      group.push(segment);
      bytes += segment.sizeBytes;
    } else {
      groups.push([segment]);
      bytes = segment.sizeBytes;
    }
  }
  return groups;
}
