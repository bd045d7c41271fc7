// Creating topics: names, numbers, configuration and placement are checked here and nowhere else; the
// topics file and the API come through the same door. Each topic of a request stands for itself.

import { isMillraceError, topicNameProblem } from "@millrace/protocol";
import { parseLogConfig } from "@millrace/storage";
import { type MetadataImage, metricName } from "../metadata-image.js";
import type { MetadataRecord } from "../metadata-record.js";
import { METADATA_TOPIC } from "../metadata-topic.js";
import { placeReplicas } from "../placement.js";
import {
  type CommandContext,
  type CommandOutcome,
  failure,
  type ItemResult,
  messageOf,
  success,
  type TopicPolicy,
} from "./command.js";

export interface NewTopic {
  readonly name: string;
  /** -1: the node's default. */
  readonly partitions: number;
  /** -1: the node's default. */
  readonly replicationFactor: number;
  /** By Kafka's topic keys. */
  readonly config: Readonly<Record<string, string>>;
}

export interface CreateTopicsRequest {
  readonly topics: readonly NewTopic[];
  readonly validateOnly: boolean;
}

export interface CreatedTopic extends ItemResult {
  readonly name: string;
  /** null on failure and with `validateOnly`. */
  readonly topicId: string | null;
  /** What the topic got, or would get; -1 on failure. */
  readonly partitions: number;
  readonly replicationFactor: number;
}

/** Names taken and partitions added by earlier topics of the same request. */
interface Batch {
  readonly nameByMetricName: Map<string, string>;
  readonly names: Set<string>;
  partitionCount: number;
}

export function createTopics(
  image: MetadataImage,
  request: CreateTopicsRequest,
  context: CommandContext,
): CommandOutcome<readonly CreatedTopic[]> {
  const records: MetadataRecord[] = [];
  const batch: Batch = {
    nameByMetricName: new Map(),
    names: new Set(),
    partitionCount: image.partitionCount,
  };
  const duplicates = duplicateNames(request.topics);
  const response = request.topics.map((topic) => {
    const problem = duplicates.has(topic.name)
      ? failure("INVALID_REQUEST", "the request names this topic more than once")
      : topicProblem(image, batch, topic, context.policy);
    if (problem !== undefined) {
      return { ...problem, name: topic.name, topicId: null, partitions: -1, replicationFactor: -1 };
    }
    const shape = topicShape(image, topic, context.policy);
    batch.names.add(topic.name);
    batch.nameByMetricName.set(metricName(topic.name), topic.name);
    batch.partitionCount += shape.partitions;
    const topicId = request.validateOnly ? null : context.randomUuid();
    if (topicId !== null) {
      records.push(...topicRecords(image, { ...topic, ...shape }, topicId));
    }
    return { ...success, name: topic.name, topicId, ...shape };
  });
  return { ok: true, records, response };
}

function duplicateNames(topics: readonly NewTopic[]): Set<string> {
  const seen = new Set<string>();
  const duplicates = new Set<string>();
  for (const { name } of topics) {
    if (seen.has(name)) {
      duplicates.add(name);
    }
    seen.add(name);
  }
  return duplicates;
}

/** The numbers with defaults filled in and, where the policy allows it, the replication factor lowered. */
function topicShape(
  image: MetadataImage,
  topic: NewTopic,
  policy: TopicPolicy,
): { partitions: number; replicationFactor: number } {
  const wanted =
    topic.replicationFactor === -1 ? policy.defaultReplicationFactor : topic.replicationFactor;
  return {
    partitions: topic.partitions === -1 ? policy.defaultPartitions : topic.partitions,
    replicationFactor: policy.clampReplication ? Math.min(wanted, image.brokers.size) : wanted,
  };
}

function topicProblem(
  image: MetadataImage,
  batch: Batch,
  topic: NewTopic,
  policy: TopicPolicy,
): ItemResult | undefined {
  const shape = topicShape(image, topic, policy);
  return (
    nameProblem(image, batch, topic.name) ??
    partitionCountProblem(shape.partitions, batch.partitionCount, policy) ??
    replicationProblem(shape.replicationFactor, image.brokers.size) ??
    configProblem({ ...policy.topicDefaults, ...topic.config })
  );
}

