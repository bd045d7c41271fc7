// The result of sending many records with one call: one promise for all, and metadata made only for those that
// somebody looks at.

import { MillraceError } from "@millrace/protocol";
import type { BulkReceiver, ProducerBatch } from "./producer-batch.js";
import type { RecordMetadata } from "./producer-record.js";

interface SettledRun {
  readonly firstIndex: number;
  readonly firstDelta: number;
  readonly count: number;
  readonly batch: ProducerBatch;
}

/** Metadata of the records, in the order in which they were given. */
export class SentRecords implements Iterable<RecordMetadata> {
  readonly length: number;
  readonly #runs: readonly SettledRun[];
  readonly #timestamps: readonly number[];

  /** @internal */
  constructor(runs: readonly SettledRun[], timestamps: readonly number[]) {
    this.#runs = runs;
    this.#timestamps = timestamps;
    this.length = timestamps.length;
  }

  /** Metadata of the record at `index`; undefined when there is none. */
  at(index: number): RecordMetadata | undefined {
    let low = 0;
    let high = this.#runs.length - 1;
    while (low <= high) {
      const middle = (low + high) >>> 1;
      const run = this.#runs[middle];
      if (run === undefined || index < run.firstIndex) {
        high = middle - 1;
      } else if (index >= run.firstIndex + run.count) {
        low = middle + 1;
      } else {
        return this.#metadata(run, index);
      }
    }
    return undefined;
  }

  *[Symbol.iterator](): Iterator<RecordMetadata> {
    for (const run of this.#runs) {
      for (let index = run.firstIndex; index < run.firstIndex + run.count; index++) {
        const metadata = this.#metadata(run, index);
        if (metadata !== undefined) {
          yield metadata;
        }
      }
    }
  }

  /** One entry for each record, in the order they were given. */
  toArray(): RecordMetadata[] {
    return [...this];
  }

  #metadata(run: SettledRun, index: number): RecordMetadata | undefined {
    const acknowledgement = run.batch.acknowledgement;
    const timestamp = this.#timestamps[index];
    if (acknowledgement === undefined || timestamp === undefined) {
      return undefined;
    }
    const { baseOffset, logAppendTime, replicas, fsynced } = acknowledgement;
    const delta = run.firstDelta + index - run.firstIndex;
    return {
      topic: run.batch.topic,
      partition: run.batch.partition,
      offset: baseOffset < 0 ? -1 : baseOffset + delta,
      timestamp: logAppendTime < 0 ? timestamp : logAppendTime,
      replicas,
      fsynced,
    };
  }
}

/** Gathers the outcomes of one such call; settles when the last of its records is decided. */
export class BulkSend implements BulkReceiver {
  readonly promise: Promise<SentRecords>;
  readonly #runs: SettledRun[] = [];
  readonly #timestamps: number[] = [];
  readonly #total: number;
  #decided = 0;
  #failed = 0;
  #isDefinite = true;
  #firstError: MillraceError | undefined;
  #resolve: (sent: SentRecords) => void = () => {};
  #reject: (error: MillraceError) => void = () => {};

  constructor(total: number) {
    this.#total = total;
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.#finishIfDecided();
  }

  /** The record at `index` is in `batch`, as its last one so far. */
  appended(index: number, batch: ProducerBatch, timestamp: number): void {
    this.#timestamps[index] = timestamp;
    batch.addBulk(this, index, batch.recordCount - 1);
  }

  settle(run: Omit<SettledRun, "batch">, batch: ProducerBatch): void {
    this.#runs.push({ ...run, batch });
    if (batch.error !== undefined) {
      this.#countFailure(run.count, batch.error);
    }
    this.#decided += run.count;
    this.#finishIfDecided();
  }

  /** `count` records could not be sent at all. */
  refuse(count: number, error: MillraceError): void {
    this.#countFailure(count, error);
    this.#decided += count;
    this.#finishIfDecided();
  }

  #countFailure(count: number, error: MillraceError): void {
    this.#failed += count;
    this.#isDefinite &&= error.details["definite"] === true;
    this.#firstError ??= error;
  }

  #finishIfDecided(): void {
    if (this.#decided < this.#total) {
      return;
    }
    if (this.#firstError !== undefined) {
      this.#reject(this.#summary(this.#firstError));
      return;
    }
    this.#runs.sort((left, right) => left.firstIndex - right.firstIndex);
    this.#resolve(new SentRecords(this.#runs, this.#timestamps));
  }

  #summary(first: MillraceError): MillraceError {
    const failed = this.#failed;
    return new MillraceError(
      first.code,
      `${failed} of ${this.#total} records failed, the first with ${first.message}`,
      {
        cause: first,
        retriable: first.retriable,
        fatal: first.fatal,
        details: {
          ...first.details,
          failed,
          acknowledged: this.#total - failed,
          definite: this.#isDefinite && failed === this.#total,
        },
      },
    );
  }
}
