// Reading a log: from the tail in memory when it is there, else from one segment's file. Changes nothing but its own
// memory of where sequential readers are, and quarantines a log that it finds damaged.

import { isMillraceError, MillraceError } from "@millrace/protocol";
import { CHUNK_BYTES } from "./files.js";
import { type Hold, releaseAll } from "./hold.js";
import type { LogDamage } from "./log-damage.js";
import { activeSegment, type LogParts, segmentAt, watchTruncation } from "./log-parts.js";
import type { LogSlice, ReadOptions, TimestampOffset } from "./log-types.js";
import type { AheadRead } from "./read-ahead.js";
import type { Segment } from "./segment.js";
import { readSegment, SegmentDamage, type SegmentReadOptions } from "./segment-reader.js";
import { findMaxTimestamp, findTimestamp } from "./timestamp-search.js";
import type { UndamagedRun } from "./torn-tail.js";

/** How many sequential readers of one log are remembered. */
const CURSORS_MAX = 64;
/** Less than this is as quickly read when it is asked for. */
const READ_AHEAD_MIN_BYTES = 64 * 1024;

interface Cursor {
  readonly segment: Segment;
  readonly position: number;
  /** The log's count of truncations: after another one the position means nothing any more. */
  readonly truncations: number;
  readonly ahead: AheadRead | undefined;
}

type Start = Pick<
  SegmentReadOptions,
  "from" | "fromOffset" | "fromLastOffset" | "slackBytes" | "ahead"
>;

export class LogReader {
  readonly #log: LogParts;
  readonly #damage: LogDamage;
  /** By the offset a sequential reader asks for next. */
  readonly #cursors = new Map<number, Cursor>();

  constructor(log: LogParts, damage: LogDamage) {
    this.#log = log;
    this.#damage = damage;
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
    const holds: Hold[] = [];
    let sizeBytes = 0;
    let nextOffset = options.offset;
    for (const { bytes, lastOffset, hold } of batches) {
      const fits =
        sizeBytes + bytes.byteLength <= options.maxBytes ||
        (chunks.length === 0 && options.minOneBatch);
      if (!fits || lastOffset >= options.endOffset) {
        break;
      }
      chunks.push(bytes);
      if (hold !== undefined) {
        holds.push(hold.another());
      }
      sizeBytes += bytes.byteLength;
      nextOffset = lastOffset + 1;
    }
    const release = holds.length === 0 ? undefined : () => releaseAll(holds);
    return { chunks, sizeBytes, nextOffset, release };
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
      for (const batch of batches) {
        if (batch.lastOffset >= endOffset) {
          break;
        }
        bytes += batch.bytes.byteLength;
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
    const isDisturbed = watchTruncation(log);
    const segment = segmentAt(log, options.offset);
    segment.enter();
    try {
      await this.#damage.mapped(segment);
      const run = this.#runAt(segment, options.offset);
      const start = await this.#startOf(segment, options.offset, run);
      const slice = await readSegment({
        ...options,
        ...start,
        endPosition: run?.to,
        segment,
        epochs: log.epochs,
        compute: log.runtime.compute,
        buffers: log.services.readBuffers,
      });
      if (
        slice.sizeBytes === 0 &&
        log.damage !== undefined &&
        options.offset >= segment.endOffset
      ) {
        throw new MillraceError("PARTITION_QUARANTINED", log.damage);
      }
      if (slice.sizeBytes > 0 && !isDisturbed()) {
        this.#goOnFrom(
          { segment, position: slice.nextPosition, offset: slice.nextOffset },
          {
            maxBytes: options.maxBytes,
            isInOrder: start.fromOffset === options.offset,
          },
        );
      }
      return slice;
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

  async #startOf(segment: Segment, offset: number, run: UndamagedRun | undefined): Promise<Start> {
    const cursor = this.#cursors.get(offset);
    if (cursor?.segment === segment && cursor.truncations === this.#log.truncations) {
      this.#cursors.delete(offset);
      const { position, ahead } = cursor;
      return { from: position, fromOffset: offset, slackBytes: 0, ahead };
    }
    const { segmentBytes, indexIntervalBytes } = this.#log.config;
    const indexes = await segment.indexes(indexIntervalBytes);
    this.#touch(segment);
    const entry = indexes.offsets.lookup(offset);
    const slackBytes = Math.min(indexIntervalBytes, segmentBytes);
    if (run !== undefined && run.from > (entry?.position ?? 0)) {
      return { from: run.from, fromOffset: run.baseOffset, slackBytes: CHUNK_BYTES };
    }
    return entry === undefined
      ? { from: 0, fromOffset: segment.baseOffset, slackBytes }
      : {
          from: entry.position,
          fromOffset: undefined,
          fromLastOffset: entry.lastOffset,
          slackBytes,
        };
  }

  /** A reader may ask for `offset` next; one that reads in order will. */
  #goOnFrom(
    next: { readonly segment: Segment; readonly position: number; readonly offset: number },
    read: { readonly maxBytes: number; readonly isInOrder: boolean },
  ): void {
    const { segment, position, offset } = next;
    const { tail, services, truncations } = this.#log;
    const leftBytes = segment.sizeBytes - position;
    if (leftBytes <= 0) {
      return;
    }
    const length = Math.min(read.maxBytes, leftBytes);
    const isInMemory = offset >= (tail.startOffset ?? Number.POSITIVE_INFINITY);
    const helps = read.isInOrder && !isInMemory && length >= READ_AHEAD_MIN_BYTES;
    const ahead =
      helps && segment.runs === undefined
        ? services.readAhead.start({ segment, position, length })
        : undefined;
    this.#remember(offset, { segment, position, truncations, ahead });
  }

