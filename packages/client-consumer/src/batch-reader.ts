// From fetched bytes to the next batch worth handing out: checks the CRC, decompresses within bounds, leaves out
// control batches and what lies below the position, and applies `onCorrupt`.

import {
  type BatchHeader,
  isBatchCrcValid,
  type MillraceError,
  RECORD_BATCH_HEADER_BYTES,
  type RecordBatch,
  readBatch,
  readBatchHeader,
} from "@millrace/protocol";
import type { Compute, Logger } from "@millrace/runtime";
import { ConsumerBatch, corruptRecord } from "./consumer-batch.js";
import type { FetchedChunk, PartitionState } from "./partition-state.js";
import type { PrefetchBuffer } from "./prefetch-buffer.js";

export interface BatchReaderOptions {
  readonly compute: Compute;
  readonly logger: Logger;
  readonly buffer: PrefetchBuffer;
  readonly checkCrcs: boolean;
  readonly maxDecompressedBytes: number;
  readonly onCorrupt: "fail" | "skip";
}

/** A batch taken out of the buffer, with what is needed to put it back. */
export interface TakenBatch {
  readonly state: PartitionState;
  readonly generation: number;
  readonly batch: ConsumerBatch;
  readonly bytes: Uint8Array;
}

export class BatchReader {
  readonly #options: BatchReaderOptions;
  #skippedBatches = 0;

  constructor(options: BatchReaderOptions) {
    this.#options = options;
  }

  /** Batches left out because of `onCorrupt: "skip"`. */
  get skippedBatches(): number {
    return this.#skippedBatches;
  }

  /** There is something to take. */
  get hasMore(): boolean {
    return this.#options.buffer.peek() !== undefined;
  }

  /**
   * The next batch in turn; undefined when nothing is buffered. A promise only for compressed batches, or when it
   * fails.
   * @throws MillraceError `CORRUPT_RECORD`; the position stays, so that the next call fails again.
   */
  take(): TakenBatch | Promise<TakenBatch | undefined> | undefined {
    const { buffer } = this.#options;
    for (;;) {
      const turn = buffer.peek();
      if (turn === undefined) {
        return undefined;
      }
      const { state, chunk } = turn;
      const header = this.#readHeader(state, chunk);
      if (header === undefined) {
        // The rest is less than a batch: it comes again with the next answer.
        buffer.advance(state, chunk, chunk.bytes.length - chunk.at);
        continue;
      }
      const taken = this.#takeBatch(state, chunk, header);
      if (taken !== undefined) {
        return taken;
      }
    }
  }

  /** Puts a batch back that was not used up; what was handed out of it is left out next time. */
  putBack(taken: TakenBatch): void {
    if (taken.generation === taken.state.generation && isUnread(taken)) {
      this.#options.buffer.putBack(taken.state, taken.bytes);
    }
  }

  #readHeader(state: PartitionState, chunk: FetchedChunk): BatchHeader | undefined {
    const leftBytes = chunk.bytes.length - chunk.at;
    if (chunk.at > 0 && leftBytes < RECORD_BATCH_HEADER_BYTES) {
      return undefined;
    }
    try {
      const header = readBatchHeader(chunk.bytes, chunk.at);
      if (header.sizeBytes <= leftBytes) {
        return header;
      }
      if (chunk.at > 0) {
        return undefined;
      }
      throw new Error("the broker sent less than one whole record batch");
    } catch (error) {
      // Where the next batch begins is unknown, so there is nothing to skip to.
      const { topic, partition, position } = state;
      throw corruptRecord({ topic, partition, offset: position }, error);
    }
  }

  #takeBatch(
    state: PartitionState,
    chunk: FetchedChunk,
    header: BatchHeader,
  ): TakenBatch | Promise<TakenBatch | undefined> | undefined {
    const { buffer, compute, checkCrcs, maxDecompressedBytes } = this.#options;
    const at = chunk.at;
    const bytes = chunk.bytes.subarray(at, at + header.sizeBytes);
    if (header.lastOffset < state.position) {
      buffer.advance(state, chunk, header.sizeBytes);
      return undefined;
    }
    if (checkCrcs && !isBatchCrcValid(chunk.bytes, at, compute)) {
      this.#corrupt(state, header, "the CRC of the record batch does not match");
      this.#passOver(state, chunk, header);
      return undefined;
    }
    if (header.isControl || header.recordCount === 0) {
      this.#passOver(state, chunk, header);
      return undefined;
    }
    const batch = readBatch(bytes, 0, { compute, maxDecompressedBytes });
    const { generation } = state;
    buffer.advance(state, chunk, header.sizeBytes);
    buffer.rotate(state);
    if (!(batch instanceof Promise)) {
      return { state, generation, batch: this.#present(state, batch), bytes };
    }
    return batch.then(
      (whole) =>
        generation === state.generation
          ? { state, generation, batch: this.#present(state, whole), bytes }
          : undefined,
      (error: unknown) => {
        if (generation !== state.generation) {
          return undefined;
        }
        buffer.putBack(state, bytes);
        this.#corrupt(state, header, error);
        const first = state.chunks[0];
        if (first !== undefined) {
          this.#passOver(state, first, header);
        }
        return undefined;
      },
    );
  }

  #passOver(state: PartitionState, chunk: FetchedChunk, header: BatchHeader): void {
    this.#options.buffer.advance(state, chunk, header.sizeBytes);
    state.handedOut(header.lastOffset + 1);
  }

  #present(state: PartitionState, batch: RecordBatch): ConsumerBatch {
    return new ConsumerBatch(state, batch, (error) => this.#skipOrThrow(error));
  }

  #corrupt(state: PartitionState, header: BatchHeader, cause: unknown): void {
    const { topic, partition } = state;
    const offset = Math.max(state.position, header.baseOffset);
    this.#skipOrThrow(
      corruptRecord({ topic, partition, offset, lastOffset: header.lastOffset }, cause),
    );
  }

  #skipOrThrow(error: MillraceError): void {
    if (this.#options.onCorrupt === "fail") {
      throw error;
    }
    this.#skippedBatches++;
    this.#options.logger.warn({ ...error.details }, "skipped a record batch that cannot be read");
  }
}

function isUnread(taken: TakenBatch): boolean {
  return taken.state.position <= taken.batch.lastOffset;
}
