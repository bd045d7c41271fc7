// One data directory with all its logs: opens (locks, recovers), creates, deletes and closes them, and stops
// everything at the first fault that cannot be survived. What logs need from each other goes through here.

import { MillraceError } from "@millrace/protocol";
import { randomUuid } from "@millrace/runtime";
import { beforeCheckpoint } from "./before-checkpoint.js";
import { CommitJournal } from "./commit-journal.js";
import { CommitScheduler } from "./commit-scheduler.js";
import { ProducerState } from "./core/producer-state.js";
import {
  deletedDirectoryName,
  partitionDirectoryName,
  setAsideDirectoryName,
} from "./core/segment-name.js";
import { DataDirectory } from "./data-directory.js";
import { isFileError } from "./files.js";
import { forEachBounded } from "./for-each-bounded.js";
import { recoverFoundLog } from "./found-log.js";
import { IndexCache } from "./index-cache.js";
import { replayJournal } from "./journal-replay.js";
import { Log } from "./log.js";
import { LogCleaner } from "./log-cleaner.js";
import type { LogConfig } from "./log-config.js";
import type { LogManagerOptions } from "./log-manager-options.js";
import type { LogServices } from "./log-parts.js";
import { type LogEnvironment, recoverLog } from "./log-recovery.js";
import type { LogId, StorageFailure } from "./log-types.js";
import { OffsetCheckpointer } from "./offset-checkpointer.js";
import { assertOwnDirectory } from "./own-directory.js";
import { adoptLog, storeTopicId } from "./partition-identity.js";
import { createReading, type ReadingServices } from "./read-ahead.js";
import { Removals } from "./removals.js";
import { Scrubber, type ScrubTotals } from "./scrubber.js";
import { SpaceReserve } from "./space-reserve.js";
import {
  type StorageConfig,
  type StorageRuntime,
  storageConfigDefaults,
} from "./storage-config.js";
import { TailCache } from "./tail-cache.js";

type OtherServices = ReadingServices & Pick<LogServices, "journal">;

/** Logs closed at the same time. */
const LOGS_AT_ONCE_MAX = 16;

export class LogManager {
  readonly wasCleanShutdown: boolean;
  /** Resolves at the first fault after which nothing can be promised. The broker must stop: nothing more is acknowledged. */
  readonly failed: Promise<StorageFailure>;
  readonly cleaner: LogCleaner;
  readonly #runtime: StorageRuntime;
  readonly #storage: StorageConfig;
  readonly #directory: DataDirectory;
  readonly #environment: LogEnvironment;
  readonly #scheduler: CommitScheduler;
  readonly #checkpointer: OffsetCheckpointer;
  readonly #removals: Removals;
  readonly #reserve: SpaceReserve;
  readonly #scrubber: Scrubber;
  readonly #logs = new Map<string, Log>();
  readonly #creating = new Map<string, Promise<Log>>();
  /** What the directories of logs are renamed to whose removal began; it failed for those that stay here. */
  readonly #retired = new Map<Log, string>();
  /** Appended, over all logs, and not written yet. */
  #queuedBytes = 0;
  #failure: StorageFailure | undefined;
  #announceFailure: (failure: StorageFailure) => void = () => undefined;
  #closing: Promise<void> | undefined;

