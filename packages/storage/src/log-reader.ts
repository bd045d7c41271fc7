// Reading a log: from the tail in memory when it is there, else from one segment's file; and finding offsets by
// timestamp. Changes nothing but its own memory of where sequential readers are.

import {
  type BatchHeader,
  isMillraceError,
  MillraceError,
  RECORD_BATCH_HEADER_BYTES,
  readBatch,
} from "@millrace/protocol";
import { scanBatches } from "./batch-scanner.js";
import { CHUNK_BYTES } from "./files.js";
import { activeSegment, type LogParts, logName, segmentAt } from "./log-parts.js";
import type { LogSlice, ReadOptions, TimestampOffset } from "./log-types.js";
import { storeQuarantine } from "./quarantine-marker.js";
import type { Segment } from "./segment.js";
import { readSegment, SegmentDamage, type SegmentReadOptions } from "./segment-reader.js";
import type { UndamagedRun } from "./torn-tail.js";

/** How many sequential readers of one log are remembered. */
const CURSORS_MAX = 64;
/** A compressed batch may not expand to more while its records are searched. */
const DECOMPRESSED_BYTES_MAX = 256 * 1024 * 1024;

interface Cursor {
  readonly segment: Segment;
  readonly position: number;
}

export class LogReader {
  readonly #log: LogParts;
  /** By the offset a sequential reader asks for next. */
  readonly #cursors = new Map<number, Cursor>();

  constructor(log: LogParts) {
    this.#log = log;
  }

  /** The caller checked the range. Synchronous when the tail holds the offset. */
  read(options: ReadOptions): LogSlice | Promise<LogSlice> {
    const endOffset = Math.min(options.endOffset, this.#log.marks.end);
    if (options.offset >= endOffset) {
      return { chunks: [], sizeBytes: 0, nextOffset: options.offset };
    }
    return (
      this.#readTail({ ...options, endOffset }) ??
      this.#orQuarantine(() => this.#readFile({ ...options, endOffset }))
    );
  }

  #readTail(options: ReadOptions): LogSlice | undefined {
    const batches = this.#log.tail.from(options.offset);
    if (batches === undefined) {
      return undefined;
    }
    const chunks: Uint8Array[] = [];
    let sizeBytes = 0;
    let nextOffset = options.offset;
    for (const { bytes, header } of batches) {
      const fits =
        sizeBytes + bytes.byteLength <= options.maxBytes ||
        (chunks.length === 0 && options.minOneBatch);
      if (!fits || header.lastOffset >= options.endOffset) {
        break;
      }
      chunks.push(bytes);
      sizeBytes += bytes.byteLength;
      nextOffset = header.lastOffset + 1;
    }
    return { chunks, sizeBytes, nextOffset };
  }

  /** How many bytes lie between the two offsets: exact in the tail, by segment size before it. */
  availableBytes(fromOffset: number, endOffset: number): number {
    const { tail, segments, marks } = this.#log;
    if (fromOffset >= Math.min(endOffset, marks.end)) {
      return 0;
    }
    const batches = tail.from(fromOffset);
    let bytes = 0;
    if (batches !== undefined) {
      for (const { header } of batches) {
        if (header.lastOffset >= endOffset) {
          break;
        }
        bytes += header.sizeBytes;
      }
      return bytes;
    }
    for (const segment of segments) {
      if (segment.endOffset > fromOffset && segment.baseOffset < endOffset) {
        const span = segment.endOffset - segment.baseOffset;
        const covered =
          Math.min(endOffset, segment.endOffset) - Math.max(fromOffset, segment.baseOffset);
        bytes += Math.ceil((segment.sizeBytes * covered) / span);
      }
    }
    return bytes;
  }

