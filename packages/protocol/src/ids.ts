// The vocabulary's numbers and names. A flavoured type accepts a plain number, but not a number of another
// flavour: an offset never passes for an epoch.

declare const flavour: unique symbol;
export type Flavoured<T, Name extends string> = T & { readonly [flavour]?: Name };

/** Position of a record in a partition: 0, 1, 2, ... A safe integer. */
export type Offset = Flavoured<number, "Offset">;
/** Milliseconds since 1970 (UTC); -1 for none. */
export type TimestampMs = Flavoured<number, "TimestampMs">;
/** Grows by one with every change of a partition's leader. */
export type LeaderEpoch = Flavoured<number, "LeaderEpoch">;
export type ProducerId = Flavoured<number, "ProducerId">;
/** 0 to 32767. */
export type ProducerEpoch = Flavoured<number, "ProducerEpoch">;
/** Number of a node in the cluster; the broker's id. */
export type NodeId = Flavoured<number, "NodeId">;
/** Canonical lower-case UUID text; never reused, a topic created again gets a new one. */
export type TopicId = Flavoured<string, "TopicId">;

/** A partition by name. */
export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

export const NO_PRODUCER_ID: ProducerId = -1;
export const NO_PRODUCER_EPOCH: ProducerEpoch = -1;
export const NO_SEQUENCE = -1;
export const NO_TIMESTAMP: TimestampMs = -1;
/** `listOffsets`: the log end as consumers see it (high watermark). */
export const LATEST_TIMESTAMP = -1;
/** `listOffsets`: the log start. */
export const EARLIEST_TIMESTAMP = -2;
/** `listOffsets`: the record with the largest timestamp (KIP-734). */
export const MAX_TIMESTAMP = -3;
