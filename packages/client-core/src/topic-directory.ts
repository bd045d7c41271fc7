// The metadata cache's memory: what is known of topics and brokers, how fresh it is, and which news to
// believe. Pure: time comes in as an argument.

import {
  errorCode,
  MillraceError,
  type NodeId,
  type ResponseOf,
  type TopicId,
} from "@millrace/protocol";
import { printable } from "@millrace/runtime";
import { errorFromItem } from "./connection-errors.js";
import type { BrokerMetadata, PartitionMetadata, TopicMetadata } from "./topic-metadata.js";

type MetadataResponse = ResponseOf<"metadata">;
type TopicAnswer = MetadataResponse["topics"][number];

interface Entry {
  readonly topic: TopicMetadata;
  /** `version` of the directory when the request for this went out. */
  readonly version: number;
  readonly fetchedAtMs: number;
  /** Asked for since the last look at `lastUsedAtMs`. */
  isUsed: boolean;
  lastUsedAtMs: number;
}

/** When a request for metadata was written; its answer knows nothing of what happened after. */
export interface Asked {
  readonly version: number;
  readonly names: ReadonlySet<string>;
}

export class TopicDirectory {
  readonly #maxAgeMs: number;
  readonly #byName = new Map<string, Entry>();
  readonly #nameById = new Map<TopicId, string>();
  #brokers: readonly BrokerMetadata[] = [];
  #controllerId: NodeId = -1;
  #version = 0;

  constructor(maxAgeMs: number) {
    this.#maxAgeMs = maxAgeMs;
  }

  get brokers(): readonly BrokerMetadata[] {
    return this.#brokers;
  }

  /** -1: none known. */
  get controllerId(): NodeId {
    return this.#controllerId;
  }

  /** Grows with every `invalidate`. */
  get version(): number {
    return this.#version;
  }

  /** What is known, however old. */
  topic(name: string): TopicMetadata | undefined {
    const entry = this.#byName.get(name);
    if (entry !== undefined) {
      entry.isUsed = true;
    }
    return entry?.topic;
  }

  topicById(topicId: TopicId): TopicMetadata | undefined {
    const name = this.#nameById.get(topicId);
    return name === undefined ? undefined : this.topic(name);
  }

  /** What is known, if it is young and nothing has put it in doubt. */
  freshTopic(name: string, nowMs: number): TopicMetadata | undefined {
    const entry = this.#byName.get(name);
    if (entry?.version !== this.#version || nowMs - entry.fetchedAtMs >= this.#maxAgeMs) {
      return undefined;
    }
    entry.isUsed = true;
    return entry.topic;
  }

  /** Puts everything in doubt: it stays readable, but is no longer fresh. */
  invalidate(): void {
    this.#version++;
  }

  /** The topics somebody asked for within the maximum age; the others are forgotten. */
  namesInUse(nowMs: number): readonly string[] {
    for (const [name, entry] of this.#byName) {
      if (entry.isUsed) {
        entry.isUsed = false;
        entry.lastUsedAtMs = nowMs;
      } else if (nowMs - entry.lastUsedAtMs >= this.#maxAgeMs) {
        this.#forget(name);
      }
    }
    return [...this.#byName.keys()];
  }

  /** Takes an answer in. Returns the errors of single topics, by name. */
  apply(
    response: MetadataResponse,
    asked: Asked,
    nowMs: number,
  ): ReadonlyMap<string, MillraceError> {
    this.#brokers = response.brokers;
    this.#controllerId = response.controllerId;
    const errors = new Map<string, MillraceError>();
    const answered = new Set<string>();
    for (const answer of response.topics) {
      const { name } = answer;
      if (name !== null && asked.names.has(name)) {
        answered.add(name);
        const error = this.#applyTopic(name, answer, asked.version, nowMs);
        if (error !== undefined) {
          errors.set(name, error);
        }
      }
    }
    for (const name of asked.names) {
      if (!answered.has(name)) {
        this.#forget(name);
        errors.set(name, unknownTopicError(name));
      }
    }
    return errors;
  }

  #applyTopic(
    name: string,
    answer: TopicAnswer,
    version: number,
    nowMs: number,
  ): MillraceError | undefined {
    const error = topicError(name, answer);
    if (error !== undefined || answer.topicId === null) {
      if (error?.code === "UNKNOWN_TOPIC_OR_PARTITION") {
        this.#forget(name);
      }
      return error;
    }
    const known = this.#byName.get(name);
    const isSameTopic = known?.topic.topicId === answer.topicId;
    const topic: TopicMetadata = {
      name,
      topicId: answer.topicId,
      isInternal: answer.isInternal,
      maxMessageBytes: answer.maxMessageBytes,
      partitions: newest(isSameTopic ? known.topic.partitions : [], answer.partitions),
    };
    if (!isSameTopic) {
      this.#forget(name);
    }
    this.#nameById.set(topic.topicId, name);
    this.#byName.set(name, {
      topic,
      version,
      fetchedAtMs: nowMs,
      isUsed: known?.isUsed ?? true,
      lastUsedAtMs: known?.lastUsedAtMs ?? nowMs,
    });
    return undefined;
  }

  #forget(name: string): void {
    const entry = this.#byName.get(name);
    if (entry !== undefined) {
      this.#byName.delete(name);
      this.#nameById.delete(entry.topic.topicId);
    }
  }
}

/** A broker that lags behind may answer with an older leader: the larger epoch is believed (KIP-320). */
function newest(
  known: readonly PartitionMetadata[],
  news: readonly PartitionMetadata[],
): readonly PartitionMetadata[] {
  return inOrder(news).map((partition, index) => {
    const before = known[index];
    return before !== undefined && before.leaderEpoch > partition.leaderEpoch ? before : partition;
  });
}

function inOrder(partitions: readonly PartitionMetadata[]): readonly PartitionMetadata[] {
  return [...partitions].sort((a, b) => a.partition - b.partition);
}

function topicError(name: string, answer: TopicAnswer): MillraceError | undefined {
  const details = { topic: name };
  if (answer.errorCode === errorCode("UNKNOWN_TOPIC_OR_PARTITION")) {
    return unknownTopicError(name);
  }
  if (answer.errorCode !== 0) {
    return errorFromItem(answer, details);
  }
  if (answer.topicId === null) {
    return new MillraceError(
      "PROTOCOL_VIOLATION",
      `the metadata of topic ${printable(name)} carries no topic id`,
      { details },
    );
  }
  if (inOrder(answer.partitions).some(({ partition }, index) => partition !== index)) {
    return new MillraceError(
      "PROTOCOL_VIOLATION",
      `the metadata of topic ${printable(name)} does not list its partitions from 0 without gaps`,
      { details },
    );
  }
  return undefined;
}

/** Says how to create it: nothing is created by being mentioned. */
export function unknownTopicError(name: string): MillraceError {
  const shown = printable(name);
  return new MillraceError(
    "UNKNOWN_TOPIC_OR_PARTITION",
    `topic "${shown}" does not exist, and no topic is created by being mentioned; create it first: millrace topics create ${shown}, or admin.createTopic("${shown}")`,
    { details: { topic: name } },
  );
}
