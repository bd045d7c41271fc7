// What the client knows of the cluster's topics, and how it finds out. At most one request for metadata is
// under way; whoever asks meanwhile shares the next one. News is fetched when somebody asks for what is old, in
// doubt or unknown, and once per maximum age for topics in use, so that partitions added elsewhere are seen.
// That a topic does not exist is never remembered.

import {
  MillraceError,
  type NodeId,
  type ResponseOf,
  type TopicId,
  topicNameProblem,
} from "@millrace/protocol";
import { type Clock, type Logger, printable, type Timer } from "@millrace/runtime";
import { throwIfAborted, underSignal } from "./abort.js";
import type { WaitOptions } from "./request.js";
import { TopicDirectory, unknownTopicError } from "./topic-directory.js";
import type { BrokerMetadata, TopicMetadata } from "./topic-metadata.js";

export interface MetadataCacheOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly maxAgeMs: number;
  /** One request to the cluster for these topics. */
  fetch(names: readonly string[]): Promise<ResponseOf<"metadata">>;
}

/** However short the maximum age: no more than one request per second by itself. */
const REFRESH_MS_MIN = 1000;

type TopicErrors = ReadonlyMap<string, MillraceError>;

interface Round {
  readonly names: Set<string>;
  /** Of the directory when the request went out. */
  readonly version: number;
  readonly errors: Promise<TopicErrors>;
}

export class MetadataCache {
  readonly #options: MetadataCacheOptions;
  readonly #directory: TopicDirectory;
  #running: Round | undefined;
  /** Waits for the running one to end. */
  #next: { readonly names: Set<string>; readonly errors: Promise<TopicErrors> } | undefined;

  #ageTimer: Timer | undefined;
  #isClosed = false;

  constructor(options: MetadataCacheOptions) {
    this.#options = options;
    this.#directory = new TopicDirectory(options.maxAgeMs);
  }

  /** Empty until a first answer. */
  get brokers(): readonly BrokerMetadata[] {
    return this.#directory.brokers;
  }

  /** -1: none known. */
  get controllerId(): NodeId {
    return this.#directory.controllerId;
  }

  /**
   * The topic, from the cache or in one request.
   * @throws MillraceError `UNKNOWN_TOPIC_OR_PARTITION` (says how to create it), `INVALID_TOPIC_EXCEPTION`,
   * `ABORTED`, and what a request throws.
   */
  async topic(name: string, options: WaitOptions = {}): Promise<TopicMetadata> {
    throwIfAborted(options.signal);
    const fresh = this.#directory.freshTopic(name, this.#options.clock.monotonicMs());
    if (fresh !== undefined) {
      return fresh;
    }
    const problem = topicNameProblem(name);
    if (problem !== undefined) {
      throw new MillraceError(
        "INVALID_TOPIC_EXCEPTION",
        `the topic name "${printable(name)}" ${problem}`,
        { details: { topic: name } },
      );
    }
    const errors = await underSignal(this.#ask([name]), options.signal);
    const error = errors.get(name);
    if (error !== undefined) {
      throw error;
    }
    const topic = this.#directory.topic(name);
    if (topic === undefined) {
      throw unknownTopicError(name);
    }
    return topic;
  }

  /** What is known at the moment, however old; asks nobody. */
  cachedTopic(name: string): TopicMetadata | undefined {
    return this.#directory.topic(name);
  }

  /** The same by id. */
  topicById(topicId: TopicId): TopicMetadata | undefined {
    return this.#directory.topicById(topicId);
  }

  /** Something contradicted the cache: the next `topic` asks again. `reason` is for the log. */
  invalidate(reason: string): void {
    this.#directory.invalidate();
    this.#options.logger.debug({ reason: printable(reason) }, "metadata is in doubt");
  }

  /**
   * Asks for these topics (default: all in use) and for the brokers, fresh or not. A topic that is gone is
   * forgotten without an error.
   * @throws MillraceError `ABORTED`, and what a request throws.
   */
  async refresh(names?: readonly string[], options: WaitOptions = {}): Promise<void> {
    throwIfAborted(options.signal);
    const wanted = names ?? this.#directory.namesInUse(this.#options.clock.monotonicMs());
    await underSignal(this.#ask(wanted), options.signal);
  }

  /** Stops asking by itself. */
  close(): void {
    this.#isClosed = true;
    this.#ageTimer?.cancel();
  }

  /** Runs on while topics are in use; the first request afterwards starts it again. */
  #watchAge(): void {
    if (this.#isClosed || this.#ageTimer !== undefined) {
      return;
    }
    const { clock, logger, maxAgeMs } = this.#options;
    this.#ageTimer = clock.setTimer(Math.max(maxAgeMs, REFRESH_MS_MIN), () => {
      this.#ageTimer = undefined;
      const names = this.#directory.namesInUse(clock.monotonicMs());
      if (names.length > 0) {
        this.refresh(names).catch((error: unknown) => {
          logger.debug({ error: String(error) }, "metadata could not be refreshed");
          this.#watchAge();
        });
      }
    });
  }

  /** The round that will know about `names`: the running one if it asked after the last doubt, else the next. */
  #ask(names: readonly string[]): Promise<TopicErrors> {
    const running = this.#running;
    if (running === undefined) {
      return this.#start(new Set(names)).errors;
    }
    const isCurrent = running.version === this.#directory.version;
    if (isCurrent && names.every((name) => running.names.has(name))) {
      return running.errors;
    }
    this.#next ??= this.#queueNext(running);
    for (const name of names) {
      this.#next.names.add(name);
    }
    return this.#next.errors;
  }

  #queueNext(running: Round): { names: Set<string>; errors: Promise<TopicErrors> } {
    const names = new Set<string>();
    const ignoreOutcome = (): void => {};
    const errors = running.errors.then(ignoreOutcome, ignoreOutcome).then(() => {
      this.#next = undefined;
      return this.#start(names).errors;
    });
    // Everyone who waits handles the failure; if all of them gave up, nobody is left to.
    errors.catch(ignoreOutcome);
    return { names, errors };
  }

  #start(names: Set<string>): Round {
    const round: Round = {
      names,
      version: this.#directory.version,
      errors: this.#fetch(names, this.#directory.version).finally(() => {
        if (this.#running === round) {
          this.#running = undefined;
        }
      }),
    };
    round.errors.catch(() => {
      // Handled by everyone who waits; see #queueNext.
    });
    this.#running = round;
    return round;
  }

  async #fetch(names: ReadonlySet<string>, version: number): Promise<TopicErrors> {
    const response = await this.#options.fetch([...names]);
    this.#watchAge();
    return this.#directory.apply(response, { names, version }, this.#options.clock.monotonicMs());
  }
}
