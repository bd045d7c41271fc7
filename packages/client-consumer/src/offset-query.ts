// `listOffsets` for many partitions: one request to each leader, several when they are more than one may ask for.

import { OFFSET_LOOKUPS_MAX, type ResponseOf } from "@millrace/protocol";
import type { ClusterPort } from "./cluster-port.js";
import { type PartitionState, partitionKey } from "./partition-state.js";

export interface OffsetQuery {
  readonly state: PartitionState;
  /** Milliseconds, or one of the protocol's negative numbers. */
  readonly timestamp: number;
}

export type OffsetAnswer = ResponseOf<"listOffsets">["partitions"][number];

/**
 * Asks the leaders of the queries' partitions and hands each answer to `onAnswer`.
 * @throws MillraceError what a request throws, or `onAnswer`; answers of other leaders count nevertheless.
 */
export async function queryOffsets<Query extends OffsetQuery>(
  client: ClusterPort,
  options: { readonly requestTimeoutMs: number },
  queries: readonly Query[],
  onAnswer: (query: Query, answer: OffsetAnswer) => void,
): Promise<void> {
  const byLeader = new Map<number, Query[]>();
  for (const query of queries) {
    const { leaderId } = query.state;
    const own = byLeader.get(leaderId);
    if (own === undefined) {
      byLeader.set(leaderId, [query]);
    } else {
      own.push(query);
    }
  }
  const requests = [...byLeader].map(async ([nodeId, own]) => {
    for (let from = 0; from < own.length; from += OFFSET_LOOKUPS_MAX) {
      const part = own.slice(from, from + OFFSET_LOOKUPS_MAX);
      const byKey = new Map(part.map((query) => [query.state.key, query]));
      for (const answer of await askLeader(client, { ...options, nodeId }, part)) {
        const query = byKey.get(partitionKey(answer.topicId, answer.partition));
        if (query !== undefined) {
          onAnswer(query, answer);
        }
      }
    }
  });
  const outcomes = await Promise.allSettled(requests);
  for (const outcome of outcomes) {
    if (outcome.status === "rejected") {
      throw outcome.reason;
    }
  }
}

async function askLeader(
  client: ClusterPort,
  request: { readonly nodeId: number; readonly requestTimeoutMs: number },
  queries: readonly OffsetQuery[],
): Promise<readonly OffsetAnswer[]> {
  const partitions = queries.map(({ state, timestamp }) => ({
    topicId: state.topicId,
    partition: state.partition,
    timestamp,
    currentLeaderEpoch: state.leaderEpoch,
  }));
  const { nodeId, requestTimeoutMs: timeoutMs } = request;
  const body = { isolationLevel: 0, partitions };
  const answer = await client.request({ nodeId }, "listOffsets", body, { timeoutMs });
  return answer.body.partitions;
}
