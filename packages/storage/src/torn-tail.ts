// What stands behind a bad batch past the recovery point: nothing, or batches that may have been acknowledged. A write
// that a power cut interrupted leaves sectors that read as zeros; damage to what was synced does not.

import { isBatchCrcValid, isMillraceError, readBatchHeader } from "@millrace/protocol";
import type { Compute, FileHandle } from "@millrace/runtime";
import { scanBatches } from "./batch-scanner.js";
import { BatchSequence } from "./core/batch-sequence.js";
import { CHUNK_BYTES, readFully } from "./files.js";

/** The unit in which disks write. */
const SECTOR_BYTES = 512;
const MAGIC_AT = 16;
const HEADER_BYTES = 61;
const OFFSET_BYTES = 8;
/** Every batch has something else than zeros in its base offset or its size, which end here. */
const OFFSET_AND_SIZE_BYTES = 12;

export interface BadBatch {
  readonly file: FileHandle;
  readonly compute: Pick<Compute, "crc32c">;
  /** Where it begins, and where the file ends. */
  readonly position: number;
  readonly size: number;
  /** The base offset that belongs there. */
  readonly expectedOffset: number;
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
  const first = await findBatch(bad, bad.position + 1);
  return first === undefined || (await hasLostSector(bad, first.position))
    ? undefined
    : await runsBehind(bad);
}

/** All that is undamaged behind the bad batch, in order. */
export async function runsBehind(bad: BadBatch): Promise<UndamagedRun[]> {
  const runs: UndamagedRun[] = [];
  let { expectedOffset } = bad;
  let found = await findBatch(bad, bad.position + 1);
  while (found !== undefined) {
    const { baseOffset, position: from } = found;
    const sequence = new BatchSequence(baseOffset);
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
      expectedOffset = sequence.nextOffset;
    }
    found = await findBatch({ ...bad, expectedOffset: expectedOffset - 1 }, Math.max(to, from + 1));
  }
  return runs;
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
      if (bytes[at + MAGIC_AT] === 2) {
        const found = await batchAt(bad, { bytes, at, position: start + at });
        if (found !== undefined) {
          return found;
        }
      }
    }
  }
  return undefined;
}

async function batchAt(
  bad: BadBatch,
  place: { readonly bytes: Uint8Array; readonly at: number; readonly position: number },
): Promise<FoundBatch | undefined> {
  const { bytes, at, position } = place;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const sizeBytes = view.getInt32(at + OFFSET_BYTES) + OFFSET_AND_SIZE_BYTES;
  const baseOffset = view.getUint32(at) * 2 ** 32 + view.getUint32(at + 4);
  const isPlausible =
    sizeBytes >= HEADER_BYTES &&
    sizeBytes <= bad.size - position &&
    baseOffset > bad.expectedOffset &&
    baseOffset - bad.expectedOffset < 2 ** 31;
  const batch = isPlausible ? await readFully(bad.file, position, sizeBytes) : undefined;
  return batch !== undefined && isWhole(batch, bad.compute) ? { position, baseOffset } : undefined;
}

function isWhole(batch: Uint8Array, compute: Pick<Compute, "crc32c">): boolean {
  try {
    readBatchHeader(batch);
    return isBatchCrcValid(batch, 0, compute);
  } catch (error) {
    if (isMillraceError(error)) {
      return false;
    }
    throw error;
  }
}

/** Whether some sector between the bad batch's first byte and `end` never got what was written to it. */
async function hasLostSector(bad: BadBatch, end: number): Promise<boolean> {
  let from = bad.position;
  let to = (Math.floor(from / SECTOR_BYTES) + 1) * SECTOR_BYTES;
  while (to <= end) {
    const piece = await readFully(bad.file, from, to - from);
    if (piece?.every((byte) => byte === 0) && isTelling(bad, { from, to })) {
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
