// What becomes of an append: decided at once and in memory, so that offsets and sequence numbers follow the order in
// which appends arrive. All checks come before the first change. Writes nothing.

import {
  type BatchHeader,
  batchHeaders,
  isMillraceError,
  patchBatchPosition,
  patchLogAppendTime,
  readBatchHeader,
  type WireErrorName,
} from "@millrace/protocol";
import type { ProducerBatch, ProducerUndo } from "./core/producer-state.js";
import { Hold } from "./hold.js";
import type { LogParts } from "./log-parts.js";
import type { AppendOptions, AppendOutcome, AppendRefused } from "./log-types.js";

export const refused = (error: WireErrorName, message: string): AppendRefused => ({
  ok: false,
  error,
  message,
});

/** Takes the batches into the tail, or says why not (then nothing has changed), or finds that they are there already. */
export function decideAppend(
  log: LogParts,
  batches: Uint8Array,
  options: AppendOptions,
): AppendOutcome {
  const obstruction = appendObstacle(log, batches.byteLength, options.mayUseReserve === true);
  if (obstruction !== undefined) {
    return obstruction;
  }
  const headers = wholeBatches(batches, options.headers);
  if (headers === undefined) {
    return refused("CORRUPT_MESSAGE", "the bytes are not whole record batches");
  }
  return (
    batchProblem(log, headers, options.leaderEpoch) ??
    checkSequences(log, headers) ??
    accept(log, headers, { ...options, batches })
  );
}

/** Why nothing can be appended at the moment, whatever it is. */
export function appendObstacle(
  log: LogParts,
  sizeBytes: number,
  mayUseReserve: boolean,
): AppendRefused | undefined {
  const { services, storage, damage } = log;
  if (services.failure !== undefined) {
    return refused("KAFKA_STORAGE_ERROR", services.failure.message);
  }
  if (log.isOffline) {
    return refused("KAFKA_STORAGE_ERROR", "the log is closed");
  }
  if (damage !== undefined) {
    return refused("PARTITION_QUARANTINED", damage);
  }
  if (log.isTruncating) {
    return refused("REPLICA_NOT_AVAILABLE", "the log is being truncated");
  }
  if (!services.hasReserve && !mayUseReserve) {
    return refused("STORAGE_FULL", "the disk is full: there is no room for the reserve");
  }
  if (services.queuedBytes > 0 && services.queuedBytes + sizeBytes > storage.queuedBytesMax) {
    return refused("BROKER_OVERLOADED", "too many bytes wait to be written");
  }
  return undefined;
}

function batchProblem(
  log: LogParts,
  headers: readonly BatchHeader[],
  leaderEpoch: number,
): AppendRefused | undefined {
  const { config, epochs, runtime } = log;
  if (headers.length === 0) {
    return refused("INVALID_RECORD", "there is no record batch");
  }
  if (leaderEpoch < epochs.latestEpoch) {
    return refused(
      "FENCED_LEADER_EPOCH",
      `the log has leader epoch ${epochs.latestEpoch}, the append ${leaderEpoch}`,
    );
  }
  const nowMs = runtime.clock.nowMs();
  for (const header of headers) {
    if (header.sizeBytes > config.maxMessageBytes) {
      return refused(
        "MESSAGE_TOO_LARGE",
        `the batch has ${header.sizeBytes} bytes; the topic takes ${config.maxMessageBytes} (max.message.bytes)`,
      );
    }
    if (header.sizeBytes > config.segmentBytes) {
      return refused("RECORD_LIST_TOO_LARGE", "the batch is larger than a segment");
    }
    const isTimely =
      config.messageTimestampType === "LogAppendTime" ||
      header.maxTimestamp < 0 ||
      (header.maxTimestamp - nowMs <= config.messageTimestampAfterMaxMs &&
        nowMs - header.maxTimestamp <= config.messageTimestampBeforeMaxMs);
    if (!isTimely) {
      return refused("INVALID_TIMESTAMP", `timestamp ${header.maxTimestamp} is out of range`);
    }
  }
  return undefined;
}

