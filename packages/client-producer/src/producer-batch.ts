// One batch on its way: the records encoded so far, who waits for them, and the state of its delivery. Pure:
// callers tell it what happened.

import {
  decodeRecords,
  type MillraceError,
  RecordBatchBuilder,
  type RecordInput,
  readBatchHeader,
} from "@millrace/protocol";
import type { BatchAcknowledgement, RecordMetadata } from "./producer-record.js";
import type { BatchSequence } from "./sequence.js";

/**
 * - `open`: takes records. `closed`: waits for its turn.
 * - `sent`: a request with it is out. `retry`: to be sent again as it is. `renumber`: waits for the next epoch.
 * - `done`: acknowledged or given up.
 */
export type BatchState = "open" | "closed" | "sent" | "retry" | "renumber" | "done";

/** Records of one call that stand side by side in a batch. */
export interface RecordRun {
  /** Of the first, in the batch. */
  readonly firstDelta: number;
  readonly count: number;
  /** Of the first, in the call's list. */
  readonly firstIndex: number;
  /** Of all, where they do not stand side by side in the call's list, too: others went to other partitions. */
  readonly indexes: readonly number[] | undefined;
}

/** Somebody who sent many records and waits for all of them at once. */
export interface BulkReceiver {
  settle(records: RecordRun, batch: ProducerBatch): void;
}

interface SingleWaiter {
  readonly delta: number;
  readonly timestamp: number;
  readonly resolve: (metadata: RecordMetadata) => void;
  readonly reject: (error: MillraceError) => void;
}

interface BulkRun extends RecordRun {
  readonly receiver: BulkReceiver;
  count: number;
  indexes: number[] | undefined;
}

export class ProducerBatch {
  readonly topic: string;
  readonly partition: number;
  /** Monotonic time of the first record: lingering and the delivery timeout count from here. */
  readonly createdMs: number;
  readonly builder: RecordBatchBuilder;
  state: BatchState = "open";
  sequence: BatchSequence | undefined;
  /** Order of leaving, within the partition. */
  ordinal = -1;
  /** What goes over the wire; kept from attempt to attempt. */
  bytes: Uint8Array | undefined;
  /** The sequence that `bytes` carries. */
  builtFor: BatchSequence | undefined;
  attempts = 0;
  /** An attempt had no answer, or one that leaves open whether the batch was appended. */
  hasUncertainAttempt = false;
  /** When the last attempt left, a batch before this one was undecided: the broker may have met a gap. */
  leftBehindUnresolved = false;
  /** Those who wait have been told; the delivery itself may still be open. */
  isSettled = false;
  acknowledgement: BatchAcknowledgement | undefined;
  error: MillraceError | undefined;
  /** What the buffer counts for this batch. */
  reservedBytes = 0;
  /** Encoded size of the record appended last. */
  lastRecordBytes = 0;
  /** Called when the batch itself is acknowledged or given up; not when it is split. */
  report: (() => void) | undefined;
  readonly #singles: SingleWaiter[] = [];
  readonly #runs: BulkRun[] = [];
  readonly #listeners: (() => void)[] = [];

  constructor(
    place: { readonly topic: string; readonly partition: number },
    createdMs: number,
    buffer: Uint8Array,
  ) {
    this.topic = place.topic;
    this.partition = place.partition;
    this.createdMs = createdMs;
    this.builder = new RecordBatchBuilder({ buffer });
  }

  get recordCount(): number {
    return this.builder.recordCount;
  }

  /** Before compression, until the batch is built. */
  get sizeBytes(): number {
    return this.bytes?.length ?? this.builder.sizeBytes;
  }

  append(record: RecordInput): void {
    const before = this.builder.sizeBytes;
    this.builder.append(record);
    this.lastRecordBytes = this.builder.sizeBytes - before;
    this.reservedBytes += this.lastRecordBytes;
  }

  /**
   * The memory of the batch, for another one: of a batch that is acknowledged, so that nobody asks for its bytes any
   * more. undefined when some other attempt's bytes may still lie in a socket, or when no answer told that they left.
   */
  takeBuffer(): Uint8Array | undefined {
    const hasLeft = (this.acknowledgement?.replicas ?? 0) > 0 && this.attempts === 1;
    if (!hasLeft) {
      return undefined;
    }
    this.bytes = undefined;
    return this.builder.takeBuffer();
  }

  addSingle(waiter: SingleWaiter): void {
    this.#singles.push(waiter);
  }

