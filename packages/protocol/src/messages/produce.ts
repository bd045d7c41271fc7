// Producing. The frame's byte string holds the partitions' batches back to back, in the order of `partitions`.

import { array, boolean, integer, map, nullable, optional, text, tuple } from "../schema.js";
import {
  count,
  errorMessage,
  errorNumber,
  int32,
  milliseconds,
  safeInteger,
  topicId,
} from "./fields.js";

export const initProducerIdRequest = map({
  transactionalId: optional(nullable(text()), null),
  /** To continue an id with a new epoch; -1 for a new one. */
  producerId: optional(safeInteger, -1),
  producerEpoch: optional(int32, -1),
});

export const initProducerIdResponse = map({ producerId: safeInteger, producerEpoch: int32 });

export const produceRequest = map({
  /** 0: answered at once, nothing promised; 1: durable on the leader; -1: durable on every in-sync replica. */
  acks: integer(-1, 1),
  /** How long the broker may wait for the acks. */
  timeoutMs: milliseconds,
  /** `[topicId, partition, recordsLength]`; each partition at most once. */
  partitions: array(tuple({ topicId, partition: count, recordsLength: count })),
});

export const produceResponse = map({
  partitions: array(
    tuple({
      topicId,
      partition: count,
      errorCode: errorNumber,
      /** Offset of the first record; -1 with acks 0 or an error. */
      baseOffset: safeInteger,
      /** When the broker stamped the records (LogAppendTime); else -1. */
      logAppendTime: safeInteger,
      /** First offset that is still there; -1 with an error. */
      logStartOffset: safeInteger,
      /** On how many replicas the batch is, as far as this answer waited. */
      replicas: count,
      /** Whether each of them had it fsynced. */
      fsynced: boolean,
      errorMessage,
    }),
  ),
});
