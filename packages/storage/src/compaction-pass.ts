// One cleaning pass over one log: learns the newest offset of each key in the dirty part, then writes all segments up to
// there again without what is older, group by group, and swaps each in. Reads and writes beside the log's own work; only
// the swap itself has the log to itself.

import {
  type BatchHeader,
  compactedBatch,
  deleteHorizonMs,
  emptiedBatch,
  isMillraceError,
  RecordWalker,
  readBatch,
  rebaseTimestamps,
} from "@millrace/protocol";
import { CleanedSegment } from "./cleaned-segment.js";
import type { CompactionPacer } from "./compaction-pacer.js";
import { CompactionSource, type SourceBatch } from "./compaction-source.js";
import { areCurrent, swapSegments } from "./compaction-swap.js";
import { type CompactionPlan, groupSegments } from "./core/compaction-plan.js";
import { OffsetMap } from "./core/offset-map.js";
import { RecordRetention } from "./core/record-retention.js";
import { CHUNK_BYTES } from "./files.js";
import { isCompacted } from "./log-config.js";
import type { LogDamage } from "./log-damage.js";
import { type LogParts, segmentPlace } from "./log-parts.js";
import type { LogWriter } from "./log-writer.js";
import { isPlaceholder } from "./placeholder-batch.js";
import type { Segment } from "./segment.js";
import { SegmentDamage } from "./segment-reader.js";

/** A compressed batch may not expand to more while it is cleaned. */
const DECOMPRESSED_BYTES_MAX = 256 * 1024 * 1024;
/** Records between two looks at the clock. */
const RECORDS_PER_LOOK = 64;

/** What a pass works on. */
export interface CompactedLog {
  readonly parts: LogParts;
  readonly writer: Pick<LogWriter, "exclusively" | "orFail" | "notify">;
  readonly damage: LogDamage;
}

export interface PassOptions {
  readonly log: CompactedLog;
  readonly plan: CompactionPlan;
  readonly pacer: CompactionPacer;
  /** Bound of the offset map. */
  readonly mapBytesMax: number;
  readonly nowMs: number;
}

export interface PassOutcome {
  /** Exclusive: everything below is clean now. */
  readonly cleanedTo: number;
  readonly mapBytes: number;
  readonly keys: number;
  readonly recordsRead: number;
  readonly recordsKept: number;
  readonly bytesBefore: number;
  readonly bytesAfter: number;
  /** Of tombstones that were kept: the earliest time at which one may go. */
  readonly nextHorizonMs: number | undefined;
}

/** The log changed under the pass (truncated, segments removed, no longer compacted): what was done so far stays. */
export class CompactionOvertaken extends Error {
  override readonly name = "CompactionOvertaken";
}

export class CompactionPass {
  readonly #options: PassOptions;
  readonly #log: LogParts;
  readonly #map: OffsetMap;
  readonly #truncations: number;
  readonly #readBuffer = new Uint8Array(CHUNK_BYTES);
  readonly #writeBuffer = new Uint8Array(CHUNK_BYTES);
  #endOffset: number;
  #recordsRead = 0;
  #recordsKept = 0;
  #bytesBefore = 0;
  #bytesAfter = 0;
  #nextHorizonMs: number | undefined;

