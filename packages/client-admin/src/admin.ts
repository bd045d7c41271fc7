// What users hold. Every method repeats what may be repeated until `timeoutMs`; a method about one thing
// throws its error, a method about several returns one result for each.

import { ClusterClient, type ClusterClientOptions } from "@millrace/client-core";
import { MillraceError } from "@millrace/protocol";
import { type ClusterDescription, describeCluster } from "./cluster.js";
import type { ClusterPort } from "./cluster-port.js";
import {
  alterConfigs,
  type ConfigChange,
  type ConfigDescription,
  type ConfigResource,
  describeConfigs,
  nameOf,
  type ResourceChange,
} from "./configs.js";
import {
  type AdminContext,
  type CallOptions,
  type ItemResult,
  requireValue,
  resultOf,
} from "./item-outcomes.js";
import {
  type DeletedRecords,
  deleteRecords,
  listOffsets,
  type OffsetSpec,
  type PartitionOffset,
  type RecordDeletion,
} from "./partition-offsets.js";
import {
  type CreatedTopic,
  type CreateTopicsOptions,
  createPartitions,
  createTopics,
  type DeletedTopic,
  deleteTopics,
  describeTopics,
  listTopics,
  type NewTopic,
  type TopicDescription,
  type TopicListing,
  type TopicSettings,
} from "./topics.js";

/** What all calls of one admin share. */
export interface AdminOptions {
  /** Of each call with all its retries. Default 60 s. */
  readonly timeoutMs?: number | undefined;
}

/** With a client that others use too (`client`), or with one of its own (`runtime` and `bootstrap`). */
export type AdminConstructorOptions = AdminOptions &
  ({ readonly client: ClusterPort } | ClusterClientOptions);

const CALL_TIMEOUT_MS = 60_000;

/** Creates, describes, changes and deletes what a cluster holds. Each call retries by itself until its timeout. */
export class Admin implements AsyncDisposable {
  readonly #context: AdminContext;
  readonly #ownsClient: boolean;
  #closed: Promise<void> | undefined;

  /** @throws MillraceError `INVALID_ARGUMENT`, `INVALID_CONFIG_VALUE` */
  constructor(options: AdminConstructorOptions) {
    this.#ownsClient = !("client" in options);
    const client = "client" in options ? options.client : new ClusterClient(options);
    this.#context = { client, timeoutMs: options.timeoutMs ?? CALL_TIMEOUT_MS };
  }

