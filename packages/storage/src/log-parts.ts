// What the modules that together make a log share: its state, and what the data directory does for it. No behaviour
// beyond looking things up.

import type { CommitJournal } from "./commit-journal.js";
import type { LeaderEpochs } from "./core/leader-epochs.js";
import type { OffsetMarks } from "./core/offset-marks.js";
import type { ProducerState } from "./core/producer-state.js";
import { partitionDirectoryName } from "./core/segment-name.js";
import type { LogConfig } from "./log-config.js";
import type { LogId, StorageFailure } from "./log-types.js";
import type { ReadingServices } from "./read-ahead.js";
import type { Segment } from "./segment.js";
import type { IndexPlace } from "./segment-indexes.js";
import type { StorageConfig, StorageRuntime } from "./storage-config.js";
import type { LogTail } from "./tail-cache.js";

/** What a data directory does for its logs. */
export interface LogServices extends ReadingServices {
  /** The first fault after which nothing is promised any more. */
  readonly failure: StorageFailure | undefined;
  /** Appended bytes that are not written yet, over all logs. */
  readonly queuedBytes: number;
  /** Something was queued (positive) or left the queue (negative). */
  countQueued(bytes: number): void;
  /** So much was written: recovery points are due after a while. */
  countWritten(bytes: number): void;
  /** A fault after which nothing more can be promised. */
  fail(failure: StorageFailure): void;
  /** Records may be written: nothing has had to be freed for want of space. */
  readonly hasReserve: boolean;
  /** Does `work`, and again when the disk is full: with the reserve's space, and with that of hints. */
  withReserve<T>(work: () => Promise<T>): Promise<T>;
  readonly journal: Pick<CommitJournal, "append" | "forget" | "close">;
  /** Stores recovery points and start offsets of all logs, durably. */
  storeOffsets(): Promise<void>;
  /** Removes a retired segment's files after `delayMs` and when its last reader left. */
  removeLater(segment: Segment, delayMs: number): void;
  /** A sealed segment's indexes were used: others may have to go. */
  touchIndexes(segment: Segment): void;
}

export interface LogParts {
  readonly id: LogId;
  directory: string;
  readonly runtime: StorageRuntime;
  readonly storage: StorageConfig;
  readonly services: LogServices;
  config: LogConfig;
  readonly marks: OffsetMarks;
  /** By base offset; never empty; the last one is active. */
  segments: Segment[];
  readonly epochs: LeaderEpochs;
  /** The epochs changed since they were stored. */
  areEpochsDirty: boolean;
  readonly producers: ProducerState;
  /** What is pending before this offset may be written into the reserve. */
  mayUseReserveTo: number;
  /** Bytes written since the last producer snapshot. */
  bytesSinceSnapshot: number;
  readonly tail: LogTail;
  /**
   * The next segment's file may be there although beginning that segment failed: nothing more goes into the present
   * one, or the two would overlap after a restart.
   */
  mustRoll: boolean;
  /** Changes whenever offsets may name other bytes than before. */
  truncations: number;
  /** The log is closed or deleted, or the directory failed: a round in flight must not touch the state any more. */
  isOffline: boolean;
  /** Appends are refused meanwhile. */
  isTruncating: boolean;
  /** Why the log is quarantined. */
  damage: string | undefined;
  readonly compaction: CompactionState;
}

/** How far the log cleaner has come with a log. */
export interface CompactionState {
  /** Everything below was covered by a cleaning pass; never more than that, or a deleted key could come back. */
  cleanedTo: number;
  /** When the next tombstone may go, as far as known since the start. */
  nextHorizonMs: number | undefined;
  /** Why cleaning the log is not tried again before its configuration changes, or a restart. */
  problem: string | undefined;
}

export function activeSegment(log: Pick<LogParts, "segments">): Segment {
  return log.segments.at(-1) as Segment;
}

/** The segment that holds `offset`, or would: the last one that begins at or before it. */
export function segmentAt(log: Pick<LogParts, "segments">, offset: number): Segment {
  let low = 0;
  let high = log.segments.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((log.segments[middle] as Segment).baseOffset <= offset) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return log.segments[Math.max(0, low - 1)] as Segment;
}

/**
 * Watches for a truncation from now on. Returns whether one has run since, or runs: what a read found then proves no
 * damage, for its file may have become shorter under it.
 */
export function watchTruncation(
  log: Pick<LogParts, "truncations" | "isTruncating">,
): () => boolean {
  const { truncations, isTruncating } = log;
  return () => isTruncating || log.isTruncating || truncations !== log.truncations;
}

export function segmentPlace(
  log: Pick<LogParts, "runtime" | "directory">,
  baseOffset: number,
): IndexPlace {
  const { fileSystem, compute } = log.runtime;
  return { fileSystem, compute, directory: log.directory, baseOffset };
}

export function logName(id: Pick<LogId, "topic" | "partition">): string {
  return `${id.topic}-${id.partition}`;
}

/** The log's directory in the data directory. */
export function directoryName({ id }: Pick<LogParts, "id">): string {
  return partitionDirectoryName(id.topic, id.partition);
}