/** The answer to a retry, a refusal, or undefined when all batches are new and in order. */
function checkSequences(log: LogParts, headers: readonly BatchHeader[]): AppendOutcome | undefined {
  const { producers } = log;
  const [only] = headers;
  if (only !== undefined && headers.length === 1) {
    return sequenceProblem(log, only);
  }
  const undos: ProducerUndo[] = [];
  let outcome: AppendOutcome | undefined;
  for (const header of headers) {
    outcome = sequenceProblem(log, header);
    if (outcome !== undefined) {
      // Which of them are known already, and which are not, could not be said in one answer.
      outcome = outcome.ok
        ? refused("INVALID_RECORD", "a retry must come by itself, one batch at a time")
        : outcome;
      break;
    }
    const undo = producers.apply(header, 0);
    if (undo !== undefined) {
      undos.push(undo);
    }
  }
  // Only a trial: the real offsets are not known yet.
  for (const undo of undos.reverse()) {
    producers.undo(undo);
  }
  return outcome;
}

/** Of a batch that would come next. */
function sequenceProblem(log: LogParts, header: BatchHeader): AppendOutcome | undefined {
  const verdict = log.producers.check(header);
  switch (verdict.kind) {
    case "refused":
      return refused(verdict.error, verdict.message);
    case "duplicate":
      return duplicate(log, verdict.original);
    case "in order":
      return undefined;
  }
}

function duplicate(log: LogParts, original: ProducerBatch): AppendOutcome {
  const isStamped = log.config.messageTimestampType === "LogAppendTime";
  return {
    ok: true,
    baseOffset: original.baseOffset,
    lastOffset: original.lastOffset,
    logAppendTime: isStamped ? original.timestamp : -1,
    isDuplicate: true,
  };
}

function accept(
  log: LogParts,
  headers: readonly BatchHeader[],
  offered: AppendOptions & { readonly batches: Uint8Array },
): AppendOutcome {
  const { leaderEpoch } = offered;
  const { marks, tail, epochs, producers, config, runtime, services } = log;
  const { bytes: batches, hold } =
    offered.isBorrowed === true
      ? copyOf(log, offered.batches)
      : { bytes: offered.batches, hold: undefined };
  const baseOffset = marks.end;
  const nowMs = runtime.clock.nowMs();
  const isStamped = config.messageTimestampType === "LogAppendTime";
  if (epochs.assign(leaderEpoch, baseOffset)) {
    log.areEpochsDirty = true;
  }
  let position = 0;
  for (const { sizeBytes } of headers) {
    patchBatchPosition(batches, position, { baseOffset: marks.end, leaderEpoch });
    if (isStamped) {
      patchLogAppendTime(batches, position, { timestampMs: nowMs, compute: runtime.compute });
    }
    const header = readBatchHeader(batches, position);
    const bytes =
      sizeBytes === batches.byteLength ? batches : batches.subarray(position, position + sizeBytes);
    const undo = producers.apply(header, nowMs);
    tail.append({ bytes, header, undo, hold: hold?.another() });
    marks.appended(header.lastOffset + 1);
    position += sizeBytes;
  }
  hold?.release();
  producers.keepNewest(log.storage.producersPerLogMax);
  if (offered.mayUseReserve === true) {
    log.mayUseReserveTo = marks.end;
  }
  services.countQueued(batches.byteLength);
  return {
    ok: true,
    baseOffset,
    lastOffset: marks.end - 1,
    logAppendTime: isStamped ? nowMs : -1,
    isDuplicate: false,
  };
}

/** In memory that is used again where that is worth a count of who looks at it, else in the collector's. */
function copyOf(
  { services, storage }: LogParts,
  batches: Uint8Array,
): { readonly bytes: Uint8Array; readonly hold: Hold | undefined } {
  const { readBuffers, smallCopies } = services;
  if (!readBuffers.keeps(batches.byteLength) && !storage.spoilsFreeMemory) {
    return { bytes: smallCopies.copy(batches), hold: undefined };
  }
  const copy = readBuffers.take(batches.byteLength);
  copy.bytes.set(batches);
  return { bytes: copy.bytes, hold: Hold.of(copy) };
}

/** The headers of batches back to back; undefined when the bytes are anything else. */
export function wholeBatches(
  batches: Uint8Array,
  parsed: readonly BatchHeader[] | undefined = tryHeaders(batches),
): readonly BatchHeader[] | undefined {
  const sizeBytes = parsed?.reduce((sum, header) => sum + header.sizeBytes, 0);
  return sizeBytes === batches.byteLength ? parsed : undefined;
}

function tryHeaders(batches: Uint8Array): BatchHeader[] | undefined {
  try {
    return Array.from(batchHeaders(batches), ({ header }) => header);
  } catch (error) {
    if (isMillraceError(error)) {
      return undefined;
    }
    throw error;
  }
}
