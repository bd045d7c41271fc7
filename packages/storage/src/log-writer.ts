// The writing side of a log: its turn in the group commit, who waits for which offset, closing; and the chain that lets
// only one operation at a time change files. What a round does to the files is in commit-round.ts.

import { MillraceError } from "@millrace/protocol";
import { syncInBackground } from "./background-sync.js";
import {
  fitsJournal,
  leaveJournal,
  RoundRefused,
  snapshotProducers,
  storeEpochs,
  syncRound,
  writeRound,
} from "./commit-round.js";
import type { CommitTarget, CommitWay } from "./commit-scheduler.js";
import type { JournalExtent } from "./core/commit-journal-format.js";
import { isFileError } from "./files.js";
import { type FlushWaiter, FlushWaiters } from "./flush-waiters.js";
import { type Hold, releaseAll } from "./hold.js";
import { activeSegment, type LogParts, logName } from "./log-parts.js";
import { SNAPSHOT_INTERVAL_BYTES } from "./producer-snapshots.js";
import { SyncTimer } from "./sync-timer.js";

/** Stored hints may lag so much behind: reading it costs a start less than storing them often costs everybody. */
const HINTS_LAG_BYTES_MAX = 128 * 1024;
const REFUSALS_TOLD_EVERY_MS = 10_000;

export class LogWriter implements CommitTarget {
  readonly #parts: LogParts;
  readonly #waiters = new FlushWaiters();
  readonly #listeners = new Set<() => void>();
  readonly #syncTimer: SyncTimer;
  /** The end of the chain of operations that change files. */
  #lastChange: Promise<unknown> = Promise.resolve();
  #toldRefusedMs = Number.NEGATIVE_INFINITY;
  /** The journal did not take what was written: a round of the log's own has to sync it. */
  #mustSync = false;
  /** The active segment, and how much of it was written, when the hints were stored. */
  #hintsAt: { readonly baseOffset: number; readonly sizeBytes: number };

  constructor(parts: LogParts) {
    this.#parts = parts;
    const { baseOffset, sizeBytes } = activeSegment(parts);
    this.#hintsAt = { baseOffset, sizeBytes };
    this.#syncTimer = new SyncTimer(parts, () => this.syncInBackground());
  }

