// Compares what a log serves with what the model says: reads, look-ups by timestamp, epochs, retries. Each function
// throws a `Violation`; errors that the circumstances excuse are the caller's.

import { batchHeaders, isMillraceError } from "@millrace/protocol";
import type { Random } from "@millrace/runtime";
import type { Log, LogSlice } from "@millrace/storage";
import { joinBytes } from "./batches.js";
import type { ModelBatch, ModelLog } from "./model-log.js";

export function isError(error: unknown, ...codes: readonly string[]): boolean {
  return isMillraceError(error) && codes.includes(error.code);
}

export function joined({ chunks }: LogSlice): Uint8Array {
  return joinBytes(chunks);
}

export interface SliceQuestion {
  readonly offset: number;
  readonly maxBytes: number;
  readonly endOffset: number;
}

/** Whole batches from the one that holds `offset` on, byte by byte, and as many as asked for. Returns their number. */
export function checkSlice(model: ModelLog, question: SliceQuestion, slice: LogSlice): number {
  const { offset, maxBytes, endOffset } = question;
  const bytes = joined(slice);
  let next = offset;
  let count = 0;
  for (const { position, header } of batchHeaders(bytes)) {
    const expected = model.batchAt(next);
    if (expected === undefined) {
      throw model.violation(`served offset ${header.baseOffset}, which was never appended`);
    }
    const served = bytes.subarray(position, position + header.sizeBytes);
    if (!isEqual(served, expected.bytes)) {
      throw model.violation(`offset ${expected.baseOffset} is served with other bytes`);
    }
    if (expected.lastOffset >= endOffset) {
      throw model.violation(`offset ${expected.lastOffset} is served, ${endOffset} was the bound`);
    }
    next = expected.lastOffset + 1;
    count++;
  }
  if (slice.nextOffset !== next) {
    throw model.violation(`a read to ${next} says to go on at ${slice.nextOffset}`);
  }
  if (count > 1 && bytes.length > maxBytes) {
    throw model.violation(`${bytes.length} bytes are served, ${maxBytes} were asked for`);
  }
  const first = model.batchAt(offset);
  if (count === 0 && first !== undefined && first.lastOffset < endOffset) {
    throw model.violation(`nothing is served at offset ${offset}`);
  }
  return count;
}

/** Every batch from the log start to the flushed mark. Returns how many. */
export async function readWhole(model: ModelLog, log: Log, random: Random): Promise<number> {
  const endOffset = log.flushedOffset;
  let offset = log.logStartOffset;
  let count = 0;
  while (offset < endOffset) {
    const question = { offset, endOffset, maxBytes: 1 + random.below(4_000) };
    const slice = await log.read({ ...question, minOneBatch: true });
    const served = checkSlice(model, question, slice);
    if (served === 0) {
      throw model.violation(`nothing is served at offset ${offset}, flushed is ${endOffset}`);
    }
    count += served;
    offset = slice.nextOffset;
  }
  return count;
}

/** Asks for a few timestamps around those that there are. Nothing may change meanwhile. */
export async function checkTimestamps(model: ModelLog, log: Log, random: Random): Promise<void> {
  const all = model.live.flatMap((batch) => batch.timestamps);
  for (let count = 0; count < 3 && all.length > 0; count++) {
    const timestamp = Math.max(0, (all[random.below(all.length)] ?? 0) + random.below(3) - 1);
    const expected = model.firstWithTimestamp(timestamp, log.logStartOffset);
    const found = await log.offsetForTimestamp(timestamp);
    if (found?.offset !== expected?.offset || found?.timestamp !== expected?.timestamp) {
      throw model.violation(
        `timestamp ${timestamp} is at ${expected?.offset}, found at ${found?.offset}`,
      );
    }
  }
  const live = model.live.flatMap((batch) =>
    batch.timestamps.filter((_, index) => batch.baseOffset + index >= log.logStartOffset),
  );
  const largest = live.reduce((max, timestamp) => Math.max(max, timestamp), -1);
  const expected =
    largest < 0 ? undefined : model.firstWithTimestamp(largest, log.logStartOffset)?.offset;
  const found = (await log.maxTimestampOffset())?.offset;
  if (found !== expected) {
    throw model.violation(`the largest timestamp is at ${expected}, found at ${found}`);
  }
}

/** Where each epoch of the live batches ends, and that newer ones are not known. */
export function checkEpochs(model: ModelLog, log: Log): void {
  const live = model.live;
  const first = live[0];
  const last = live.at(-1);
  if (first === undefined || last === undefined) {
    return;
  }
  for (let epoch = first.epoch; epoch <= last.epoch; epoch++) {
    const own = live.findLast((batch) => batch.epoch <= epoch)?.epoch;
    const next = live.find((batch) => batch.epoch > epoch);
    const expected = next?.baseOffset ?? model.end;
    const found = log.endOffsetForEpoch(epoch);
    if (found.endOffset !== expected || found.epoch !== own) {
      throw model.violation(
        `epoch ${epoch} ends at ${expected} (${own}), the log says ${found.endOffset} (${found.epoch})`,
      );
    }
  }
  if (log.endOffsetForEpoch(last.epoch + 1).endOffset !== -1) {
    throw model.violation(`epoch ${last.epoch + 1} is not known, and has an end`);
  }
}

/** Sends each producer's last five batches again: each is there already, at its old place. Returns how many. */
export function checkRetries(model: ModelLog, log: Log): number {
  let count = 0;
  for (const producerId of model.producerIds()) {
    for (const batch of model.lastFive(producerId)) {
      if (batch.baseOffset >= model.start) {
        checkRetry(model, log, batch);
        count++;
      }
    }
  }
  return count;
}

export function checkRetry(model: ModelLog, log: Log, batch: ModelBatch): void {
  const outcome = log.append(batch.bytes.slice(), { leaderEpoch: Math.max(0, log.latestEpoch) });
  const isRight = outcome.ok && outcome.isDuplicate && outcome.baseOffset === batch.baseOffset;
  // The segments may have become smaller than the batch meanwhile.
  const isExcused =
    !outcome.ok && ["STORAGE_FULL", "RECORD_LIST_TOO_LARGE"].includes(outcome.error);
  if (!isRight && !isExcused) {
    const answer = outcome.ok ? `offset ${outcome.baseOffset}` : outcome.error;
    throw model.violation(`a retry of the batch at ${batch.baseOffset} got ${answer}`);
  }
}

export function isEqual(left: Uint8Array, right: Uint8Array): boolean {
  return Buffer.compare(left, right) === 0;
}
