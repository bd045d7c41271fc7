// The way of a record from `send` into its batch: topic metadata, partition, size, room in the buffer. With all at
// hand it is one synchronous step; else the record waits in line, first come, first served within its topic, and
// at most `maxBlockMs`.

import type { TopicMetadata } from "@millrace/client-core";
import {
  isMillraceError,
  type MillraceError,
  RECORD_BATCH_HEADER_BYTES,
  RecordBatchBuilder,
  type RecordInput,
} from "@millrace/protocol";
import type { Clock, Timer } from "@millrace/runtime";
import type { Accumulator } from "./accumulator.js";
import type { BufferPool, BufferWaiter } from "./buffer-pool.js";
import { deliveryError } from "./delivery-errors.js";
import { choosePartition, type Partitioner } from "./partitioner.js";
import type { ProducerBatch } from "./producer-batch.js";
import type { ProducerRecord } from "./producer-record.js";

/** More calls than this may not wait at once; each holds its record. */
export const WAITING_SENDS_MAX = 1_000_000;

export interface IntakeOptions {
  readonly clock: Clock;
  readonly accumulator: Accumulator;
  readonly pool: BufferPool;
  readonly partitioner: Partitioner;
  readonly maxBlockMs: number;
  cachedTopic(name: string): TopicMetadata | undefined;
  /** Tries until `maxBlockMs` is over. */
  findTopic(name: string): Promise<TopicMetadata>;
  /** A record is in its batch: it may be time to send. */
  onAppended(): void;
}

export interface Submission {
  readonly record: ProducerRecord;
  /** When `send` was called: the record's timestamp, unless it has one. */
  readonly calledAtMs: number;
  /**
   * The record follows another of the same call and topic, and is submitted within that one's `appended` or
   * `refused`, or right after: it takes its place in line, in front of all later calls.
   */
  readonly isNextOfCall?: boolean | undefined;
  /** The record is the last one in `batch` so far. */
  appended(batch: ProducerBatch, timestamp: number): void;
  /** The record was not buffered, and never will be. */
  refused(error: MillraceError): void;
}

interface Line {
  readonly submissions: Set<Submission>;
  /** Known: the line is being emptied. Only what belongs to the calls in it still comes, and does not wait. */
  outcome: TopicMetadata | MillraceError | undefined;
}

export class RecordIntake {
  readonly #options: IntakeOptions;
  readonly #lines = new Map<string, Line>();
  readonly #waitingForRoom = new Map<Submission, BufferWaiter>();
  /** All who wait, in either line, in the order in which they came. */
  readonly #waiting = new Set<Submission>();
  readonly #flushes = new Set<{ readonly pending: Set<Submission>; readonly done: () => void }>();
  #timer: Timer | undefined;
  #closedError: ((topic: string) => MillraceError) | undefined;

  constructor(options: IntakeOptions) {
    this.#options = options;
  }

  get waitingCount(): number {
    return this.#waiting.size;
  }

  /** Ends with exactly one call of `submission.appended` or `submission.refused`, perhaps before it returns. */
  submit(submission: Submission): void {
    const { topic } = submission.record;
    if (this.#closedError !== undefined) {
      submission.refused(this.#closedError(topic));
      return;
    }
    const line = this.#lines.get(topic);
    if (line?.outcome !== undefined) {
      this.#decide(submission, line.outcome);
      return;
    }
    if (line !== undefined) {
      this.#enterLine(line, submission);
      return;
    }
    const metadata = this.#options.cachedTopic(topic);
    if (metadata !== undefined) {
      this.#place(submission, metadata);
      return;
    }
    const newLine: Line = { submissions: new Set(), outcome: undefined };
    this.#lines.set(topic, newLine);
    this.#enterLine(newLine, submission);
    void this.#resolveTopic(topic, newLine);
  }

  /** Takes a submission out of its line. Returns false when it waits nowhere: it is in a batch. */
  withdraw(submission: Submission): boolean {
    const waiter = this.#waitingForRoom.get(submission);
    if (waiter !== undefined) {
      this.#waitingForRoom.delete(submission);
      this.#options.pool.cancel(waiter);
      this.#left(submission);
      return true;
    }
    if (this.#lines.get(submission.record.topic)?.submissions.delete(submission) === true) {
      this.#left(submission);
      return true;
    }
    return false;
  }

  /** Resolves once all who wait now are in a batch, or refused. */
  whenDecided(): Promise<void> {
    if (this.#waiting.size === 0) {
      return Promise.resolve();
    }
    return new Promise((done) => this.#flushes.add({ pending: new Set(this.#waiting), done }));
  }

  /** Refuses all who wait, and all who come. */
  close(error: (topic: string) => MillraceError): void {
    this.#closedError = error;
    for (const submission of [...this.#waiting]) {
      if (this.withdraw(submission)) {
        submission.refused(error(submission.record.topic));
      }
    }
    this.#timer?.cancel();
  }

  #enterLine(line: Line, submission: Submission): void {
    if (this.#waiting.size >= WAITING_SENDS_MAX) {
      submission.refused(
        bufferFull(submission.record.topic, "too many calls of send wait already"),
      );
      return;
    }
    this.#waiting.add(submission);
    line.submissions.add(submission);
  }

  #left(submission: Submission): void {
    this.#waiting.delete(submission);
    for (const flush of this.#flushes) {
      flush.pending.delete(submission);
      if (flush.pending.size === 0) {
        this.#flushes.delete(flush);
        flush.done();
      }
    }
  }

  async #resolveTopic(topic: string, line: Line): Promise<void> {
    let outcome: TopicMetadata | MillraceError;
    try {
      outcome = await this.#options.findTopic(topic);
    } catch (error) {
      outcome = topicError(topic, error);
    }
    line.outcome = outcome;
    for (const submission of line.submissions) {
      line.submissions.delete(submission);
      this.#decide(submission, outcome);
      if (!this.#waitingForRoom.has(submission)) {
        this.#left(submission);
      }
    }
    // All of this was one step: calls made from now on come behind those that were in the line.
    this.#lines.delete(topic);
  }

