// Walks over the batches of a segment file from one position to another, reading it in large chunks and skipping
// bodies that nobody looks at. Reports where the walk ended and why; what that means is the caller's decision.

import {
  type BatchHeader,
  isBatchCrcValid,
  isMillraceError,
  RECORD_BATCH_HEADER_BYTES,
  readBatchHeader,
} from "@millrace/protocol";
import type { Compute } from "@millrace/runtime";
import type { BatchSequence } from "./core/batch-sequence.js";
import { CHUNK_BYTES, type ReadableFile } from "./files.js";

export interface ScannedBatch {
  readonly header: BatchHeader;
  /** In the file. */
  readonly position: number;
  /** Where `window` holds the batch; its body only with `verifyCrc` or `wholeBatches`. */
  readonly windowAt: number;
  readonly window: Uint8Array;
}

export interface ScanOptions {
  readonly file: ReadableFile;
  readonly from: number;
  readonly to: number;
  /** Checks offsets and epochs from batch to batch. */
  readonly sequence?: BatchSequence | undefined;
  /** Verifies every batch's CRC. */
  readonly verifyCrc?: Pick<Compute, "crc32c"> | undefined;
  /** The visitor needs the bodies. */
  readonly wholeBatches?: boolean | undefined;
  /** Returning false ends the walk before this batch. */
  readonly visit: (batch: ScannedBatch) => boolean | undefined;
}

export interface ScanEnd {
  /** End of the last good batch. */
  readonly position: number;
  /** Why what follows is not a batch; undefined when the walk came to its end, or the visitor ended it. */
  readonly problem: string | undefined;
}

/** Never throws for what the file holds, only for failed reads. */
export async function scanBatches(options: ScanOptions): Promise<ScanEnd> {
  const { to } = options;
  const needsBody = options.verifyCrc !== undefined || options.wholeBatches === true;
  const window = new ReadWindow(options.file, to);
  let position = options.from;
  while (position < to) {
    let at = await window.load(position, RECORD_BATCH_HEADER_BYTES);
    if (at === undefined) {
      return { position, problem: "it is cut off within its header" };
    }
    const header = tryReadHeader(window.bytes, at);
    if (typeof header === "string") {
      return { position, problem: header };
    }
    if (header.sizeBytes > to - position) {
      return {
        position,
        problem: `it claims ${header.sizeBytes} bytes, ${to - position} are there`,
      };
    }
    if (needsBody) {
      at = await window.load(position, header.sizeBytes);
      if (at === undefined) {
        return { position, problem: "its bytes cannot be read" };
      }
    }
    const crc = options.verifyCrc;
    if (crc !== undefined && !isBatchCrcValid(window.bytes, at, crc)) {
      return { position, problem: "it does not have the CRC it claims" };
    }
    const problem = options.sequence?.accept(header);
    if (problem !== undefined) {
      return { position, problem };
    }
    if (options.visit({ header, position, windowAt: at, window: window.bytes }) === false) {
      return { position, problem: undefined };
    }
    position += header.sizeBytes;
  }
  return { position, problem: undefined };
}

function tryReadHeader(bytes: Uint8Array, at: number): BatchHeader | string {
  try {
    return readBatchHeader(bytes, at);
  } catch (error) {
    if (isMillraceError(error)) {
      return "it is not a batch header";
    }
    throw error;
  }
}

/** A stretch of the file in memory that moves forward. */
class ReadWindow {
  bytes = new Uint8Array(0);
  #start = 0;
  readonly #file: ReadableFile;
  readonly #end: number;

  constructor(file: ReadableFile, end: number) {
    this.#file = file;
    this.#end = end;
  }

  /** Makes sure that `length` bytes at `position` are there; returns where, undefined when the file ends before. */
  async load(position: number, length: number): Promise<number | undefined> {
    const at = position - this.#start;
    if (at >= 0 && at + length <= this.bytes.length) {
      return at;
    }
    const size = Math.min(Math.max(length, CHUNK_BYTES), this.#end - position);
    if (size < length) {
      return undefined;
    }
    const target = new Uint8Array(size);
    const count = await this.#file.read(target, position);
    this.bytes = target.subarray(0, count);
    this.#start = position;
    return count < length ? undefined : 0;
  }
}
