// Offsets of partitions: finding them by time, and deleting what lies before them. Each partition is asked at
// its leader; leaders that moved are found again.

import type { TopicMetadata } from "@millrace/client-core";
import {
  EARLIEST_TIMESTAMP,
  LATEST_TIMESTAMP,
  type LeaderEpoch,
  MAX_TIMESTAMP,
  MillraceError,
  OFFSET_LOOKUPS_MAX,
  type Offset,
  type ResponseOf,
  type TimestampMs,
} from "@millrace/protocol";
import {
  type AdminContext,
  type Attempt,
  type CallOptions,
  callForEach,
  type Outcome,
  outcomeOf,
  requireValue,
  unanswered,
} from "./item-outcomes.js";

/**
 * `"earliest"`: the log start; `"latest"`: the end as consumers see it; `"maxTimestamp"`: the record with the
 * largest timestamp; `{ timestamp }`: the first record not older than that.
 */
export type OffsetSpec =
  | "earliest"
  | "latest"
  | "maxTimestamp"
  | { readonly timestamp: TimestampMs };

/** What `listOffsets` found in one partition. */
export interface PartitionOffset {
  readonly partition: number;
  /** null when no record matches. */
  readonly offset: Offset | null;
  /** Of the record found; null for the ends of the log. */
  readonly timestamp: TimestampMs | null;
  readonly leaderEpoch: LeaderEpoch;
}

/** Up to where one partition shall be emptied. */
export interface RecordDeletion {
  readonly partition: number;
  /** The first offset to keep; `"highWatermark"`: everything readable goes. */
  readonly beforeOffset: Offset | "highWatermark";
}

/** What is left of a partition after records were deleted. */
export interface DeletedRecords {
  readonly partition: number;
  /** The partition's first offset from now on. */
  readonly lowWatermark: Offset;
}

const TO_HIGH_WATERMARK = -1;

export async function listOffsets(
  context: AdminContext,
  request: {
    readonly topic: string;
    readonly at: OffsetSpec;
    readonly partitions?: readonly number[] | undefined;
  },
  options: CallOptions,
): Promise<readonly PartitionOffset[]> {
  const timestamp = wireTimestamp(request.at);
  return atLeaders<number, PartitionOffset>(context, {
    topic: request.topic,
    items: request.partitions ?? "all",
    partitionOf: (partition) => partition,
    fromPartition: (partition) => partition,
    options,
    send: async (nodeId, topic, partitions, attempt) => {
      const outcomes = new Map<number, Outcome<PartitionOffset>>();
      for (let from = 0; from < partitions.length; from += OFFSET_LOOKUPS_MAX) {
        const body = {
          isolationLevel: 0,
          partitions: partitions.slice(from, from + OFFSET_LOOKUPS_MAX).map((partition) => ({
            topicId: topic.topicId,
            partition,
            timestamp,
            currentLeaderEpoch: topic.partitions[partition]?.leaderEpoch ?? -1,
          })),
        };
        const answer = await context.client.request({ nodeId }, "listOffsets", body, attempt);
        for (const found of answer.body.partitions) {
          const details = { topic: request.topic, partition: found.partition };
          outcomes.set(
            found.partition,
            outcomeOf(found, details, () => offsetOf(found)),
          );
        }
      }
      return outcomes;
    },
  });
}

function offsetOf(found: ResponseOf<"listOffsets">["partitions"][number]): PartitionOffset {
  return {
    partition: found.partition,
    offset: found.offset < 0 ? null : found.offset,
    timestamp: found.timestamp < 0 ? null : found.timestamp,
    leaderEpoch: found.leaderEpoch,
  };
}

export async function deleteRecords(
  context: AdminContext,
  request: { readonly topic: string; readonly deletions: readonly RecordDeletion[] },
  options: CallOptions,
): Promise<readonly DeletedRecords[]> {
  return atLeaders<RecordDeletion, DeletedRecords>(context, {
    topic: request.topic,
    items: request.deletions,
    partitionOf: ({ partition }) => partition,
    fromPartition: (partition) => ({ partition, beforeOffset: "highWatermark" }),
    options,
    send: async (nodeId, topic, deletions, attempt) => {
      const body = {
        partitions: deletions.map(({ partition, beforeOffset }) => ({
          topicId: topic.topicId,
          partition,
          beforeOffset: beforeOffset === "highWatermark" ? TO_HIGH_WATERMARK : beforeOffset,
        })),
        timeoutMs: Math.ceil(attempt.timeoutMs),
      };
      const answer = await context.client.request({ nodeId }, "deleteRecords", body, attempt);
      return new Map(
        answer.body.partitions.map((deleted) => [
          deleted.partition,
          outcomeOf(deleted, { topic: request.topic, partition: deleted.partition }, () => ({
            partition: deleted.partition,
            lowWatermark: deleted.lowWatermark,
          })),
        ]),
      );
    },
  });
}

