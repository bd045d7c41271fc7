// Moves batches: drains the accumulator into produce requests to the leaders, and tells it what came back. Keeps
// the metadata of its topics and the producer id fresh. Everything that happens - a new record, an answer, new
// metadata, time - ends in `wake`, and one drain serves all that came up meanwhile.

import { Backoff } from "@millrace/client-core";
import { isMillraceError, type MillraceError } from "@millrace/protocol";
import type { Timer } from "@millrace/runtime";
import type { Accumulator, Leaders } from "./accumulator.js";
import type { ClusterPort } from "./cluster-port.js";
import { deliveryError } from "./delivery-errors.js";
import { type BatchOutcome, ProduceRequester } from "./produce-requester.js";
import type { ProducerBatch } from "./producer-batch.js";
import type { ProducerConfig } from "./producer-config.js";
import type { MetricsRecorder } from "./producer-metrics.js";

export interface SenderOptions {
  readonly client: ClusterPort;
  readonly config: ProducerConfig;
  readonly accumulator: Accumulator;
  readonly metrics: MetricsRecorder;
  /** There is a reason not to linger. */
  isUrgent(): boolean;
}

export class Sender {
  readonly #options: SenderOptions;
  readonly #backoff: Backoff;
  readonly #requester: ProduceRequester;
  readonly #leaders: Leaders;
  /** Topics whose leaders were looked for in vain during the present drain. */
  readonly #leaderless = new Set<string>();
  readonly #refreshing = new Set<string>();
  #isObtainingIdentity = false;
  #isDrainPlanned = false;
  #isStopped = false;
  #timer: Timer | undefined;
  #timerAtMs = Number.POSITIVE_INFINITY;
  /** Told as the cause when a batch's time is over. */
  #lastError: unknown;

