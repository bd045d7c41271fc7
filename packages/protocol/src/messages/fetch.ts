// Reading: fetch (long poll over many partitions, incremental sessions as in KIP-227), offsets by timestamp,
// deleting the head of a log.

import { array, integer, map, nullable, optional, text, tuple } from "../schema.js";
import {
  count,
  errorMessage,
  errorNumber,
  int32,
  milliseconds,
  safeInteger,
  topicId,
  topicIdPartition,
} from "./fields.js";

export const fetchRequest = map({
  /** -1: a consumer; else the node id of a follower. */
  replicaId: optional(int32, -1),
  maxWaitMs: milliseconds,
  minBytes: count,
  /** At least one whole batch comes, however large. */
  maxBytes: count,
  /** 0: up to the high watermark; 1: up to the last stable offset. */
  isolationLevel: optional(integer(0, 1), 0),
  /** 0: none; a new session is asked for with `sessionEpoch` 0, none with -1. */
  sessionId: optional(count, 0),
  sessionEpoch: optional(integer(-1, 0x7fffffff), -1),
  /** Without a session: all; within one: those that are new or changed. */
  partitions: array(
    tuple({
      topicId,
      partition: count,
      fetchOffset: safeInteger,
      maxBytes: count,
      /** The leader epoch the reader knows; -1: unchecked (KIP-320). */
      currentLeaderEpoch: optional(int32, -1),
      /** Followers: epoch of the last record they have; -1: unchecked. */
      lastFetchedEpoch: optional(int32, -1),
      /** Followers: everything below is fsynced there; -1 for consumers. */
      flushedOffset: optional(safeInteger, -1),
      /** Followers: their log start; -1 for consumers. */
      logStartOffset: optional(safeInteger, -1),
    }),
  ),
  /** Partitions to leave out of the session from now on. */
  forgotten: optional(array(topicIdPartition), []),
  rack: optional(nullable(text()), null),
});

export const fetchResponse = map({
  sessionId: count,
  /** Within a session: those with something new, in the order of their bytes in `records`. */
  partitions: array(
    tuple({
      topicId,
      partition: count,
      errorCode: errorNumber,
      /** Next offset after the last one that consumers may see; -1 with an error. */
      highWatermark: safeInteger,
      /** Like the high watermark, without open transactions. */
      lastStableOffset: safeInteger,
      logStartOffset: safeInteger,
      /** Bytes of `records` that are this partition's. */
      recordsLength: count,
      /** With `NOT_LEADER_OR_FOLLOWER`: who leads now, as far as known; else -1 or this broker. */
      leaderId: int32,
      leaderEpoch: int32,
      /** Set when the follower's log diverges: truncate to it and ask again (KIP-595). */
      divergingEpoch: optional(int32, -1),
      divergingEndOffset: optional(safeInteger, -1),
      errorMessage,
    }),
  ),
});

export const listOffsetsRequest = map({
  isolationLevel: optional(integer(0, 1), 0),
  partitions: array(
    tuple({
      topicId,
      partition: count,
      /** Milliseconds, or -1 latest, -2 earliest, -3 largest timestamp. */
      timestamp: safeInteger,
      currentLeaderEpoch: optional(int32, -1),
    }),
  ),
});

export const listOffsetsResponse = map({
  partitions: array(
    tuple({
      topicId,
      partition: count,
      errorCode: errorNumber,
      /** Of the record found; -1 when none. */
      timestamp: safeInteger,
      /** -1 when no record is that young. */
      offset: safeInteger,
      leaderEpoch: int32,
      errorMessage,
    }),
  ),
});

export const deleteRecordsRequest = map({
  /** `beforeOffset` -1: up to the high watermark. */
  partitions: array(tuple({ topicId, partition: count, beforeOffset: safeInteger })),
  timeoutMs: milliseconds,
});

export const deleteRecordsResponse = map({
  partitions: array(
    tuple({
      topicId,
      partition: count,
      errorCode: errorNumber,
      lowWatermark: safeInteger,
      errorMessage,
    }),
  ),
});
