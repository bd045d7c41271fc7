// Actors that read while everything else goes on: random offsets, sizes and bounds, and timestamps. What cannot be
// compared, because the log was cut meanwhile, is not; everything else must be exact.

import type { LogSlice } from "@millrace/storage";
import { checkSlice, isError } from "./compare.js";
import type { Life, OpenLog } from "./life.js";

export async function reader(life: Life): Promise<void> {
  while (!life.isEnding) {
    const open = life.pick();
    if (open !== undefined) {
      const question = life.random.float() < 0.2 ? askForTimestamp : readOnce;
      await question(life, open);
    }
    await life.pause();
  }
}

async function readOnce(life: Life, open: OpenLog): Promise<void> {
  const { model, log } = open;
  const { random } = life;
  const { logStartOffset, flushedOffset } = log;
  const isTruncating = model.cap !== Number.POSITIVE_INFINITY;
  if (life.isDead(open) || isTruncating || logStartOffset > flushedOffset) {
    return;
  }
  const offset = logStartOffset + random.below(flushedOffset - logStartOffset + 1);
  const endOffset =
    random.float() < 0.7 ? flushedOffset : offset + random.below(flushedOffset - offset + 1);
  const question = { offset, endOffset, maxBytes: 1 + random.below(3_000) };
  const { version } = model;
  try {
    const slice = await log.read({ ...question, minOneBatch: true });
    if (!life.isOver && version === model.version) {
      life.tally.read += checkSlice(model, question, slice);
    }
    if (random.float() < 0.3) {
      await holdOn(life, open, slice);
    }
    slice.release?.();
  } catch (error) {
    const isExcused =
      version !== model.version ||
      (offset < log.logStartOffset && isError(error, "OFFSET_OUT_OF_RANGE"));
    if (!isExcused) {
      excuse(life, open, error);
    }
  }
}

/** As an answer that its client does not take yet: until it is released the bytes are what they were. */
async function holdOn(life: Life, { model }: OpenLog, { chunks }: LogSlice): Promise<void> {
  const before = Buffer.concat(chunks);
  await life.pause();
  if (!life.isOver && Buffer.compare(before, Buffer.concat(chunks)) !== 0) {
    throw model.violation("what was read changed before it was released");
  }
}

async function askForTimestamp(life: Life, open: OpenLog): Promise<void> {
  const { model, log } = open;
  const { version } = model;
  const isTruncating = model.cap !== Number.POSITIVE_INFINITY;
  const { logStartOffset, flushedOffset } = log;
  const timestamps = model.live.flatMap((batch) => batch.timestamps);
  const near = timestamps[life.random.below(Math.max(1, timestamps.length))] ?? -1;
  if (life.isDead(open) || model.isDamaged || near < 0) {
    return;
  }
  const timestamp = Math.max(0, near + life.random.below(3) - 1);
  try {
    const found = await log.offsetForTimestamp(timestamp);
    const isComparable =
      !life.isOver &&
      !model.isDamaged &&
      version === model.version &&
      logStartOffset === log.logStartOffset;
    const expected = model.firstWithTimestamp(timestamp, logStartOffset);
    // What was not written when the question was asked may be left out, for a later one or none.
    const mayMiss = expected !== undefined && expected.offset >= flushedOffset;
    const isRight = mayMiss || found?.offset === expected?.offset;
    if (isComparable && !isRight) {
      throw model.violation(
        `timestamp ${timestamp} is at ${expected?.offset}, found at ${found?.offset}`,
      );
    }
  } catch (error) {
    const wasCut = isTruncating || version !== model.version;
    if (!wasCut || !isError(error, "OFFSET_OUT_OF_RANGE")) {
      excuse(life, open, error);
    }
  }
}

/** @throws what has no excuse */
export function excuse(life: Life, open: OpenLog, error: unknown): void {
  const isDamage = isError(error, "CORRUPT_MESSAGE", "PARTITION_QUARANTINED");
  const isTrouble = isError(error, "KAFKA_STORAGE_ERROR", "STORAGE_FULL");
  const isExcused =
    life.isDead(open) || (isDamage && open.model.isDamaged) || (isTrouble && life.hasTrouble);
  if (!isExcused) {
    throw error;
  }
}
