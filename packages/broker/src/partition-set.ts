// The partitions this node hosts: follows the metadata, gives every partition of the image its log and its
// leader state, and takes away what was deleted. Creating and deleting logs is slow, so each topic has a
// chain of such work, and `whenReady` tells when a topic's is done.

import type { Controller, MetadataRecord, PartitionImage, TopicImage } from "@millrace/controller";
import { METADATA_TOPIC, topicConfig } from "@millrace/controller";
import type { WireErrorName } from "@millrace/protocol";
import { FileError, type Logger, type ServerRuntime } from "@millrace/runtime";
import {
  type Log,
  type LogConfig,
  type LogManager,
  parseLogConfig,
  topicConfigKeys,
} from "@millrace/storage";
import { CompressedContents } from "./compressed-contents.js";
import { wireErrorOf } from "./handlers/handler.js";
import { Partition } from "./partition.js";

export interface PartitionSetOptions {
  readonly runtime: Pick<ServerRuntime, "compute" | "logger">;
  readonly logs: LogManager;
  readonly controller: Controller;
  readonly topicDefaults: Readonly<Record<string, string>>;
}

export type Lookup =
  | { readonly ok: true; readonly partition: Partition }
  | { readonly ok: false; readonly error: WireErrorName };

const missing = (error: WireErrorName): Lookup => ({ ok: false, error });

/** Logs created or deleted at once for one topic. */
const PARALLEL_LOG_CHANGES = 16;

/** Why logs could not be created or removed. */
export interface LogProblem {
  readonly error: WireErrorName;
  readonly message: string;
}

interface HostedTopic {
  /** By partition number; undefined while its log is missing. */
  readonly partitions: (Partition | undefined)[];
  /** The end of the chain of log creations; never rejects. */
  pending: Promise<void>;
  /** Why logs are missing, after the chain ended. */
  problem: LogProblem | undefined;
}

export class PartitionSet {
  private readonly options: PartitionSetOptions;
  private readonly logger: Logger;
  private readonly contents: CompressedContents;
  private readonly topics = new Map<string, HostedTopic>();
  /** Deletions under way, by topic id: a new topic of the same name has to wait for them. */
  private readonly removals = new Map<string, Promise<void>>();
  /** Logs of deleted topics that could not be removed yet, by topic id. */
  private readonly leftovers = new Map<string, { logs: Log[]; problem: LogProblem }>();
  private readonly configListeners = new Set<() => void>();
  private readonly unsubscribe: () => void;

  private constructor(options: PartitionSetOptions) {
    this.options = options;
    this.logger = options.runtime.logger.child({ component: "partitions" });
    this.contents = new CompressedContents(options.runtime.compute);
    this.unsubscribe = options.controller.subscribe((records) => this.follow(records));
  }

  /** Gives every partition of the image its log, and sets aside logs the metadata does not know. */
  static async open(options: PartitionSetOptions): Promise<PartitionSet> {
    const set = new PartitionSet(options);
    await set.putStraysAway();
    for (const topicId of options.controller.image.topicsById.keys()) {
      set.ensure(topicId);
    }
    await set.settled();
    return set;
  }

  /** Hosted partitions that work. */
  *[Symbol.iterator](): IterableIterator<Partition> {
    for (const topic of this.topics.values()) {
      for (const partition of topic.partitions) {
        if (partition !== undefined) {
          yield partition;
        }
      }
    }
  }

  /** The partition, if it exists and this node leads it. */
  find(topicId: string, partition: number): Lookup {
    const image = this.options.controller.image.topicsById.get(topicId);
    if (image === undefined) {
      return missing("UNKNOWN_TOPIC_ID");
    }
    const partitionImage = image.partitions[partition];
    if (partitionImage === undefined) {
      return missing("UNKNOWN_TOPIC_OR_PARTITION");
    }
    if (partitionImage.leader !== this.options.controller.nodeId) {
      return missing("NOT_LEADER_OR_FOLLOWER");
    }
    const topic = this.topics.get(topicId);
    const hosted = topic?.partitions[partition];
    if (hosted !== undefined) {
      return { ok: true, partition: hosted };
    }
    return missing(topic?.problem?.error ?? "LEADER_NOT_AVAILABLE");
  }

  /** Resolves when the work on a topic's logs is done, with why some are missing, if so. */
  async whenReady(topicId: string): Promise<LogProblem | undefined> {
    const topic = this.topics.get(topicId);
    await topic?.pending;
    return topic?.problem;
  }

