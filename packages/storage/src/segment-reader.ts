// Reads whole batches from a segment's file: one positional read, every batch verified before it is handed out.
// The bytes come back as they are on disk; damage comes back as `SegmentDamage`.

import {
  type BatchHeader,
  isBatchCrcValid,
  isMillraceError,
  RECORD_BATCH_HEADER_BYTES,
  readBatchHeader,
} from "@millrace/protocol";
import type { BufferPool, Compute, PooledBuffer } from "@millrace/runtime";
import { BatchSequence } from "./core/batch-sequence.js";
import type { LeaderEpochs } from "./core/leader-epochs.js";
import type { LogSlice } from "./log-types.js";
import type { AheadRead } from "./read-ahead.js";
import type { Segment } from "./segment.js";

/** The file does not hold what was written. */
export class SegmentDamage extends Error {
  override readonly name = "SegmentDamage";
  readonly path: string;
  readonly position: number;

  constructor(path: string, position: number, problem: string) {
    super(`${path}: the batch at byte ${position} is damaged: ${problem}`);
    this.path = path;
    this.position = position;
  }
}

export interface SegmentReadOptions {
  readonly segment: Segment;
  readonly offset: number;
  readonly maxBytes: number;
  /** Exclusive. */
  readonly endOffset: number;
  readonly minOneBatch: boolean;
  /** Where the batch with `offset` begins, or one before it. */
  readonly from: number;
  /** Base offset of the batch at `from`; undefined when only its place is known. */
  readonly fromOffset: number | undefined;
  /** Last offset of the batch at `from`, where the index says so. */
  readonly fromLastOffset?: number | undefined;
  /** Bytes that may lie between `from` and the batch with `offset`. */
  readonly slackBytes: number;
  /** Where undamaged batches end; undefined: with the file. */
  readonly endPosition?: number | undefined;
  readonly epochs: LeaderEpochs;
  readonly compute: Pick<Compute, "crc32c">;
  readonly buffers: BufferPool;
  /** What was read ahead from `from` on. */
  readonly ahead?: AheadRead | undefined;
}

export interface SegmentSlice extends LogSlice {
  /** Where the next read begins in the file. */
  readonly nextPosition: number;
}

/** @throws SegmentDamage */
export async function readSegment(options: SegmentReadOptions): Promise<SegmentSlice> {
  const { segment } = options;
  let ahead = await options.ahead?.take();
  let position = options.from;
  let expectedOffset = options.fromOffset;
  let lengthWanted = Math.max(options.maxBytes, RECORD_BATCH_HEADER_BYTES) + options.slackBytes;
  const endPosition = options.endPosition ?? segment.sizeBytes;
  while (position < endPosition) {
    const length = Math.min(lengthWanted, endPosition - position);
    const buffer = ahead ?? (await readInto(options.buffers.take(length), segment, position));
    ahead = undefined;
    const found = collectFrom(buffer, { ...options, position, expectedOffset });
    if (found.slice !== undefined) {
      return found.slice;
    }
    if (found.passedBytes === 0 && buffer.bytes.length >= endPosition - position) {
      throw new SegmentDamage(segment.path, position, "it is longer than the file");
    }
    // The batch asked for begins behind these bytes, or does not fit into them.
    position += found.passedBytes;
    expectedOffset = found.nextOffset;
    lengthWanted = Math.max(lengthWanted, found.neededBytes);
  }
  ahead?.release();
  return { chunks: [], sizeBytes: 0, nextOffset: options.offset, nextPosition: position };
}

/** Fills the whole buffer; it is released when that fails. */
async function readInto(
  buffer: PooledBuffer,
  segment: Segment,
  position: number,
): Promise<PooledBuffer> {
  try {
    const file = await segment.file();
    if ((await file.read(buffer.bytes, position)) < buffer.bytes.length) {
      throw new SegmentDamage(segment.path, position, "the file is shorter than it was");
    }
    return buffer;
  } catch (error) {
    buffer.release();
    throw error;
  }
}

/** The buffer goes with the slice, when there is one with records; else it is released. */
function collectFrom(buffer: PooledBuffer, options: Omit<CollectOptions, "bytes">): Collected {
  let isKept = false;
  try {
    const found = collect({ ...options, bytes: buffer.bytes });
    isKept = (found.slice?.sizeBytes ?? 0) > 0;
    return isKept && found.slice !== undefined
      ? { ...found, slice: { ...found.slice, release: buffer.release } }
      : found;
  } finally {
    if (!isKept) {
      buffer.release();
    }
  }
}

interface CollectOptions extends SegmentReadOptions {
  readonly bytes: Uint8Array;
  readonly position: number;
  readonly expectedOffset: number | undefined;
}

interface Collected {
  /** Undefined: read again, further on or more. */
  readonly slice: SegmentSlice | undefined;
  readonly passedBytes: number;
  readonly nextOffset: number | undefined;
  readonly neededBytes: number;
}

