// The batches of one partition, from the first record to the last word about them. Pure.
//
// Waiting batches leave in the order of their records; those that left and are not done keep that order too:
//
//   waiting:   [closed closed open]   not numbered yet
//   in flight: [sent retry sent ...]  numbered; the newest less than maxInFlight behind the oldest
//
// Rules. A batch to be retried goes before any new one. Without idempotence one batch is out at a time, since the
// broker could not tell a retry from a new batch. After a gap in the sequence nothing new leaves until all that
// is in flight has been decided; then the next epoch starts, first with the batches that have to be renumbered.

import type { ErrorName, ProducerId, RecordInput } from "@millrace/protocol";
import { provesNotAppended } from "./delivery-errors.js";
import { ProducerBatch } from "./producer-batch.js";
import { judgeFailure, SequenceCounter, type Verdict } from "./sequence.js";

const FIRST_BATCH_BYTES = 1024;
/** Far below the day after which a broker forgets a producer that wrote nothing (producer.id.expiration.ms). */
const FORGOTTEN_AFTER_MS = 3_600_000;

export interface AppendLimits {
  readonly nowMs: number;
  readonly batchBytes: number;
  /** Memory for a new batch. */
  readonly takeBuffer: (minBytes: number) => Uint8Array;
  /** The batch is full. */
  readonly onClosed: (batch: ProducerBatch) => void;
}

export interface TakeRules {
  readonly nowMs: number;
  readonly lingerMs: number;
  readonly maxInFlight: number;
  readonly isIdempotent: boolean;
  /** Nothing is out to the leader, or everything is to leave now: no lingering. */
  readonly isUrgent: boolean;
}

export interface AttemptFailure {
  readonly code: ErrorName;
  readonly isRetriable: boolean;
  /** For how long the partition rests after `failures` failed rounds in a row. */
  readonly retryDelayMs: (failures: number) => number;
  readonly nowMs: number;
}

export class PartitionQueue {
  readonly topic: string;
  readonly partition: number;
  readonly sequence = new SequenceCounter();
  /** Told of the batches that have taken the place of a larger one. */
  onSplit: ((halves: readonly ProducerBatch[]) => void) | undefined;
  readonly #waiting: ProducerBatch[] = [];
  readonly #inFlight: ProducerBatch[] = [];
  readonly #isIdempotent: boolean;
  /** A numbered batch was given up: its sequence is, or may be, missing at the broker. */
  #hasGap = false;
  /** An attempt failed since the partition was last at rest. */
  #mayRetry = false;
  /** Invariant: no batch numbered after this one was or will be appended under the present epoch. */
  #definiteGapOrdinal = Number.POSITIVE_INFINITY;
  #needsNewIdentity = false;
  /** The producer id of the last acknowledged batch: the leader knows it. */
  #knownProducerId: ProducerId | undefined;
  #lastSentMs = 0;
  #nextOrdinal = 0;
  #failures = 0;
  #restsUntilMs = 0;
  /** Size of the last batch that left: room to begin the next one with. */
  #expectedBytes = FIRST_BATCH_BYTES;

  constructor(topic: string, partition: number, isIdempotent: boolean) {
    this.topic = topic;
    this.partition = partition;
    this.#isIdempotent = isIdempotent;
  }

  get isEmpty(): boolean {
    return this.#waiting.length === 0 && this.#inFlight.length === 0;
  }

  /** Whether there is a batch that waits for its turn, whatever keeps it from leaving. */
  get hasUnsent(): boolean {
    return this.#waiting.length > 0 || this.#nextRetry() !== undefined;
  }

