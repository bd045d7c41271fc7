// What a producer counted so far. Counters only grow; the shell calls, nothing here decides.

import type { ProducerBatch } from "./producer-batch.js";

/** Counts since the producer was made, and what it holds at the moment. */
export interface ProducerMetrics {
  /** Records taken into the buffer. */
  readonly recordsBuffered: number;
  readonly recordsAcknowledged: number;
  readonly recordsFailed: number;
  readonly batchesAcknowledged: number;
  readonly batchesFailed: number;
  readonly requests: number;
  /** Attempts beyond each batch's first. */
  readonly retries: number;
  /** Bytes of batches sent, after compression, retries included. */
  readonly bytesSent: number;
  /** Means over acknowledged batches; 0 while there are none. */
  readonly recordsPerBatch: number;
  readonly bytesPerBatch: number;
  /** From a batch's first record to its acknowledgement. */
  readonly ackMs: { readonly mean: number; readonly max: number };
  readonly bufferUsedBytes: number;
  readonly bufferCapacityBytes: number;
  /** Calls of `send` that wait for room in the buffer. */
  readonly waitingSends: number;
  readonly requestsInFlight: number;
}

/** What only others know at the moment of asking. */
export type ProducerGauges = Pick<
  ProducerMetrics,
  "bufferUsedBytes" | "bufferCapacityBytes" | "waitingSends" | "requestsInFlight"
>;

export class MetricsRecorder {
  #recordsBuffered = 0;
  #recordsAcknowledged = 0;
  #recordsFailed = 0;
  #batchesAcknowledged = 0;
  #batchesFailed = 0;
  #requests = 0;
  #retries = 0;
  #bytesSent = 0;
  #bytesAcknowledged = 0;
  #ackMsTotal = 0;
  #ackMsMax = 0;

  recordBuffered(): void {
    this.#recordsBuffered++;
  }

  requestSent(batches: readonly ProducerBatch[]): void {
    this.#requests++;
    for (const batch of batches) {
      this.#retries += batch.attempts > 1 ? 1 : 0;
      this.#bytesSent += batch.sizeBytes;
    }
  }

  batchAcknowledged(batch: ProducerBatch, ackMs: number): void {
    this.#batchesAcknowledged++;
    this.#recordsAcknowledged += batch.recordCount;
    this.#bytesAcknowledged += batch.sizeBytes;
    this.#ackMsTotal += ackMs;
    this.#ackMsMax = Math.max(this.#ackMsMax, ackMs);
  }

  batchFailed(batch: ProducerBatch): void {
    this.#batchesFailed++;
    this.#recordsFailed += batch.recordCount;
  }

  read(gauges: ProducerGauges): ProducerMetrics {
    const batches = Math.max(1, this.#batchesAcknowledged);
    return {
      recordsBuffered: this.#recordsBuffered,
      recordsAcknowledged: this.#recordsAcknowledged,
      recordsFailed: this.#recordsFailed,
      batchesAcknowledged: this.#batchesAcknowledged,
      batchesFailed: this.#batchesFailed,
      requests: this.#requests,
      retries: this.#retries,
      bytesSent: this.#bytesSent,
      recordsPerBatch: this.#recordsAcknowledged / batches,
      bytesPerBatch: this.#bytesAcknowledged / batches,
      ackMs: { mean: this.#ackMsTotal / batches, max: this.#ackMsMax },
      ...gauges,
    };
  }
}
