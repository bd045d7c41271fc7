// Creating, deleting, listing, describing and extending topics: what is asked and how the answers read.

import type { NodeId, Offset, RequestOf, ResponseOf, TopicId } from "@millrace/protocol";
import { MillraceError, topicNameProblem } from "@millrace/protocol";
import { printable } from "@millrace/runtime";
import {
  type AdminContext,
  type Attempt,
  type CallOptions,
  call,
  callForEach,
  type Outcome,
  outcomeOf,
  unanswered,
} from "./item-outcomes.js";

/** Travels as text: `604_800_000` and `"604800000"` are the same. */
export type ConfigValue = string | number | boolean;

/** What a topic is created with; whatever is missing is the broker's default. */
export interface TopicSettings {
  /** Default: the broker's `num.partitions`. */
  readonly partitions?: number | undefined;
  /** Default: the broker's `default.replication.factor`. */
  readonly replicationFactor?: number | undefined;
  /** Kafka's dotted keys: `{ "retention.ms": 604_800_000 }`. */
  readonly config?: Readonly<Record<string, ConfigValue>> | undefined;
}

/** A topic to create. */
export interface NewTopic extends TopicSettings {
  readonly name: string;
}

export interface CreateTopicsOptions extends CallOptions {
  /** A topic of that name is fine, whatever its settings: the result then says `created: false`. */
  readonly ifNotExists?: boolean | undefined;
  /** Checks everything and creates nothing. */
  readonly validateOnly?: boolean | undefined;
}

/** A topic as it was created, the broker's defaults filled in. */
export interface CreatedTopic {
  readonly name: string;
  /** null with `validateOnly`. */
  readonly topicId: TopicId | null;
  readonly partitions: number;
  readonly replicationFactor: number;
  /** False when it was there already, and with `validateOnly`. */
  readonly created: boolean;
}

/** A topic that is gone. */
export interface DeletedTopic {
  readonly name: string;
  readonly topicId: TopicId | null;
}

/** A topic in a list: sizes, without partitions and configuration. */
export interface TopicListing {
  readonly name: string;
  readonly topicId: TopicId;
  readonly partitions: number;
  readonly replicationFactor: number;
  readonly isInternal: boolean;
}

/** A configuration key of a topic, with the value in force. */
export interface TopicConfigEntry {
  readonly key: string;
  readonly value: string;
  /** "topic", "broker" or "default". */
  readonly source: string;
}

/** A partition: who leads it, who has copies, and which of those keep up. */
export interface PartitionDescription {
  readonly partition: number;
  /** -1: none now. */
  readonly leaderId: NodeId;
  readonly leaderEpoch: number;
  readonly replicas: readonly NodeId[];
  readonly isr: readonly NodeId[];
  /** This and the rest is known to the leader only; -1 where another broker answered. */
  readonly logStartOffset: Offset;
  readonly highWatermark: Offset;
  readonly logEndOffset: Offset;
  /** Everything below is fsynced on the leader. */
  readonly flushedOffset: Offset;
  readonly sizeBytes: number;
  readonly segmentCount: number;
  /** "online", or why not: "quarantined", "offline". */
  readonly state: string;
}

/** A topic with its configuration and partitions. */
export interface TopicDescription {
  readonly name: string;
  readonly topicId: TopicId;
  readonly isInternal: boolean;
  readonly replicationFactor: number;
  readonly config: readonly TopicConfigEntry[];
  readonly partitions: readonly PartitionDescription[];
}

export async function createTopics(
  context: AdminContext,
  topics: readonly NewTopic[],
  options: CreateTopicsOptions,
): Promise<ReadonlyMap<NewTopic, Outcome<CreatedTopic>>> {
  for (const { name } of topics) {
    checkTopicName(name);
  }
  const outcomes = await callForEach<NewTopic, CreatedTopic>(context, {
    items: topics,
    options,
    send: (items, attempt) => sendCreateTopics(context, items, { ...options, attempt }),
  });
  context.client.metadata.invalidate("topics were created");
  if (options.ifNotExists !== true) {
    return outcomes;
  }
  const settled = new Map<NewTopic, Outcome<CreatedTopic>>();
  for (const [topic, outcome] of outcomes) {
    const exists = !outcome.ok && outcome.error.code === "TOPIC_ALREADY_EXISTS";
    settled.set(topic, exists ? await existingTopic(context, topic.name, options) : outcome);
  }
  return settled;
}