  /** Resolves when a deleted topic's logs are gone from its name, or with why they are not yet. */
  async whenRemoved(topicId: string): Promise<LogProblem | undefined> {
    await this.removals.get(topicId);
    return this.leftovers.get(topicId)?.problem;
  }

  /** What applies to a topic: its own entries over the node's defaults. */
  configEntries(topic: string): Record<string, string> {
    const own = Object.fromEntries(topicConfig(this.options.controller.image, topic));
    return { ...this.options.topicDefaults, ...own };
  }

  config(topic: string): LogConfig {
    return parseLogConfig(this.configEntries(topic));
  }

  /** A topic's `max.message.bytes`; without a name the largest of all topics. */
  maxMessageBytes(topic?: string): number {
    const key = "max.message.bytes";
    const { image } = this.options.controller;
    const fallback = Number(this.options.topicDefaults[key] ?? topicConfigKeys[key].default);
    if (topic !== undefined) {
      return Number(topicConfig(image, topic).get(key) ?? fallback);
    }
    let largest = fallback;
    for (const entries of image.configs.values()) {
      largest = Math.max(largest, Number(entries.get(key) ?? 0));
    }
    return largest;
  }

  /** Calls back after topics came, went or changed their configuration. */
  onChange(listener: () => void): void {
    this.configListeners.add(listener);
  }

  /** Tries again what failed before (a full disk, say). */
  retryMissing(): void {
    for (const [topicId, topic] of this.topics) {
      if (topic.problem !== undefined) {
        this.ensure(topicId);
      }
    }
    for (const [topicId, { logs }] of this.leftovers) {
      if (!this.removals.has(topicId)) {
        this.removeLogs(topicId, Promise.resolve(logs));
      }
    }
  }

  /** Waits for log creations and deletions under way. */
  async settled(): Promise<void> {
    await Promise.all([...this.topics.values()].map((topic) => topic.pending));
    await Promise.all(this.removals.values());
  }

  /** Stops following the metadata and waits for work under way. */
  async close(): Promise<void> {
    this.unsubscribe();
    await this.settled();
  }

  private follow(records: readonly MetadataRecord[]): void {
    const created = new Set<string>();
    const reconfigured = new Set<string>();
    for (const record of records) {
      if (record.kind === "partition") {
        created.add(record.body.topicId);
      } else if (record.kind === "removeTopic") {
        this.remove(record.body.topicId);
      } else if (record.kind === "partitionChange") {
        this.updateLeader(record.body.topicId, record.body.partition);
      } else if (record.kind === "config" && record.body.resourceType === "topic") {
        reconfigured.add(record.body.resourceName);
      }
    }
    for (const topicId of created) {
      this.ensure(topicId);
    }
    for (const name of reconfigured) {
      this.reconfigure(name);
    }
    for (const listener of this.configListeners) {
      listener();
    }
  }

  private updateLeader(topicId: string, partition: number): void {
    const image = this.options.controller.image.topicsById.get(topicId)?.partitions[partition];
    if (image !== undefined) {
      this.topics.get(topicId)?.partitions[partition]?.update(image);
    }
  }

  private reconfigure(name: string): void {
    const image = this.options.controller.image.topicsByName.get(name);
    const hosted = image && this.topics.get(image.topicId);
    if (hosted !== undefined) {
      const config = this.config(name);
      for (const partition of hosted.partitions) {
        partition?.updateConfig(config);
      }
    }
  }

  /** Gives the topic's partitions their logs, after whatever is under way for it. Never rejects. */
  private ensure(topicId: string): void {
    const topic = this.topics.get(topicId) ?? {
      partitions: [],
      pending: Promise.resolve(),
      problem: undefined,
    };
    this.topics.set(topicId, topic);
    const before = topic.problem;
    const earlier = [topic.pending, ...this.removals.values()];
    topic.pending = Promise.all(earlier)
      .then(() => this.createMissing(topicId, topic))
      .catch((error: unknown) => {
        topic.problem = logProblem(error);
        const { message } = topic.problem;
        if (message !== before?.message) {
          this.logger.error({ topicId, error }, "a partition's log cannot be created");
        }
      });
  }

  private async createMissing(topicId: string, topic: HostedTopic): Promise<void> {
    const image = this.options.controller.image.topicsById.get(topicId);
    if (image === undefined) {
      return;
    }
    topic.problem = undefined;
    const config = this.config(image.name);
    const wanted = image.partitions.filter(
      ({ partition, replicas }) =>
        topic.partitions[partition] === undefined &&
        replicas.includes(this.options.controller.nodeId),
    );
    await inParallel(wanted, (partition) => this.host(image, partition, config));
  }

