// Which brokers hold the replicas of new partitions. Pure: round robin over the brokers in order of their ids,
// the second and later replicas shifted a little more with every round, as Kafka does, so that a broker's
// partitions have their followers spread over all others.

import type { NodeId } from "@millrace/protocol";

export interface PlacementRequest {
  /** Sorted, without duplicates; at least `replicationFactor` of them. */
  readonly brokers: readonly NodeId[];
  readonly partitionCount: number;
  readonly replicationFactor: number;
  /** Number of the first new partition: additions go on where the topic ended. */
  readonly firstPartition: number;
  /** Where the first leader goes; a topic-specific number spreads small topics over the brokers. */
  readonly startIndex: number;
}

/** One list of replicas per partition, preferred leader first. */
export function placeReplicas(request: PlacementRequest): NodeId[][] {
  const { brokers, replicationFactor } = request;
  return Array.from({ length: request.partitionCount }, (_, index) => {
    const position = request.firstPartition + index;
    const shift = Math.floor(position / brokers.length);
    const first = (request.startIndex + position) % brokers.length;
    return Array.from({ length: replicationFactor }, (_unused, replica) => {
      const step = replica === 0 ? 0 : 1 + ((shift + replica - 1) % (brokers.length - 1));
      return brokers[(first + step) % brokers.length] as NodeId;
    });
  });
}