  constructor(options: SenderOptions) {
    this.#options = options;
    const { client, config } = options;
    this.#backoff = new Backoff({
      initialMs: config.retryBackoffMs,
      maxMs: config.retryBackoffMaxMs,
      random: client.runtime.random,
    });
    this.#requester = new ProduceRequester({
      client,
      config,
      metrics: options.metrics,
      onOutcomes: (outcomes) => this.#apply(outcomes),
    });
    this.#leaders = {
      leaderOf: (topic, partition) => this.#leaderOf(topic, partition),
      requestsInFlight: (nodeId) => this.#requester.requestsInFlight(nodeId),
      maxRequestBytes: (nodeId) => this.#requester.maxRequestBytes(nodeId),
    };
  }

  get requestsInFlight(): number {
    return this.#requester.totalInFlight;
  }

  /** Looks after the batches soon: after the code that runs now, so that what it sends travels together. */
  wake(): void {
    if (!this.#isDrainPlanned) {
      this.#isDrainPlanned = true;
      void Promise.resolve().then(() => this.#drain());
    }
  }

  /** Sends nothing more. */
  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
  }

  #drain(): void {
    this.#isDrainPlanned = false;
    if (this.#isStopped) {
      return;
    }
    const { accumulator, client } = this.#options;
    const nowMs = client.runtime.clock.monotonicMs();
    accumulator.isUrgent = this.#options.isUrgent();
    this.#leaderless.clear();
    // Bounded: each round puts a request on its way, and those are limited per node.
    for (;;) {
      const requests = accumulator.drain(nowMs, this.#leaders);
      if (requests.size === 0) {
        break;
      }
      for (const [nodeId, batches] of requests) {
        this.#requester.send(nodeId, batches);
      }
    }
    if (accumulator.needsIdentity) {
      this.#start(this.#obtainIdentity());
    }
    for (const topic of this.#leaderless) {
      this.#start(this.#refreshTopic(topic));
    }
    this.#armTimer(accumulator.nextWakeMs(nowMs), nowMs);
  }

  #leaderOf(topic: string, partition: number): number | undefined {
    const leaderId =
      this.#options.client.metadata.cachedTopic(topic)?.partitions[partition]?.leaderId;
    if (leaderId === undefined || leaderId < 0) {
      this.#leaderless.add(topic);
      return undefined;
    }
    return leaderId;
  }

  #armTimer(atMs: number, nowMs: number): void {
    if (atMs >= this.#timerAtMs || atMs === Number.POSITIVE_INFINITY) {
      return;
    }
    this.#timer?.cancel();
    this.#timerAtMs = atMs;
    const { accumulator, client } = this.#options;
    const { clock } = client.runtime;
    const onTime = (): void => {
      this.#timerAtMs = Number.POSITIVE_INFINITY;
      accumulator.expire(clock.monotonicMs(), this.#lastError);
      this.wake();
    };
    // Between two attempts no connection may be left: whoever sent a record still waits.
    this.#timer = clock.setTimer(Math.max(0, atMs - nowMs), onTime, { keepsAlive: true });
  }

  #apply(outcomes: readonly BatchOutcome[]): void {
    const { accumulator, client } = this.#options;
    const nowMs = client.runtime.clock.monotonicMs();
    for (const outcome of outcomes) {
      if (outcome.acknowledgement !== undefined) {
        accumulator.acknowledged(outcome.batch, outcome.acknowledgement);
        continue;
      }
      const { batch, error } = outcome;
      this.#lastError = error;
      const failure = {
        code: error.code,
        isRetriable: error.retriable,
        nowMs,
        retryDelayMs: (failures: number) => this.#backoff.delayMs(failures - 1),
      };
      accumulator.attemptFailed(batch, failure, (definite) => failed(batch, error, definite));
      if (error.refreshMetadata || metadataMayHelp.has(error.code)) {
        this.#start(this.#refreshTopic(batch.topic));
      }
    }
    this.wake();
  }

  /** Until the topic's metadata is there, or nothing of the topic waits any more. One at a time per topic. */
  async #refreshTopic(topic: string): Promise<void> {
    if (this.#refreshing.has(topic)) {
      return;
    }
    this.#refreshing.add(topic);
    const { client, accumulator } = this.#options;
    for (let attempt = 0; this.#isWanted(topic); attempt++) {
      try {
        await client.metadata.refresh([topic]);
        const metadata = await client.metadata.topic(topic);
        if (metadata.partitions.every((partition) => partition.leaderId >= 0)) {
          break;
        }
      } catch (error) {
        this.#lastError = error;
        if (!isRetriable(error)) {
          accumulator.failAll((batch) => failed(batch, error, isUntouched(batch)), topic);
          break;
        }
      }
      await client.runtime.clock.sleep(this.#backoff.delayMs(attempt));
      this.wake();
    }
    this.#refreshing.delete(topic);
    this.wake();
  }

  #isWanted(topic: string): boolean {
    return !this.#isStopped && this.#options.accumulator.activeTopics().has(topic);
  }

  async #obtainIdentity(): Promise<void> {
    if (this.#isObtainingIdentity) {
      return;
    }
    this.#isObtainingIdentity = true;
    const { client, accumulator } = this.#options;
    for (let attempt = 0; accumulator.needsIdentity && !this.#isStopped; attempt++) {
      try {
        const request = { transactionalId: null, producerId: -1, producerEpoch: -1 };
        const { body } = await client.request("any", "initProducerId", request);
        accumulator.identity = body;
      } catch (error) {
        this.#lastError = error;
        if (isRetriable(error)) {
          await client.runtime.clock.sleep(this.#backoff.delayMs(attempt));
        } else {
          accumulator.failAll((batch) => failed(batch, error, isUntouched(batch)));
        }
      }
    }
    this.#isObtainingIdentity = false;
    this.wake();
  }

  /** Runs a task that handles its failures itself; what still escapes is a defect, and is told. */
  #start(task: Promise<void>): void {
    task.catch((error: unknown) => {
      this.#options.client.runtime.logger.error({ error }, "the producer's sender failed");
      this.#options.accumulator.failAll((batch) => failed(batch, error, isUntouched(batch)));
    });
  }
}

/** The broker knows another topic than we do, or cannot be reached where we think it is. */
const metadataMayHelp: ReadonlySet<string> = new Set([
  "UNKNOWN_TOPIC_OR_PARTITION",
  "UNKNOWN_TOPIC_ID",
  "CONNECTION_FAILED",
  // The topic's limit has changed since we read it.
  "MESSAGE_TOO_LARGE",
]);

function isRetriable(error: unknown): boolean {
  return isMillraceError(error) && error.retriable;
}

/** Nothing of the batch can be stored anywhere. */
export function isUntouched(batch: ProducerBatch): boolean {
  return !batch.hasUncertainAttempt && batch.state !== "sent";
}

function failed(batch: ProducerBatch, error: unknown, definite: boolean): MillraceError {
  const { topic, partition } = batch;
  const code = isMillraceError(error) ? error.code : "UNKNOWN_SERVER_ERROR";
  const message = error instanceof Error ? error.message : String(error);
  return deliveryError({ code, message, cause: error, definite, topic, partition });
}
