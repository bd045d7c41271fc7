// Adding partitions. The answer comes when the new partitions' logs exist.

import type { ExtendedTopic } from "@millrace/controller";
import { within } from "../within.js";
import { type BrokerServices, type Handler, wireResult } from "./handler.js";

export const createPartitions: Handler<"createPartitions"> = async (broker, request) => {
  const work = extend(broker, request);
  return { body: { topics: await within(broker.runtime.clock, request.timeoutMs, work) } };
};

async function extend(broker: BrokerServices, request: Parameters<typeof createPartitions>[1]) {
  const { topics, validateOnly } = request;
  const extended = await broker.controller.submit("createPartitions", { topics, validateOnly });
  return Promise.all(extended.map((topic) => ready(broker, topic)));
}

async function ready(broker: BrokerServices, topic: ExtendedTopic) {
  const { name, topicId } = topic;
  const problem =
    topic.error === "NONE" && topicId !== null
      ? await broker.partitions.whenReady(topicId)
      : undefined;
  return problem === undefined
    ? { name, topicId, ...wireResult(topic) }
    : {
        name,
        topicId,
        ...wireResult({
          error: "KAFKA_STORAGE_ERROR",
          message: `the partitions are added, but their logs are not there yet: ${problem.error}: ${problem.message}`,
        }),
      };
}
