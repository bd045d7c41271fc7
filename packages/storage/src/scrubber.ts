// Finds bit rot before somebody needs the records: verifies the sealed segments of all logs, over and over, at a low
// rate. One slice at a time, then a rest that keeps the rate: readers and writers hardly notice. Where a pass stands is
// remembered over restarts, by the log it has come to.

import type { Timer } from "@millrace/runtime";
import { partitionDirectoryName } from "./core/segment-name.js";
import { readTextIfPresent, replaceFile } from "./files.js";
import type { Log } from "./log.js";
import type { ScrubPlace } from "./segment-scrub.js";
import type { StorageConfig, StorageRuntime } from "./storage-config.js";

/** Verified at a time: some 150 us of computing. */
const SLICE_BYTES = 256 * 1024;
/** No pass begins sooner behind the one before: small logs are not read in circles. */
const PASS_INTERVAL_MS = 3_600_000;
/** After a start clients come first. */
const START_DELAY_MS = 60_000;
/** After a log could not be read. */
const RETRY_DELAY_MS = 1_000;
/** When a log is done and so much was verified since, the place is stored: what a restart repeats, beside part of a log. */
const STORE_INTERVAL_BYTES = 8 * 1024 * 1024;

/** In the data directory: the last log that the present pass is done with. */
export const SCRUB_PLACE_FILE = "scrub-place";

export interface ScrubberOptions {
  readonly runtime: StorageRuntime;
  /** The data directory. */
  readonly path: string;
  readonly storage: Pick<StorageConfig, "scrubBytesPerSecond">;
  readonly logs: () => Iterable<Log>;
}

/** Since the start. */
export interface ScrubTotals {
  /** How often every sealed segment was verified. */
  readonly passes: number;
  readonly verifiedBytes: number;
  /** Damaged places found. */
  readonly damages: number;
}

export class Scrubber {
  readonly #options: ScrubberOptions;
  readonly #totals = { passes: 0, verifiedBytes: 0, damages: 0 };
  /** The last log that the present pass is done with, by its directory's name; they are taken in order. */
  #doneName = "";
  #current: Log | undefined;
  #place: ScrubPlace | undefined;
  #bytesSinceStore = 0;
  #passBeganAtMs = 0;
  #timer: Timer | undefined;
  #running: Promise<void> | undefined;
  #isStopped = false;

  constructor(options: ScrubberOptions) {
    this.#options = options;
  }

  get totals(): ScrubTotals {
    return { ...this.#totals };
  }

  start(): void {
    if (this.#options.storage.scrubBytesPerSecond > 0) {
      this.#runAfter(START_DELAY_MS, () => this.#begin());
    }
  }

  /** Resolves when the slice that is being verified is done. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#timer?.cancel();
    await this.#running;
  }

  /** `work` returns how many milliseconds to rest. */
  #runAfter(delayMs: number, work: () => Promise<number>): void {
    if (this.#isStopped) {
      return;
    }
    this.#timer = this.#options.runtime.clock.setTimer(delayMs, () => {
      this.#running = work()
        .catch((error: unknown) => this.#passOver(error))
        .then((restMs) => this.#runAfter(restMs, () => this.#step()));
    });
  }

  async #begin(): Promise<number> {
    const { runtime, path } = this.#options;
    const text = await readTextIfPresent(runtime.fileSystem, `${path}/${SCRUB_PLACE_FILE}`);
    this.#doneName = text?.trim() ?? "";
    this.#passBeganAtMs = runtime.clock.monotonicMs();
    return 0;
  }

  async #step(): Promise<number> {
    const log = this.#next();
    if (log === undefined) {
      return await this.#finishPass();
    }
    const { verifiedBytes, damage, next } = await log.scrub(this.#place, SLICE_BYTES);
    this.#totals.verifiedBytes += verifiedBytes;
    this.#totals.damages += damage === undefined ? 0 : 1;
    this.#bytesSinceStore += verifiedBytes;
    this.#place = next;
    if (next === undefined) {
      this.#doneName = nameOf(log);
      if (this.#bytesSinceStore >= STORE_INTERVAL_BYTES) {
        await this.#storePlace();
      }
    }
    return (verifiedBytes * 1_000) / this.#options.storage.scrubBytesPerSecond;
  }

  /** The log to go on with; undefined when the pass is over. */
  #next(): Log | undefined {
    let next: Log | undefined;
    for (const log of this.#options.logs()) {
      const name = nameOf(log);
      if (name > this.#doneName && (next === undefined || name < nameOf(next))) {
        next = log;
      }
    }
    if (next !== this.#current) {
      this.#current = next;
      this.#place = undefined;
    }
    return next;
  }

  async #finishPass(): Promise<number> {
    const { clock } = this.#options.runtime;
    this.#totals.passes++;
    this.#doneName = "";
    if (this.#bytesSinceStore > 0) {
      await this.#storePlace();
    }
    const tookMs = clock.monotonicMs() - this.#passBeganAtMs;
    const restMs = Math.max(0, PASS_INTERVAL_MS - tookMs);
    this.#passBeganAtMs += tookMs + restMs;
    return restMs;
  }

  /** A log that is closed, or cannot be read at present, does not keep the others from their turn. */
  #passOver(error: unknown): number {
    const { logger } = this.#options.runtime;
    const log = this.#current;
    if (log !== undefined && !this.#isStopped) {
      logger.warn({ directory: log.directory, error }, "the log could not be verified");
      this.#doneName = nameOf(log);
    }
    return RETRY_DELAY_MS;
  }

  async #storePlace(): Promise<void> {
    const { runtime, path } = this.#options;
    this.#bytesSinceStore = 0;
    const content = `${this.#doneName}\n`;
    try {
      const { fileSystem } = runtime;
      await replaceFile(fileSystem, { directory: path, name: SCRUB_PLACE_FILE, content });
    } catch (error) {
      // The next start begins the pass again.
      runtime.logger.warn({ path, error }, "the place of the verification was not stored");
    }
  }
}

function nameOf(log: Log): string {
  return partitionDirectoryName(log.topic, log.partition);
}