  #remember(offset: number, cursor: Cursor): void {
    this.#forget(offset);
    this.#cursors.set(offset, cursor);
    for (const oldest of this.#cursors.keys()) {
      if (this.#cursors.size <= CURSORS_MAX) {
        break;
      }
      this.#forget(oldest);
    }
  }

  #forget(offset: number): void {
    this.#cursors.get(offset)?.ahead?.drop();
    this.#cursors.delete(offset);
  }

  /** After a truncation positions mean nothing any more. */
  forgetCursors(): void {
    for (const offset of [...this.#cursors.keys()]) {
      this.#forget(offset);
    }
  }

  /** The first record at or beyond the log start whose timestamp is at least `timestampMs`, among those written. */
  offsetForTimestamp(timestampMs: number): Promise<TimestampOffset | undefined> {
    return this.#orQuarantine(() => findTimestamp(this.#log, timestampMs));
  }

  /** The first record with the largest timestamp of all that are written (KIP-734). */
  maxTimestampOffset(): Promise<TimestampOffset | undefined> {
    return this.#orQuarantine(() => findMaxTimestamp(this.#log));
  }

  /** Damage found by a read quarantines the log; any other fault of a read is the reader's alone. */
  async #orQuarantine<T>(read: () => Promise<T>): Promise<T> {
    const isDisturbed = watchTruncation(this.#log);
    try {
      return await read();
    } catch (error) {
      if (error instanceof SegmentDamage && isDisturbed()) {
        throw new MillraceError("OFFSET_OUT_OF_RANGE", "the log was truncated during the read", {
          retriable: true,
        });
      }
      if (error instanceof SegmentDamage) {
        await this.#damage.found(error);
        throw new MillraceError("CORRUPT_MESSAGE", error.message, { cause: error });
      }
      throw isMillraceError(error)
        ? error
        : new MillraceError("KAFKA_STORAGE_ERROR", "the log could not be read", { cause: error });
    }
  }

  #touch(segment: Segment): void {
    if (segment !== activeSegment(this.#log)) {
      this.#log.services.touchIndexes(segment);
    }
  }
}
