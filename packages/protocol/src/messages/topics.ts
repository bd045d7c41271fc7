// Topics: metadata, create, delete, describe, add partitions.

import {
  array,
  boolean,
  integer,
  map,
  nullable,
  optional,
  text,
  textMap,
  tuple,
} from "../schema.js";
import {
  brokerEntry,
  count,
  errorMessage,
  errorNumber,
  int32,
  milliseconds,
  safeInteger,
  topicId,
  topicName,
  topicResult,
} from "./fields.js";

export const metadataRequest = map({
  /** By name; null: all topics (with `topicIds` empty). */
  topics: nullable(array(topicName)),
  topicIds: optional(array(topicId), []),
});

/** `[partition, leaderId, leaderEpoch, replicas, isr]`; leaderId -1: none now. */
export const partitionMetadata = tuple({
  partition: count,
  leaderId: int32,
  leaderEpoch: int32,
  replicas: array(int32),
  isr: array(int32),
});

export const metadataResponse = map({
  clusterId: text(249),
  /** The node that takes changes of topics and configurations; -1: none now. */
  controllerId: int32,
  brokers: array(brokerEntry),
  topics: array(
    map({
      name: nullable(topicName),
      topicId: nullable(topicId),
      errorCode: errorNumber,
      errorMessage,
      isInternal: boolean,
      /** The topic's `max.message.bytes`, so that producers can size their batches. */
      maxMessageBytes: optional(count, 0),
      partitions: array(partitionMetadata),
    }),
  ),
});

export const createTopicsRequest = map({
  topics: array(
    map({
      name: topicName,
      /** -1: the broker's `num.partitions`. */
      partitions: int32,
      /** -1: the broker's `default.replication.factor`. */
      replicationFactor: int32,
      config: textMap,
    }),
  ),
  /** Check only; nothing is created. */
  validateOnly: optional(boolean, false),
  timeoutMs: milliseconds,
});

export const createTopicsResponse = map({
  topics: array(
    map({
      name: topicName,
      topicId: nullable(topicId),
      errorCode: errorNumber,
      errorMessage,
      partitions: int32,
      replicationFactor: int32,
    }),
  ),
});

export const deleteTopicsRequest = map({
  /** By name. */
  topics: array(topicName),
  topicIds: optional(array(topicId), []),
  timeoutMs: milliseconds,
});

export const deleteTopicsResponse = map({ topics: array(topicResult) });

export const describeTopicsRequest = map({
  /** null: all. */
  topics: nullable(array(topicName)),
});

/** Where a configuration value comes from. */
export const configSource = text(64);

export const partitionDescription = tuple({
  partition: count,
  leaderId: int32,
  leaderEpoch: int32,
  replicas: array(int32),
  isr: array(int32),
  /** The rest is known to the leader only; -1 where this broker is not it. */
  logStartOffset: safeInteger,
  highWatermark: safeInteger,
  logEndOffset: safeInteger,
  /** Everything below is fsynced on the leader. */
  flushedOffset: safeInteger,
  sizeBytes: safeInteger,
  segmentCount: int32,
  /** "online", or why not: "quarantined", "offline". */
  state: text(64),
});

export const describeTopicsResponse = map({
  topics: array(
    map({
      name: topicName,
      topicId: nullable(topicId),
      errorCode: errorNumber,
      errorMessage,
      isInternal: boolean,
      replicationFactor: int32,
      /** `[key, value, source]` of every topic configuration; source: "topic", "broker" or "default". */
      config: array(tuple({ key: text(), value: text(), source: configSource })),
      partitions: array(partitionDescription),
    }),
  ),
});

export const createPartitionsRequest = map({
  /** `totalCount`: how many there shall be in all. */
  topics: array(map({ name: topicName, totalCount: integer(1, 1_000_000) })),
  validateOnly: optional(boolean, false),
  timeoutMs: milliseconds,
});

export const createPartitionsResponse = map({ topics: array(topicResult) });