  async #readFile(options: ReadOptions): Promise<LogSlice> {
    const log = this.#log;
    const { truncations } = log;
    const segment = segmentAt(log, options.offset);
    segment.enter();
    try {
      const run = this.#runAt(segment, options.offset);
      const start = await this.#startOf(segment, options.offset, run);
      const slice = await readSegment({
        ...options,
        ...start,
        endPosition: run?.to,
        segment,
        epochs: log.epochs,
        compute: log.runtime.compute,
      });
      if (
        slice.sizeBytes === 0 &&
        log.damage !== undefined &&
        options.offset >= segment.endOffset
      ) {
        throw new MillraceError("PARTITION_QUARANTINED", log.damage);
      }
      if (slice.sizeBytes > 0 && slice.nextPosition < segment.sizeBytes) {
        this.#remember(slice.nextOffset, { segment, position: slice.nextPosition });
      }
      return slice;
    } catch (error) {
      if (error instanceof SegmentDamage && truncations !== log.truncations) {
        throw new MillraceError("OFFSET_OUT_OF_RANGE", "the log was truncated during the read", {
          retriable: true,
        });
      }
      throw error;
    } finally {
      segment.leave();
    }
  }

  /** Where the segment is damaged, what of it can be read around `offset`. @throws MillraceError when nothing can. */
  #runAt(segment: Segment, offset: number): UndamagedRun | undefined {
    const { runs } = segment;
    const run = runs?.find(
      ({ baseOffset, endOffset }) => baseOffset <= offset && offset < endOffset,
    );
    if (runs !== undefined && run === undefined) {
      throw new MillraceError(
        "PARTITION_QUARANTINED",
        this.#log.damage ?? "the segment is damaged",
      );
    }
    return run;
  }

  async #startOf(
    segment: Segment,
    offset: number,
    run: UndamagedRun | undefined,
  ): Promise<Pick<SegmentReadOptions, "from" | "fromOffset" | "fromLastOffset" | "slackBytes">> {
    const cursor = this.#cursors.get(offset);
    if (cursor?.segment === segment) {
      this.#cursors.delete(offset);
      return { from: cursor.position, fromOffset: offset, slackBytes: 0 };
    }
    if (run !== undefined && run.from > 0) {
      return { from: run.from, fromOffset: run.baseOffset, slackBytes: CHUNK_BYTES };
    }
    const { segmentBytes, indexIntervalBytes } = this.#log.config;
    const indexes = await segment.indexes(indexIntervalBytes);
    this.#touch(segment);
    const entry = indexes.offsets.lookup(offset);
    const slackBytes = Math.min(indexIntervalBytes, segmentBytes);
    return entry === undefined
      ? { from: 0, fromOffset: segment.baseOffset, slackBytes }
      : {
          from: entry.position,
          fromOffset: undefined,
          fromLastOffset: entry.lastOffset,
          slackBytes,
        };
  }

  #remember(offset: number, cursor: Cursor): void {
    this.#cursors.set(offset, cursor);
    for (const oldest of this.#cursors.keys()) {
      if (this.#cursors.size <= CURSORS_MAX) {
        break;
      }
      this.#cursors.delete(oldest);
    }
  }

  /** After a truncation positions mean nothing any more. */
  forgetCursors(): void {
    this.#cursors.clear();
  }

  /** The first record at or beyond the log start whose timestamp is at least `timestampMs`, among those written. */
  offsetForTimestamp(timestampMs: number): Promise<TimestampOffset | undefined> {
    return this.#orQuarantine(() => this.#findTimestamp(timestampMs));
  }

  /** The first record with the largest timestamp of all that are written (KIP-734). */
  maxTimestampOffset(): Promise<TimestampOffset | undefined> {
    return this.#orQuarantine(() => this.#findMaxTimestamp());
  }

  async #findTimestamp(timestampMs: number): Promise<TimestampOffset | undefined> {
    for (const segment of this.#log.segments) {
      const mayHold =
        segment.endOffset > this.#log.marks.start && segment.maxTimestamp >= timestampMs;
      const found = mayHold ? await this.#searchSegment(segment, timestampMs) : undefined;
      if (found !== undefined) {
        return found;
      }
    }
    return undefined;
  }

  async #findMaxTimestamp(): Promise<TimestampOffset | undefined> {
    const live = this.#log.segments.filter(
      (segment) => segment.endOffset > this.#log.marks.start && segment.maxTimestamp >= 0,
    );
    const largest = live.reduce((max, segment) => Math.max(max, segment.maxTimestamp), -1);
    const found = largest < 0 ? undefined : await this.#findTimestamp(largest);
    if (found !== undefined || largest < 0) {
      return found;
    }
    // The record that had it lies before the log start: look at what is left, batch by batch.
    return await this.#scanForMaxTimestamp(live);
  }

  async #scanForMaxTimestamp(segments: readonly Segment[]): Promise<TimestampOffset | undefined> {
    let largest = -1;
    for (const segment of segments) {
      await this.#withSegment(segment, async () => {
        await this.#visitRecords(segment, { from: 0, minTimestamp: 0 }, (record) => {
          largest = Math.max(largest, record.timestamp);
          return undefined;
        });
      });
    }
    return largest < 0 ? undefined : await this.#findTimestamp(largest);
  }

  async #searchSegment(
    segment: Segment,
    timestampMs: number,
  ): Promise<TimestampOffset | undefined> {
    return await this.#withSegment(segment, async () => {
      const indexes = await segment.indexes(this.#log.config.indexIntervalBytes);
      this.#touch(segment);
      const known = indexes.times.lookup(timestampMs);
      // All batches before the one the entry names have smaller timestamps.
      const from = known === undefined ? 0 : (indexes.offsets.lookup(known.offset)?.position ?? 0);
      let found: TimestampOffset | undefined;
      await this.#visitRecords(segment, { from, minTimestamp: timestampMs }, (record) => {
        found = record;
        return false;
      });
      return found;
    });
  }

  /** Visits the live records with at least `minTimestamp`, until the visitor returns false. */
  async #visitRecords(
    segment: Segment,
    range: { readonly from: number; readonly minTimestamp: number },
    visit: (record: TimestampOffset) => boolean | undefined,
  ): Promise<void> {
    const { start } = this.#log.marks;
    let { from } = range;
    for (;;) {
      const batch = await this.#findBatch(segment, from, (header) => {
        return header.maxTimestamp >= range.minTimestamp && header.lastOffset >= start;
      });
      if (batch === undefined) {
        return;
      }
      const { compute } = this.#log.runtime;
      const options = { compute, maxDecompressedBytes: DECOMPRESSED_BYTES_MAX };
      for (const { offset, timestamp } of await readBatch(batch.bytes, 0, options)) {
        const counts = offset >= start && timestamp >= range.minTimestamp;
        if (counts && visit({ offset, timestamp }) === false) {
          return;
        }
      }
      from = batch.endPosition;
    }
  }

  /** The first batch from `from` on that `accept` takes, verified. */
  async #findBatch(
    segment: Segment,
    from: number,
    accept: (header: BatchHeader) => boolean,
  ): Promise<{ bytes: Uint8Array; endPosition: number } | undefined> {
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
      epochs: this.#log.epochs,
      compute: this.#log.runtime.compute,
    });
    const [bytes] = slice.chunks;
    return bytes === undefined ? undefined : { bytes, endPosition: position + header.sizeBytes };
  }

  async #withSegment<T>(segment: Segment, use: () => Promise<T>): Promise<T> {
    segment.enter();
    try {
      return await use();
    } finally {
      segment.leave();
    }
  }

  /** Damage found by a read quarantines the log; any other fault of a read is the reader's alone. */
  async #orQuarantine<T>(read: () => Promise<T>): Promise<T> {
    try {
      return await read();
    } catch (error) {
      if (error instanceof SegmentDamage) {
        await this.#quarantine(error);
        throw new MillraceError("CORRUPT_MESSAGE", error.message, { cause: error });
      }
      throw isMillraceError(error)
        ? error
        : new MillraceError("KAFKA_STORAGE_ERROR", "the log could not be read", { cause: error });
    }
  }

  /** Durably, so that no start puts the log online again as if nothing had been found. */
  async #quarantine(damage: SegmentDamage): Promise<void> {
    const { directory, runtime, services } = this.#log;
    if (this.#log.damage !== undefined) {
      return;
    }
    this.#log.damage = damage.message;
    runtime.logger.error(
      { log: logName(this.#log.id), path: damage.path, position: damage.position },
      `log quarantined: ${damage.message}`,
    );
    try {
      const { fileSystem } = runtime;
      await services.withReserve(() => storeQuarantine(fileSystem, directory, damage.message));
    } catch (error) {
      runtime.logger.error({ directory, error }, "the quarantine ends with the next start");
    }
  }

  #touch(segment: Segment): void {
    if (segment !== activeSegment(this.#log)) {
      this.#log.services.touchIndexes(segment);
    }
  }
}