  /** Size of what `take` gives next, if it gives anything. */
  get nextBytes(): number {
    return (this.#nextRetry() ?? this.#waiting[0])?.sizeBytes ?? 0;
  }

  *batches(): Iterable<ProducerBatch> {
    yield* this.#inFlight;
    yield* this.#waiting;
  }

  /** The batch that takes `record`: the open one if it fits, else a new one. */
  append(record: RecordInput, estimatedBytes: number, limits: AppendLimits): ProducerBatch {
    let batch = this.#waiting.at(-1);
    if (
      batch !== undefined &&
      batch.state === "open" &&
      batch.sizeBytes + estimatedBytes > limits.batchBytes
    ) {
      batch.state = "closed";
      limits.onClosed(batch);
    }
    if (batch === undefined || batch.state !== "open") {
      batch = new ProducerBatch(this, limits.nowMs, limits.takeBuffer(this.#expectedBytes));
      this.#waiting.push(batch);
    }
    batch.append(record);
    if (batch.sizeBytes >= limits.batchBytes) {
      batch.state = "closed";
      limits.onClosed(batch);
    }
    return batch;
  }

  /** Takes back a batch that got no record because encoding the first one failed. */
  dropIfEmpty(): void {
    if (this.#waiting.at(-1)?.recordCount === 0) {
      this.#waiting.pop();
    }
  }

  /** The next batch to put into a request, now `sent`, or undefined. */
  take(rules: TakeRules): ProducerBatch | undefined {
    if (rules.nowMs < this.#restsUntilMs) {
      return undefined;
    }
    const retry = this.#nextRetry();
    if (retry !== undefined) {
      this.#lastSentMs = rules.nowMs;
      return this.#send(retry);
    }
    if (rules.nowMs - this.#lastSentMs >= FORGOTTEN_AFTER_MS) {
      this.#knownProducerId = undefined;
    }
    const head = this.#waiting[0];
    if (this.#hasGap || head === undefined || this.#isWindowFull(rules.maxInFlight)) {
      return undefined;
    }
    if (!this.#isReady(head, rules)) {
      return undefined;
    }
    if (this.#isIdempotent) {
      head.sequence = this.sequence.assign(head.recordCount);
      if (head.sequence === undefined) {
        return undefined;
      }
    }
    this.#waiting.shift();
    this.#lastSentMs = rules.nowMs;
    head.ordinal = this.#nextOrdinal++;
    this.#expectedBytes = head.sizeBytes + (head.sizeBytes >> 3);
    this.#inFlight.push(head);
    return this.#send(head);
  }

  /** When `take` may give something that it does not give now, if nothing else happens. */
  nextWakeMs(nowMs: number, lingerMs: number): number {
    const head = this.#waiting[0];
    if (this.#restsUntilMs > nowMs && this.hasUnsent) {
      return this.#restsUntilMs;
    }
    if (head !== undefined && head.state === "open" && head.createdMs + lingerMs > nowMs) {
      return head.createdMs + lingerMs;
    }
    return Number.POSITIVE_INFINITY;
  }

  /** The broker has it. */
  acknowledged(batch: ProducerBatch): void {
    this.#failures = 0;
    this.#restsUntilMs = 0;
    this.#knownProducerId = batch.sequence?.producerId;
    this.#remove(batch);
    this.#startNextEpochIfDecided();
  }

  /** An attempt failed; `fail` means that the batch is done, `split` that two others have taken its place. */
  attemptFailed(batch: ProducerBatch, failure: AttemptFailure): Verdict {
    if (!provesNotAppended(failure.code)) {
      batch.hasUncertainAttempt = true;
    }
    let verdict = batch.isSettled ? "fail" : this.#judge(batch, failure);
    if (verdict === "split" && !this.#split(batch)) {
      verdict = "fail";
    }
    if (verdict === "retry") {
      batch.state = "retry";
      this.#mayRetry = true;
      this.#rest(failure);
    } else if (verdict === "renumber") {
      batch.state = "renumber";
      batch.hasUncertainAttempt = false;
      this.#needsNewIdentity ||= failure.code === "INVALID_PRODUCER_EPOCH";
      this.#rest(failure);
      this.#markGap(batch);
    } else if (verdict === "fail") {
      this.#giveUp(batch);
    }
    this.#startNextEpochIfDecided();
    return verdict;
  }

  /** Removes a batch whose time is over, unless its request is out. Returns whether it was removed. */
  expire(batch: ProducerBatch): boolean {
    if (batch.state === "sent") {
      return false;
    }
    this.#giveUp(batch);
    this.#startNextEpochIfDecided();
    return true;
  }

  /** Ends what keeps the partition waiting after a failure: there is new metadata. */
  wake(): void {
    this.#restsUntilMs = 0;
  }

  /**
   * Counted from the oldest batch without an answer, not by their number: answers overtake each other, and the
   * broker only knows the last five batches again. A sixth one would make it forget the oldest. One at a time until
   * the leader knows the producer id: it takes any sequence from a producer it does not know (as in Kafka), so when it
   * refused the first batch for a moment (overload, a full disk) it would put the second one before it.
   */
  #isWindowFull(maxInFlight: number): boolean {
    const oldest = this.#inFlight[0];
    if (oldest === undefined) {
      return false;
    }
    const isKnown = this.sequence.identity?.producerId === this.#knownProducerId;
    return !this.#isIdempotent || !isKnown || this.#nextOrdinal - oldest.ordinal >= maxInFlight;
  }

  /** The oldest batch that is to be sent again. Only a partition that had a failure can have one. */
  #nextRetry(): ProducerBatch | undefined {
    return this.#mayRetry ? this.#inFlight.find((batch) => batch.state === "retry") : undefined;
  }

  #send(batch: ProducerBatch): ProducerBatch {
    batch.state = "sent";
    batch.attempts++;
    batch.leftBehindUnresolved = this.#hasUnresolvedBefore(batch);
    return batch;
  }

