// All partitions' queues: takes records, says which batches go into the next request to each leader, and when to
// ask again. Pure: time, leaders and failures are told to it.

import {
  MAX_MESSAGE_BYTES_DEFAULT,
  type MillraceError,
  type RecordInput,
} from "@millrace/protocol";
import { expiresAtMs, expiryError, isExpired } from "./batch-expiry.js";
import { type AttemptFailure, PartitionQueue } from "./partition-queue.js";
import type { ProducerBatch } from "./producer-batch.js";
import type { BatchAcknowledgement } from "./producer-record.js";
import type { ProducerIdentity, Verdict } from "./sequence.js";

export interface AccumulatorOptions {
  readonly batchBytes: number;
  readonly lingerMs: number;
  readonly maxInFlight: number;
  readonly deliveryTimeoutMs: number;
  readonly isIdempotent: boolean;
  /** Memory for a new batch. */
  takeBuffer(minBytes: number): Uint8Array;
  /** The first record is in it. */
  onOpened(batch: ProducerBatch): void;
  /** The batch takes no more records: full, or on its way (a full one is told of twice). */
  onClosed(batch: ProducerBatch): void;
  /** The batch has left the accumulator: its memory is free. */
  onDone(batch: ProducerBatch): void;
}

/** What the accumulator asks about the cluster while it drains. */
export interface Leaders {
  /** undefined: none, or not known. */
  leaderOf(topic: string, partition: number): number | undefined;
  /** Requests out to the node. */
  requestsInFlight(nodeId: number): number;
  /** Bytes of batches that fit into one request to the node. */
  maxRequestBytes(nodeId: number): number;
}

export interface RecordPlace {
  readonly topic: string;
  readonly partition: number;
  readonly estimatedBytes: number;
  /** The topic's `max.message.bytes`; 0 when unknown. */
  readonly maxMessageBytes: number;
}

/** What goes to one node next. */
interface NodeRequest {
  readonly requestsOut: number;
  roomBytes: number;
  readonly batches: ProducerBatch[];
}

export class Accumulator {
  /** Given to partitions that have none (or have used theirs up). */
  identity: ProducerIdentity | undefined;
  /** No lingering: somebody flushes, or the buffer is full. */
  isUrgent = false;
  readonly #options: AccumulatorOptions;
  readonly #queues = new Map<string, (PartitionQueue | undefined)[]>();
  /** Queues that hold batches; the order is the order of service. */
  readonly #active = new Set<PartitionQueue>();
  /** No batch's time is over before: thousands of them are not looked at each time. */
  #nothingExpiresBeforeMs = Number.POSITIVE_INFINITY;

  constructor(options: AccumulatorOptions) {
    this.#options = options;
  }

  get isEmpty(): boolean {
    return this.#active.size === 0;
  }

  /** Some partition cannot go on before a (new) producer id is there. */
  get needsIdentity(): boolean {
    return this.#options.isIdempotent && this.identity === undefined && !this.isEmpty;
  }

  *batches(): Iterable<ProducerBatch> {
    for (const queue of this.#active) {
      yield* queue.batches();
    }
  }

  /**
   * Encodes the record into its partition's batch, as that batch's last record so far.
   * @throws MillraceError `INVALID_ARGUMENT` as the batch builder; nothing is kept then.
   */
  append(place: RecordPlace, record: RecordInput, nowMs: number): ProducerBatch {
    const queue = this.#queue(place.topic, place.partition);
    const maxMessageBytes = place.maxMessageBytes || MAX_MESSAGE_BYTES_DEFAULT;
    const batchBytes = Math.min(this.#options.batchBytes, maxMessageBytes);
    try {
      const batch = queue.append(record, place.estimatedBytes, {
        nowMs,
        batchBytes,
        takeBuffer: this.#options.takeBuffer,
        onClosed: this.#options.onClosed,
      });
      if (batch.recordCount === 1) {
        this.#active.add(queue);
        this.#options.onOpened(batch);
        const { deliveryTimeoutMs } = this.#options;
        const expiryMs = expiresAtMs(batch, deliveryTimeoutMs);
        this.#nothingExpiresBeforeMs = Math.min(this.#nothingExpiresBeforeMs, expiryMs);
      }
      return batch;
    } catch (error) {
      queue.dropIfEmpty();
      throw error;
    }
  }

  /** The next request to each node that may get one; each partition at most once in it. Call again until empty. */
  drain(nowMs: number, leaders: Leaders): Map<number, ProducerBatch[]> {
    const requests = new Map<number, NodeRequest>();
    const served: PartitionQueue[] = [];
    let isSomeoneLeft = false;
    for (const queue of this.#active) {
      const nodeId = queue.hasUnsent ? leaders.leaderOf(queue.topic, queue.partition) : undefined;
      if (nodeId === undefined) {
        continue;
      }
      const request = requests.get(nodeId) ?? begin(requests, nodeId, leaders);
      const { batches, requestsOut } = request;
      if (requestsOut >= this.#options.maxInFlight) {
        continue;
      }
      if (batches.length > 0 && queue.nextBytes > request.roomBytes) {
        isSomeoneLeft = true;
        continue;
      }
      const batch = this.#take(queue, nowMs, requestsOut === 0);
      if (batch !== undefined) {
        batches.push(batch);
        served.push(queue);
        request.roomBytes -= batch.sizeBytes;
      }
    }
    if (isSomeoneLeft) {
      this.#serveLast(served);
    }
    return batchesOf(requests);
  }

  #serveLast(queues: readonly PartitionQueue[]): void {
    for (const queue of queues) {
      this.#active.delete(queue);
      this.#active.add(queue);
    }
  }

