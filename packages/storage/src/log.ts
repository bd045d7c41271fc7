// One partition's log, as the broker sees it: a face over the parts that do the work. Appends are decided at once
// (append-decision.ts) and written when the commit scheduler says so (log-writer.ts); reading is in log-reader.ts,
// retention and truncation in log-trimming.ts.

import { MillraceError } from "@millrace/protocol";
import { decideAppend } from "./append-decision.js";
import type { CommitScheduler } from "./commit-scheduler.js";
import type { CompactedLog } from "./compaction-pass.js";
import { planEpochTruncation } from "./core/epoch-truncation.js";
import type { EpochEnd } from "./core/leader-epochs.js";
import type { FlushWaiter } from "./flush-waiters.js";
import { decideFollowerAppend } from "./follower-append.js";
import type { LogConfig } from "./log-config.js";
import { LogDamage } from "./log-damage.js";
import type { LogParts } from "./log-parts.js";
import { LogReader } from "./log-reader.js";
import { startAgainAt, trimBack, trimByRetention, trimFront } from "./log-trimming.js";
import type {
  AppendOptions,
  AppendOutcome,
  FollowerAppendOptions,
  LogSlice,
  LogState,
  ReadOptions,
  TimestampOffset,
} from "./log-types.js";
import { LogWriter } from "./log-writer.js";
import { type ScrubPlace, type ScrubStep, scrubSlice } from "./segment-scrub.js";

/** The id of a log whose `partition.metadata` is lost; the first `createLog` for its partition adopts it. */
export const NIL_TOPIC_ID = "00000000-0000-0000-0000-000000000000";

/** Made by `LogManager`: `createLog`, `getLog`. */
export class Log {
  readonly #parts: LogParts;
  readonly #scheduler: CommitScheduler;
  readonly #damage: LogDamage;
  readonly #reader: LogReader;
  readonly #writer: LogWriter;
  #topicId: string;
  #truncationsUnderWay = 0;
  /** The start was moved and could not be stored: whoever deletes up to it is not promised anything yet. */
  #isStartUnstored = false;

  /** @internal */
  constructor(parts: LogParts, scheduler: CommitScheduler) {
    this.#parts = parts;
    this.#scheduler = scheduler;
    this.#topicId = parts.id.topicId;
    this.#damage = new LogDamage(parts);
    this.#reader = new LogReader(parts, this.#damage);
    this.#writer = new LogWriter(parts);
  }

  get topic(): string {
    return this.#parts.id.topic;
  }

  get topicId(): string {
    return this.#topicId;
  }

  /** Its `partition.metadata` is lost, so `topicId` is nil; `createLog` for its partition gives it one. */
  get isTopicIdLost(): boolean {
    return this.#topicId === NIL_TOPIC_ID;
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

  /** Next offset after the last one that is fsynced in the log's own files, whatever the topic's `flush`. */
  get recoveryPoint(): number {
    return this.#parts.marks.landed;
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

  /** Everything below was covered by a cleaning pass. */
  get cleanedTo(): number {
    return this.#parts.compaction.cleanedTo;
  }

  /** Why the log cleaner leaves this log alone; undefined when it does not. */
  get uncleanable(): string | undefined {
    return this.#parts.compaction.problem;
  }

  updateConfig(config: LogConfig): void {
    this.#parts.config = config;
    this.#parts.compaction.problem = undefined;
    this.#writer.configured();
  }

  /**
   * Decides on one or more validated batches, back to back, and queues them. The log owns the bytes from now on:
   * offsets and epoch are written into them here, and nobody may change them any more. Nothing is durable yet: wait
   * with `whenFlushed(lastOffset)`, called in the same turn.
   */
  append(batches: Uint8Array, options: AppendOptions): AppendOutcome {
    const outcome = decideAppend(this.#parts, batches, options);
    this.#scheduleWork();
    return outcome;
  }

  /**
   * Like `append`, for batches fetched from the partition's leader: offsets, epochs and timestamps stay as they are,
   * and what does not follow on this log's end is refused. Refusals of their own: `OFFSET_OUT_OF_RANGE` (a gap or an
   * overlap), `FENCED_LEADER_EPOCH` (an epoch before the log's), `UNKNOWN_LEADER_EPOCH` (one after the fetch's),
   * `CORRUPT_MESSAGE`.
   */
  appendAsFollower(batches: Uint8Array, options: FollowerAppendOptions): AppendOutcome {
    const outcome = decideFollowerAppend(this.#parts, batches, options);
    this.#scheduleWork();
    return outcome;
  }

  /**
   * Resolves when `offset` is flushed: true when it is on the disk, false when it is only written (`flush=os`).
   * @throws MillraceError when it never will be: `STORAGE_FULL`, `KAFKA_STORAGE_ERROR`.
   */
  whenFlushed(offset: number): Promise<boolean> {
    return new Promise((flushed, failed) => this.#writer.awaitFlush(offset, { flushed, failed }));
  }

  /** As `whenFlushed`, without a promise for each of thousands: `waiter` hears it, perhaps before this returns. */
  awaitFlush(offset: number, waiter: FlushWaiter): void {
    this.#writer.awaitFlush(offset, waiter);
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
    return this.#reader.read(options);
  }

  /** How many bytes lie between the two offsets: exact in the tail, by segment size before it. */
  availableBytes(fromOffset: number, endOffset: number): number {
    return this.#reader.availableBytes(fromOffset, endOffset);
  }

  /** The first written record with at least this timestamp (milliseconds since 1970). */
  offsetForTimestamp(timestampMs: number): Promise<TimestampOffset | undefined> {
    return this.#reader.offsetForTimestamp(timestampMs);
  }

  /** The first written record with the largest timestamp. */
  maxTimestampOffset(): Promise<TimestampOffset | undefined> {
    return this.#reader.maxTimestampOffset();
  }

  /** Verifies a slice of the sealed segments; damage quarantines the log. @internal */
  scrub(place: ScrubPlace | undefined, maxBytes: number): Promise<ScrubStep> {
    return scrubSlice(this.#parts, { place, maxBytes, damage: this.#damage });
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
    await this.#truncating(async () => {
      if (offset < this.#parts.marks.end) {
        await this.#cut(() => trimBack(this.#parts, offset));
      }
    });
  }

  /**
   * As a follower: cuts what the leader does not have, by its answer about where this log's latest epoch ends there
   * (KIP-101). True when the rest is the leader's; false: ask again, with the latest epoch that is left.
   */
  async truncateToEpochEnd(leaderEnd: EpochEnd): Promise<boolean> {
    const { epochs, marks } = this.#parts;
    const plan = planEpochTruncation({ epochs, endOffset: marks.end }, leaderEnd);
    await this.truncateTo(plan.offset);
    return plan.isFinal;
  }

  /**
   * As a follower whose leader's log begins beyond this one's end, or whose own log is damaged: forgets everything and
   * goes on as an empty log at `offset`, durably. After a crash on the way the log is the old one, or a shorter one, or
   * empty; never one with a hole. A quarantine is over.
   */
  async truncateFullyAndStartAt(offset: number): Promise<void> {
    await this.#truncating(() => this.#cut(() => startAgainAt(this.#parts, offset)));
  }

  /**
   * The log begins at `offset` from now on (durably when it resolves); whole segments before it are removed.
   * @throws MillraceError `OFFSET_OUT_OF_RANGE` beyond the flushed offset.
   */
  async deleteRecordsBefore(offset: number): Promise<void> {
    await this.#writer.exclusively(async () => {
      const { marks } = this.#parts;
      if (offset > marks.flushed || offset < 0) {
        throw new MillraceError("OFFSET_OUT_OF_RANGE", `offset ${offset} is not flushed`);
      }
      if (offset > marks.start || this.#isStartUnstored) {
        const start = Math.max(offset, marks.start);
        await this.#trimmingFront(() => trimFront(this.#parts, start));
        this.#isStartUnstored = false;
        this.#writer.notify();
      }
    });
  }

  /** Removes segments that the topic's retention no longer keeps. Returns the bytes removed. */
  async applyRetention(nowMs: number): Promise<number> {
    return await this.#writer.exclusively(async () => {
      if (this.state !== "online") {
        return 0;
      }
      const removed = await this.#trimmingFront(() => trimByRetention(this.#parts, nowMs));
      if (removed > 0) {
        this.#writer.notify();
      }
      return removed;
    });
  }