  private async host(topic: TopicImage, image: PartitionImage, config: LogConfig): Promise<void> {
    const { logs, runtime, controller } = this.options;
    const { topicId, name } = topic;
    const log = await this.openLog({ topic: name, topicId, partition: image.partition }, config);
    const current = controller.image.topicsById.get(topicId)?.partitions[image.partition];
    const hosted = this.topics.get(topicId);
    if (current === undefined || hosted === undefined) {
      // Deleted meanwhile.
      await logs.deleteLog(log);
      return;
    }
    log.updateConfig(this.config(name));
    hosted.partitions[image.partition] = new Partition(log, current, {
      compute: runtime.compute,
      contents: this.contents,
    });
  }

  private async openLog(
    id: { topic: string; topicId: string; partition: number },
    config: LogConfig,
  ): Promise<Log> {
    const { logs } = this.options;
    const existing = logs.getLog(id.topic, id.partition);
    return existing?.topicId === id.topicId ? existing : await logs.createLog(id, config);
  }

  private remove(topicId: string): void {
    const topic = this.topics.get(topicId);
    if (topic === undefined) {
      return;
    }
    this.topics.delete(topicId);
    for (const partition of topic.partitions) {
      partition?.remove();
    }
    const logs = topic.pending.then(() =>
      topic.partitions.flatMap((partition) => (partition === undefined ? [] : [partition.log])),
    );
    this.removeLogs(topicId, logs);
  }

  /** The deletion is committed: what fails here is tried again, at the latest by the next start. */
  private removeLogs(topicId: string, logs: Promise<readonly Log[]>): void {
    const left: Log[] = [];
    const removal = logs
      .then((all) =>
        inParallel(all, async (log) => {
          if (this.options.logs.getLog(log.topic, log.partition) === log) {
            left.push(log);
            await this.options.logs.deleteLog(log);
            left.splice(left.indexOf(log), 1);
          }
        }),
      )
      .then(() => {
        this.leftovers.delete(topicId);
      })
      .catch((error: unknown) => {
        const known = this.leftovers.has(topicId);
        this.leftovers.set(topicId, { logs: left, problem: logProblem(error) });
        if (!known) {
          this.logger.error({ topicId, error }, "a deleted topic's log cannot be removed yet");
        }
      })
      .finally(() => this.removals.delete(topicId));
    this.removals.set(topicId, removal);
  }

  /**
   * Logs found on disk that the metadata does not name: of a topic whose deletion was committed just before a
   * stop, they are deleted; of anything else they are set aside, never deleted.
   */
  private async putStraysAway(): Promise<void> {
    const { logs, controller } = this.options;
    for (const log of [...logs.logs()]) {
      const { topicsById, topicsByName } = controller.image;
      // A log that lost its id is known by its name: to set it aside would hide acknowledged records.
      const topic = log.isTopicIdLost ? topicsByName.get(log.topic) : topicsById.get(log.topicId);
      const isKnown = topic?.name === log.topic && topic.partitions[log.partition] !== undefined;
      if (log.topic === METADATA_TOPIC || isKnown) {
        continue;
      }
      if (controller.replayedRemovals.has(log.topicId)) {
        await logs.deleteLog(log);
      } else {
        this.logger.warn(
          { topic: log.topic, topicId: log.topicId, partition: log.partition },
          "the metadata does not know this log; it is set aside",
        );
        await logs.setAside(log, "unknown to the metadata");
      }
    }
  }
}

function logProblem(error: unknown): LogProblem {
  if (!(error instanceof FileError)) {
    return wireErrorOf(error);
  }
  const isFull = error.code === "STORAGE_FULL";
  return { error: isFull ? "STORAGE_FULL" : "KAFKA_STORAGE_ERROR", message: error.message };
}

/** Runs `work` over the items, a bounded number at once; rejects with the first error after all ended. */
async function inParallel<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const queue = items.values();
  const errors: unknown[] = [];
  const worker = async (): Promise<void> => {
    for (const item of queue) {
      try {
        await work(item);
      } catch (error) {
        errors.push(error);
      }
    }
  };
  await Promise.all(Array.from({ length: PARALLEL_LOG_CHANGES }, worker));
  if (errors.length > 0) {
    throw errors[0];
  }
}
