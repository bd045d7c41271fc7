import { describe, expect, it } from "vitest";
import type { ClusterPort } from "./cluster-port.js";
import { type OffsetQuery, queryOffsets } from "./offset-query.js";
import { partitionKey } from "./partition-state.js";

const TOPIC_ID = "00000000-0000-4000-8000-000000000001";

interface Asked {
  readonly nodeId: number;
  readonly partitions: readonly { readonly partition: number }[];
}

/** Each partition's offset is its number. */
function answering(asked: Asked[]): ClusterPort {
  const request = (
    target: { nodeId: number },
    _api: string,
    body: { partitions: { topicId: string; partition: number }[] },
  ) => {
    asked.push({ nodeId: target.nodeId, partitions: body.partitions });
    const partitions = body.partitions.map(({ topicId, partition }) => ({
      topicId,
      partition,
      offset: partition,
    }));
    return Promise.resolve({ body: { partitions } });
  };
  return { request } as unknown as ClusterPort;
}

function queriesOf(count: number, leaderOf: (partition: number) => number): OffsetQuery[] {
  return Array.from({ length: count }, (_, partition) => {
    const key = partitionKey(TOPIC_ID, partition);
    const state = { topicId: TOPIC_ID, partition, key, leaderId: leaderOf(partition) };
    return { state: { ...state, leaderEpoch: 0 }, timestamp: 5 } as unknown as OffsetQuery;
  });
}

describe("looking up offsets", () => {
  it("asks each leader, several times when there is more than one request may hold", async () => {
    const asked: Asked[] = [];
    const found: number[] = [];
    const queries = queriesOf(25_010, (partition) => (partition < 10 ? 2 : 1));
    await queryOffsets(answering(asked), { requestTimeoutMs: 1 }, queries, (query, answer) => {
      expect(answer.offset).toBe(query.state.partition);
      found.push(answer.offset);
    });
    expect(found.sort((left, right) => left - right)).toEqual([...Array(25_010).keys()]);
    const counts = asked.map(({ nodeId, partitions }) => [nodeId, partitions.length]);
    expect(counts.sort()).toEqual([
      [1, 10_000],
      [1, 10_000],
      [1, 5_000],
      [2, 10],
    ]);
  });
});
