// When and how recovery points, log start offsets and the cleaner's offsets reach the disk: all logs in one file each, one store at a time, and
// whoever asks while one runs shares the next.

import type { Timer } from "@millrace/runtime";
import { partitionDirectoryName } from "./core/segment-name.js";
import type { OffsetCheckpoint } from "./core/text-checkpoints.js";
import type { DataDirectory } from "./data-directory.js";
import type { Log } from "./log.js";
import type { StorageConfig, StorageRuntime } from "./storage-config.js";

export interface OffsetCheckpointerOptions {
  readonly runtime: StorageRuntime;
  readonly storage: StorageConfig;
  readonly directory: DataDirectory;
  readonly logs: () => Iterable<Log>;
  /** What else a periodic checkpoint does, before the offsets are stored. */
  readonly beforeStore: () => Promise<void>;
}

export class OffsetCheckpointer {
  readonly #options: OffsetCheckpointerOptions;
  #stored: ReadonlySet<string> = new Set();
  #storedCleanerOffsets: OffsetCheckpoint = new Map();
  #running: Promise<void> | undefined;
  #next: Promise<void> | undefined;
  #timer: Timer | undefined;
  #writtenBytes = 0;
  #isCheckpointing = false;
  /** One came due while another ran: what was written meanwhile must not wait for the next write. */
  #isMissed = false;

  constructor(options: OffsetCheckpointerOptions) {
    this.#options = options;
  }

  /** What a start found: a file that says too much must be written again. */
  loadedCleanerOffsets(offsets: OffsetCheckpoint): void {
    this.#storedCleanerOffsets = offsets;
  }

  /** Whether the files on disk say something about the partition. */
  hasStored(topic: string, partition: number): boolean {
    return this.#stored.has(partitionDirectoryName(topic, partition));
  }

  /** Something was written: a checkpoint is due after `checkpointIntervalMs`, or `checkpointBytes`. */
  countWritten(bytes: number): void {
    const { runtime, storage } = this.#options;
    this.#writtenBytes += bytes;
    if (this.#writtenBytes >= storage.checkpointBytes) {
      this.#checkpoint();
    } else {
      this.#timer ??= runtime.clock.setTimer(storage.checkpointIntervalMs, () => {
        this.#checkpoint();
      });
    }
  }

  /** Resolves when a store that began after this call is durable. */
  store(): Promise<void> {
    if (this.#running === undefined) {
      this.#running = this.#storeOnce().finally(() => {
        this.#running = undefined;
      });
      return this.#running;
    }
    if (this.#next === undefined) {
      const running = this.#running;
      this.#next = running
        .catch(() => undefined)
        .then(() => {
          this.#next = undefined;
          return this.store();
        });
    }
    return this.#next;
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  async #storeOnce(): Promise<void> {
    const { directory, logs } = this.#options;
    const recoveryPoints = new Map<string, number>();
    const startOffsets = new Map<string, number>();
    const cleanerOffsets = new Map<string, number>();
    for (const log of logs()) {
      const name = partitionDirectoryName(log.topic, log.partition);
      recoveryPoints.set(name, log.recoveryPoint);
      startOffsets.set(name, log.logStartOffset);
      if (log.cleanedTo > 0) {
        cleanerOffsets.set(name, log.cleanedTo);
      }
    }
    this.#stored = new Set([...this.#stored, ...recoveryPoints.keys()]);
    await directory.storeRecoveryPoints(recoveryPoints);
    await directory.storeLogStartOffsets(startOffsets);
    await this.#storeCleanerOffsets(cleanerOffsets);
    this.#stored = new Set(recoveryPoints.keys());
  }

  /** Most directories hold no compacted log, and most stores change nothing here. */
  async #storeCleanerOffsets(offsets: OffsetCheckpoint): Promise<void> {
    const known = this.#storedCleanerOffsets;
    const isSame =
      known.size === offsets.size &&
      [...offsets].every(([name, offset]) => known.get(name) === offset);
    if (!isSame) {
      await this.#options.directory.storeCleanerOffsets(offsets);
      this.#storedCleanerOffsets = offsets;
    }
  }

  #checkpoint(): void {
    this.stop();
    this.#writtenBytes = 0;
    if (this.#isCheckpointing) {
      this.#isMissed = true;
      return;
    }
    this.#isCheckpointing = true;
    void this.#options
      .beforeStore()
      .then(() => this.store())
      .catch((error: unknown) => {
        // Only the next start gets slower; a broken disk shows itself where something is promised.
        const { logger } = this.#options.runtime;
        logger.warn({ path: this.#options.directory.path, error }, "checkpoint not stored");
      })
      .finally(() => {
        this.#isCheckpointing = false;
        if (this.#isMissed) {
          this.#isMissed = false;
          this.countWritten(0);
        }
      });
  }
}