/** What precedes damage is served; who reads on there meets it. */
function collect(options: CollectOptions): Collected {
  const { bytes, position, offset } = options;
  const walk = new Walk(options);
  let start = 0;
  let end = 0;
  let nextOffset = offset;
  for (;;) {
    const header = walk.peekBehind(end - start);
    const isPartial = header === undefined || end + header.sizeBytes > bytes.length;
    if (isPartial && start === end && !isTooLarge(header, options)) {
      return {
        slice: undefined,
        passedBytes: start,
        nextOffset: walk.expectedOffset,
        neededBytes: header?.sizeBytes ?? RECORD_BATCH_HEADER_BYTES,
      };
    }
    if (isPartial) {
      break;
    }
    if (header.lastOffset >= options.endOffset) {
      walk.verifyCrcIf(start === end);
      break;
    }
    if (header.lastOffset < offset) {
      walk.take(header, false);
      start = walk.at;
      end = walk.at;
      continue;
    }
    const isFirst = start === end;
    const fits = end + header.sizeBytes - start <= options.maxBytes;
    if (isFirst ? !fits && !options.minOneBatch : !fits || !walk.isGenuine()) {
      break;
    }
    walk.take(header, isFirst);
    end = walk.at;
    nextOffset = header.lastOffset + 1;
  }
  const chunks = end === start ? [] : [bytes.subarray(start, end)];
  const slice = { chunks, sizeBytes: end - start, nextOffset, nextPosition: position + end };
  return { slice, passedBytes: 0, nextOffset, neededBytes: 0 };
}

/** Whether the batch asked for is there but may not be returned: it alone exceeds `maxBytes`. */
function isTooLarge(header: BatchHeader | undefined, options: CollectOptions): boolean {
  return (
    header !== undefined &&
    header.lastOffset >= options.offset &&
    header.sizeBytes > options.maxBytes &&
    !options.minOneBatch
  );
}

/** Steps from batch to batch through the bytes read, checking each. */
class Walk {
  at = 0;
  readonly #options: CollectOptions;
  #sequence: BatchSequence | undefined;

  constructor(options: CollectOptions) {
    this.#options = options;
    const { expectedOffset, epochs } = options;
    this.#sequence =
      expectedOffset === undefined ? undefined : new BatchSequence(expectedOffset, epochs);
  }

  get expectedOffset(): number | undefined {
    return this.#sequence?.nextOffset;
  }

  /** The header at the current place; undefined when it is not all there. */
  peek(): BatchHeader | undefined {
    const { bytes } = this.#options;
    if (bytes.length - this.at < RECORD_BATCH_HEADER_BYTES) {
      return undefined;
    }
    const header = this.#readHeader();
    const problem = this.#sequence?.problemWith(header) ?? this.#entryProblem(header);
    if (problem !== undefined) {
      throw this.#damage(problem);
    }
    return header;
  }

  /** Like `peek`; but with something to return already, damage is as good as the end of the bytes. */
  peekBehind(foundBytes: number): BatchHeader | undefined {
    try {
      return this.peek();
    } catch (error) {
      if (foundBytes > 0 && error instanceof SegmentDamage) {
        return undefined;
      }
      throw error;
    }
  }

  /** Whether the batch at the current place has the CRC it claims. */
  isGenuine(): boolean {
    return isBatchCrcValid(this.#options.bytes, this.at, this.#options.compute);
  }

  /** Goes past the batch that `peek` returned. */
  take(header: BatchHeader, verifyCrc: boolean): void {
    const { epochs } = this.#options;
    this.#sequence ??= new BatchSequence(header.baseOffset, epochs);
    this.#sequence.accept(header);
    if (verifyCrc) {
      this.verifyCrc();
    }
    this.at += header.sizeBytes;
  }

  /** When nothing will be returned on a header's word alone, it must be genuine. */
  verifyCrcIf(isNeeded: boolean): void {
    if (isNeeded) {
      this.verifyCrc();
    }
  }

  verifyCrc(): void {
    if (!this.isGenuine()) {
      throw this.#damage("it does not have the CRC it claims");
    }
  }

  /** The first batch, where only the index says what it is: a wrong offset there may not end the read as if it were later. */
  #entryProblem(header: BatchHeader): string | undefined {
    const { epochs, fromLastOffset } = this.#options;
    if (this.#sequence !== undefined || fromLastOffset === undefined) {
      return undefined;
    }
    return header.lastOffset === fromLastOffset
      ? new BatchSequence(header.baseOffset, epochs).problemWith(header)
      : `it ends at offset ${header.lastOffset}, not at ${fromLastOffset}`;
  }

  #readHeader(): BatchHeader {
    try {
      return readBatchHeader(this.#options.bytes, this.at);
    } catch (error) {
      throw isMillraceError(error) ? this.#damage("it is not a batch header") : error;
    }
  }

  #damage(problem: string): SegmentDamage {
    return new SegmentDamage(this.#options.segment.path, this.#options.position + this.at, problem);
  }
}
