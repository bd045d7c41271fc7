// The way of one call's list into the intake: record by record, each handed in within the decision about the one
// before it, so that no later call gets between two of them, and the intake never holds more than one of a list.

import type { AbortSignalLike } from "@millrace/runtime";
import { abortedError } from "./delivery-errors.js";
import type { ProducerRecord } from "./producer-record.js";
import type { RecordIntake } from "./record-intake.js";
import type { BulkSend } from "./sent-records.js";

export interface ListHandInOptions {
  /** All of one topic. */
  readonly records: readonly ProducerRecord[];
  /** Where each of them is in the call's list; absent when they are all of it. */
  readonly indexes: readonly number[] | undefined;
  readonly calledAtMs: number;
  readonly bulk: BulkSend;
  readonly intake: Pick<RecordIntake, "submit">;
  readonly signal: AbortSignalLike | undefined;
  onBuffered(): void;
  /** Every record is in a batch, or refused. */
  onDone(): void;
}

export class ListHandIn {
  readonly #options: ListHandInOptions;
  #next = 0;
  #isDecided = false;
  #isWaiting = false;

  constructor(options: ListHandInOptions) {
    this.#options = options;
  }

  /** Goes on until a record has to wait; then the decision about that one goes on. */
  run(): void {
    const { records, bulk, signal } = this.#options;
    for (let record = records[this.#next]; record !== undefined; record = records[this.#next]) {
      if (signal?.aborted === true) {
        bulk.refuse(records.length - this.#next, abortedError(record.topic, true));
        break;
      }
      this.#isDecided = false;
      this.#submit(record, this.#next++);
      if (!this.#isDecided) {
        this.#isWaiting = true;
        return;
      }
    }
    this.#options.onDone();
  }

  #submit(record: ProducerRecord, at: number): void {
    const { intake, bulk, indexes, calledAtMs, onBuffered } = this.#options;
    intake.submit({
      record,
      calledAtMs,
      isNextOfCall: at > 0,
      appended: (batch, timestamp) => {
        onBuffered();
        bulk.appended(indexes?.[at] ?? at, batch, timestamp);
        this.#decided();
      },
      refused: (error) => {
        bulk.refuse(1, error);
        this.#decided();
      },
    });
  }

  #decided(): void {
    this.#isDecided = true;
    if (this.#isWaiting) {
      this.#isWaiting = false;
      this.run();
    }
  }
}

/** Records and their places in the list; order counts within a topic only, and topics do not wait for each other. */
export type ListPart = Pick<ListHandInOptions, "records" | "indexes">;

export function partsByTopic(records: readonly ProducerRecord[]): readonly ListPart[] {
  const topic = records[0]?.topic;
  if (records.every((record) => record.topic === topic)) {
    return [{ records, indexes: undefined }];
  }
  const parts = new Map<string, { records: ProducerRecord[]; indexes: number[] }>();
  for (const [index, record] of records.entries()) {
    const part = parts.get(record.topic);
    if (part === undefined) {
      parts.set(record.topic, { records: [record], indexes: [index] });
    } else {
      part.records.push(record);
      part.indexes.push(index);
    }
  }
  return [...parts.values()];
}