  private constructor(
    options: LogManagerOptions,
    directory: DataDirectory,
    wasCleanShutdown: boolean,
  ) {
    const { runtime } = options;
    const storage = { ...storageConfigDefaults, ...options.config };
    this.wasCleanShutdown = wasCleanShutdown;
    this.#runtime = runtime;
    this.#storage = storage;
    this.#directory = directory;
    this.failed = new Promise((resolve) => {
      this.#announceFailure = resolve;
    });
    this.#removals = new Removals(runtime);
    const { path } = options;
    this.#reserve = new SpaceReserve({ runtime, path, reserveBytes: storage.reserveBytes });
    const hasFailed = (): boolean => this.#failure !== undefined;
    const fail = (failure: StorageFailure): void => this.#fail(failure);
    const journal = new CommitJournal({ runtime, storage, path, hasFailed, fail });
    const { syncsAtOnceMax: roundsAtOnceMax } = storage;
    this.#scheduler = new CommitScheduler({ clock: runtime.clock, roundsAtOnceMax, journal });
    const logs = (): Iterable<Log> => this.#logs.values();
    this.cleaner = new LogCleaner({
      runtime,
      logs,
      storeOffsets: () => this.#checkpointer.store(),
      isBusy: () => this.#queuedBytes > 0,
    });
    const beforeStore = (): Promise<void> => beforeCheckpoint([...this.#logs.values()]);
    this.#checkpointer = new OffsetCheckpointer({ runtime, storage, directory, logs, beforeStore });
    const indexCache = new IndexCache(storage.indexCacheBytes);
    this.#scrubber = new Scrubber({ runtime, storage, path, logs });
    this.#environment = {
      runtime,
      storage,
      services: this.#services(indexCache, { ...createReading(runtime.clock, storage), journal }),
      tailCache: new TailCache(storage.tailCacheBytes),
      createProducerState: options.createProducerState ?? (() => new ProducerState()),
    };
  }

  /**
   * Locks the directory and recovers every log in it. Logs come up with default configurations: call `updateConfig`.
   * @throws MillraceError as `DataDirectory.open`
   */
  static async open(options: LogManagerOptions): Promise<LogManager> {
    const { runtime, path, nodeId, clusterId } = options;
    const directory = await DataDirectory.open({ runtime, path, nodeId, clusterId });
    try {
      const wasClean = await directory.takeCleanShutdownMark();
      const manager = new LogManager(options, directory, wasClean);
      try {
        await manager.#recover(options.onProgress);
        manager.#scrubber.start();
      } catch (error) {
        await manager.#reserve.stop();
        throw error;
      }
      return manager;
    } catch (error) {
      await directory.release();
      throw error;
    }
  }

  /** @internal What reads from files share. */
  get reading(): ReadingServices {
    return this.#environment.services;
  }

  get path(): string {
    return this.#directory.path;
  }

  get clusterId(): string {
    return this.#directory.clusterId;
  }

  get nodeId(): number {
    return this.#directory.nodeId;
  }

  get directoryId(): string {
    return this.#directory.directoryId;
  }

  /** What the background verification has done since the start. */
  get scrubTotals(): ScrubTotals {
    return this.#scrubber.totals;
  }

  logs(): Iterable<Log> {
    return [...this.#logs.values()];
  }

  getLog(topic: string, partition: number): Log | undefined {
    return this.#logs.get(partitionDirectoryName(topic, partition));
  }

  /**
   * A new, empty log, durable when this resolves. An existing one of the same topic id is returned, with `config`.
   * @throws MillraceError `INCONSISTENT_TOPIC_ID` when the partition exists under another id
   */
  async createLog(id: LogId, config: LogConfig): Promise<Log> {
    this.#assertOpen();
    if (!this.#reserve.isHeld && this.getLog(id.topic, id.partition) === undefined) {
      throw new MillraceError("STORAGE_FULL", "the disk is full: there is no room for a new log");
    }
    const name = partitionDirectoryName(id.topic, id.partition);
    const pending = this.#creating.get(name);
    if (pending !== undefined) {
      await pending;
    }
    await this.#finishRemoval(name, id);
    const existing = this.#logs.get(name);
    if (existing !== undefined) {
      return await adoptLog(this.#runtime.fileSystem, existing, { id, config });
    }
    const creating = this.#create(id, config).finally(() => this.#creating.delete(name));
    this.#creating.set(name, creating);
    return await creating;
  }

  /** Durably gone when this resolves; the files are removed in the background. */
  async deleteLog(log: Log): Promise<void> {
    const name = await this.#remove(log, deletedDirectoryName);
    const path = `${this.path}/${name}`;
    this.#removals.run(path, async () => {
      await log.closeFiles();
      await this.#runtime.fileSystem.removeDirectory(path);
    });
  }

  /** For a log that the metadata does not know: renamed to `<topic>-<n>.<id>-stray` and never touched again. */
  async setAside(log: Log, reason: string): Promise<void> {
    const from = log.directory;
    const name = await this.#remove(log, setAsideDirectoryName);
    this.#runtime.logger.warn({ from, to: `${this.path}/${name}`, reason }, "log set aside");
    await log.closeFiles();
  }

  /** Applies every log's retention once, and forgets idle producers. Returns the bytes removed. */
  async applyRetention(nowMs: number): Promise<number> {
    let removed = 0;
    for (const log of this.logs()) {
      log.expireProducers(nowMs - this.#storage.producerIdExpirationMs);
      try {
        removed += await log.applyRetention(nowMs);
      } catch (error) {
        this.#runtime.logger.warn({ directory: log.directory, error }, "retention failed");
      }
    }
    return removed;
  }

  /** Writes and syncs all that is queued, marks the shutdown as clean, unlocks. After a failure: only unlocks. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await Promise.allSettled(this.#creating.values());
    await this.cleaner.stop();
    this.#checkpointer.stop();
    await this.#scrubber.stop();
    try {
      const logs = [...this.#logs.values()];
      await forEachBounded(logs, LOGS_AT_ONCE_MAX, (log) => log.close());
      await this.#environment.services.journal.close();
      if (this.#failure === undefined) {
        await this.#bearingFullDisk(() => this.#markClean());
      }
    } finally {
      this.#checkpointer.stop();
      await this.#removals.close();
      await this.#reserve.stop();
      await this.#directory.release();
    }
  }

  async #markClean(): Promise<void> {
    await this.#checkpointer.store();
    await this.#directory.markCleanShutdown();
  }

  /** For what only makes the next start quicker. */
  async #bearingFullDisk(work: () => Promise<void>): Promise<void> {
    try {
      await this.#reserve.use(work);
    } catch (error) {
      if (!isFileError(error, "STORAGE_FULL")) {
        throw error;
      }
      this.#runtime.logger.warn({ path: this.path, error }, "the next start will take longer");
    }
  }

  async #recover(onProgress: LogManagerOptions["onProgress"]): Promise<void> {
    await this.#directory.finishDeletions();
    await this.#reserve.open();
    await this.#reserve.useAll(() => replayJournal(this.#runtime, this.path));
    const recoveryPoints = await this.#directory.loadRecoveryPoints();
    const startOffsets = await this.#directory.loadLogStartOffsets();
    const cleanerOffsets = await this.#directory.loadCleanerOffsets();
    this.#checkpointer.loadedCleanerOffsets(cleanerOffsets ?? new Map());
    const names = await this.#directory.partitionDirectories();
    let recoveredLogs = 0;
    await forEachBounded(names, this.#storage.recoveriesAtOnceMax, async (name) => {
      const found = await recoverFoundLog({
        environment: this.#environment,
        path: this.path,
        name,
        recoveryPoint: recoveryPoints?.get(name) ?? 0,
        logStartOffset: startOffsets?.get(name),
        cleanedTo: cleanerOffsets?.get(name) ?? 0,
        areNamesDurable: this.wasCleanShutdown,
      });
      recoveredLogs++;
      if (found !== undefined) {
        this.#logs.set(name, new Log(found.parts, this.#scheduler));
        onProgress?.({ recoveredLogs, totalLogs: names.length, report: found.report });
      }
    });
    await this.#bearingFullDisk(() => this.#checkpointer.store());
  }

  async #create(id: LogId, config: LogConfig): Promise<Log> {
    const name = partitionDirectoryName(id.topic, id.partition);
    const directory = `${this.path}/${name}`;
    const { fileSystem } = this.#runtime;
    await assertOwnDirectory(fileSystem, directory, { logs: this.#logs, creating: this.#creating });
    if (this.#checkpointer.hasStored(id.topic, id.partition)) {
      // A recovery point of a deleted predecessor would make the new log look damaged.
      await this.#checkpointer.store();
    }
    await fileSystem.createDirectory(directory);
    await fileSystem.syncDirectory(this.path);
    await storeTopicId(fileSystem, directory, id.topicId);
    const { parts } = await recoverLog({
      environment: this.#environment,
      id,
      directory,
      config,
      recoveryPoint: 0,
      logStartOffset: 0,
      cleanedTo: 0,
      areNamesDurable: false,
    });
    const log = new Log(parts, this.#scheduler);
    this.#logs.set(name, log);
    return log;
  }

  async #remove(log: Log, rename: typeof deletedDirectoryName): Promise<string> {
    const name = partitionDirectoryName(log.topic, log.partition);
    if (this.#logs.get(name) !== log) {
      throw new MillraceError("UNKNOWN_TOPIC_OR_PARTITION", `${name} is not a log of ${this.path}`);
    }
    const uniqueId = randomUuid(this.#runtime.random).replaceAll("-", "");
    const retired = this.#retired.get(log) ?? rename(log, uniqueId);
    this.#retired.set(log, retired);
    await log.stop("the log is being removed");
    await this.#directory.renameEntry(name, retired);
    this.#retired.delete(log);
    this.#logs.delete(name);
    return retired;
  }

  /** A predecessor whose removal failed half way must not keep the name. */
  async #finishRemoval(name: string, id: LogId): Promise<void> {
    const log = this.#logs.get(name);
    if (log !== undefined && log.topicId !== id.topicId && this.#retired.has(log)) {
      await this.deleteLog(log);
    }
  }

  #services(indexCache: IndexCache, others: OtherServices): LogServices {
    const failure = (): StorageFailure | undefined => this.#failure;
    const queuedBytes = (): number => this.#queuedBytes;
    const reserve = this.#reserve;
    return {
      ...others,
      get failure() {
        return failure();
      },
      get queuedBytes() {
        return queuedBytes();
      },
      countQueued: (bytes) => {
        this.#queuedBytes += bytes;
      },
      countWritten: (bytes) => this.#checkpointer.countWritten(bytes),
      fail: (fault) => this.#fail(fault),
      get hasReserve() {
        return reserve.isHeld;
      },
      withReserve: (work) => reserve.useAll(work),
      storeOffsets: () => this.#checkpointer.store(),
      removeLater: (segment, delayMs) => {
        indexCache.forget(segment);
        this.#removals.removeLater(segment, delayMs);
      },
      touchIndexes: (segment) => indexCache.touch(segment),
    };
  }

  #fail(failure: StorageFailure): void {
    if (this.#failure !== undefined) {
      return;
    }
    this.#failure = failure;
    this.#checkpointer.stop();
    void this.#scrubber.stop();
    this.#runtime.logger.fatal({ path: failure.path, error: failure.cause }, failure.message);
    for (const log of this.#logs.values()) {
      log.abandon(failure.message);
    }
    this.#announceFailure(failure);
  }

  #assertOpen(): void {
    if (this.#failure !== undefined || this.#closing !== undefined) {
      const reason = this.#failure?.message ?? "the storage is closed";
      throw new MillraceError("KAFKA_STORAGE_ERROR", reason);
    }
  }
}
