// The cluster's metadata as it stands after the last replayed record: brokers, topics by id and by name,
// partitions, configurations. Only apply.ts changes it; everybody else holds the read-only interface. One
// image lives as long as its controller and changes between events, never during one, so readers must not
// keep its maps across an `await` and expect them unchanged. The entries themselves are never changed, only
// replaced: an entry may be kept.

import type { LeaderEpoch, NodeId, ProducerId, TopicId } from "@millrace/protocol";
import type { ConfigResourceType } from "./metadata-record.js";

export interface BrokerImage {
  readonly nodeId: NodeId;
  readonly incarnationId: string;
  readonly directoryId: string;
  readonly brokerEpoch: number;
  /** Where clients reach it; null: at the address they already use. */
  readonly url: string | null;
  readonly rack: string | null;
  readonly softwareVersion: string;
}

export interface PartitionImage {
  readonly topicId: TopicId;
  readonly partition: number;
  readonly replicas: readonly NodeId[];
  readonly isr: readonly NodeId[];
  /** -1: none. */
  readonly leader: NodeId;
  readonly leaderEpoch: LeaderEpoch;
  readonly partitionEpoch: number;
}

export interface TopicImage {
  readonly name: string;
  readonly topicId: TopicId;
  readonly isInternal: boolean;
  /** By partition number, without gaps. */
  readonly partitions: readonly PartitionImage[];
}

export interface MetadataImage {
  readonly brokers: ReadonlyMap<NodeId, BrokerImage>;
  readonly topicsById: ReadonlyMap<TopicId, TopicImage>;
  readonly topicsByName: ReadonlyMap<string, TopicImage>;
  /** Names with "." written as "_": two topics must not share one (metric names would collide). */
  readonly topicNamesByMetricName: ReadonlyMap<string, string>;
  /** By `configResourceKey`; only what was set. */
  readonly configs: ReadonlyMap<string, ReadonlyMap<string, string>>;
  readonly features: ReadonlyMap<string, number>;
  /** The first producer id that no block holds. */
  readonly nextProducerId: ProducerId;
  readonly partitionCount: number;
}

export interface MutableTopicImage extends TopicImage {
  readonly partitions: PartitionImage[];
}

/** What apply.ts writes to. */
export interface MutableMetadataImage extends MetadataImage {
  readonly brokers: Map<NodeId, BrokerImage>;
  readonly topicsById: Map<TopicId, MutableTopicImage>;
  readonly topicsByName: Map<string, MutableTopicImage>;
  readonly topicNamesByMetricName: Map<string, string>;
  readonly configs: Map<string, Map<string, string>>;
  readonly features: Map<string, number>;
  nextProducerId: ProducerId;
  partitionCount: number;
}

export function emptyImage(): MutableMetadataImage {
  return {
    brokers: new Map(),
    topicsById: new Map(),
    topicsByName: new Map(),
    topicNamesByMetricName: new Map(),
    configs: new Map(),
    features: new Map(),
    nextProducerId: 0,
    partitionCount: 0,
  };
}

/** Kafka writes a topic's "." as "_" in metric names, so `a.b` and `a_b` would be one metric. */
export function metricName(topic: string): string {
  return topic.replaceAll(".", "_");
}

export function configResourceKey(type: ConfigResourceType, name: string): string {
  return `${type}:${name}`;
}

const noConfig: ReadonlyMap<string, string> = new Map();

/** What was set on a topic, without defaults. */
export function topicConfig(image: MetadataImage, name: string): ReadonlyMap<string, string> {
  return image.configs.get(configResourceKey("topic", name)) ?? noConfig;
}
