// What stands behind a bad batch past the recovery point: nothing, or batches that may have been acknowledged. A write
// that a power cut interrupted leaves sectors that read as zeros; damage to what was synced does not.

import {
  type BatchHeader,
  isBatchCrcValid,
  isMillraceError,
  readBatchHeader,
} from "@millrace/protocol";
import type { Compute } from "@millrace/runtime";
import { scanBatches } from "./batch-scanner.js";
import { BatchSequence } from "./core/batch-sequence.js";
import type { LeaderEpochs } from "./core/leader-epochs.js";
import { isSingleBitError } from "./core/single-bit-error.js";
import { CHUNK_BYTES, type ReadableFile, readFully } from "./files.js";

/** The unit in which disks write. */
const SECTOR_BYTES = 512;
const MAGIC_AT = 16;
/** The CRC covers what lies behind it. */
const CRC_AT = 17;
const CRC_BYTES = 4;
const HEADER_BYTES = 61;
const OFFSET_BYTES = 8;
/** Every batch has something else than zeros in its base offset or its size, which end here. */
const OFFSET_AND_SIZE_BYTES = 12;

export interface BadBatch {
  readonly file: ReadableFile;
  readonly compute: Pick<Compute, "crc32c">;
  /** Where it begins, and where the file ends. */
  readonly position: number;
  readonly size: number;
  /** The base offset that belongs there. */
  readonly expectedOffset: number;
  /** What the checkpoint file says: a batch of another epoch is no undamaged one. */
  readonly epochs?: LeaderEpochs | undefined;
}

/** Undamaged batches, back to back. */
export interface UndamagedRun {
  /** In the file; `to` is exclusive. */
  readonly from: number;
  readonly to: number;
  readonly baseOffset: number;
  /** Exclusive. */
  readonly endOffset: number;
}

/**
 * What follows the bad batch, if it must be feared that it was acknowledged; undefined when the bad batch and all
 * behind it are the rest of an interrupted write, and may be cut.
 */
export async function runsBehindBadBatch(
  bad: BadBatch,
): Promise<readonly UndamagedRun[] | undefined> {
  const first = await nextBatch(bad);
  if (first === undefined) {
    return undefined;
  }
  const isLost =
    (await hasLostSector(bad, first.position)) && !(await isBitRot(bad, first.position));
  return isLost ? undefined : await runsBehind(bad);
}

/** What can be read of a damaged segment, by every batch's CRC: a damaged header may say anything about where it ends. */
export async function undamagedRuns(
  segment: Pick<BadBatch, "file" | "compute" | "size" | "epochs"> & { readonly baseOffset: number },
): Promise<UndamagedRun[]> {
  const { file, compute, size, epochs, baseOffset } = segment;
  const sequence = new BatchSequence(baseOffset, epochs);
  const { position } = await scanBatches({
    file,
    from: 0,
    to: size,
    verifyCrc: compute,
    sequence,
    visit: () => undefined,
  });
  const expectedOffset = sequence.nextOffset;
  const first = { from: 0, to: position, baseOffset, endOffset: expectedOffset };
  const bad = { file, compute, size, position, expectedOffset, epochs };
  return [first, ...(await runsBehind(bad))];
}

/** All that is undamaged behind the bad batch, in order. */
export async function runsBehind(bad: BadBatch): Promise<UndamagedRun[]> {
  const runs: UndamagedRun[] = [];
  let found = await nextBatch(bad);
  while (found !== undefined) {
    const { baseOffset, position: from } = found;
    const sequence = new BatchSequence(baseOffset, bad.epochs);
    const { position: to } = await scanBatches({
      file: bad.file,
      from,
      to: bad.size,
      verifyCrc: bad.compute,
      sequence,
      visit: () => undefined,
    });
    if (to > from) {
      runs.push({ from, to, baseOffset, endOffset: sequence.nextOffset });
    }
    found = await nextBatch({ ...bad, position: to, expectedOffset: sequence.nextOffset });
  }
  return runs;
}

/**
 * The first undamaged batch behind the bad one. Where the bad batch's own size leads to its successor, that is it: its
 * records may hold what looks like batches. Else every byte may be the first of one.
 */
export async function nextBatch(bad: BadBatch): Promise<FoundBatch | undefined> {
  const { file, position, expectedOffset } = bad;
  const header = await headerAt(file, position);
  const successor =
    header === undefined ? undefined : await batchAt(bad, position + header.sizeBytes);
  return header !== undefined &&
    successor?.baseOffset === expectedOffset + header.lastOffsetDelta + 1
    ? successor
    : await findBatch(bad, position + 1);
}

export interface FoundBatch {
  readonly position: number;
  readonly baseOffset: number;
}

/** The first undamaged batch of a later offset at or behind `from`, wherever it begins. */
export async function findBatch(bad: BadBatch, from: number): Promise<FoundBatch | undefined> {
  const { file, size } = bad;
  for (let start = from; start + HEADER_BYTES <= size; start += CHUNK_BYTES) {
    // Headers may begin anywhere in the chunk, so a header's length more is read.
    const length = Math.min(CHUNK_BYTES + HEADER_BYTES - 1, size - start);
    const bytes = await readFully(file, start, length);
    for (let at = 0; bytes !== undefined && at + HEADER_BYTES <= length; at++) {
      const isCandidate =
        bytes[at + MAGIC_AT] === 2 && isPlausible(bad, { bytes, at, position: start + at });
      if (isCandidate) {
        const found = await batchAt(bad, start + at);
        if (found !== undefined) {
          return found;
        }
      }
    }
  }
  return undefined;
}

