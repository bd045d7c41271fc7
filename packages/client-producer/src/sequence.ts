// Producer id, epoch and sequence of one partition (KIP-98), and what a failed attempt means for them. Sequences
// are given to batches as they leave, in order; a retry keeps its sequence, so that the broker can tell it from
// a new batch. When a numbered batch is given up, its sequence is missing at the broker: the partition then goes
// on under the next epoch from sequence 0 (KIP-360), which also shuts out late copies of the old epoch.

import type { ErrorName, ProducerEpoch, ProducerId } from "@millrace/protocol";

export interface ProducerIdentity {
  readonly producerId: ProducerId;
  readonly producerEpoch: ProducerEpoch;
}

export interface BatchSequence extends ProducerIdentity {
  readonly baseSequence: number;
}

const SEQUENCE_MAX = 0x7fffffff;
const EPOCH_MAX = 0x7fff;

/** Sequences are 31 bits and start again at 0 behind 2^31 - 1. */
export function advanceSequence(sequence: number, count: number): number {
  return sequence > SEQUENCE_MAX - count ? count - (SEQUENCE_MAX - sequence) - 1 : sequence + count;
}

export class SequenceCounter {
  #identity: ProducerIdentity | undefined;
  /** Used up, or taken over by somebody: never to be used here again. */
  #retiredId: ProducerId | undefined;
  #next = 0;

  /** undefined: `adopt` a producer id first. */
  get identity(): ProducerIdentity | undefined {
    return this.#identity;
  }

  /** Returns false for the id that was given up: get another one. */
  adopt(identity: ProducerIdentity): boolean {
    if (identity.producerId === this.#retiredId) {
      return false;
    }
    this.#identity = identity;
    this.#next = 0;
    return true;
  }

  /** Numbers a batch of `recordCount` records. */
  assign(recordCount: number): BatchSequence | undefined {
    if (this.#identity === undefined) {
      return undefined;
    }
    const sequence = { ...this.#identity, baseSequence: this.#next };
    this.#next = advanceSequence(this.#next, recordCount);
    return sequence;
  }

  /** Starts the next epoch at sequence 0; after the last epoch a new producer id is needed. */
  startNextEpoch(): void {
    const current = this.#identity;
    if (current === undefined || current.producerEpoch >= EPOCH_MAX) {
      this.retireIdentity();
      return;
    }
    this.#next = 0;
    this.#identity = { ...current, producerEpoch: current.producerEpoch + 1 };
  }

  retireIdentity(): void {
    this.#retiredId = this.#identity?.producerId ?? this.#retiredId;
    this.#identity = undefined;
    this.#next = 0;
  }
}

/**
 * - `retry`: send the same bytes with the same sequence again.
 * - `renumber`: surely not stored, now or later: send it under the next epoch.
 * - `split`: surely not stored, and too large: send its records as smaller batches.
 * - `fail`: give it up.
 */
export type Verdict = "retry" | "renumber" | "split" | "fail";

export interface FailedAttempt {
  readonly code: ErrorName;
  readonly isRetriable: boolean;
  readonly isIdempotent: boolean;
  /** An attempt, this one included, may have appended the batch. */
  readonly hasUncertainAttempt: boolean;
  /**
   * A batch with a lower sequence was undecided when this one left, or still is, which explains a gap: answers
   * may overtake each other, so the other may have arrived meanwhile.
   */
  readonly hasEarlierUnresolved: boolean;
  /** A batch with a lower sequence surely never got there and never will: then neither did this one. */
  readonly isBehindDefiniteGap: boolean;
}

/** What to do with a batch whose attempt failed. */
export function judgeFailure(attempt: FailedAttempt): Verdict {
  switch (attempt.code) {
    case "OUT_OF_ORDER_SEQUENCE_NUMBER":
    case "UNKNOWN_PRODUCER_ID":
    case "INVALID_PRODUCER_EPOCH":
      return judgeSequenceError(attempt);
    // The topic may have been deleted, created again, or not be known to this broker yet: metadata tells, and
    // fails the topic's batches if it is gone.
    case "UNKNOWN_TOPIC_ID":
    case "UNKNOWN_TOPIC_OR_PARTITION":
      return "retry";
    case "MESSAGE_TOO_LARGE":
      return attempt.hasUncertainAttempt ? "fail" : "split";
    default:
      if (!attempt.isRetriable) {
        return "fail";
      }
      return attempt.isBehindDefiniteGap ? "renumber" : "retry";
  }
}

function judgeSequenceError(attempt: FailedAttempt): Verdict {
  if (!attempt.isIdempotent) {
    return "fail";
  }
  if (attempt.isBehindDefiniteGap) {
    return "renumber";
  }
  if (attempt.hasEarlierUnresolved && attempt.code !== "INVALID_PRODUCER_EPOCH") {
    return "retry";
  }
  // A copy of an uncertain attempt may still lie in a socket of the broker: under a new number it could be
  // stored twice.
  return attempt.hasUncertainAttempt ? "fail" : "renumber";
}
