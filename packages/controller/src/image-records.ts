// The image as records: what a snapshot of the metadata log holds. Replaying them into an empty image gives the same
// image. Pure.

import type { BrokerImage, MetadataImage, PartitionImage, TopicImage } from "./metadata-image.js";
import type { ConfigResourceType, MetadataRecord } from "./metadata-record.js";

export type TopicName = Pick<TopicImage, "name" | "topicId" | "isInternal">;

/** The image of one moment: it stays as it is while the records are taken from it. */
export interface FrozenImage {
  readonly features: readonly (readonly [string, number])[];
  readonly brokers: readonly BrokerImage[];
  readonly topics: readonly {
    readonly topic: TopicName;
    readonly partitions: readonly PartitionImage[];
  }[];
  /** Resource key, key, value. */
  readonly configs: readonly (readonly [string, string, string])[];
  readonly nextProducerId: number;
}

/** Copies what changes in place; the entries themselves are only ever replaced. */
export function freezeImage(image: MetadataImage): FrozenImage {
  return {
    features: [...image.features],
    brokers: [...image.brokers.values()],
    topics: Array.from(image.topicsById.values(), (topic) => ({
      topic,
      partitions: [...topic.partitions],
    })),
    configs: [...image.configs].flatMap(([resource, entries]) =>
      Array.from(entries, ([key, value]) => [resource, key, value] as const),
    ),
    nextProducerId: image.nextProducerId,
  };
}

/** @param removed topics whose removal must be known after a restart: their logs may still be there */
export function* imageRecords(
  image: FrozenImage,
  removed: Iterable<TopicName> = [],
): Generator<MetadataRecord, void, undefined> {
  for (const [name, level] of image.features) {
    yield { kind: "featureLevel", body: { name, level } };
  }
  for (const body of image.brokers) {
    yield { kind: "registerBroker", body };
  }
  // Each at once removed again, and before all others: a topic of the same name may be there now.
  for (const { name, topicId, isInternal } of removed) {
    yield { kind: "topic", body: { name, topicId, isInternal } };
    yield { kind: "removeTopic", body: { topicId } };
  }
  for (const { topic, partitions } of image.topics) {
    const { name, topicId, isInternal } = topic;
    yield { kind: "topic", body: { name, topicId, isInternal } };
    for (const body of partitions) {
      yield { kind: "partition", body };
    }
  }
  for (const [resource, key, value] of image.configs) {
    yield { kind: "config", body: { ...configResourceOf(resource), key, value } };
  }
  if (image.nextProducerId > 0) {
    yield { kind: "producerIds", body: { nodeId: -1, nextProducerId: image.nextProducerId } };
  }
}

/** The inverse of `configResourceKey`. */
function configResourceOf(resource: string): {
  readonly resourceType: ConfigResourceType;
  readonly resourceName: string;
} {
  const at = resource.indexOf(":");
  return {
    resourceType: resource.slice(0, at) as ConfigResourceType,
    resourceName: resource.slice(at + 1),
  };
}
