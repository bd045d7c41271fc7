// One partition's log, as the broker sees it. Appends are decided here, synchronously: sequence numbers, offsets,
// epochs, timestamps; the bytes go into the tail and wait for the commit scheduler. Writing (commit-round.ts),
// reading (log-reader.ts) and trimming (log-trimming.ts) are done elsewhere, one of those that change files at a time.

import {
  type BatchHeader,
  batchHeaders,
  isMillraceError,
  MillraceError,
  patchBatchPosition,
  patchLogAppendTime,
  readBatchHeader,
  type WireErrorName,
} from "@millrace/protocol";
import {
  RoundRefused,
  snapshotProducers,
  storeEpochs,
  syncRound,
  writeRound,
} from "./commit-round.js";
import type { CommitScheduler, CommitTarget } from "./commit-scheduler.js";
import type { EpochEnd } from "./core/leader-epochs.js";
import type { ProducerUndo } from "./core/producer-state.js";
import { isFileError } from "./files.js";
import { FlushWaiters } from "./flush-waiters.js";
import type { LogConfig } from "./log-config.js";
import { activeSegment, type LogParts, logName } from "./log-parts.js";
import { LogReader } from "./log-reader.js";
import { trimBack, trimByRetention, trimFront } from "./log-trimming.js";
import type {
  AppendOptions,
  AppendOutcome,
  AppendRefused,
  LogSlice,
  LogState,
  ReadOptions,
  TimestampOffset,
} from "./log-types.js";
import { SNAPSHOT_INTERVAL_BYTES } from "./producer-snapshots.js";
import { SegmentDamage } from "./segment-reader.js";
import { SyncTimer } from "./sync-timer.js";

const refused = (error: WireErrorName, message: string): AppendRefused => ({
  ok: false,
  error,
  message,
});

/** Made by `LogManager`: `createLog`, `getLog`. */
export class Log {
  readonly #parts: LogParts;
  readonly #scheduler: CommitScheduler;
  readonly #target: CommitTarget;
  readonly #reader: LogReader;
  readonly #waiters = new FlushWaiters();
  readonly #listeners = new Set<() => void>();
  readonly #syncTimer: SyncTimer;
  /** The end of the chain of operations that change files. */
  #lastChange: Promise<unknown> = Promise.resolve();
  #topicId: string;
  /** The written mark when the hints were stored. */
  #hintsAt: number;
  #isTruncating = false;

