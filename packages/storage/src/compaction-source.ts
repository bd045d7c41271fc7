// The batches of one segment for a cleaning pass, in order and verified: CRC, offsets, epochs. Reads ahead by a chunk.

import {
  type BatchHeader,
  isBatchCrcValid,
  isMillraceError,
  RECORD_BATCH_HEADER_BYTES,
  readBatchHeader,
} from "@millrace/protocol";
import type { Compute, FileHandle } from "@millrace/runtime";
import type { CompactionPacer } from "./compaction-pacer.js";
import { BatchSequence } from "./core/batch-sequence.js";
import type { LeaderEpochs } from "./core/leader-epochs.js";
import { CHUNK_BYTES } from "./files.js";
import type { Segment } from "./segment.js";
import { SegmentDamage } from "./segment-reader.js";

export interface SourceBatch {
  readonly header: BatchHeader;
  /** All of it: a view that is good until the next batch is asked for. */
  readonly bytes: Uint8Array;
}

export interface SourceOptions {
  readonly segment: Segment;
  readonly file: FileHandle;
  readonly epochs: LeaderEpochs;
  readonly compute: Pick<Compute, "crc32c">;
  readonly pacer: CompactionPacer;
  /** `CHUNK_BYTES` of memory, for one segment at a time. */
  readonly buffer: Uint8Array;
}

export class CompactionSource {
  readonly #options: SourceOptions;
  readonly #sequence: BatchSequence;
  readonly #sizeBytes: number;
  #window: Uint8Array = new Uint8Array(0);
  /** Of the window in the file. */
  #windowAt = 0;
  #position = 0;

  constructor(options: SourceOptions) {
    this.#options = options;
    this.#sizeBytes = options.segment.sizeBytes;
    this.#sequence = new BatchSequence(options.segment.baseOffset, options.epochs);
  }

  /** The next batch; undefined at the end. @throws SegmentDamage */
  async next(): Promise<SourceBatch | undefined> {
    if (this.#position === this.#sizeBytes) {
      return undefined;
    }
    let at = await this.#load(RECORD_BATCH_HEADER_BYTES);
    const header = this.#header(at);
    at = await this.#load(header.sizeBytes);
    const bytes = this.#window.subarray(at, at + header.sizeBytes);
    if (!isBatchCrcValid(bytes, 0, this.#options.compute)) {
      throw this.#damage("it does not have the CRC it claims");
    }
    const problem = this.#sequence.accept(header);
    if (problem !== undefined) {
      throw this.#damage(problem);
    }
    this.#position += header.sizeBytes;
    return { header, bytes };
  }

  #header(at: number): BatchHeader {
    try {
      return readBatchHeader(this.#window, at);
    } catch (error) {
      throw isMillraceError(error) ? this.#damage("it is not a batch header") : error;
    }
  }

  /** Where the window holds the next `length` bytes. */
  async #load(length: number): Promise<number> {
    const at = this.#position - this.#windowAt;
    if (at + length <= this.#window.length) {
      return at;
    }
    const size = Math.min(Math.max(length, CHUNK_BYTES), this.#sizeBytes - this.#position);
    if (size < length) {
      throw this.#damage("it is longer than the file");
    }
    const { buffer } = this.#options;
    const window = size <= buffer.length ? buffer.subarray(0, size) : new Uint8Array(size);
    if ((await this.#options.file.read(window, this.#position)) < size) {
      throw this.#damage("the file is shorter than it was");
    }
    this.#window = window;
    this.#windowAt = this.#position;
    await this.#options.pacer.charge(size);
    return 0;
  }

  #damage(problem: string): SegmentDamage {
    return new SegmentDamage(this.#options.segment.path, this.#position, problem);
  }
}
