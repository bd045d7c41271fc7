// Topics in full: configuration with its sources, and every partition's state on this node.

import type { PartitionImage, TopicImage } from "@millrace/controller";
import { errorCode, type ResponseOf } from "@millrace/protocol";
import { topicConfigValues } from "../topic-config-values.js";
import type { BrokerServices, Handler } from "./handler.js";

type Described = ResponseOf<"describeTopics">["topics"][number];

export const describeTopics: Handler<"describeTopics"> = (broker, request) => {
  const { image } = broker.controller;
  const topics =
    request.topics === null
      ? [...image.topicsById.values()].map((topic) => found(broker, topic))
      : [...new Set(request.topics)].map((name) => {
          const topic = image.topicsByName.get(name);
          return topic === undefined ? unknown(name) : found(broker, topic);
        });
  return { body: { topics } };
};

function found(broker: BrokerServices, topic: TopicImage): Described {
  return {
    name: topic.name,
    topicId: topic.topicId,
    errorCode: 0,
    errorMessage: null,
    isInternal: topic.isInternal,
    replicationFactor: topic.partitions[0]?.replicas.length ?? 0,
    config: topicConfigValues(broker, topic.name).map(({ key, value, source }) => ({
      key,
      value,
      source,
    })),
    partitions: topic.partitions.map((image) => describePartition(broker, image)),
  };
}

function describePartition(
  broker: BrokerServices,
  image: PartitionImage,
): Described["partitions"][number] {
  const place = {
    partition: image.partition,
    leaderId: image.leader,
    leaderEpoch: image.leaderEpoch,
    replicas: image.replicas,
    isr: image.isr,
  };
  const lookup = broker.partitions.find(image.topicId, image.partition);
  if (!lookup.ok) {
    const state = image.leader === broker.nodeId ? "offline" : "online";
    return { ...place, ...unknownHere, state };
  }
  const { log, highWatermark } = lookup.partition;
  return {
    ...place,
    logStartOffset: log.logStartOffset,
    highWatermark,
    logEndOffset: log.logEndOffset,
    flushedOffset: log.flushedOffset,
    sizeBytes: log.sizeBytes,
    segmentCount: log.segmentCount,
    state: log.state,
  };
}

const unknownHere = {
  logStartOffset: -1,
  highWatermark: -1,
  logEndOffset: -1,
  flushedOffset: -1,
  sizeBytes: -1,
  segmentCount: -1,
} as const;

function unknown(name: string): Described {
  return {
    name,
    topicId: null,
    errorCode: errorCode("UNKNOWN_TOPIC_OR_PARTITION"),
    errorMessage: "no topic of this name",
    isInternal: false,
    replicationFactor: 0,
    config: [],
    partitions: [],
  };
}
