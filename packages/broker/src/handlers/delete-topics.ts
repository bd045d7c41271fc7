// Deleting topics. The answer comes when the deletion is committed and the logs are gone from their names;
// from the commit on the topic's id is unknown to every request.

import { within } from "../within.js";
import { type BrokerServices, type Handler, wireResult } from "./handler.js";

export const deleteTopics: Handler<"deleteTopics"> = async (broker, request) => {
  const work = remove(broker, request);
  return { body: { topics: await within(broker.runtime.clock, request.timeoutMs, work) } };
};

async function remove(broker: BrokerServices, request: Parameters<typeof deleteTopics>[1]) {
  const deleted = await broker.controller.submit("deleteTopics", {
    names: request.topics,
    topicIds: request.topicIds,
  });
  return Promise.all(
    deleted.map(async (topic) => {
      if (topic.error === "NONE" && topic.topicId !== null) {
        const problem = await broker.partitions.whenRemoved(topic.topicId);
        if (problem !== undefined) {
          const message = `the topic is deleted, its files are not yet: ${problem.message}`;
          return {
            name: topic.name,
            topicId: topic.topicId,
            ...wireResult({ ...problem, message }),
          };
        }
      }
      return { name: topic.name, topicId: topic.topicId, ...wireResult(topic) };
    }),
  );
}
