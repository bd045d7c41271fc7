// Decides which compacted log is cleaned next, one at a time, and what becomes of a pass that fails: a damaged log is
// quarantined, one that cannot be cleaned is left alone and named, anything that passes is tried again later. The pass
// itself is in compaction-pass.ts.

import { isMillraceError } from "@millrace/protocol";
import { roll } from "./commit-round.js";
import { CompactionPacer, CompactionStopped } from "./compaction-pacer.js";
import { CompactionOvertaken, CompactionPass, type PassOutcome } from "./compaction-pass.js";
import { type CompactionPlan, planCompaction, type SealedSegment } from "./core/compaction-plan.js";
import { isFileError } from "./files.js";
import type { Log } from "./log.js";
import { isCompacted } from "./log-config.js";
import { activeSegment, type LogParts, logName } from "./log-parts.js";
import { SegmentDamage } from "./segment-reader.js";
import type { StorageRuntime } from "./storage-config.js";

/** The bound of the offset map, unless told otherwise. */
export const DEDUPE_BUFFER_BYTES_DEFAULT = 64 * 1024 * 1024;

export interface CompactionOptions {
  readonly nowMs: number;
  /** Nothing at or beyond it is cleaned: the log's high watermark. Default: its flushed offset. */
  readonly stableOffsetOf?: ((log: Log) => number) | undefined;
  /** Memory for the newest offsets of keys: 20 bytes a key. Default 64 MiB. */
  readonly dedupeBufferBytes?: number | undefined;
  /** Reads and writes together. Default: no bound. */
  readonly maxBytesPerSecond?: number | undefined;
}

/** What one pass did. */
export interface CompactionReport extends PassOutcome {
  readonly topic: string;
  readonly partition: number;
  readonly firstDirtyOffset: number;
  readonly elapsedMs: number;
}

/** Since the start. */
export interface CleanerTotals {
  /** That came to their end. */
  readonly passes: number;
  /** Bytes that they removed. */
  readonly removedBytes: number;
  /** When the last of them ended, in milliseconds since 1970; -1: there was none. */
  readonly lastPassMs: number;
}

export interface LogCleanerOptions {
  readonly runtime: StorageRuntime;
  readonly logs: () => Iterable<Log>;
  readonly storeOffsets: () => Promise<void>;
  /** Appends wait to be written. */
  readonly isBusy: () => boolean;
}

interface Candidate {
  readonly log: Log;
  readonly plan: CompactionPlan;
}

/** Made by `LogManager`: `cleaner`. */
export class LogCleaner {
  readonly #options: LogCleanerOptions;
  readonly #totals = { passes: 0, removedBytes: 0, lastPassMs: -1 };
  #running: Promise<readonly CompactionReport[]> | undefined;
  #isStopped = false;

  /** @internal */
  constructor(options: LogCleanerOptions) {
    this.#options = options;
  }

  get totals(): CleanerTotals {
    return { ...this.#totals };
  }

  /**
   * Cleans compacted logs, the dirtiest first, until none is due. A call meanwhile joins the round under way.
   * @returns what each pass did
   */
  clean(options: CompactionOptions): Promise<readonly CompactionReport[]> {
    this.#running ??= this.#cleanAll(options).finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  /** Ends a pass under way at its next step, and begins none any more. What was swapped in stays. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#running?.catch(() => undefined);
  }

  async #cleanAll(options: CompactionOptions): Promise<readonly CompactionReport[]> {
    const reports: CompactionReport[] = [];
    /** Logs that get no further pass in this round. */
    const done = new Set<Log>();
    while (!this.#isStopped) {
      const next = await this.#dirtiest(options, done);
      if (next === undefined) {
        break;
      }
      const report = await this.#clean(next, options);
      if (report === undefined || report.cleanedTo === report.firstDirtyOffset) {
        done.add(next.log);
      }
      if (report !== undefined) {
        reports.push(report);
      }
    }
    return reports;
  }