async function sendCreateTopics(
  context: AdminContext,
  topics: readonly NewTopic[],
  options: CreateTopicsOptions & { readonly attempt: Attempt },
): Promise<ReadonlyMap<NewTopic, Outcome<CreatedTopic>>> {
  const { attempt, validateOnly = false } = options;
  const body: RequestOf<"createTopics"> = {
    topics: topics.map(({ name, partitions = -1, replicationFactor = -1, config = {} }) => ({
      name,
      partitions,
      replicationFactor,
      config: Object.fromEntries(
        Object.entries(config).map(([key, value]) => [key, String(value)]),
      ),
    })),
    validateOnly,
    timeoutMs: Math.ceil(attempt.timeoutMs),
  };
  const answer = await context.client.request("controller", "createTopics", body, attempt);
  const byName = new Map(answer.body.topics.map((topic) => [topic.name, topic]));
  return new Map(
    topics.map((topic) => {
      const item = byName.get(topic.name);
      const outcome: Outcome<CreatedTopic> =
        item === undefined
          ? unanswered(`topic ${topic.name}`)
          : outcomeOf(item, { topic: topic.name }, () => ({
              name: item.name,
              topicId: item.topicId,
              partitions: item.partitions,
              replicationFactor: item.replicationFactor,
              created: !validateOnly,
            }));
      const final = withoutRetry(outcome);
      return [topic, attempt.isRepeated ? admittingDoubt(final) : final];
    }),
  );
}

/** A topic whose logs the broker's disk refused is created all the same: asked again, it would exist already. */
function withoutRetry(outcome: Outcome<CreatedTopic>): Outcome<CreatedTopic> {
  if (outcome.ok || outcome.error.code !== "KAFKA_STORAGE_ERROR") {
    return outcome;
  }
  const { code, message, details } = outcome.error;
  const text = message.startsWith(`${code}: `) ? message.slice(code.length + 2) : message;
  const error = new MillraceError(code, text, { details, retriable: false });
  return { ok: false, error };
}

/** After a broken connection "exists already" may mean "you created it a moment ago". */
function admittingDoubt(outcome: Outcome<CreatedTopic>): Outcome<CreatedTopic> {
  if (outcome.ok || outcome.error.code !== "TOPIC_ALREADY_EXISTS") {
    return outcome;
  }
  const message =
    "it exists already; this call was repeated after its answer got lost, and may have created it itself";
  return {
    ok: false,
    error: new MillraceError("TOPIC_ALREADY_EXISTS", message, {
      cause: outcome.error,
      details: { ...outcome.error.details, mayBeOwn: true },
    }),
  };
}

async function existingTopic(
  context: AdminContext,
  name: string,
  options: CallOptions,
): Promise<Outcome<CreatedTopic>> {
  const { partitions, topicId } = await call(context, options, ({ signal }) =>
    context.client.metadata.topic(name, { signal }),
  );
  const replicationFactor = partitions[0]?.replicas.length ?? 0;
  const count = partitions.length;
  return {
    ok: true,
    value: { name, topicId, partitions: count, replicationFactor, created: false },
  };
}

export async function deleteTopics(
  context: AdminContext,
  names: readonly string[],
  options: CallOptions,
): Promise<ReadonlyMap<string, Outcome<DeletedTopic>>> {
  const outcomes = await callForEach<string, DeletedTopic>(context, {
    items: names,
    options,
    send: async (items, attempt) => {
      const timeoutMs = Math.ceil(attempt.timeoutMs);
      const body = { topics: items, topicIds: [], timeoutMs };
      const answer = await context.client.request("controller", "deleteTopics", body, attempt);
      const value = (name: string, topicId: TopicId | null): DeletedTopic => ({ name, topicId });
      const answered = topicOutcomes(items, answer.body.topics, value);
      return attempt.isRepeated ? goneIsDeleted(answered) : answered;
    },
  });
  await refreshMetadata(context, names, options);
  return outcomes;
}

/** A topic that a repeated attempt does not find was deleted by the one before, whose answer got lost. */
function goneIsDeleted(
  answered: ReadonlyMap<string, Outcome<DeletedTopic>>,
): ReadonlyMap<string, Outcome<DeletedTopic>> {
  const outcomes = new Map(answered);
  for (const [name, outcome] of answered) {
    if (!outcome.ok && outcome.error.code === "UNKNOWN_TOPIC_OR_PARTITION") {
      outcomes.set(name, { ok: true, value: { name, topicId: null } });
    }
  }
  return outcomes;
}