  acknowledged(batch: ProducerBatch, acknowledgement: BatchAcknowledgement): void {
    const queue = this.#queue(batch.topic, batch.partition);
    queue.acknowledged(batch);
    this.#done(queue, batch);
    batch.acknowledge(acknowledgement);
  }

  /** `error` is what the batch fails with if this was its last attempt. */
  attemptFailed(
    batch: ProducerBatch,
    failure: AttemptFailure,
    error: (definite: boolean) => MillraceError,
  ): Verdict {
    const queue = this.#queue(batch.topic, batch.partition);
    const verdict = queue.attemptFailed(batch, failure);
    if (verdict === "fail") {
      this.#done(queue, batch);
      batch.fail(error(!batch.hasUncertainAttempt));
    }
    return verdict;
  }

  /** Reports batches whose delivery timeout is over; `lastError` tells why they got no further. */
  expire(nowMs: number, lastError: unknown): void {
    if (nowMs < this.#nothingExpiresBeforeMs) {
      return;
    }
    const { deliveryTimeoutMs } = this.#options;
    let earliestMs = Number.POSITIVE_INFINITY;
    for (const queue of [...this.#active]) {
      for (const batch of [...queue.batches()]) {
        if (batch.isSettled) {
          continue;
        }
        if (isExpired(batch, nowMs, deliveryTimeoutMs)) {
          this.#giveUp(queue, batch, expiryError(batch, deliveryTimeoutMs, lastError));
        } else {
          earliestMs = Math.min(earliestMs, expiresAtMs(batch, deliveryTimeoutMs));
        }
      }
    }
    this.#nothingExpiresBeforeMs = earliestMs;
  }

  /** Gives up all batches of a topic, or all there are. Batches whose request is out are reported, too. */
  failAll(error: (batch: ProducerBatch) => MillraceError, topic?: string): void {
    for (const queue of [...this.#active]) {
      if (topic === undefined || queue.topic === topic) {
        for (const batch of [...queue.batches()]) {
          this.#giveUp(queue, batch, error(batch));
        }
      }
    }
  }

  /** Ends every rest after a failure: the metadata is new. */
  wake(topic: string): void {
    for (const queue of this.#queues.get(topic) ?? []) {
      queue?.wake();
    }
  }

  /** When to drain or expire again, if nothing else happens. */
  nextWakeMs(nowMs: number): number {
    const { lingerMs } = this.#options;
    let earliestMs = this.isEmpty ? Number.POSITIVE_INFINITY : this.#nothingExpiresBeforeMs;
    for (const queue of this.#active) {
      if (queue.hasUnsent) {
        earliestMs = Math.min(earliestMs, queue.nextWakeMs(nowMs, lingerMs));
      }
    }
    return earliestMs;
  }

  /** Topics with batches. */
  activeTopics(): Set<string> {
    const topics = new Set<string>();
    for (const queue of this.#active) {
      topics.add(queue.topic);
    }
    return topics;
  }

  #take(queue: PartitionQueue, nowMs: number, isIdle: boolean): ProducerBatch | undefined {
    const { lingerMs, maxInFlight, isIdempotent } = this.#options;
    if (isIdempotent && queue.sequence.identity === undefined) {
      if (this.identity === undefined) {
        return undefined;
      }
      if (!queue.sequence.adopt(this.identity)) {
        this.identity = undefined;
        return undefined;
      }
    }
    const batch = queue.take({
      nowMs,
      lingerMs,
      maxInFlight,
      isIdempotent,
      isUrgent: isIdle || this.isUrgent,
    });
    if (batch !== undefined && batch.attempts === 1) {
      this.#options.onClosed(batch);
    }
    return batch;
  }

  #giveUp(queue: PartitionQueue, batch: ProducerBatch, error: MillraceError): void {
    if (queue.expire(batch)) {
      this.#done(queue, batch);
    }
    batch.fail(error);
  }

  #done(queue: PartitionQueue, batch: ProducerBatch): void {
    if (queue.isEmpty) {
      this.#active.delete(queue);
    }
    this.#options.onDone(batch);
  }

  #queue(topic: string, partition: number): PartitionQueue {
    let queues = this.#queues.get(topic);
    if (queues === undefined) {
      queues = [];
      this.#queues.set(topic, queues);
    }
    let queue = queues[partition];
    if (queue === undefined) {
      queue = new PartitionQueue(topic, partition, this.#options.isIdempotent);
      queue.onSplit = (halves) => halves.forEach(this.#options.onOpened);
      queues[partition] = queue;
    }
    return queue;
  }
}

function begin(requests: Map<number, NodeRequest>, nodeId: number, leaders: Leaders): NodeRequest {
  const requestsOut = leaders.requestsInFlight(nodeId);
  const request = { requestsOut, roomBytes: leaders.maxRequestBytes(nodeId), batches: [] };
  requests.set(nodeId, request);
  return request;
}

function batchesOf(requests: ReadonlyMap<number, NodeRequest>): Map<number, ProducerBatch[]> {
  const batches = new Map<number, ProducerBatch[]>();
  for (const [nodeId, request] of requests) {
    if (request.batches.length > 0) {
      batches.set(nodeId, request.batches);
    }
  }
  return batches;
}
