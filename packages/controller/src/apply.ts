// What each metadata record does to the image. Total and without checks of policy: a record that was
// committed takes effect. A record that contradicts the image means that the log is not what this code wrote,
// and stops the controller.

import { ProtocolError } from "@millrace/protocol";
import {
  configResourceKey,
  type MutableMetadataImage,
  type MutableTopicImage,
  metricName,
} from "./metadata-image.js";
import type { MetadataRecord, MetadataRecordBody } from "./metadata-record.js";

/** Changes the image. @throws ProtocolError `CORRUPT_MESSAGE` when the record contradicts it. */
export function applyRecord(image: MutableMetadataImage, record: MetadataRecord): void {
  switch (record.kind) {
    case "registerBroker":
      image.brokers.set(record.body.nodeId, record.body);
      return;
    case "topic":
      applyTopic(image, record.body);
      return;
    case "removeTopic":
      applyRemoveTopic(image, record.body.topicId);
      return;
    case "partition":
      applyPartition(image, record.body);
      return;
    case "partitionChange":
      applyPartitionChange(image, record.body);
      return;
    case "config":
      applyConfig(image, record.body);
      return;
    case "featureLevel":
      image.features.set(record.body.name, record.body.level);
      return;
    case "producerIds":
      applyProducerIds(image, record.body);
      return;
  }
}

function contradiction(what: string): ProtocolError {
  return new ProtocolError("CORRUPT_MESSAGE", `the metadata log contradicts itself: ${what}`);
}

function topicOf(image: MutableMetadataImage, topicId: string): MutableTopicImage {
  const topic = image.topicsById.get(topicId);
  if (topic === undefined) {
    throw contradiction(`no topic ${topicId}`);
  }
  return topic;
}

function applyTopic(image: MutableMetadataImage, body: MetadataRecordBody<"topic">): void {
  if (image.topicsById.has(body.topicId) || image.topicsByName.has(body.name)) {
    throw contradiction(`topic ${body.topicId} exists already`);
  }
  const topic: MutableTopicImage = { ...body, partitions: [] };
  image.topicsById.set(topic.topicId, topic);
  image.topicsByName.set(topic.name, topic);
  image.topicNamesByMetricName.set(metricName(topic.name), topic.name);
}

function applyRemoveTopic(image: MutableMetadataImage, topicId: string): void {
  const topic = topicOf(image, topicId);
  image.topicsById.delete(topicId);
  image.topicsByName.delete(topic.name);
  image.topicNamesByMetricName.delete(metricName(topic.name));
  image.configs.delete(configResourceKey("topic", topic.name));
  image.partitionCount -= topic.partitions.length;
}

function applyPartition(image: MutableMetadataImage, body: MetadataRecordBody<"partition">): void {
  const topic = topicOf(image, body.topicId);
  if (body.partition !== topic.partitions.length) {
    throw contradiction(`partition ${body.partition} follows ${topic.partitions.length - 1}`);
  }
  topic.partitions.push(body);
  image.partitionCount += 1;
}

function applyPartitionChange(
  image: MutableMetadataImage,
  body: MetadataRecordBody<"partitionChange">,
): void {
  const topic = topicOf(image, body.topicId);
  const before = topic.partitions[body.partition];
  if (before === undefined) {
    throw contradiction(`no partition ${body.partition} of topic ${body.topicId}`);
  }
  topic.partitions[body.partition] = { ...before, ...body };
}

function applyConfig(image: MutableMetadataImage, body: MetadataRecordBody<"config">): void {
  const resource = configResourceKey(body.resourceType, body.resourceName);
  const config = image.configs.get(resource) ?? new Map<string, string>();
  if (body.value === null) {
    config.delete(body.key);
  } else {
    config.set(body.key, body.value);
  }
  if (config.size === 0) {
    image.configs.delete(resource);
  } else {
    image.configs.set(resource, config);
  }
}

function applyProducerIds(
  image: MutableMetadataImage,
  body: MetadataRecordBody<"producerIds">,
): void {
  if (body.nextProducerId <= image.nextProducerId) {
    throw contradiction(`producer ids go back to ${body.nextProducerId}`);
  }
  image.nextProducerId = body.nextProducerId;
}
