// Where a consumer stands in one partition. Pure data with the few rules that keep it consistent:
//
//   processedPosition <= position <= fetchOffset
//   done with            next to hand out  next to ask for
//
// `generation` changes whenever the consumer is sent elsewhere: what was fetched or handed out for an earlier
// one counts no more.

import {
  EARLIEST_TIMESTAMP,
  LATEST_TIMESTAMP,
  type Offset,
  type TopicId,
} from "@millrace/protocol";

/** Where to begin in a partition; see `ConsumerOptions.from`. */
export type StartPosition =
  | "earliest"
  | "latest"
  | { readonly offset: Offset }
  | { readonly timestamp: number }
  | { readonly last: number };

/** Bytes of whole batches, back to back, as one answer brought them. */
export interface FetchedChunk {
  readonly bytes: Uint8Array;
  /** Where the next batch begins. */
  at: number;
}

export class PartitionState {
  readonly topic: string;
  readonly topicId: TopicId;
  readonly partition: number;
  readonly key: string;
  leaderId = -1;
  leaderEpoch = -1;
  /** -1 until the first answer. */
  highWatermark = -1;
  logStartOffset = -1;
  isPaused = false;
  generation = 0;
  /** Still to be looked up; undefined once the position is known. */
  start: StartPosition | undefined;
  /** What the first of two look-ups said. */
  startHint: Offset | undefined;
  position: Offset = -1;
  processedPosition: Offset = -1;
  fetchOffset: Offset = -1;
  readonly chunks: FetchedChunk[] = [];
  bufferedBytes = 0;
  /** What was fetched last cannot be told apart into batches: no more until a seek. */
  isUnreadable = false;
  failures = 0;
  restsUntilMs = 0;

  constructor(topic: string, topicId: TopicId, partition: number) {
    this.topic = topic;
    this.topicId = topicId;
    this.partition = partition;
    this.key = partitionKey(topicId, partition);
  }

  get isStarted(): boolean {
    return this.start === undefined;
  }

  /** Goes to where `start` says, as soon as that is known. */
  restart(start: StartPosition): void {
    this.#drop();
    if (typeof start === "object" && "offset" in start) {
      this.arriveAt(start.offset);
      return;
    }
    this.start = start;
    this.startHint = undefined;
  }

  arriveAt(offset: Offset): void {
    this.#drop();
    this.start = undefined;
    this.position = offset;
    this.processedPosition = offset;
    this.fetchOffset = offset;
  }

  /** What to ask `listOffsets` for to get on with `start`. */
  get startQuery(): number {
    const { start } = this;
    if (start === "earliest" || (isLast(start) && this.startHint !== undefined)) {
      return EARLIEST_TIMESTAMP;
    }
    if (typeof start === "object" && "timestamp" in start && this.startHint === undefined) {
      return start.timestamp;
    }
    return LATEST_TIMESTAMP;
  }

  /** Takes the answer to `startQuery`; -1: no record is that young. */
  answerStart(offset: Offset): void {
    const { start } = this;
    if (isLast(start)) {
      if (this.startHint === undefined) {
        this.startHint = offset;
      } else {
        this.arriveAt(Math.max(offset, this.startHint - start.last));
      }
    } else if (offset < 0) {
      this.startHint = offset;
    } else {
      this.arriveAt(offset);
    }
  }

  /** Records below `offset` have been handed out. Never goes back. */
  handedOut(offset: Offset): void {
    if (offset > this.position) {
      this.position = offset;
    }
  }

  /** The user is done with all below `offset`. Never goes back. */
  processed(offset: Offset): void {
    if (offset > this.processedPosition) {
      this.processedPosition = offset;
    }
  }

  #drop(): void {
    this.generation++;
    this.chunks.length = 0;
    this.bufferedBytes = 0;
    this.isUnreadable = false;
    this.failures = 0;
    this.restsUntilMs = 0;
  }
}

export function partitionKey(topicId: TopicId, partition: number): string {
  return `${topicId}/${partition}`;
}

function isLast(start: StartPosition | undefined): start is { readonly last: number } {
  return typeof start === "object" && "last" in start;
}
