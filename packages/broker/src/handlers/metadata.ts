// Where topics and their partitions are. Nothing is created by being asked for.

import type { TopicImage } from "@millrace/controller";
import { errorCode, type ResponseOf } from "@millrace/protocol";
import type { BrokerServices, Call, Handler } from "./handler.js";

type TopicAnswer = ResponseOf<"metadata">["topics"][number];

export const metadata: Handler<"metadata"> = (broker, request, call) => {
  const { image } = broker.controller;
  const wantsAll = request.topics === null && request.topicIds.length === 0;
  const topics = wantsAll
    ? [...image.topicsById.values()].map((topic) => found(broker, topic))
    : [
        // Each once, however often it is named: the answer is as large as the cluster, not as the question.
        ...[...new Set(request.topics)].map((name) => {
          const topic = image.topicsByName.get(name);
          return topic === undefined ? unknownName(name) : found(broker, topic);
        }),
        ...[...new Set(request.topicIds)].map((topicId) => {
          const topic = image.topicsById.get(topicId);
          return topic === undefined ? unknownId(topicId) : found(broker, topic);
        }),
      ];
  return {
    body: {
      clusterId: broker.clusterId,
      controllerId: broker.controller.nodeId,
      brokers: brokerEntries(broker, call),
      topics,
    },
  };
};

/** Every registered broker, this one under the address the caller can reach. */
export function brokerEntries(
  broker: BrokerServices,
  call: Call,
): ResponseOf<"metadata">["brokers"] {
  const entries = [...broker.controller.image.brokers.values()].map(({ nodeId, url, rack }) => ({
    nodeId,
    url: nodeId === broker.nodeId ? broker.advertisedUrl(call.connection.host) : (url ?? ""),
    rack,
  }));
  return entries.filter((entry) => entry.url !== "");
}

function found(broker: BrokerServices, topic: TopicImage): TopicAnswer {
  return {
    name: topic.name,
    topicId: topic.topicId,
    errorCode: 0,
    errorMessage: null,
    isInternal: topic.isInternal,
    maxMessageBytes: broker.partitions.maxMessageBytes(topic.name),
    partitions: topic.partitions.map(({ partition, leader, leaderEpoch, replicas, isr }) => ({
      partition,
      leaderId: leader,
      leaderEpoch,
      replicas,
      isr,
    })),
  };
}

const nothing = { isInternal: false, maxMessageBytes: 0, partitions: [] } as const;

function unknownName(name: string): TopicAnswer {
  return {
    ...nothing,
    name,
    topicId: null,
    errorCode: errorCode("UNKNOWN_TOPIC_OR_PARTITION"),
    errorMessage: `no topic of this name; create it first: millrace topics create NAME`,
  };
}

function unknownId(topicId: string): TopicAnswer {
  return {
    ...nothing,
    name: null,
    topicId,
    errorCode: errorCode("UNKNOWN_TOPIC_ID"),
    errorMessage: "no topic has this id: it was deleted, or created again",
  };
}