function nameProblem(image: MetadataImage, batch: Batch, name: string): ItemResult | undefined {
  const problem = topicNameProblem(name);
  if (problem !== undefined) {
    return failure("INVALID_TOPIC_EXCEPTION", `the topic name ${problem}`);
  }
  if (name === METADATA_TOPIC) {
    return failure("INVALID_TOPIC_EXCEPTION", `the topic name ${name} belongs to the cluster`);
  }
  if (image.topicsByName.has(name)) {
    return failure("TOPIC_ALREADY_EXISTS", `topic ${name} exists already`);
  }
  const key = metricName(name);
  const other = image.topicNamesByMetricName.get(key) ?? batch.nameByMetricName.get(key);
  return other === undefined
    ? undefined
    : failure(
        "INVALID_TOPIC_EXCEPTION",
        `topic ${name} collides with ${other}: "." and "_" are the same in metric names`,
      );
}

/** `existing`: partitions of the whole cluster before these. */
export function partitionCountProblem(
  partitions: number,
  existing: number,
  policy: TopicPolicy,
): ItemResult | undefined {
  if (partitions < 1 || partitions > policy.maxPartitionsPerTopic) {
    return failure(
      "INVALID_PARTITIONS",
      `a topic has 1 to ${policy.maxPartitionsPerTopic} partitions, not ${partitions}`,
    );
  }
  if (existing + partitions > policy.maxPartitions) {
    return failure(
      "POLICY_VIOLATION",
      `the cluster has ${existing} partitions and may have ${policy.maxPartitions} (max.partitions)`,
    );
  }
  return undefined;
}

function replicationProblem(factor: number, brokers: number): ItemResult | undefined {
  if (factor < 1) {
    return failure(
      "INVALID_REPLICATION_FACTOR",
      `the replication factor is at least 1, not ${factor}`,
    );
  }
  if (factor <= brokers) {
    return undefined;
  }
  const nodes = brokers === 1 ? "1 broker" : `${brokers} brokers`;
  return failure(
    "INVALID_REPLICATION_FACTOR",
    `replication factor ${factor} needs ${factor} brokers, and this cluster has ${nodes}; start the broker with --clamp-replication to create the topic with ${brokers}`,
  );
}

/** `config`: the topic's own entries over the node's defaults. */
export function configProblem(config: Readonly<Record<string, string>>): ItemResult | undefined {
  try {
    parseLogConfig(config);
    return undefined;
  } catch (error) {
    if (isMillraceError(error)) {
      return failure("INVALID_CONFIG", messageOf(error));
    }
    throw error;
  }
}

function topicRecords(image: MetadataImage, topic: NewTopic, topicId: string): MetadataRecord[] {
  const { name, config } = topic;
  return [
    { kind: "topic", body: { name, topicId, isInternal: false } },
    ...Object.entries(config).map(
      ([key, value]): MetadataRecord => ({
        kind: "config",
        body: { resourceType: "topic", resourceName: name, key, value },
      }),
    ),
    ...partitionRecords(image, {
      topicId,
      firstPartition: 0,
      partitionCount: topic.partitions,
      replicationFactor: topic.replicationFactor,
    }),
  ];
}

export interface NewPartitions {
  readonly topicId: string;
  readonly firstPartition: number;
  readonly partitionCount: number;
  readonly replicationFactor: number;
}

/** The records of placed partitions; the first replica leads, all are in sync because all are empty. */
export function partitionRecords(image: MetadataImage, added: NewPartitions): MetadataRecord[] {
  const brokers = [...image.brokers.keys()].sort((one, other) => one - other);
  const placement = placeReplicas({
    ...added,
    brokers,
    startIndex: Number.parseInt(added.topicId.slice(0, 8), 16) % brokers.length,
  });
  return placement.map((replicas, index) => ({
    kind: "partition",
    body: {
      topicId: added.topicId,
      partition: added.firstPartition + index,
      replicas,
      isr: replicas,
      leader: replicas[0] ?? -1,
      leaderEpoch: 0,
      partitionEpoch: 0,
    },
  }));
}