  /** Neighbouring records of one receiver are kept as one run, whatever lies between them in its list. */
  addBulk(receiver: BulkReceiver, index: number, delta: number): void {
    const last = this.#runs.at(-1);
    if (
      last !== undefined &&
      last.receiver === receiver &&
      last.firstDelta + last.count === delta
    ) {
      const { firstIndex, count } = last;
      if (last.indexes === undefined && firstIndex + count !== index) {
        last.indexes = Array.from({ length: count }, (_, at) => firstIndex + at);
      }
      last.indexes?.push(index);
      last.count++;
      return;
    }
    const run = { firstIndex: index, firstDelta: delta, count: 1, indexes: undefined };
    this.#runs.push({ receiver, ...run });
  }

  /**
   * Two batches with the records of this one, which is too large for the topic, and with those who wait for them;
   * undefined when it cannot be split. This batch is over: it settles when both have.
   */
  split(): readonly [ProducerBatch, ProducerBatch] | undefined {
    const { bytes, recordCount } = this;
    if (bytes === undefined || recordCount < 2 || this.isSettled) {
      return undefined;
    }
    const middle = recordCount >> 1;
    const first = new ProducerBatch(this, this.createdMs, new Uint8Array(0));
    const second = new ProducerBatch(this, this.createdMs, new Uint8Array(0));
    let index = 0;
    for (const { key, value, headers, timestamp } of decodeRecords(
      readBatchHeader(bytes),
      this.builder.recordBytes,
    )) {
      (index++ < middle ? first : second).append({ key, value, headers, timestamp });
    }
    // The buffer counts what it counted before, however the halves are encoded.
    first.reservedBytes = this.reservedBytes >> 1;
    second.reservedBytes = this.reservedBytes - first.reservedBytes;
    this.#moveWaiters(first, second, middle);
    this.state = "done";
    return [first, second];
  }

  #moveWaiters(first: ProducerBatch, second: ProducerBatch, middle: number): void {
    for (const waiter of this.#singles.splice(0)) {
      if (waiter.delta < middle) {
        first.#singles.push(waiter);
      } else {
        second.#singles.push({ ...waiter, delta: waiter.delta - middle });
      }
    }
    for (const run of this.#runs.splice(0)) {
      const before = Math.max(0, Math.min(run.count, middle - run.firstDelta));
      if (before > 0) {
        first.#runs.push(partOf(run, 0, before));
      }
      if (before < run.count) {
        const rest = partOf(run, before, run.count);
        second.#runs.push({ ...rest, firstDelta: rest.firstDelta - middle });
      }
    }
    let open = 2;
    const halfSettled = (): void => {
      if (--open === 0) {
        this.isSettled = true;
        this.#tellTheRest();
      }
    };
    first.onSettled(halfSettled);
    second.onSettled(halfSettled);
  }

  /** Calls `listener` once those who wait have been told, also of what it was split into. */
  onSettled(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** Tells everybody; the second call does nothing. */
  acknowledge(acknowledgement: BatchAcknowledgement): void {
    if (this.isSettled) {
      return;
    }
    this.isSettled = true;
    this.acknowledgement = acknowledgement;
    const { baseOffset, logAppendTime, replicas, fsynced } = acknowledgement;
    const { topic, partition } = this;
    for (const { delta, timestamp, resolve } of this.#singles) {
      resolve({
        topic,
        partition,
        offset: baseOffset < 0 ? -1 : baseOffset + delta,
        timestamp: logAppendTime < 0 ? timestamp : logAppendTime,
        replicas,
        fsynced,
      });
    }
    this.report?.();
    this.#tellTheRest();
  }

  /** Tells everybody; the second call does nothing. */
  fail(error: MillraceError): void {
    if (this.isSettled) {
      return;
    }
    this.isSettled = true;
    this.error = error;
    for (const { reject } of this.#singles) {
      reject(error);
    }
    this.report?.();
    this.#tellTheRest();
  }

  #tellTheRest(): void {
    for (const run of this.#runs) {
      run.receiver.settle(run, this);
    }
    for (const listener of this.#listeners) {
      listener();
    }
    this.#singles.length = 0;
    this.#runs.length = 0;
    this.#listeners.length = 0;
  }
}

function partOf(run: BulkRun, from: number, to: number): BulkRun {
  const { receiver, firstDelta, firstIndex, indexes } = run;
  return {
    receiver,
    firstDelta: firstDelta + from,
    count: to - from,
    firstIndex: indexes?.[from] ?? firstIndex + from,
    indexes: indexes?.slice(from, to),
  };
}