  #decide(submission: Submission, outcome: TopicMetadata | MillraceError): void {
    if (outcome instanceof Error) {
      submission.refused(outcome);
    } else {
      this.#place(submission, outcome);
    }
  }

  #place(submission: Submission, topic: TopicMetadata): void {
    const { record } = submission;
    try {
      const input: RecordInput = {
        key: record.key ?? null,
        value: record.value,
        headers: record.headers,
        timestamp: record.timestamp ?? submission.calledAtMs,
      };
      const bytes = RecordBatchBuilder.estimateBytes(input);
      if (topic.maxMessageBytes > 0 && bytes + RECORD_BATCH_HEADER_BYTES > topic.maxMessageBytes) {
        assertFits(input, topic);
      }
      if (this.#options.pool.tryReserve(bytes, submission.isNextOfCall)) {
        this.#append(submission, input, { topic, bytes });
      } else {
        this.#waitForRoom(submission, input, { topic, bytes });
      }
    } catch (error) {
      submission.refused(asRefusal(record.topic, error));
    }
  }

  #append(
    submission: Submission,
    input: RecordInput,
    place: { readonly topic: TopicMetadata; readonly bytes: number },
  ): void {
    const { accumulator, partitioner, pool, clock } = this.#options;
    const { topic, bytes } = place;
    let usedBytes = 0;
    try {
      const partitionCount = topic.partitions.length;
      const partition = choosePartition(submission.record, partitionCount, partitioner);
      const batch = accumulator.append(
        {
          topic: topic.name,
          partition,
          estimatedBytes: bytes,
          maxMessageBytes: topic.maxMessageBytes,
        },
        input,
        clock.monotonicMs(),
      );
      usedBytes = batch.lastRecordBytes;
      submission.appended(batch, input.timestamp);
    } finally {
      // What the estimate was too high by, or all of it if the record did not get in.
      pool.release(bytes - usedBytes);
    }
    this.#options.onAppended();
  }

  #waitForRoom(
    submission: Submission,
    input: RecordInput,
    place: { readonly topic: TopicMetadata; readonly bytes: number },
  ): void {
    const { pool, clock, maxBlockMs } = this.#options;
    const { topic } = submission.record;
    if (this.#waiting.size >= WAITING_SENDS_MAX) {
      submission.refused(bufferFull(topic, "too many calls of send wait already"));
      return;
    }
    const waiter: BufferWaiter = {
      bytes: place.bytes,
      isNextOfCall: submission.isNextOfCall === true,
      deadlineMs: clock.monotonicMs() + maxBlockMs,
      admit: () => {
        this.#waitingForRoom.delete(submission);
        try {
          this.#append(submission, input, place);
        } catch (error) {
          submission.refused(asRefusal(topic, error));
        }
        this.#left(submission);
      },
      expire: () => {
        this.#waitingForRoom.delete(submission);
        submission.refused(bufferFull(topic, `the buffer stayed full for ${maxBlockMs} ms`));
        this.#left(submission);
      },
    };
    this.#waiting.add(submission);
    this.#waitingForRoom.set(submission, waiter);
    pool.wait(waiter);
    this.#armTimer();
    // A full buffer is a reason to send what is there.
    this.#options.onAppended();
  }

  #armTimer(): void {
    const { pool, clock } = this.#options;
    const deadlineMs = pool.nextDeadlineMs();
    if (this.#timer !== undefined || deadlineMs === undefined) {
      return;
    }
    this.#timer = clock.setTimer(Math.max(0, deadlineMs - clock.monotonicMs()), () => {
      this.#timer = undefined;
      pool.expire(clock.monotonicMs());
      this.#armTimer();
    });
  }
}

function bufferFull(topic: string, message: string): MillraceError {
  return deliveryError({ code: "BUFFER_FULL", message, definite: true, topic });
}

function topicError(topic: string, error: unknown): MillraceError {
  return isMillraceError(error)
    ? deliveryError({
        code: error.code,
        message: error.message,
        cause: error,
        definite: true,
        topic,
      })
    : asRefusal(topic, error);
}

function asRefusal(topic: string, error: unknown): MillraceError {
  if (isMillraceError(error) && error.details["definite"] === true) {
    return error;
  }
  const code = isMillraceError(error) ? error.code : "INVALID_ARGUMENT";
  const message = error instanceof Error ? error.message : String(error);
  return deliveryError({ code, message, cause: error, definite: true, topic });
}

/** The estimate counts three bytes for each character: only a trial tells whether the record is too large. */
function assertFits(input: RecordInput, topic: TopicMetadata): void {
  const trial = new RecordBatchBuilder();
  trial.append(input);
  if (trial.sizeBytes > topic.maxMessageBytes) {
    throw deliveryError({
      code: "RECORD_TOO_LARGE",
      message: `the record takes ${trial.sizeBytes} bytes, the topic's max.message.bytes is ${topic.maxMessageBytes}`,
      definite: true,
      topic: topic.name,
    });
  }
}
