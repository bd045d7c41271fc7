// What becomes of batches that a follower fetched from its leader. Offsets, epochs and timestamps are the leader's and
// stay as they are; what a CRC leaves out is checked here, so that no answer of a confused leader makes a hole in the
// log. All checks come before the first change. Writes nothing.

import { type BatchHeader, isBatchCrcValid } from "@millrace/protocol";
import { appendObstacle, refused, wholeBatches } from "./append-decision.js";
import type { LogParts } from "./log-parts.js";
import type { AppendOutcome, AppendRefused, FollowerAppendOptions } from "./log-types.js";
import { isPlaceholder, placeholderBatches } from "./placeholder-batch.js";

/** Takes the leader's batches into the tail, or says why not; then nothing has changed. */
export function decideFollowerAppend(
  log: LogParts,
  fetched: Uint8Array,
  options: FollowerAppendOptions,
): AppendOutcome {
  const batches = withoutOverlap(log, fetched);
  const obstruction = appendObstacle(log, batches.byteLength, false);
  if (obstruction !== undefined) {
    return obstruction;
  }
  const headers = wholeBatches(batches);
  if (headers === undefined) {
    return refused("CORRUPT_MESSAGE", "the bytes are not whole record batches");
  }
  return (
    sequenceProblem(log, headers, options) ??
    crcProblem(log, batches, headers) ??
    accept(log, batches, headers)
  );
}

/**
 * The leader's log cleaner joins the offsets of batches that went under one empty batch, which may begin before this
 * log's end: the rest of it is as good (ADR 6).
 */
function withoutOverlap(log: LogParts, fetched: Uint8Array): Uint8Array {
  const [first] = wholeBatches(fetched) ?? [];
  const { end } = log.marks;
  if (first === undefined || !isPlaceholder(first) || first.baseOffset >= end) {
    return fetched;
  }
  const { lastOffset, leaderEpoch, maxTimestamp, sizeBytes } = first;
  const { compute } = log.runtime;
  // One that ends before the log does is left to the check of the sequence.
  const isGenuine = lastOffset >= end && isBatchCrcValid(fetched, 0, compute);
  const [rest] = isGenuine
    ? placeholderBatches({ firstOffset: end, lastOffset, leaderEpoch, maxTimestamp }, compute)
    : [];
  if (rest === undefined) {
    return fetched;
  }
  const batches = fetched.slice(sizeBytes - rest.length);
  batches.set(rest);
  return batches;
}

/** Each batch follows the one before in offset and epoch, and none is of an epoch that the fetch was not made in. */
function sequenceProblem(
  log: LogParts,
  headers: readonly BatchHeader[],
  options: FollowerAppendOptions,
): AppendRefused | undefined {
  if (headers.length === 0) {
    return refused("INVALID_RECORD", "there is no record batch");
  }
  let nextOffset = log.marks.end;
  let epoch = log.epochs.latestEpoch;
  for (const { baseOffset, lastOffset, leaderEpoch } of headers) {
    const follows =
      baseOffset === nextOffset || (options.mayHaveGaps === true && baseOffset > nextOffset);
    if (!follows) {
      return refused(
        "OFFSET_OUT_OF_RANGE",
        `the leader's batch begins at offset ${baseOffset}, ${nextOffset} is next`,
      );
    }
    if (leaderEpoch < epoch || leaderEpoch < 0) {
      return refused(
        "FENCED_LEADER_EPOCH",
        `the leader's batch at offset ${baseOffset} has leader epoch ${leaderEpoch}, the log has ${epoch}`,
      );
    }
    if (leaderEpoch > options.leaderEpoch) {
      return refused(
        "UNKNOWN_LEADER_EPOCH",
        `the leader's batch at offset ${baseOffset} has leader epoch ${leaderEpoch}, it was fetched in ${options.leaderEpoch}`,
      );
    }
    nextOffset = lastOffset + 1;
    epoch = leaderEpoch;
  }
  return undefined;
}

function crcProblem(
  log: LogParts,
  batches: Uint8Array,
  headers: readonly BatchHeader[],
): AppendRefused | undefined {
  let position = 0;
  for (const { baseOffset, sizeBytes } of headers) {
    if (!isBatchCrcValid(batches, position, log.runtime.compute)) {
      return refused(
        "CORRUPT_MESSAGE",
        `the leader's batch at offset ${baseOffset} does not have the CRC it claims`,
      );
    }
    position += sizeBytes;
  }
  return undefined;
}

function accept(
  log: LogParts,
  batches: Uint8Array,
  headers: readonly BatchHeader[],
): AppendOutcome {
  const { marks, tail, epochs, producers, runtime, services } = log;
  const nowMs = runtime.clock.nowMs();
  const baseOffset = headers[0]?.baseOffset ?? marks.end;
  let position = 0;
  for (const header of headers) {
    if (epochs.assign(header.leaderEpoch, header.baseOffset)) {
      log.areEpochsDirty = true;
    }
    const bytes = batches.subarray(position, position + header.sizeBytes);
    tail.append({ bytes, header, undo: producers.apply(header, nowMs), hold: undefined });
    marks.appended(header.lastOffset + 1);
    position += header.sizeBytes;
  }
  producers.keepNewest(log.storage.producersPerLogMax);
  services.countQueued(batches.byteLength);
  const lastOffset = marks.end - 1;
  return { ok: true, baseOffset, lastOffset, logAppendTime: -1, isDuplicate: false };
}