  #isReady(head: ProducerBatch, rules: TakeRules): boolean {
    return (
      head.state === "closed" || rules.isUrgent || rules.nowMs >= head.createdMs + rules.lingerMs
    );
  }

  #judge(batch: ProducerBatch, failure: AttemptFailure): Verdict {
    return judgeFailure({
      code: failure.code,
      isRetriable: failure.isRetriable,
      isIdempotent: this.#isIdempotent,
      hasUncertainAttempt: batch.hasUncertainAttempt,
      hasEarlierUnresolved: batch.leftBehindUnresolved || this.#hasUnresolvedBefore(batch),
      isBehindDefiniteGap: batch.ordinal > this.#definiteGapOrdinal,
    });
  }

  /**
   * Puts two halves in the place of a batch that is too large for the topic. Its sequence is missing at the broker,
   * so they leave under the next epoch; without idempotence they leave next.
   */
  #split(batch: ProducerBatch): boolean {
    const halves = batch.split();
    if (halves === undefined) {
      return false;
    }
    for (const half of halves) {
      half.ordinal = batch.ordinal;
      half.state = this.#isIdempotent ? "renumber" : "closed";
    }
    const index = this.#inFlight.indexOf(batch);
    if (this.#isIdempotent) {
      this.#inFlight.splice(index, 1, ...halves);
      this.#markGap(batch);
    } else {
      this.#inFlight.splice(index, 1);
      this.#waiting.unshift(...halves);
    }
    this.onSplit?.(halves);
    return true;
  }

  #hasUnresolvedBefore(batch: ProducerBatch): boolean {
    return this.#inFlight.some(
      (other) => other.ordinal < batch.ordinal && other.state !== "renumber",
    );
  }

  #giveUp(batch: ProducerBatch): void {
    if (this.#isIdempotent && batch.sequence !== undefined) {
      this.#markGap(batch);
    }
    this.#remove(batch);
  }

  #markGap(batch: ProducerBatch): void {
    this.#hasGap = true;
    if (!batch.hasUncertainAttempt && batch.ordinal < this.#definiteGapOrdinal) {
      this.#definiteGapOrdinal = batch.ordinal;
    }
  }

  #rest(failure: AttemptFailure): void {
    if (failure.nowMs >= this.#restsUntilMs) {
      this.#failures++;
      this.#restsUntilMs = failure.nowMs + failure.retryDelayMs(this.#failures);
    }
  }

  #remove(batch: ProducerBatch): void {
    batch.state = "done";
    if (this.#inFlight[0] === batch) {
      // Nearly always: answers come in the order of the requests.
      this.#inFlight.shift();
    } else if (!removeFrom(this.#inFlight, batch)) {
      removeFrom(this.#waiting, batch);
    }
    if (this.#inFlight.length === 0) {
      this.#mayRetry = false;
    }
  }

  #startNextEpochIfDecided(): void {
    if (!this.#hasGap || this.#inFlight.some((batch) => batch.state !== "renumber")) {
      return;
    }
    for (const batch of this.#inFlight) {
      batch.state = "closed";
      batch.sequence = undefined;
    }
    this.#waiting.unshift(...this.#inFlight.splice(0));
    this.#hasGap = false;
    this.#definiteGapOrdinal = Number.POSITIVE_INFINITY;
    if (this.#needsNewIdentity) {
      this.#needsNewIdentity = false;
      this.sequence.retireIdentity();
    } else {
      this.sequence.startNextEpoch();
    }
  }
}

function removeFrom(batches: ProducerBatch[], batch: ProducerBatch): boolean {
  const index = batches.indexOf(batch);
  if (index < 0) {
    return false;
  }
  batches.splice(index, 1);
  return true;
}
