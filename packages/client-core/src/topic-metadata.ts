// What clients know about topics and brokers: plain values, as the cache hands them out. They are frozen in
// time: a later refresh makes new objects, it never changes these.

import type { LeaderEpoch, NodeId, TopicId } from "@millrace/protocol";

export interface PartitionMetadata {
  readonly partition: number;
  /** -1: the partition has no leader at the moment. */
  readonly leaderId: NodeId;
  readonly leaderEpoch: LeaderEpoch;
  readonly replicas: readonly NodeId[];
  /** The in-sync replicas. */
  readonly isr: readonly NodeId[];
}

export interface TopicMetadata {
  readonly name: string;
  readonly topicId: TopicId;
  readonly isInternal: boolean;
  /** The topic's `max.message.bytes`: the largest batch it takes. */
  readonly maxMessageBytes: number;
  /** Ordered by number, without gaps. */
  readonly partitions: readonly PartitionMetadata[];
}

export interface BrokerMetadata {
  readonly nodeId: NodeId;
  /** Where clients reach it: `ws://host:port`. */
  readonly url: string;
  readonly rack: string | null;
}