/** A look at what rules nearly everything out, without a read. */
function isPlausible(
  bad: BadBatch,
  place: { readonly bytes: Uint8Array; readonly at: number; readonly position: number },
): boolean {
  const { bytes, at, position } = place;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const sizeBytes = view.getInt32(at + OFFSET_BYTES) + OFFSET_AND_SIZE_BYTES;
  const baseOffset = view.getUint32(at) * 2 ** 32 + view.getUint32(at + 4);
  return (
    sizeBytes >= HEADER_BYTES &&
    sizeBytes <= bad.size - position &&
    baseOffset > bad.expectedOffset &&
    baseOffset - bad.expectedOffset < 2 ** 31
  );
}

async function batchAt(bad: BadBatch, position: number): Promise<FoundBatch | undefined> {
  const { file, size, compute, epochs, expectedOffset } = bad;
  const header = await headerAt(file, position);
  const isNext =
    header !== undefined &&
    header.sizeBytes <= size - position &&
    header.baseOffset > expectedOffset &&
    new BatchSequence(header.baseOffset, epochs).problemWith(header) === undefined;
  const batch = isNext ? await readFully(file, position, header.sizeBytes) : undefined;
  return batch !== undefined && isBatchCrcValid(batch, 0, compute)
    ? { position, baseOffset: header?.baseOffset ?? 0 }
    : undefined;
}

async function headerAt(file: ReadableFile, position: number): Promise<BatchHeader | undefined> {
  const bytes = await readFully(file, position, HEADER_BYTES);
  return bytes === undefined ? undefined : tryReadHeader(bytes);
}

function tryReadHeader(bytes: Uint8Array): BatchHeader | undefined {
  try {
    return readBatchHeader(bytes);
  } catch (error) {
    if (isMillraceError(error)) {
      return undefined;
    }
    throw error;
  }
}

/**
 * Whether the bad batch, which ends at `end`, is as it was written but for one bit, or for what its CRC does not cover.
 * Then it was on the disk once, and sectors of zeros are what it holds.
 */
async function isBitRot(bad: BadBatch, end: number): Promise<boolean> {
  const { file, position, compute } = bad;
  const bytes =
    end - position < HEADER_BYTES ? undefined : await readFully(file, position, end - position);
  if (bytes === undefined || isBeginningLost(bad, bytes)) {
    return false;
  }
  const covered = bytes.subarray(CRC_AT + CRC_BYTES);
  const claimed = new DataView(bytes.buffer, bytes.byteOffset + CRC_AT, CRC_BYTES).getUint32(0);
  const actual = compute.crc32c(covered);
  return actual === claimed || isSingleBitError(actual, claimed, covered.length);
}

/**
 * Whether the batch's first sector, which may hold no more of it than its CRC does not cover, never got what was written
 * to it: zeros where offset and size have more than one bit, so that no single flip can have made them.
 */
function isBeginningLost(bad: BadBatch, bytes: Uint8Array): boolean {
  const length = SECTOR_BYTES - (bad.position % SECTOR_BYTES);
  if (bytes.subarray(0, length).some((byte) => byte !== 0)) {
    return false;
  }
  const written = expectedStart(bad, bytes.length).subarray(0, length);
  return written.reduce((bits, byte) => bits + bitsIn(byte), 0) > 1;
}

/** Base offset and size of the bad batch as they were written. */
function expectedStart({ expectedOffset }: BadBatch, sizeBytes: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(OFFSET_AND_SIZE_BYTES));
  view.setBigInt64(0, BigInt(expectedOffset));
  view.setInt32(OFFSET_BYTES, sizeBytes - OFFSET_AND_SIZE_BYTES);
  return new Uint8Array(view.buffer);
}

function bitsIn(byte: number): number {
  let count = 0;
  for (let rest = byte; rest !== 0; rest >>>= 1) {
    count += rest & 1;
  }
  return count;
}

/**
 * Whether some sector between the bad batch's first byte and `end` never got what was written to it. The last one may hold
 * the next batch's first bytes, too: the zeros that most base offsets begin with.
 */
async function hasLostSector(bad: BadBatch, end: number): Promise<boolean> {
  let from = bad.position;
  let to = (Math.floor(from / SECTOR_BYTES) + 1) * SECTOR_BYTES;
  while (from < end) {
    const piece = await readFully(bad.file, from, to - from);
    if (piece?.every((byte) => byte === 0) && isTelling(bad, { from, to: Math.min(to, end) })) {
      return true;
    }
    from = to;
    to += SECTOR_BYTES;
  }
  return false;
}

/** Whether zeros there are not just the leading zeros of the batch's base offset. */
function isTelling(bad: BadBatch, piece: { readonly from: number; readonly to: number }): boolean {
  const length = piece.to - piece.from;
  if (piece.from > bad.position || length > OFFSET_AND_SIZE_BYTES) {
    return true;
  }
  const expected = new DataView(new ArrayBuffer(OFFSET_AND_SIZE_BYTES));
  expected.setBigInt64(0, BigInt(bad.expectedOffset));
  return new Uint8Array(expected.buffer, 0, length).some((byte) => byte !== 0);
}