  /** @throws MillraceError `TOPIC_ALREADY_EXISTS` (not with `ifNotExists`), `INVALID_CONFIG`, ... */
  async createTopic(
    name: string,
    options: TopicSettings & CreateTopicsOptions = {},
  ): Promise<CreatedTopic> {
    const { config, partitions, replicationFactor } = options;
    const topic: NewTopic = { name, partitions, replicationFactor, config };
    const outcomes = await createTopics(this.#open, [topic], options);
    return requireValue(outcomes.get(topic));
  }

  /** One result per topic, in order. */
  async createTopics(
    topics: readonly NewTopic[],
    options: CreateTopicsOptions = {},
  ): Promise<readonly ItemResult<CreatedTopic>[]> {
    const outcomes = await createTopics(this.#open, topics, options);
    return topics.map((topic) => resultOf(topic.name, outcomes.get(topic)));
  }

  /** @throws MillraceError `UNKNOWN_TOPIC_OR_PARTITION`, ... */
  async deleteTopic(name: string, options: CallOptions = {}): Promise<DeletedTopic> {
    const outcomes = await deleteTopics(this.#open, [name], options);
    return requireValue(outcomes.get(name));
  }

  /** One result per name, in order. */
  async deleteTopics(
    names: readonly string[],
    options: CallOptions = {},
  ): Promise<readonly ItemResult<DeletedTopic>[]> {
    const outcomes = await deleteTopics(this.#open, names, options);
    return names.map((name) => resultOf(name, outcomes.get(name)));
  }

  /** By name. Internal topics on request. */
  async listTopics(
    options: CallOptions & { readonly includeInternal?: boolean | undefined } = {},
  ): Promise<readonly TopicListing[]> {
    return listTopics(this.#open, options);
  }

  /** @throws MillraceError `UNKNOWN_TOPIC_OR_PARTITION`, ... */
  async describeTopic(name: string, options: CallOptions = {}): Promise<TopicDescription> {
    const outcomes = await describeTopics(this.#open, [name], options);
    return requireValue(outcomes.get(name));
  }

  /** One result per name, in order; without names all topics. */
  async describeTopics(
    names?: readonly string[],
    options: CallOptions = {},
  ): Promise<readonly ItemResult<TopicDescription>[]> {
    const outcomes = await describeTopics(this.#open, names ?? null, options);
    return (names ?? [...outcomes.keys()]).map((name) => resultOf(name, outcomes.get(name)));
  }

  /**
   * Adds partitions until there are `totalCount` in all. Keyed records may go elsewhere from then on.
   * @throws MillraceError `INVALID_PARTITIONS` when there are as many or more, ...
   */
  async createPartitions(
    name: string,
    totalCount: number,
    options: CallOptions & { readonly validateOnly?: boolean | undefined } = {},
  ): Promise<void> {
    const validateOnly = options.validateOnly ?? false;
    const request = { name, totalCount, validateOnly };
    requireValue((await createPartitions(this.#open, request, options)).get(name));
  }

  /** All entries, or those of `keys`. @throws MillraceError `UNKNOWN_TOPIC_OR_PARTITION`, ... */
  async describeConfig(
    resource: ConfigResource,
    options: CallOptions & { readonly keys?: readonly string[] | undefined } = {},
  ): Promise<ConfigDescription> {
    const request = { resources: [resource], keys: options.keys };
    return requireValue((await describeConfigs(this.#open, request, options)).get(resource));
  }

  /** One result per resource, in order. */
  async describeConfigs(
    resources: readonly ConfigResource[],
    options: CallOptions & { readonly keys?: readonly string[] | undefined } = {},
  ): Promise<readonly ItemResult<ConfigDescription>[]> {
    const request = { resources, keys: options.keys };
    const outcomes = await describeConfigs(this.#open, request, options);
    return resources.map((resource) => resultOf(nameOf(resource), outcomes.get(resource)));
  }

  /** Changes what is named and leaves the rest. @throws MillraceError `INVALID_CONFIG`, ... */
  async alterConfig(
    resource: ConfigResource,
    change: ConfigChange,
    options: CallOptions & { readonly validateOnly?: boolean | undefined } = {},
  ): Promise<void> {
    const validateOnly = options.validateOnly ?? false;
    const request = { changes: [{ resource, change }], validateOnly };
    requireValue((await alterConfigs(this.#open, request, options)).get(resource));
  }

  /** One result per resource, in order; each is changed completely or not at all. */
  async alterConfigs(
    changes: readonly ResourceChange[],
    options: CallOptions & { readonly validateOnly?: boolean | undefined } = {},
  ): Promise<readonly ItemResult<{ readonly name: string }>[]> {
    const validateOnly = options.validateOnly ?? false;
    const outcomes = await alterConfigs(this.#open, { changes, validateOnly }, options);
    return changes.map(({ resource }) => resultOf(nameOf(resource), outcomes.get(resource)));
  }

  /** Of all partitions, or of `partitions`, in order. @throws MillraceError the first partition's error. */
  async listOffsets(
    topic: string,
    at: OffsetSpec,
    options: CallOptions & { readonly partitions?: readonly number[] | undefined } = {},
  ): Promise<readonly PartitionOffset[]> {
    return listOffsets(this.#open, { topic, at, partitions: options.partitions }, options);
  }

  /** Deletes the head of partitions, for good. @throws MillraceError `OFFSET_OUT_OF_RANGE`, ... */
  async deleteRecords(
    topic: string,
    deletions: readonly RecordDeletion[],
    options: CallOptions = {},
  ): Promise<readonly DeletedRecords[]> {
    return deleteRecords(this.#open, { topic, deletions }, options);
  }

  /** The cluster's id, its brokers, and which of them is the controller. */
  async describeCluster(options: CallOptions = {}): Promise<ClusterDescription> {
    return describeCluster(this.#open, options);
  }

  /** Closes the client too, if it is its own. Idempotent. */
  close(): Promise<void> {
    this.#closed ??= this.#ownsClient ? this.#context.client.close() : Promise.resolve();
    return this.#closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  get #open(): AdminContext {
    if (this.#closed !== undefined) {
      throw new MillraceError("CLOSED", "the admin client is closed");
    }
    return this.#context;
  }
}