  constructor(options: PassOptions) {
    const { plan, mapBytesMax } = options;
    this.#options = options;
    this.#log = options.log.parts;
    this.#truncations = this.#log.truncations;
    this.#endOffset = plan.endOffset;
    this.#map = new OffsetMap({
      baseOffset: plan.firstDirtyOffset,
      maxBytes: mapBytesMax,
      keysMax: plan.endOffset - plan.firstDirtyOffset,
      secret: this.#log.runtime.random.fill(new Uint8Array(16)),
    });
  }

  /**
   * @throws SegmentDamage, CompactionStopped, CompactionOvertaken, FileError (a full disk: nothing is broken),
   *   MillraceError (records that cannot be read; a disk that failed).
   */
  async run(): Promise<PassOutcome> {
    await this.#buildMap();
    const covered = this.#sealed().filter((segment) => segment.baseOffset < this.#endOffset);
    for (const group of groupSegments(covered, this.#log.config)) {
      await this.#cleanGroup(group);
    }
    this.#assertCurrent([]);
    return {
      cleanedTo: this.#endOffset,
      mapBytes: this.#map.sizeBytes,
      keys: this.#map.size,
      recordsRead: this.#recordsRead,
      recordsKept: this.#recordsKept,
      bytesBefore: this.#bytesBefore,
      bytesAfter: this.#bytesAfter,
      nextHorizonMs: this.#nextHorizonMs,
    };
  }

  #sealed(): readonly Segment[] {
    return this.#log.segments.slice(0, -1);
  }

  async #buildMap(): Promise<void> {
    const { firstDirtyOffset, endOffset } = this.#options.plan;
    for (const segment of this.#sealed()) {
      const isDirty = segment.endOffset > firstDirtyOffset && segment.baseOffset < endOffset;
      if (isDirty && !(await this.#mapSegment(segment))) {
        return;
      }
    }
  }

  /** False: the map is full. */
  async #mapSegment(segment: Segment): Promise<boolean> {
    return await this.#reading(segment, async (source) => {
      for (let batch = await source.next(); batch !== undefined; batch = await source.next()) {
        if (!batch.header.isControl && !(await this.#mapBatch(batch))) {
          return false;
        }
      }
      return true;
    });
  }

  async #mapBatch({ header, bytes }: SourceBatch): Promise<boolean> {
    const { firstDirtyOffset, endOffset } = this.#options.plan;
    if (header.lastOffset < firstDirtyOffset || header.baseOffset >= endOffset) {
      return true;
    }
    const { pacer } = this.#options;
    const record = new RecordWalker(header, await this.#payload(bytes));
    const key = { start: 0, length: 0 };
    for (let count = 1; record.next(); count++) {
      const { offset } = record;
      if (record.keyLength >= 0 && offset >= firstDirtyOffset && offset < endOffset) {
        key.start = record.keyStart;
        key.length = record.keyLength;
        if (!this.#map.put(record.bytes, key, offset)) {
          this.#endOffset = offset;
          return false;
        }
      }
      if (count % RECORDS_PER_LOOK === 0 && pacer.isDue) {
        await pacer.breathe();
      }
    }
    if (pacer.isDue) {
      await pacer.breathe();
    }
    return true;
  }

  async #cleanGroup(group: readonly Segment[]): Promise<void> {
    const { config } = this.#log;
    const [first] = group as readonly [Segment, ...Segment[]];
    const cleaned = await CleanedSegment.create({
      place: segmentPlace(this.#log, first.baseOffset),
      indexIntervalBytes: config.indexIntervalBytes,
      pacer: this.#options.pacer,
      buffer: this.#writeBuffer,
    });
    let isSwapped = false;
    try {
      let hasChanged = group.length > 1;
      for (const segment of group) {
        hasChanged = (await this.#cleanSegment(segment, cleaned)) || hasChanged;
      }
      this.#bytesBefore += group.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
      this.#bytesAfter += cleaned.indexes.logBytes;
      if (hasChanged) {
        await cleaned.finish();
        this.#assertCurrent(group);
        await this.#swap(group, cleaned);
        isSwapped = true;
      }
    } finally {
      if (!isSwapped) {
        await cleaned.discard();
      }
    }
  }

  /** Whether anything of it went or changed. */
  async #cleanSegment(segment: Segment, cleaned: CleanedSegment): Promise<boolean> {
    return await this.#reading(segment, async (source) => {
      let hasChanged = false;
      for (let batch = await source.next(); batch !== undefined; batch = await source.next()) {
        const kept = await this.#cleanBatch(batch);
        hasChanged ||= kept !== batch.bytes && !isPlaceholder(batch.header);
        if (kept === undefined) {
          await cleaned.drop(batch.header);
        } else {
          await cleaned.add(kept);
        }
        if (this.#options.pacer.isDue) {
          await this.#options.pacer.breathe();
        }
      }
      return hasChanged;
    });
  }

  /** The batch as it stays: itself, changed, without records, or undefined when it goes. */
  async #cleanBatch({ header, bytes }: SourceBatch): Promise<Uint8Array | undefined> {
    // Whether a transaction's records are all gone is not known: its marker stays.
    if (header.isControl || header.baseOffset >= this.#endOffset) {
      return bytes;
    }
    const payload = await this.#payload(bytes);
    const kept = await this.#retain(header, payload);
    if (kept.recordCount === 0) {
      return this.#emptied(header, bytes);
    }
    const horizon = this.#newHorizon(header, kept);
    if (kept.droppedCount === 0 && horizon === undefined) {
      return bytes;
    }
    return await this.#rewritten({ header, bytes }, { kept, payload, horizon });
  }

  async #retain(header: BatchHeader, payload: Uint8Array): Promise<RecordRetention> {
    const { pacer, nowMs } = this.#options;
    const horizon = deleteHorizonMs(header);
    const kept = new RecordRetention({
      logStartOffset: this.#log.marks.start,
      endOffset: this.#endOffset,
      mayDropTombstones: horizon !== undefined && horizon <= nowMs,
    });
    const record = new RecordWalker(header, payload);
    for (let count = 1; record.next(); count++) {
      const { keyStart, keyLength } = record;
      kept.decide(record, keyLength < 0 ? -1 : this.#map.get(payload, keyStart, keyLength));
      if (count % RECORDS_PER_LOOK === 0 && pacer.isDue) {
        await pacer.breathe();
      }
    }
    this.#recordsRead += header.recordCount;
    this.#recordsKept += kept.recordCount;
    if (kept.hasTombstone && horizon !== undefined) {
      this.#expectHorizon(horizon);
    }
    return kept;
  }

  /** A producer's last batches stay without records, or its sequence numbers would be forgotten with them. */
  #emptied(header: BatchHeader, bytes: Uint8Array): Uint8Array | undefined {
    const { producers, runtime } = this.#log;
    const isKnown = producers
      .get(header.producerId)
      ?.batches.some(({ baseOffset }) => baseOffset === header.baseOffset);
    if (isKnown !== true) {
      return undefined;
    }
    return header.recordCount === 0 ? bytes : emptiedBatch(bytes, runtime.compute);
  }

  /** Tombstones that a pass keeps for the first time get the time from which they may go (KIP-534). */
  #newHorizon(header: BatchHeader, kept: RecordRetention): number | undefined {
    const isFirst = deleteHorizonMs(header) === undefined && header.lastOffset < this.#endOffset;
    if (!kept.hasTombstone || !isFirst) {
      return undefined;
    }
    const horizon = this.#options.nowMs + this.#log.config.deleteRetentionMs;
    if (!Number.isSafeInteger(horizon)) {
      return undefined;
    }
    this.#expectHorizon(horizon);
    return horizon;
  }

  #expectHorizon(horizonMs: number): void {
    this.#nextHorizonMs = Math.min(this.#nextHorizonMs ?? horizonMs, horizonMs);
  }

  async #rewritten(
    { header, bytes }: SourceBatch,
    change: {
      readonly kept: RecordRetention;
      readonly payload: Uint8Array;
      readonly horizon: number | undefined;
    },
  ): Promise<Uint8Array> {
    const { compute } = this.#log.runtime;
    const { kept, horizon } = change;
    const { recordCount } = kept;
    let payload = kept.payload(change.payload);
    if (horizon !== undefined) {
      payload = rebaseTimestamps({ ...header, recordCount }, payload, horizon);
    }
    if (header.codec !== "none") {
      payload = await compute.compress(header.codec, payload);
    }
    const isStamped = header.timestampType === "LogAppendTime";
    const maxTimestamp = isStamped ? header.maxTimestamp : kept.maxTimestamp;
    const records = { payload, recordCount, maxTimestamp, deleteHorizonMs: horizon };
    return compactedBatch(bytes, records, compute);
  }

  async #payload(bytes: Uint8Array): Promise<Uint8Array> {
    const { compute } = this.#log.runtime;
    const options = { compute, maxDecompressedBytes: DECOMPRESSED_BYTES_MAX };
    const batch = readBatch(bytes, 0, options);
    return (batch instanceof Promise ? await batch : batch).payload;
  }

  async #reading<T>(segment: Segment, use: (source: CompactionSource) => Promise<T>): Promise<T> {
    const { epochs, runtime } = this.#log;
    const { compute } = runtime;
    const { pacer } = this.#options;
    this.#assertCurrent([segment]);
    try {
      return await segment.reading((file) =>
        use(
          new CompactionSource({ segment, file, epochs, compute, pacer, buffer: this.#readBuffer }),
        ),
      );
    } catch (error) {
      if (error instanceof SegmentDamage) {
        // What a truncation does to the file under a reader looks like damage.
        this.#assertCurrent([segment]);
      }
      if (isMillraceError(error) && error.code === "CORRUPT_MESSAGE") {
        throw new Error(`${segment.path}: ${error.message}`, { cause: error });
      }
      throw error;
    }
  }

  async #swap(group: readonly Segment[], cleaned: CleanedSegment): Promise<void> {
    const { writer } = this.#options.log;
    const { services } = this.#log;
    await writer.exclusively(async () => {
      this.#assertCurrent(group);
      // Before anything is renamed: to run out of file handles half way would be final.
      for (const segment of group) {
        await segment.pin();
      }
      await writer.orFail(() =>
        services.withReserve(() => swapSegments(this.#log, group, cleaned)),
      );
      writer.notify();
    });
  }

  #assertCurrent(segments: readonly Segment[]): void {
    const { truncations, config, isOffline, damage } = this.#log;
    const isCurrent =
      truncations === this.#truncations &&
      isCompacted(config) &&
      !isOffline &&
      damage === undefined &&
      areCurrent(this.#log, segments);
    if (!isCurrent) {
      throw new CompactionOvertaken("the log changed while it was cleaned");
    }
  }
}
