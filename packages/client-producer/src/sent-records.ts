// The result of sending many records with one call: one promise for all, and metadata made only for those that
// somebody looks at.

import { MillraceError } from "@millrace/protocol";
import type { BulkReceiver, ProducerBatch, RecordRun } from "./producer-batch.js";
import type { RecordMetadata } from "./producer-record.js";

interface SettledRun {
  readonly run: RecordRun;
  readonly batch: ProducerBatch;
}

/** Where each record is. */
interface Places {
  readonly batches: readonly ProducerBatch[];
  readonly deltas: Int32Array;
}

/** Metadata of the records, in the order in which they were given. */
export class SentRecords implements Iterable<RecordMetadata> {
  readonly length: number;
  readonly #runs: readonly SettledRun[];
  readonly #timestamps: readonly number[];
  /** Made when somebody looks. */
  #places: Places | undefined;

  /** @internal */
  constructor(runs: readonly SettledRun[], timestamps: readonly number[]) {
    this.#runs = runs;
    this.#timestamps = timestamps;
    this.length = timestamps.length;
  }

  /** Metadata of the record at `index`; undefined when there is none. */
  at(index: number): RecordMetadata | undefined {
    this.#places ??= placesOf(this.#runs, this.length);
    const { batches, deltas } = this.#places;
    const batch = batches[index];
    const delta = deltas[index];
    const timestamp = this.#timestamps[index];
    const acknowledgement = batch?.acknowledgement;
    if (
      batch === undefined ||
      acknowledgement === undefined ||
      delta === undefined ||
      timestamp === undefined
    ) {
      return undefined;
    }
    const { baseOffset, logAppendTime, replicas, fsynced } = acknowledgement;
    return {
      topic: batch.topic,
      partition: batch.partition,
      offset: baseOffset < 0 ? -1 : baseOffset + delta,
      timestamp: logAppendTime < 0 ? timestamp : logAppendTime,
      replicas,
      fsynced,
    };
  }

  *[Symbol.iterator](): Iterator<RecordMetadata> {
    for (let index = 0; index < this.length; index++) {
      const metadata = this.at(index);
      if (metadata !== undefined) {
        yield metadata;
      }
    }
  }

  /** One entry for each record, in the order they were given. */
  toArray(): RecordMetadata[] {
    return [...this];
  }
}

function placesOf(runs: readonly SettledRun[], length: number): Places {
  const batches = new Array<ProducerBatch>(length);
  const deltas = new Int32Array(length);
  for (const { run, batch } of runs) {
    for (let at = 0; at < run.count; at++) {
      const index = run.indexes?.[at] ?? run.firstIndex + at;
      batches[index] = batch;
      deltas[index] = run.firstDelta + at;
    }
  }
  return { batches, deltas };
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

  settle(run: RecordRun, batch: ProducerBatch): void {
    this.#runs.push({ run, batch });
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