  async #trimmingFront(work: () => Promise<number>): Promise<number> {
    const { marks, services } = this.#parts;
    const before = marks.start;
    try {
      return await this.#writer.orFail(() => services.withReserve(work), { bearsExhaustion: true });
    } catch (error) {
      this.#isStartUnstored ||= marks.start !== before;
      throw error;
    }
  }

  /** Forgets producers that wrote last before `beforeMs`. */
  expireProducers(beforeMs: number): void {
    this.#parts.producers.expire(beforeMs);
  }

  /** `listener` is called when the log start, end or flushed mark moved. Returns how to stop that. */
  subscribe(listener: () => void): () => void {
    return this.#writer.subscribe(listener);
  }

  #scheduleWork(): void {
    if (this.#writer.hasWork) {
      this.#scheduler.schedule(this.#writer);
    }
  }

  async #truncating(work: () => Promise<void>): Promise<void> {
    this.#truncationsUnderWay++;
    this.#parts.isTruncating = true;
    try {
      await this.#writer.exclusively(work);
    } finally {
      this.#truncationsUnderWay--;
      this.#parts.isTruncating = this.#truncationsUnderWay > 0;
    }
  }

  async #cut(work: () => Promise<void>): Promise<void> {
    this.#writer.discardPending(
      new MillraceError("NOT_LEADER_OR_FOLLOWER", "the log was truncated"),
    );
    this.#reader.forgetCursors();
    await this.#writer.orFail(work);
    this.#writer.notify();
  }

  /** @internal What the log cleaner works on. */
  get compacted(): CompactedLog {
    return { parts: this.#parts, writer: this.#writer, damage: this.#damage };
  }

  /** @internal Syncs what is acknowledged but not synced (`flush=os`). No acknowledgement waits for it. */
  syncInBackground(): Promise<void> {
    return this.#writer.syncInBackground();
  }

  /** @internal Whether there is anything that only `syncInBackground` syncs. */
  get hasUnsynced(): boolean {
    const { config, marks } = this.#parts;
    return config.flush === "os" && marks.synced < marks.written;
  }

  /** @internal Stores what makes the next start quick. */
  storeHints(): Promise<void> {
    return this.#writer.storeHints();
  }

  /** @internal Whether `storeHints` is worth the while. */
  get areHintsDue(): boolean {
    return this.#writer.areHintsDue;
  }

  /** @internal Gives a log whose `partition.metadata` was lost its id back. */
  adopt(topicId: string): void {
    this.#topicId = topicId;
  }

  /** @internal Goes offline when what changes files right now has ended. */
  stop(reason: string): Promise<void> {
    return this.#writer.stop(reason);
  }

  /** @internal Waits for the last readers. */
  closeFiles(): Promise<void> {
    return this.#writer.closeFiles();
  }

  /** @internal Writes and syncs all that is queued, stores the hints and goes offline. */
  close(): Promise<void> {
    return this.#writer.close();
  }

  /** @internal Goes offline without a word to the disk: nothing that waits is acknowledged. */
  abandon(reason: string): void {
    this.#writer.abandon(reason);
  }
}
