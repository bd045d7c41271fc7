// Adding partitions to topics. There is no way back: records of a removed partition would be lost.

import type { MetadataImage } from "../metadata-image.js";
import type { MetadataRecord } from "../metadata-record.js";
import {
  type CommandContext,
  type CommandOutcome,
  failure,
  type ItemResult,
  success,
} from "./command.js";
import { partitionCountProblem, partitionRecords } from "./create-topics.js";

export interface CreatePartitionsRequest {
  readonly topics: readonly {
    readonly name: string;
    /** How many there shall be in all. */
    readonly totalCount: number;
  }[];
  readonly validateOnly: boolean;
}

export interface ExtendedTopic extends ItemResult {
  readonly name: string;
  readonly topicId: string | null;
}

export function createPartitions(
  image: MetadataImage,
  request: CreatePartitionsRequest,
  context: CommandContext,
): CommandOutcome<readonly ExtendedTopic[]> {
  const records: MetadataRecord[] = [];
  const seen = new Set<string>();
  let partitionCount = image.partitionCount;
  const response = request.topics.map(({ name, totalCount }): ExtendedTopic => {
    const topic = image.topicsByName.get(name);
    if (topic === undefined) {
      return { ...failure("UNKNOWN_TOPIC_OR_PARTITION", `no topic ${name}`), name, topicId: null };
    }
    const { topicId, partitions } = topic;
    if (seen.has(name)) {
      return {
        ...failure("INVALID_REQUEST", "the request names this topic more than once"),
        name,
        topicId,
      };
    }
    seen.add(name);
    const added = totalCount - partitions.length;
    const problem =
      added <= 0
        ? failure(
            "INVALID_PARTITIONS",
            `topic ${name} has ${partitions.length} partitions; their number can only grow, not become ${totalCount}`,
          )
        : totalProblem(totalCount, partitionCount - partitions.length, context);
    if (problem !== undefined) {
      return { ...problem, name, topicId };
    }
    partitionCount += added;
    if (!request.validateOnly) {
      records.push(
        ...partitionRecords(image, {
          topicId,
          firstPartition: partitions.length,
          partitionCount: added,
          replicationFactor: Math.min(partitions[0]?.replicas.length ?? 1, image.brokers.size),
        }),
      );
    }
    return { ...success, name, topicId };
  });
  return { ok: true, records, response };
}

function totalProblem(
  totalCount: number,
  others: number,
  context: CommandContext,
): ItemResult | undefined {
  return partitionCountProblem(totalCount, others, context.policy);
}