  /** @internal */
  constructor(parts: LogParts, scheduler: CommitScheduler) {
    const isBusy = (): boolean => this.#parts.tail.hasPending && !this.#parts.isOffline;
    this.#parts = parts;
    this.#topicId = parts.id.topicId;
    this.#hintsAt = parts.marks.written;
    this.#scheduler = scheduler;
    this.#reader = new LogReader(parts);
    this.#syncTimer = new SyncTimer(parts, () => this.syncNow());
    this.#target = {
      get hasWork() {
        return isBusy();
      },
      commitRound: () => this.#exclusively(() => this.#commitRound()),
    };
  }

  get topic(): string {
    return this.#parts.id.topic;
  }

  get topicId(): string {
    return this.#topicId;
  }

  get partition(): number {
    return this.#parts.id.partition;
  }

  /** Where the log's files are. */
  get directory(): string {
    return this.#parts.directory;
  }

  get config(): LogConfig {
    return this.#parts.config;
  }

  get logStartOffset(): number {
    return this.#parts.marks.start;
  }

  /** Where the next batch goes. */
  get logEndOffset(): number {
    return this.#parts.marks.end;
  }

  /** Next offset after the last flushed one: fsynced, or with `flush=os` written. */
  get flushedOffset(): number {
    return this.#parts.marks.flushed;
  }

  /** Next offset after the last fsynced one, whatever the topic's `flush`. */
  get recoveryPoint(): number {
    return this.#parts.marks.synced;
  }

  /** Of all segments, unwritten batches included. */
  get sizeBytes(): number {
    const written = this.#parts.segments.reduce((sum, segment) => sum + segment.sizeBytes, 0);
    return written + this.#parts.tail.pendingBytes;
  }

  get segmentCount(): number {
    return this.#parts.segments.length;
  }

  get state(): LogState {
    if (this.#parts.isOffline || this.#parts.services.failure !== undefined) {
      return "offline";
    }
    return this.#parts.damage === undefined ? "online" : "quarantined";
  }

  /** Why the log is quarantined; undefined when it is not. */
  get damage(): string | undefined {
    return this.#parts.damage;
  }

  /** -1 when nothing was written under any epoch. */
  get latestEpoch(): number {
    return this.#parts.epochs.latestEpoch;
  }

  /** Producers whose sequence numbers are known. */
  get producerCount(): number {
    return this.#parts.producers.size;
  }

  updateConfig(config: LogConfig): void {
    this.#parts.config = config;
    this.#syncTimer.wrote();
  }

  /**
   * Decides on one or more validated batches, back to back, and queues them. The log owns the bytes from now on:
   * offsets and epoch are written into them here, and nobody may change them any more. Nothing is durable yet: wait
   * with `whenFlushed(lastOffset)`, called in the same turn.
   */
  append(batches: Uint8Array, options: AppendOptions): AppendOutcome {
    const obstacle = this.#appendObstacle(batches.byteLength);
    if (obstacle !== undefined) {
      return obstacle;
    }
    const headers = options.headers ?? tryHeaders(batches);
    if (headers === undefined || totalBytes(headers) !== batches.byteLength) {
      return refused("CORRUPT_MESSAGE", "the bytes are not whole record batches");
    }
    const problem = this.#batchProblem(headers, options.leaderEpoch);
    if (problem !== undefined) {
      return problem;
    }
    return this.#sequence(headers) ?? this.#accept(batches, headers, options.leaderEpoch);
  }

  #appendObstacle(sizeBytes: number): AppendRefused | undefined {
    const { services, storage, damage } = this.#parts;
    if (services.failure !== undefined) {
      return refused("KAFKA_STORAGE_ERROR", services.failure.message);
    }
    if (this.#parts.isOffline) {
      return refused("KAFKA_STORAGE_ERROR", "the log is closed");
    }
    if (damage !== undefined) {
      return refused("PARTITION_QUARANTINED", damage);
    }
    if (this.#isTruncating) {
      return refused("REPLICA_NOT_AVAILABLE", "the log is being truncated");
    }
    if (services.queuedBytes > 0 && services.queuedBytes + sizeBytes > storage.queuedBytesMax) {
      return refused("BROKER_OVERLOADED", "too many bytes wait to be written");
    }
    return undefined;
  }

  #batchProblem(headers: readonly BatchHeader[], leaderEpoch: number): AppendRefused | undefined {
    const { config, epochs, runtime } = this.#parts;
    if (headers.length === 0) {
      return refused("INVALID_RECORD", "there is no record batch");
    }
    if (leaderEpoch < epochs.latestEpoch) {
      return refused(
        "FENCED_LEADER_EPOCH",
        `the log has leader epoch ${epochs.latestEpoch}, the append ${leaderEpoch}`,
      );
    }
    const nowMs = runtime.clock.nowMs();
    for (const header of headers) {
      if (header.sizeBytes > config.maxMessageBytes) {
        return refused(
          "MESSAGE_TOO_LARGE",
          `the batch has ${header.sizeBytes} bytes; the topic takes ${config.maxMessageBytes} (max.message.bytes)`,
        );
      }
      if (header.sizeBytes > config.segmentBytes) {
        return refused("RECORD_LIST_TOO_LARGE", "the batch is larger than a segment");
      }
      const isTimely =
        config.messageTimestampType === "LogAppendTime" ||
        header.maxTimestamp < 0 ||
        (header.maxTimestamp - nowMs <= config.messageTimestampAfterMaxMs &&
          nowMs - header.maxTimestamp <= config.messageTimestampBeforeMaxMs);
      if (!isTimely) {
        return refused("INVALID_TIMESTAMP", `timestamp ${header.maxTimestamp} is out of range`);
      }
    }
    return undefined;
  }

  /** The answer to a retry, a refusal, or undefined when all batches are new and in order. */
  #sequence(headers: readonly BatchHeader[]): AppendOutcome | undefined {
    const { producers } = this.#parts;
    const undos: ProducerUndo[] = [];
    let outcome: AppendOutcome | undefined;
    for (const header of headers) {
      const verdict = producers.check(header);
      if (verdict.kind === "refused") {
        outcome = refused(verdict.error, verdict.message);
        break;
      }
      if (verdict.kind === "duplicate") {
        outcome =
          headers.length === 1
            ? this.#duplicate(verdict.original)
            : refused("INVALID_RECORD", "a retry must come by itself, one batch at a time");
        break;
      }
      const undo = producers.apply(header, 0);
      if (undo !== undefined) {
        undos.push(undo);
      }
    }
    // Only a trial: the real offsets are not known yet.
    for (const undo of undos.reverse()) {
      producers.undo(undo);
    }
    return outcome;
  }

  #duplicate(original: {
    baseOffset: number;
    lastOffset: number;
    timestamp: number;
  }): AppendOutcome {
    const isStamped = this.#parts.config.messageTimestampType === "LogAppendTime";
    return {
      ok: true,
      baseOffset: original.baseOffset,
      lastOffset: original.lastOffset,
      logAppendTime: isStamped ? original.timestamp : -1,
      isDuplicate: true,
    };
  }

  #accept(
    batches: Uint8Array,
    headers: readonly BatchHeader[],
    leaderEpoch: number,
  ): AppendOutcome {
    const { marks, tail, epochs, producers, config, runtime, services } = this.#parts;
    const baseOffset = marks.end;
    const nowMs = runtime.clock.nowMs();
    const isStamped = config.messageTimestampType === "LogAppendTime";
    if (epochs.assign(leaderEpoch, baseOffset)) {
      this.#parts.areEpochsDirty = true;
    }
    let position = 0;
    for (const { sizeBytes } of headers) {
      patchBatchPosition(batches, position, { baseOffset: marks.end, leaderEpoch });
      if (isStamped) {
        patchLogAppendTime(batches, position, { timestampMs: nowMs, compute: runtime.compute });
      }
      const header = readBatchHeader(batches, position);
      const bytes =
        sizeBytes === batches.byteLength
          ? batches
          : batches.subarray(position, position + sizeBytes);
      tail.append({ bytes, header, undo: producers.apply(header, nowMs) });
      marks.appended(header.lastOffset + 1);
      position += sizeBytes;
    }
    services.countQueued(batches.byteLength);
    this.#scheduler.schedule(this.#target);
    return {
      ok: true,
      baseOffset,
      lastOffset: marks.end - 1,
      logAppendTime: isStamped ? nowMs : -1,
      isDuplicate: false,
    };
  }

  /**
   * Resolves when `offset` is flushed: true when it is on the disk, false when it is only written (`flush=os`).
   * @throws MillraceError when it never will be: `STORAGE_FULL`, `KAFKA_STORAGE_ERROR`.
   */
  whenFlushed(offset: number): Promise<boolean> {
    const { marks, services } = this.#parts;
    if (offset < marks.flushed) {
      return Promise.resolve(offset < marks.synced);
    }
    if (services.failure !== undefined || this.#parts.isOffline) {
      const message = services.failure?.message ?? "the log is closed";
      return Promise.reject(new MillraceError("KAFKA_STORAGE_ERROR", message));
    }
    if (offset >= marks.end) {
      return Promise.reject(
        new MillraceError("OFFSET_OUT_OF_RANGE", `offset ${offset} was not appended`),
      );
    }
    return this.#waiters.wait(offset);
  }

  /**
   * Whole batches from the one that contains `offset` on. Synchronous when they are in memory.
   * @throws MillraceError `OFFSET_OUT_OF_RANGE`, `CORRUPT_MESSAGE` (damage on disk: the log is quarantined),
   *   `KAFKA_STORAGE_ERROR`. Thrown, or as a rejection.
   */
  read(options: ReadOptions): LogSlice | Promise<LogSlice> {
    const { marks } = this.#parts;
    if (this.#parts.isOffline) {
      throw new MillraceError("KAFKA_STORAGE_ERROR", "the log is closed");
    }
    if (options.offset < marks.start || options.offset > marks.end) {
      throw new MillraceError(
        "OFFSET_OUT_OF_RANGE",
        `offset ${options.offset} is outside ${marks.start} to ${marks.end}`,
        { details: { logStartOffset: marks.start, logEndOffset: marks.end } },
      );
    }
    const slice = this.#reader.read(options);
    return slice instanceof Promise ? slice.catch((error: unknown) => this.#damaged(error)) : slice;
  }

  /** How many bytes lie between the two offsets: exact in the tail, by segment size before it. */
  availableBytes(fromOffset: number, endOffset: number): number {
    const { tail, segments, marks } = this.#parts;
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

  /** The first written record with at least this timestamp (milliseconds since 1970). */
  offsetForTimestamp(timestampMs: number): Promise<TimestampOffset | undefined> {
    return this.#reader
      .offsetForTimestamp(timestampMs)
      .catch((error: unknown) => this.#damaged(error));
  }

  /** The first written record with the largest timestamp. */
  maxTimestampOffset(): Promise<TimestampOffset | undefined> {
    return this.#reader.maxTimestampOffset().catch((error: unknown) => this.#damaged(error));
  }

  /** Where the largest epoch at or below `epoch` ends, exclusive; -1 when the log cannot know (KIP-279). */
  endOffsetForEpoch(epoch: number): EpochEnd {
    return this.#parts.epochs.endOffsetFor(epoch, this.#parts.marks.end);
  }

  /**
   * Cuts everything from the batch that contains `offset` on, durably. Appends are refused meanwhile, and whoever
   * waits for a cut offset gets `NOT_LEADER_OR_FOLLOWER`.
   */
  async truncateTo(offset: number): Promise<void> {
    this.#isTruncating = true;
    try {
      await this.#exclusively(async () => {
        const { marks } = this.#parts;
        if (offset >= marks.end) {
          return;
        }
        this.#discardPending(new MillraceError("NOT_LEADER_OR_FOLLOWER", "the log was truncated"));
        this.#reader.forgetCursors();
        await this.#finally(() => trimBack(this.#parts, offset));
        this.#notify();
      });
    } finally {
      this.#isTruncating = false;
    }
  }

  /**
   * The log begins at `offset` from now on (durably when it resolves); whole segments before it are removed.
   * @throws MillraceError `OFFSET_OUT_OF_RANGE` beyond the flushed offset.
   */
  async deleteRecordsBefore(offset: number): Promise<void> {
    await this.#exclusively(async () => {
      const { marks } = this.#parts;
      if (offset > marks.flushed || offset < 0) {
        throw new MillraceError("OFFSET_OUT_OF_RANGE", `offset ${offset} is not flushed`);
      }
      if (offset > marks.start) {
        await this.#finally(() => trimFront(this.#parts, offset));
        this.#notify();
      }
    });
  }

  /** Removes segments that the topic's retention no longer keeps. Returns the bytes removed. */
  async applyRetention(nowMs: number): Promise<number> {
    return await this.#exclusively(async () => {
      if (this.state !== "online") {
        return 0;
      }
      const removed = await this.#finally(() => trimByRetention(this.#parts, nowMs));
      if (removed > 0) {
        this.#notify();
      }
      return removed;
    });
  }

  /** Forgets producers that wrote last before `beforeMs`. */
  expireProducers(beforeMs: number): void {
    this.#parts.producers.expire(beforeMs);
  }

  /** `listener` is called when the log start, end or flushed mark moved. Returns how to stop that. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** @internal Syncs what is written, whatever the topic's `flush`. */
  async syncNow(): Promise<void> {
    await this.#exclusively(async () => {
      await this.#finally(() => syncRound(this.#parts));
      this.#settle();
    });
  }

  /** @internal Stores what makes the next start quick: the active segment's indexes, and a producer snapshot when due. */
  async storeHints(): Promise<void> {
    await this.#exclusively(async () => {
      if (this.#parts.isOffline || this.#parts.services.failure !== undefined) {
        return;
      }
      this.#hintsAt = this.#parts.marks.written;
      await activeSegment(this.#parts).activeIndexes.store({ sync: false });
      if (this.#parts.bytesSinceSnapshot >= SNAPSHOT_INTERVAL_BYTES) {
        await snapshotProducers(this.#parts);
      }
    });
  }

  /** @internal Whether `storeHints` would store anything new. */
  get hasUnstoredHints(): boolean {
    return this.#hintsAt !== this.#parts.marks.written;
  }

  /** @internal Gives a log whose `partition.metadata` was lost its id back. */
  adopt(topicId: string): void {
    this.#topicId = topicId;
  }

  /** @internal Goes offline when what changes files right now has ended. */
  async stop(reason: string): Promise<void> {
    this.abandon(reason);
    await this.#exclusively(() => Promise.resolve());
  }

  /** @internal Waits for the last readers. */
  async closeFiles(): Promise<void> {
    await Promise.all(this.#parts.segments.map((segment) => segment.close()));
  }

  /** @internal Writes and syncs all that is queued, stores the hints and goes offline. */
  async close(): Promise<void> {
    await this.#exclusively(async () => {
      while (this.#parts.tail.hasPending && this.#parts.services.failure === undefined) {
        await this.#commitRound();
      }
      const isOnline = !this.#parts.isOffline && this.#parts.services.failure === undefined;
      if (isOnline) {
        await this.#finally(() => syncRound(this.#parts));
        this.#settle();
        await storeEpochs(this.#parts);
        await activeSegment(this.#parts).activeIndexes.store({ sync: true });
        await snapshotProducers(this.#parts);
      }
    }).finally(() => this.abandon("the log is closed"));
    await this.closeFiles();
  }

  /** @internal Goes offline without a word to the disk: nothing that waits is acknowledged. */
  abandon(reason: string): void {
    this.#parts.isOffline = true;
    this.#syncTimer.stop();
    this.#discardPending(new MillraceError("KAFKA_STORAGE_ERROR", reason));
    this.#parts.tail.clear();
    this.#notify();
  }

  async #commitRound(): Promise<void> {
    if (this.#parts.isOffline || this.#parts.services.failure !== undefined) {
      return;
    }
    const parts = this.#parts;
    try {
      await writeRound(parts);
      if (parts.config.flush === "sync") {
        await syncRound(parts);
      } else {
        parts.marks.countWrittenAsFlushed();
        this.#syncTimer.wrote();
      }
    } catch (error) {
      if (error instanceof RoundRefused) {
        parts.runtime.logger.warn(
          { log: logName(parts.id), error: error.error },
          `append refused: ${error.message}`,
        );
        this.#discardPending(new MillraceError(error.error, error.message));
      } else if (!parts.isOffline) {
        this.#fail(error);
      }
      return;
    }
    this.#settle();
  }

  /** Takes back all that is not written: log end, producers, epochs; and refuses whoever waits for it. */
  #discardPending(error: Error): void {
    const { tail, marks, producers, epochs, services } = this.#parts;
    for (const { undo } of tail.pendingNewestFirst()) {
      if (undo !== undefined) {
        producers.undo(undo);
      }
    }
    services.countQueued(-tail.pendingBytes);
    tail.discardPending();
    marks.discardUnwritten();
    if (epochs.truncateFromEnd(marks.end)) {
      this.#parts.areEpochsDirty = true;
    }
    this.#waiters.refuseFrom(marks.flushed, error);
    this.#notify();
  }

  #settle(): void {
    const { marks } = this.#parts;
    this.#waiters.complete(marks.flushed, marks.synced);
    this.#notify();
  }

  #notify(): void {
    for (const listener of this.#listeners) {
      try {
        listener();
      } catch (error) {
        this.#parts.runtime.logger.error(
          { log: logName(this.#parts.id), error },
          "listener failed",
        );
      }
    }
  }

  /** Damage found by a read quarantines the log; any other fault of a read is the reader's alone. */
  #damaged(error: unknown): never {
    if (error instanceof SegmentDamage) {
      this.#parts.damage ??= error.message;
      this.#parts.runtime.logger.error(
        { log: logName(this.#parts.id), path: error.path, position: error.position },
        `log quarantined: ${error.message}`,
      );
      throw new MillraceError("CORRUPT_MESSAGE", error.message, { cause: error });
    }
    throw isMillraceError(error)
      ? error
      : new MillraceError("KAFKA_STORAGE_ERROR", "the log could not be read", { cause: error });
  }

  /** Runs `work`; a fault in it is final for the data directory, unless the disk was merely full. */
  async #finally<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (isFileError(error, "STORAGE_FULL")) {
        throw new MillraceError("STORAGE_FULL", undefined, { cause: error });
      }
      this.#fail(error);
      throw new MillraceError("KAFKA_STORAGE_ERROR", "the disk failed", { cause: error });
    }
  }

  #fail(cause: unknown): void {
    const reason = cause instanceof Error ? cause.message : String(cause);
    this.#parts.services.fail({
      path: this.#parts.directory,
      message: `${logName(this.#parts.id)}: writing or syncing failed: ${reason}`,
      cause,
    });
  }

  /** One at a time, in order, each whatever became of the one before. */
  #exclusively<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#lastChange.then(work, work);
    this.#lastChange = result.catch(() => undefined);
    return result;
  }
}

function totalBytes(headers: readonly BatchHeader[]): number {
  return headers.reduce((sum, header) => sum + header.sizeBytes, 0);
}

function tryHeaders(batches: Uint8Array): BatchHeader[] | undefined {
  try {
    return Array.from(batchHeaders(batches), ({ header }) => header);
  } catch (error) {
    if (isMillraceError(error)) {
      return undefined;
    }
    throw error;
  }
}
