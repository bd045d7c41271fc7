// Which partitions the consumer reads, who leads them, and where they begin. Follows the topics' metadata: new
// partitions are taken in (from their first record), new leaders noted, a topic that is gone ends the consumer.
// The seam for groups: an assignment would add and remove states here and take committed offsets for starts.

import { Backoff, type TopicMetadata } from "@millrace/client-core";
import { errorName, isMillraceError, MillraceError } from "@millrace/protocol";
import type { Timer } from "@millrace/runtime";
import type { ClusterPort } from "./cluster-port.js";
import type { ConsumerConfig } from "./consumer-config.js";
import { type OffsetQuery, queryOffsets } from "./offset-query.js";
import { PartitionState } from "./partition-state.js";

export interface SubscriptionOptions {
  readonly client: ClusterPort;
  readonly config: ConsumerConfig;
  /** Positions or leaders are known that were not. */
  onChanged(): void;
  /** The consumer cannot go on. */
  onFatal(error: MillraceError): void;
}

export class Subscription {
  readonly #options: SubscriptionOptions;
  readonly #backoff: Backoff;
  readonly #states = new Map<string, PartitionState>();
  readonly #topics: readonly string[];
  #isUpdating = false;
  #isUpdateWanted = false;
  #isStarted = false;
  #isClosed = false;
  #timer: Timer | undefined;

  constructor(options: SubscriptionOptions) {
    this.#options = options;
    const { config, client } = options;
    this.#topics =
      config.topics.length > 0
        ? config.topics
        : [...new Set(config.partitions.map(({ topic }) => topic))];
    this.#backoff = new Backoff({
      initialMs: config.retryBackoffMs,
      maxMs: config.retryBackoffMaxMs,
      random: client.runtime.random,
    });
  }

  /** Every partition has a position. */
  get isReady(): boolean {
    return this.#isStarted && [...this.#states.values()].every((state) => state.isStarted);
  }

  states(): Iterable<PartitionState> {
    return this.#states.values();
  }

  /** @throws MillraceError `INVALID_ARGUMENT` when the partition is not (yet) read by this consumer. */
  state(topic: string, partition: number): PartitionState {
    const state = this.#states.get(stateName(topic, partition));
    if (state === undefined) {
      throw new MillraceError(
        "INVALID_ARGUMENT",
        `${topic}-${partition} is not among the consumer's partitions; await ready() first`,
        { fatal: false, details: { topic, partition } },
      );
    }
    return state;
  }

  /** Looks at the metadata again, and for the starts that are still unknown, until all is known. */
  update(): void {
    this.#isUpdateWanted = true;
    if (!this.#isUpdating && !this.#isClosed) {
      this.#isUpdating = true;
      void this.#updateUntilKnown();
    }
  }

  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
  }

  async #updateUntilKnown(): Promise<void> {
    const { client, onFatal } = this.#options;
    for (let attempt = 0; this.#isUpdateWanted && !this.#isClosed; attempt++) {
      this.#isUpdateWanted = false;
      try {
        await this.#updateOnce();
      } catch (error) {
        if (!isMillraceError(error) || !error.retriable) {
          onFatal(asFatal(error));
          break;
        }
        this.#isUpdateWanted = true;
      }
      this.#options.onChanged();
      if (this.#isUpdateWanted) {
        await client.runtime.clock.sleep(this.#backoff.delayMs(attempt));
      }
    }
    this.#isUpdating = false;
    this.#planNextLook();
  }

  async #updateOnce(): Promise<void> {
    const { metadata } = this.#options.client;
    await metadata.refresh(this.#topics);
    const topics = await Promise.all(this.#topics.map((name) => metadata.topic(name)));
    for (const topic of topics) {
      this.#followTopic(topic);
    }
    this.#isStarted = true;
    await this.#findStarts();
    for (const state of this.#states.values()) {
      this.#isUpdateWanted ||= state.leaderId < 0 || !state.isStarted;
    }
  }

  #followTopic(topic: TopicMetadata): void {
    const { config } = this.#options;
    const own = config.partitions.filter((entry) => entry.topic === topic.name);
    for (const { partition } of own) {
      if (partition >= topic.partitions.length) {
        throw new MillraceError(
          "UNKNOWN_TOPIC_OR_PARTITION",
          `${topic.name} has partitions 0 to ${topic.partitions.length - 1}, not ${partition}`,
          { details: { topic: topic.name, partition } },
        );
      }
    }
    for (const { partition, leaderId, leaderEpoch } of topic.partitions) {
      const entry = own.find((candidate) => candidate.partition === partition);
      if (config.partitions.length > 0 && entry === undefined) {
        continue;
      }
      const state = this.#followPartition(topic, partition, entry?.offset);
      // Metadata may come from a node that knows less than we do already.
      if (leaderEpoch >= state.leaderEpoch) {
        state.leaderId = leaderId;
        state.leaderEpoch = leaderEpoch;
      }
    }
  }

  #followPartition(
    topic: TopicMetadata,
    partition: number,
    offset: number | undefined,
  ): PartitionState {
    const name = stateName(topic.name, partition);
    const known = this.#states.get(name);
    if (known === undefined) {
      const state = new PartitionState(topic.name, topic.topicId, partition);
      const from = offset === undefined ? this.#options.config.from : { offset };
      state.restart(this.#isStarted ? "earliest" : from);
      this.#states.set(name, state);
      return state;
    }
    if (known.topicId !== topic.topicId) {
      throw new MillraceError(
        "UNKNOWN_TOPIC_ID",
        `the topic ${topic.name} was deleted and created again: its offsets are others now`,
        { details: { topic: topic.name } },
      );
    }
    return known;
  }

  async #findStarts(): Promise<void> {
    // At most two rounds: some starts take two questions.
    for (let round = 0; round < 2; round++) {
      const queries: (OffsetQuery & { state: PartitionState; generation: number })[] = [];
      for (const state of this.#states.values()) {
        if (!state.isStarted && state.leaderId >= 0) {
          const { generation, startQuery: timestamp } = state;
          queries.push({ state, generation, timestamp });
        }
      }
      if (queries.length === 0) {
        return;
      }
      await queryOffsets(this.#options.client, this.#options.config, queries, (query, answer) => {
        if (query.state.generation !== query.generation) {
          return;
        }
        if (answer.errorCode === 0) {
          query.state.answerStart(answer.offset);
          return;
        }
        const code = errorName(answer.errorCode);
        const error = new MillraceError(code, answer.errorMessage ?? undefined);
        if (!error.retriable && !error.refreshMetadata) {
          throw error;
        }
        this.#isUpdateWanted = true;
      });
    }
  }

  #planNextLook(): void {
    const { client, config } = this.#options;
    this.#timer?.cancel();
    if (!this.#isClosed) {
      this.#timer = client.runtime.clock.setTimer(config.metadataRefreshMs, () => this.update());
    }
  }
}

function stateName(topic: string, partition: number): string {
  return `${partition}/${topic}`;
}

function asFatal(error: unknown): MillraceError {
  if (isMillraceError(error)) {
    return error;
  }
  const message = error instanceof Error ? error.message : String(error);
  return new MillraceError("UNKNOWN_SERVER_ERROR", message, { cause: error, fatal: true });
}