export async function createPartitions(
  context: AdminContext,
  request: { readonly name: string; readonly totalCount: number; readonly validateOnly: boolean },
  options: CallOptions,
): Promise<ReadonlyMap<string, Outcome<{ readonly name: string }>>> {
  const { name, totalCount, validateOnly } = request;
  const outcomes = await callForEach<string, { readonly name: string }>(context, {
    items: [name],
    options,
    send: async (items, attempt) => {
      const timeoutMs = Math.ceil(attempt.timeoutMs);
      const body = { topics: [{ name, totalCount }], validateOnly, timeoutMs };
      const answer = await context.client.request("controller", "createPartitions", body, attempt);
      return topicOutcomes(items, answer.body.topics, (topic) => ({ name: topic }));
    },
  });
  await refreshMetadata(context, [name], options);
  return outcomes;
}

/** So that producers and consumers of the same client see the change at once. */
async function refreshMetadata(
  context: AdminContext,
  names: readonly string[],
  { signal }: CallOptions,
): Promise<void> {
  const { metadata } = context.client;
  metadata.invalidate("topics changed");
  try {
    await metadata.refresh(names, { signal });
  } catch {
    // The change itself is done; whoever needs the topics next asks again.
  }
}

function topicOutcomes<Value>(
  names: readonly string[],
  answers: ResponseOf<"deleteTopics">["topics"],
  value: (name: string, topicId: TopicId | null) => Value,
): ReadonlyMap<string, Outcome<Value>> {
  const byName = new Map(answers.map((answer) => [answer.name, answer]));
  return new Map(
    names.map((name) => {
      const item = byName.get(name);
      const outcome: Outcome<Value> =
        item === undefined
          ? unanswered(`topic ${name}`)
          : outcomeOf(item, { topic: name }, () => value(name, item.topicId));
      return [name, outcome];
    }),
  );
}

export function listTopics(
  context: AdminContext,
  options: CallOptions & { readonly includeInternal?: boolean | undefined },
): Promise<readonly TopicListing[]> {
  return call(context, options, async (attempt) => {
    const body = { topics: null, topicIds: [] };
    const answer = await context.client.request("any", "metadata", body, attempt);
    const listings: TopicListing[] = [];
    for (const { name, topicId, partitions, isInternal } of answer.body.topics) {
      if (name !== null && topicId !== null && (!isInternal || options.includeInternal === true)) {
        const replicationFactor = partitions[0]?.replicas.length ?? 0;
        listings.push({
          name,
          topicId,
          partitions: partitions.length,
          replicationFactor,
          isInternal,
        });
      }
    }
    return listings.sort((a, b) => (a.name < b.name ? -1 : 1));
  });
}

/** `names` null: all topics. */
export function describeTopics(
  context: AdminContext,
  names: readonly string[] | null,
  options: CallOptions,
): Promise<ReadonlyMap<string, Outcome<TopicDescription>>> {
  return call(context, options, async (attempt) => {
    const answer = await context.client.request(
      "any",
      "describeTopics",
      { topics: names },
      attempt,
    );
    const outcomes = new Map<string, Outcome<TopicDescription>>();
    for (const topic of answer.body.topics) {
      outcomes.set(topic.name, describedTopic(topic));
    }
    for (const name of names ?? []) {
      if (!outcomes.has(name)) {
        outcomes.set(name, unanswered(`topic ${name}`));
      }
    }
    return outcomes;
  });
}

function describedTopic(
  topic: ResponseOf<"describeTopics">["topics"][number],
): Outcome<TopicDescription> {
  const { config, isInternal, name, partitions, replicationFactor, topicId } = topic;
  if (topic.errorCode === 0 && topicId === null) {
    return unanswered(`the id of topic ${name}`);
  }
  return outcomeOf(topic, { topic: name }, () => ({
    name,
    topicId: topicId ?? "",
    isInternal,
    replicationFactor,
    config,
    partitions,
  }));
}

/** @throws MillraceError `INVALID_TOPIC_EXCEPTION` */
function checkTopicName(name: string): void {
  const problem = topicNameProblem(name);
  if (problem !== undefined) {
    throw new MillraceError(
      "INVALID_TOPIC_EXCEPTION",
      `the topic name "${printable(name)}" ${problem}`,
      { details: { topic: name } },
    );
  }
}