  async #dirtiest(
    options: CompactionOptions,
    done: ReadonlySet<Log>,
  ): Promise<Candidate | undefined> {
    let dirtiest: Candidate | undefined;
    for (const log of [...this.#options.logs()]) {
      const mayClean =
        !done.has(log) &&
        isCompacted(log.config) &&
        log.state === "online" &&
        log.uncleanable === undefined;
      const plan = mayClean ? await this.#planOrTell(log, options) : undefined;
      const isDirtier = plan !== undefined && plan.dirtyRatio >= (dirtiest?.plan.dirtyRatio ?? 0);
      if (plan?.isDue === true && isDirtier) {
        dirtiest = { log, plan };
      }
    }
    return dirtiest;
  }

  async #planOrTell(log: Log, options: CompactionOptions): Promise<CompactionPlan | undefined> {
    try {
      await rollIfOverdue(log, options.nowMs);
      return await planOf(log, options);
    } catch (error) {
      this.#tell(log, error, "a compacted log cannot be looked at now");
      return undefined;
    }
  }

  /** Undefined: the pass did not come to its end. */
  async #clean(
    { log, plan }: Candidate,
    options: CompactionOptions,
  ): Promise<CompactionReport | undefined> {
    const { clock, logger } = this.#options.runtime;
    const startedMs = clock.monotonicMs();
    try {
      const pass = new CompactionPass({
        log: log.compacted,
        plan,
        pacer: new CompactionPacer({
          clock,
          maxBytesPerSecond: options.maxBytesPerSecond ?? Number.POSITIVE_INFINITY,
          isStopped: () => this.#isStopped,
          isBusy: this.#options.isBusy,
        }),
        mapBytesMax: options.dedupeBufferBytes ?? DEDUPE_BUFFER_BYTES_DEFAULT,
        nowMs: options.nowMs,
      });
      const outcome = await pass.run();
      await this.#finish(log, plan, outcome);
      const elapsedMs = Math.round(clock.monotonicMs() - startedMs);
      this.#totals.passes++;
      this.#totals.removedBytes += outcome.bytesBefore - outcome.bytesAfter;
      this.#totals.lastPassMs = clock.nowMs();
      logger.info({ log: logName(log), elapsedMs, ...outcome }, "log compacted");
      const { topic, partition } = log;
      return { topic, partition, firstDirtyOffset: plan.firstDirtyOffset, elapsedMs, ...outcome };
    } catch (error) {
      await this.#failed(log, error);
      return undefined;
    }
  }

  /** Only a pass over all that it promised counts, and only if the log was not cut back meanwhile. */
  async #finish(log: Log, plan: CompactionPlan, outcome: PassOutcome): Promise<void> {
    const { compaction } = log.compacted.parts;
    const isAsPlanned = Math.max(compaction.cleanedTo, log.logStartOffset) >= plan.firstDirtyOffset;
    compaction.nextHorizonMs = outcome.nextHorizonMs;
    if (isAsPlanned && outcome.cleanedTo <= log.logEndOffset) {
      compaction.cleanedTo = outcome.cleanedTo;
    }
    await this.#options.storeOffsets();
  }

  async #failed(log: Log, error: unknown): Promise<void> {
    const { damage, parts } = log.compacted;
    const { logger } = this.#options.runtime;
    if (error instanceof SegmentDamage) {
      await damage.found(error);
    } else if (error instanceof CompactionStopped || error instanceof CompactionOvertaken) {
      logger.debug({ log: logName(log), reason: error.message }, "cleaning ended early");
    } else if (isPassing(error) || log.state !== "online") {
      this.#tell(log, error, "a log could not be cleaned now; it is tried again");
    } else {
      parts.compaction.problem = error instanceof Error ? error.message : String(error);
      logger.error(
        { log: logName(log), error },
        "a log cannot be cleaned; it is left alone until its configuration changes or the broker starts again",
      );
    }
  }

  #tell(log: Log, error: unknown, message: string): void {
    this.#options.runtime.logger.warn({ log: logName(log), error }, message);
  }
}

/** Nothing is wrong with the log. */
function isPassing(error: unknown): boolean {
  return (
    isFileError(error, "STORAGE_FULL") ||
    isFileError(error, "TOO_MANY_OPEN_FILES") ||
    (isMillraceError(error) && error.code !== "CORRUPT_MESSAGE")
  );
}

/** With `max.compaction.lag.ms` the active segment ends in time, also when nothing is written to it any more. */
async function rollIfOverdue(log: Log, nowMs: number): Promise<void> {
  const { parts, writer } = log.compacted;
  const isOverdue = (): boolean => {
    const { firstTimestamp, sizeBytes } = activeSegment(parts);
    const ageMs = nowMs - firstTimestamp;
    return sizeBytes > 0 && firstTimestamp > 0 && ageMs > parts.config.maxCompactionLagMs;
  };
  if (isOverdue()) {
    await writer.exclusively(async () => {
      if (isOverdue() && log.state === "online") {
        await writer.orFail(() => roll(parts), { bearsExhaustion: true });
        writer.notify();
      }
    });
  }
}

async function planOf(log: Log, options: CompactionOptions): Promise<CompactionPlan> {
  const { parts } = log.compacted;
  const { config } = parts;
  return planCompaction({
    segments: await Promise.all(sealedSegments(parts)),
    cleanedTo: log.cleanedTo,
    logStartOffset: log.logStartOffset,
    logEndOffset: log.logEndOffset,
    stableOffset: options.stableOffsetOf?.(log) ?? log.flushedOffset,
    nextHorizonMs: parts.compaction.nextHorizonMs,
    rules: config,
    nowMs: options.nowMs,
  });
}

function sealedSegments(parts: LogParts): Promise<SealedSegment>[] {
  const needsAge = parts.config.minCompactionLagMs > 0;
  return parts.segments.slice(0, -1).map(async (segment) => {
    const { baseOffset, endOffset, sizeBytes, firstTimestamp, maxTimestamp, path } = segment;
    const isUnknown = needsAge && maxTimestamp < 0;
    const newestMs = isUnknown
      ? (await parts.runtime.fileSystem.status(path)).modifiedMs
      : maxTimestamp;
    return { baseOffset, endOffset, sizeBytes, newestMs, firstMs: firstTimestamp };
  });
}