function wireTimestamp(at: OffsetSpec): number {
  if (typeof at === "object") {
    if (!Number.isSafeInteger(at.timestamp) || at.timestamp < 0) {
      throw new MillraceError("INVALID_ARGUMENT", "timestamp: expected whole milliseconds from 0");
    }
    return at.timestamp;
  }
  switch (at) {
    case "earliest":
      return EARLIEST_TIMESTAMP;
    case "latest":
      return LATEST_TIMESTAMP;
    case "maxTimestamp":
      return MAX_TIMESTAMP;
  }
}

interface LeaderRequest<Item, Value> {
  readonly topic: string;
  readonly items: readonly Item[] | "all";
  readonly options: CallOptions;
  partitionOf(item: Item): number;
  fromPartition(partition: number): Item;
  /** One request to one leader; outcomes by partition number. */
  send(
    nodeId: number,
    topic: TopicMetadata,
    items: readonly Item[],
    attempt: Attempt,
  ): Promise<ReadonlyMap<number, Outcome<Value>>>;
}

/** The values in the order of the items; throws the first error. */
async function atLeaders<Item, Value>(
  context: AdminContext,
  request: LeaderRequest<Item, Value>,
): Promise<readonly Value[]> {
  const { metadata } = context.client;
  const { options } = request;
  const items =
    request.items === "all"
      ? await allPartitions(context, request.topic, options).then((all) =>
          all.map((partition) => request.fromPartition(partition)),
        )
      : request.items;
  const outcomes = await callForEach<Item, Value>(context, {
    items,
    options,
    send: async (open, attempt) => {
      const topic = await metadata.topic(request.topic, { signal: attempt.signal });
      const [known, groups] = groupByLeader(request, topic, open);
      const answers = await Promise.all(
        [...groups].map(async ([nodeId, group]) => {
          const answered = await request.send(nodeId, topic, group, attempt);
          return group.map((item): [Item, Outcome<Value>] => {
            const partition = request.partitionOf(item);
            const outcome = answered.get(partition) ?? unanswered(`partition ${partition}`);
            return [item, attempt.number === 0 ? retriedWhenRecreated(outcome) : outcome];
          });
        }),
      );
      return new Map([...known, ...answers.flat()]);
    },
  });
  return items.map((item) => requireValue(outcomes.get(item)));
}

async function allPartitions(
  context: AdminContext,
  name: string,
  options: CallOptions,
): Promise<readonly number[]> {
  const { client } = context;
  const topic = await client.retry(() => client.metadata.topic(name, { signal: options.signal }), {
    timeoutMs: options.timeoutMs ?? context.timeoutMs,
    signal: options.signal,
  });
  return topic.partitions.map(({ partition }) => partition);
}

/** Errors that need no request, and the items by leader. */
function groupByLeader<Item, Value>(
  request: LeaderRequest<Item, Value>,
  topic: TopicMetadata,
  items: readonly Item[],
): readonly [ReadonlyMap<Item, Outcome<Value>>, ReadonlyMap<number, Item[]>] {
  const known = new Map<Item, Outcome<Value>>();
  const groups = new Map<number, Item[]>();
  for (const item of items) {
    const partition = request.partitionOf(item);
    const leaderId = topic.partitions[partition]?.leaderId;
    if (leaderId === undefined || leaderId < 0) {
      known.set(item, { ok: false, error: leaderError(topic, partition, leaderId) });
      continue;
    }
    const group = groups.get(leaderId) ?? [];
    group.push(item);
    groups.set(leaderId, group);
  }
  return [known, groups];
}

function leaderError(
  topic: TopicMetadata,
  partition: number,
  leaderId: number | undefined,
): MillraceError {
  const details = { topic: topic.name, partition };
  return leaderId === undefined
    ? new MillraceError(
        "UNKNOWN_TOPIC_OR_PARTITION",
        `topic ${topic.name} has ${topic.partitions.length} partitions; there is no partition ${partition}`,
        { details },
      )
    : new MillraceError("LEADER_NOT_AVAILABLE", undefined, { details });
}

/** The topic was deleted and created again since its id was cached: the name is asked for once more. */
function retriedWhenRecreated<Value>(outcome: Outcome<Value>): Outcome<Value> {
  if (outcome.ok || outcome.error.code !== "UNKNOWN_TOPIC_ID") {
    return outcome;
  }
  const { details } = outcome.error;
  return {
    ok: false,
    error: new MillraceError("UNKNOWN_TOPIC_ID", undefined, {
      cause: outcome.error,
      retriable: true,
      details,
    }),
  };
}
