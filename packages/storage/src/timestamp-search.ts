// Finding records by timestamp. Timestamps need not be in order, so an index only says where to begin: batches are
// walked by their headers from there, and the first that may hold the record is read, verified and decoded.

import { type BatchHeader, RECORD_BATCH_HEADER_BYTES, readBatch } from "@millrace/protocol";
import { scanBatches } from "./batch-scanner.js";
import { activeSegment, type LogParts } from "./log-parts.js";
import type { TimestampOffset } from "./log-types.js";
import type { Segment } from "./segment.js";
import { readSegment, SegmentDamage } from "./segment-reader.js";

/** A compressed batch may not expand to more while its records are searched. */
const DECOMPRESSED_BYTES_MAX = 256 * 1024 * 1024;

interface FoundBatch {
  readonly bytes: Uint8Array;
  readonly endPosition: number;
  release(): void;
}

/**
 * The first record at or beyond the log start whose timestamp is at least `timestampMs`, among those written.
 * @throws SegmentDamage
 */
export async function findTimestamp(
  log: LogParts,
  timestampMs: number,
): Promise<TimestampOffset | undefined> {
  for (const segment of log.segments) {
    const mayHold = segment.endOffset > log.marks.start && segment.maxTimestamp >= timestampMs;
    const found = mayHold ? await searchSegment(log, segment, timestampMs) : undefined;
    if (found !== undefined) {
      return found;
    }
  }
  return undefined;
}

/** The first record with the largest timestamp of all that are written. @throws SegmentDamage */
export async function findMaxTimestamp(log: LogParts): Promise<TimestampOffset | undefined> {
  const live = log.segments.filter(
    (segment) => segment.endOffset > log.marks.start && segment.maxTimestamp >= 0,
  );
  const largest = live.reduce((max, segment) => Math.max(max, segment.maxTimestamp), -1);
  const found = largest < 0 ? undefined : await findTimestamp(log, largest);
  if (found !== undefined || largest < 0) {
    return found;
  }
  // The record that had it lies before the log start: look at what is left, batch by batch.
  return await scanForMaxTimestamp(log, live);
}

async function scanForMaxTimestamp(
  log: LogParts,
  segments: readonly Segment[],
): Promise<TimestampOffset | undefined> {
  let largest = -1;
  for (const segment of segments) {
    await segment.reading(async () => {
      await visitRecords({ log, segment, from: 0, minTimestamp: 0 }, (record) => {
        largest = Math.max(largest, record.timestamp);
        return undefined;
      });
    });
  }
  return largest < 0 ? undefined : await findTimestamp(log, largest);
}

async function searchSegment(
  log: LogParts,
  segment: Segment,
  timestampMs: number,
): Promise<TimestampOffset | undefined> {
  return await segment.reading(async () => {
    const indexes = await segment.indexes(log.config.indexIntervalBytes);
    if (segment !== activeSegment(log)) {
      log.services.touchIndexes(segment);
    }
    const known = indexes.times.lookup(timestampMs);
    // All batches before the one the entry names have smaller timestamps.
    const from = known === undefined ? 0 : (indexes.offsets.lookup(known.offset)?.position ?? 0);
    let found: TimestampOffset | undefined;
    await visitRecords({ log, segment, from, minTimestamp: timestampMs }, (record) => {
      found = record;
      return false;
    });
    return found;
  });
}

interface Search {
  readonly log: LogParts;
  readonly segment: Segment;
  readonly from: number;
  readonly minTimestamp: number;
}

/** Visits the live records with at least `minTimestamp`, until the visitor returns false. */
async function visitRecords(
  search: Search,
  visit: (record: TimestampOffset) => boolean | undefined,
): Promise<void> {
  const { log, segment, minTimestamp } = search;
  const { start } = log.marks;
  let { from } = search;
  for (;;) {
    const batch = await findBatch({ log, segment, from }, (header) => {
      return header.maxTimestamp >= minTimestamp && header.lastOffset >= start;
    });
    if (batch === undefined) {
      return;
    }
    const { compute } = log.runtime;
    const options = { compute, maxDecompressedBytes: DECOMPRESSED_BYTES_MAX };
    try {
      for (const { offset, timestamp } of await readBatch(batch.bytes, 0, options)) {
        const counts = offset >= start && timestamp >= minTimestamp;
        if (counts && visit({ offset, timestamp }) === false) {
          return;
        }
      }
    } finally {
      batch.release();
    }
    from = batch.endPosition;
  }
}

/** The first batch from `from` on that `accept` takes, verified. */
async function findBatch(
  { log, segment, from }: Omit<Search, "minTimestamp">,
  accept: (header: BatchHeader) => boolean,
): Promise<FoundBatch | undefined> {
  const file = await segment.file();
  let found: { header: BatchHeader; position: number } | undefined;
  const end = await scanBatches({
    file,
    from,
    to: segment.sizeBytes,
    visit: ({ header, position }) => {
      found = accept(header) ? { header, position } : undefined;
      return found === undefined ? undefined : false;
    },
  });
  if (end.problem !== undefined) {
    throw new SegmentDamage(segment.path, end.position, end.problem);
  }
  if (found === undefined) {
    return undefined;
  }
  const { header, position } = found;
  const slice = await readSegment({
    segment,
    offset: header.baseOffset,
    maxBytes: Math.max(header.sizeBytes, RECORD_BATCH_HEADER_BYTES),
    endOffset: header.lastOffset + 1,
    minOneBatch: true,
    from: position,
    fromOffset: header.baseOffset,
    slackBytes: 0,
    epochs: log.epochs,
    compute: log.runtime.compute,
    buffers: log.services.readBuffers,
  });
  const [bytes] = slice.chunks;
  const release = slice.release ?? (() => undefined);
  return bytes && { bytes, endPosition: position + header.sizeBytes, release };
}
