// Deleting topics, by name or by id. Internal topics stay.

import type { MetadataImage, TopicImage } from "../metadata-image.js";
import type { MetadataRecord } from "../metadata-record.js";
import { type CommandOutcome, failure, type ItemResult, success } from "./command.js";

export interface DeleteTopicsRequest {
  readonly names: readonly string[];
  readonly topicIds: readonly string[];
}

export interface DeletedTopic extends ItemResult {
  readonly name: string | null;
  readonly topicId: string | null;
}

/** Answers in the order of `names`, then of `topicIds`. */
export function deleteTopics(
  image: MetadataImage,
  request: DeleteTopicsRequest,
): CommandOutcome<readonly DeletedTopic[]> {
  const records: MetadataRecord[] = [];
  const removed = new Set<string>();
  const remove = (topic: TopicImage | undefined, missing: DeletedTopic): DeletedTopic => {
    if (topic === undefined || removed.has(topic.topicId)) {
      return missing;
    }
    const { name, topicId } = topic;
    if (topic.isInternal) {
      return { ...failure("POLICY_VIOLATION", `${name} is an internal topic`), name, topicId };
    }
    removed.add(topicId);
    records.push({ kind: "removeTopic", body: { topicId } });
    return { ...success, name, topicId };
  };
  const byName = request.names.map((name) =>
    remove(image.topicsByName.get(name), {
      ...failure("UNKNOWN_TOPIC_OR_PARTITION", `no topic ${name}`),
      name,
      topicId: null,
    }),
  );
  const byId = request.topicIds.map((topicId) =>
    remove(image.topicsById.get(topicId), {
      ...failure("UNKNOWN_TOPIC_ID", `no topic has the id ${topicId}`),
      name: null,
      topicId,
    }),
  );
  return { ok: true, records, response: [...byName, ...byId] };
}