  get hasWork(): boolean {
    return (this.#parts.tail.hasPending || this.#mustSync) && !this.#parts.isOffline;
  }

  get fitsJournal(): boolean {
    return fitsJournal(this.#parts);
  }

  commitRound(way: CommitWay): Promise<void> {
    return this.exclusively(() => this.#round(way));
  }

  /** The configuration changed. */
  configured(): void {
    this.#syncTimer.wrote();
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** `waiter` hears what becomes of `offset`, perhaps before this returns. */
  awaitFlush(offset: number, waiter: FlushWaiter): void {
    const { marks, services } = this.#parts;
    if (offset < marks.flushed) {
      waiter.flushed(offset < marks.synced);
    } else if (services.failure !== undefined || this.#parts.isOffline) {
      const message = services.failure?.message ?? "the log is closed";
      waiter.failed(new MillraceError("KAFKA_STORAGE_ERROR", message));
    } else if (offset >= marks.end) {
      const message = `offset ${offset} was not appended`;
      waiter.failed(new MillraceError("OFFSET_OUT_OF_RANGE", message));
    } else {
      this.#waiters.add(offset, waiter);
    }
  }

  /** Syncs what is written, whatever the topic's `flush`. No acknowledgement waits for it. */
  async syncInBackground(): Promise<void> {
    await this.orFail(() => syncInBackground(this.#parts));
    this.#settle();
  }

  /** What is in the commit journal now is in the log's own files too, durably, when it resolves. */
  async land(): Promise<void> {
    const { isTruncating } = this.#parts;
    await this.syncInBackground();
    if (isTruncating || this.#parts.isOffline) {
      // It is being cut or removed, which lands the rest,
      await this.exclusively(() => Promise.resolve());
      // unless there was nothing to cut.
      await this.syncInBackground();
    }
  }

  /** Stores what makes the next start quick: the active segment's indexes, and a producer snapshot when due. */
  async storeHints(): Promise<void> {
    await this.exclusively(async () => {
      if (this.#parts.isOffline || this.#parts.services.failure !== undefined) {
        return;
      }
      const { baseOffset, sizeBytes } = activeSegment(this.#parts);
      this.#hintsAt = { baseOffset, sizeBytes };
      await activeSegment(this.#parts).activeIndexes.store({ sync: false });
      if (this.#parts.bytesSinceSnapshot >= SNAPSHOT_INTERVAL_BYTES) {
        await snapshotProducers(this.#parts);
      }
    });
  }

  /** Whether so much was written since `storeHints` that it is worth the while. */
  get areHintsDue(): boolean {
    const { baseOffset, sizeBytes } = activeSegment(this.#parts);
    const storedBytes = this.#hintsAt.baseOffset === baseOffset ? this.#hintsAt.sizeBytes : 0;
    return Math.abs(sizeBytes - storedBytes) >= HINTS_LAG_BYTES_MAX;
  }

  /** Goes offline when what changes files right now has ended; what was acknowledged is in the log's own files then. */
  async stop(reason: string): Promise<void> {
    this.abandon(reason);
    const { services } = this.#parts;
    await this.exclusively(async () => {
      if (services.failure === undefined) {
        await this.orFail(() => services.withReserve(() => leaveJournal(this.#parts)), {
          bearsExhaustion: true,
        });
      }
    });
  }

  /** Waits for the last readers. */
  async closeFiles(): Promise<void> {
    await Promise.all(this.#parts.segments.map((segment) => segment.close()));
  }

  /** Writes and syncs all that is queued, stores the hints and goes offline. */
  async close(): Promise<void> {
    await this.exclusively(async () => {
      while (this.#parts.tail.hasPending && this.#parts.services.failure === undefined) {
        await this.#round("file");
      }
      const isOnline = !this.#parts.isOffline && this.#parts.services.failure === undefined;
      if (isOnline) {
        await this.orFail(() => syncRound(this.#parts));
        this.#settle();
        await this.#storeFinalHints();
      }
    }).finally(() => this.abandon("the log is closed"));
    await this.closeFiles();
  }

  /** What a quick start needs; without it (a full disk) the next start does more, and nothing is lost. */
  async #storeFinalHints(): Promise<void> {
    try {
      await storeEpochs(this.#parts);
      await activeSegment(this.#parts).activeIndexes.store({ sync: true });
      await snapshotProducers(this.#parts);
    } catch (error) {
      const { logger } = this.#parts.runtime;
      logger.warn({ log: logName(this.#parts.id), error }, "the next start will take longer");
    }
  }

  /** Goes offline without a word to the disk: nothing that waits is acknowledged. */
  abandon(reason: string): void {
    this.#parts.isOffline = true;
    this.#syncTimer.stop();
    this.discardPending(new MillraceError("KAFKA_STORAGE_ERROR", reason));
    this.#parts.tail.clear();
    this.notify();
  }

  async #round(way: CommitWay): Promise<void> {
    if (this.#parts.isOffline || this.#parts.services.failure !== undefined) {
      return;
    }
    const parts = this.#parts;
    const holds: Hold[] = [];
    try {
      // Only then: a replay must not find a gap.
      const isDurableSoFar = parts.marks.synced === parts.marks.written;
      const extent = await this.#write(holds);
      if (parts.config.flush === "sync") {
        const isJournaled =
          way === "journal" &&
          isDurableSoFar &&
          extent !== undefined &&
          (await this.#journal(extent));
        if (way === "journal" && !isJournaled) {
          // It holds no turn to sync.
          this.#mustSync = parts.marks.synced < parts.marks.written;
          return;
        }
        this.#mustSync = false;
        if (!isJournaled) {
          await syncRound(parts);
        }
      } else {
        parts.marks.countWrittenAsFlushed();
        this.#syncTimer.wrote();
      }
    } catch (error) {
      if (error instanceof RoundRefused) {
        this.#tellRefused(error);
        this.discardPending(new MillraceError(error.error, error.message));
      } else if (!parts.isOffline) {
        this.#fail(error);
      }
      return;
    } finally {
      releaseAll(holds);
    }
    this.#settle();
  }

  /** Once in a while: a full disk refuses as fast as clients ask. */
  #tellRefused(error: RoundRefused): void {
    const { clock, logger } = this.#parts.runtime;
    const nowMs = clock.monotonicMs();
    if (nowMs - this.#toldRefusedMs >= REFUSALS_TOLD_EVERY_MS) {
      this.#toldRefusedMs = nowMs;
      const log = logName(this.#parts.id);
      logger.warn({ log, error: error.error }, `append refused: ${error.message}`);
    }
  }

  #write(holds: Hold[]): Promise<JournalExtent | undefined> {
    const { marks, mayUseReserveTo, services } = this.#parts;
    return mayUseReserveTo > marks.written
      ? services.withReserve(() => writeRound(this.#parts, holds))
      : writeRound(this.#parts, holds);
  }

  async #journal(extent: JournalExtent): Promise<boolean> {
    const { marks, services } = this.#parts;
    const { written } = marks;
    const isDurable = await services.journal.append(extent, this);
    if (isDurable && !this.#parts.isOffline) {
      marks.journaledTo(written);
    }
    return isDurable;
  }

  /** Takes back all that is not written: log end, producers, epochs; and refuses whoever waits for it. */
  discardPending(error: Error): void {
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
    this.notify();
  }

  #settle(): void {
    const { marks } = this.#parts;
    this.#waiters.complete(marks.flushed, marks.synced);
    this.notify();
  }

  notify(): void {
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

  /** Runs `work`; a fault in it is final for the data directory, unless `work` bears that space or handles run out. */
  async orFail<T>(
    work: () => Promise<T>,
    options: { readonly bearsExhaustion: boolean } = { bearsExhaustion: false },
  ): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (options.bearsExhaustion && isFileError(error, "STORAGE_FULL")) {
        throw new MillraceError("STORAGE_FULL", undefined, { cause: error });
      }
      if (options.bearsExhaustion && isFileError(error, "TOO_MANY_OPEN_FILES")) {
        throw new MillraceError("KAFKA_STORAGE_ERROR", "too many open files", { cause: error });
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
  exclusively<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#lastChange.then(work, work);
    this.#lastChange = result.catch(() => undefined);
    return result;
  }
}
