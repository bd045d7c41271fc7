// Creating topics. The answer comes when the topics are committed and their logs exist, so that a produce
// that follows finds them.

import type { CreatedTopic } from "@millrace/controller";
import { within } from "../within.js";
import { type BrokerServices, type Handler, wireResult } from "./handler.js";

export const createTopics: Handler<"createTopics"> = async (broker, request) => {
  const work = create(broker, request);
  const topics = await within(broker.runtime.clock, request.timeoutMs, work);
  return {
    body: {
      topics: topics.map((topic) => ({
        name: topic.name,
        topicId: topic.topicId,
        ...wireResult(topic),
        partitions: topic.partitions,
        replicationFactor: topic.replicationFactor,
      })),
    },
  };
};

async function create(
  broker: BrokerServices,
  request: Parameters<typeof createTopics>[1],
): Promise<readonly CreatedTopic[]> {
  const { topics, validateOnly } = request;
  const created = await broker.controller.submit("createTopics", { topics, validateOnly });
  return Promise.all(created.map((topic) => ready(broker, topic)));
}

async function ready(broker: BrokerServices, topic: CreatedTopic): Promise<CreatedTopic> {
  if (topic.topicId === null) {
    return topic;
  }
  const problem = await broker.partitions.whenReady(topic.topicId);
  if (problem === undefined) {
    return topic;
  }
  if (problem.error === "INVALID_TOPIC_EXCEPTION") {
    // Its directory is another topic's, where the file system ignores case: it can never have a log.
    await broker.controller.submit("deleteTopics", { names: [], topicIds: [topic.topicId] });
    return { ...topic, topicId: null, ...problem };
  }
  // Not the reason's own code: to try again would only find that the topic exists.
  const message = `the topic is created, but its logs are not yet: ${problem.error}: ${problem.message}`;
  return { ...topic, error: "KAFKA_STORAGE_ERROR", message };
}
