// The values that go into and come out of a log. Types only.

import type { BatchHeader, WireErrorName } from "@millrace/protocol";

export interface LogId {
  readonly topic: string;
  /** Canonical UUID text. */
  readonly topicId: string;
  readonly partition: number;
}

/**
 * `online`: all works. `quarantined`: damage was found; writes are refused, reads that do not touch the damage
 * are served. `offline`: the log is closed or deleted, or the data directory failed.
 */
export type LogState = "online" | "quarantined" | "offline";

export interface AppendOptions {
  readonly leaderEpoch: number;
  /** The memory of the bytes is used again: the log takes copies. Default false: the log owns them from now on. */
  readonly isBorrowed?: boolean | undefined;
  /** When the caller has parsed them already: one per batch, in order. */
  readonly headers?: readonly BatchHeader[] | undefined;
  /** On a full disk the reserve is given up for it: only for what helps to free space again. */
  readonly mayUseReserve?: boolean | undefined;
}

export interface FollowerAppendOptions {
  /** The leader epoch in which the batches were fetched: none of them may be of a later one. */
  readonly leaderEpoch: number;
  /** The leader's log is compacted, or was: offsets may be missing between batches. */
  readonly mayHaveGaps?: boolean | undefined;
}

export interface Appended {
  readonly ok: true;
  readonly baseOffset: number;
  readonly lastOffset: number;
  /** Milliseconds since 1970 on topics with LogAppendTime, else -1. */
  readonly logAppendTime: number;
  /** A retry of a batch that is in the log already: the offsets are the original's. */
  readonly isDuplicate: boolean;
}

export interface AppendRefused {
  readonly ok: false;
  readonly error: WireErrorName;
  readonly message: string;
}

export type AppendOutcome = Appended | AppendRefused;

export interface ReadOptions {
  /** The first batch returned is the one that contains this offset. */
  readonly offset: number;
  readonly maxBytes: number;
  /** Exclusive bound: only batches that end below it are returned. */
  readonly endOffset: number;
  /** Return the first batch even when it is larger than `maxBytes`. */
  readonly minOneBatch: boolean;
}

/** Whole batches, back to back. The chunks are shared: never change them. */
export interface LogSlice {
  readonly chunks: readonly Uint8Array[];
  readonly sizeBytes: number;
  /** Where the next read goes on; the requested offset when nothing was read. */
  readonly nextOffset: number;
  /**
   * Gives the memory of the chunks to the next read: to be called when nobody will look at them any more. Who does
   * not call it leaves them to the garbage collector. Undefined when they are the log's own.
   */
  readonly release?: (() => void) | undefined;
}

export interface TimestampOffset {
  readonly offset: number;
  readonly timestamp: number;
}

/** A fault after which nothing more can be promised: the broker must stop. */
export interface StorageFailure {
  readonly path: string;
  readonly message: string;
  readonly cause: unknown;
}

/** What recovery did to one log. */
export interface RecoveryReport {
  readonly topic: string;
  readonly partition: number;
  /** Bytes read again and verified past the recovery point. */
  readonly verifiedBytes: number;
  /** Bytes cut from the end: a write that a crash had interrupted. */
  readonly cutBytes: number;
  readonly cutReason: string | undefined;
  /** Why the log is quarantined, if it is. */
  readonly damage: string | undefined;
}

export interface RecoveryProgress {
  readonly recoveredLogs: number;
  readonly totalLogs: number;
  readonly report: RecoveryReport;
}
