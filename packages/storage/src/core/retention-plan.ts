// Which of a log's oldest segments retention removes. Pure: a list of sizes and times in, a number out.

export interface RetainedSegment {
  readonly sizeBytes: number;
  /** The largest record timestamp, or when there is none the time of the last write. */
  readonly newestMs: number;
  /** Exclusive end: the next segment's base offset, or the log end. */
  readonly endOffset: number;
}

export interface RetentionRules {
  /** -1: no limit. */
  readonly retentionMs: number;
  /** -1: no limit. */
  readonly retentionBytes: number;
  readonly logStartOffset: number;
  /** Nothing at or beyond this offset is removed. */
  readonly highWatermark: number;
  readonly nowMs: number;
}

/**
 * How many segments, from the oldest on, can go: those that end at or before the log start, are older than
 * `retentionMs`, or without which the log still has `retentionBytes`. Stops at the first that must stay.
 */
export function planRetention(segments: readonly RetainedSegment[], rules: RetentionRules): number {
  let excessBytes =
    rules.retentionBytes < 0
      ? 0
      : segments.reduce((sum, segment) => sum + segment.sizeBytes, 0) - rules.retentionBytes;
  let count = 0;
  for (const segment of segments) {
    const isExcess = rules.retentionBytes >= 0 && excessBytes >= segment.sizeBytes;
    const goes =
      segment.endOffset <= rules.highWatermark &&
      segment.sizeBytes > 0 &&
      (segment.endOffset <= rules.logStartOffset || isExcess || isExpired(segment, rules));
    if (!goes) {
      break;
    }
    excessBytes -= segment.sizeBytes;
    count++;
  }
  return count;
}

function isExpired(segment: RetainedSegment, rules: RetentionRules): boolean {
  return rules.retentionMs >= 0 && rules.nowMs - segment.newestMs > rules.retentionMs;
}
