// Why a record was not delivered, and above all: is it certain that it was not? A definite error means "not
// stored, send it again if you like"; an indefinite one means "perhaps stored".

import { type ErrorName, isMillraceError, MillraceError } from "@millrace/protocol";

/**
 * Answers that prove that nothing was appended. Everything else leaves it open: a leader that loses its role
 * while it waits for replicas answers `NOT_LEADER_OR_FOLLOWER` about a batch that it did write.
 */
const definiteCodes: ReadonlySet<ErrorName> = new Set<ErrorName>([
  "UNKNOWN_TOPIC_OR_PARTITION",
  "UNKNOWN_TOPIC_ID",
  "INVALID_TOPIC_EXCEPTION",
  "CORRUPT_MESSAGE",
  "MESSAGE_TOO_LARGE",
  "RECORD_LIST_TOO_LARGE",
  "INVALID_RECORD",
  "INVALID_TIMESTAMP",
  "INVALID_REQUIRED_ACKS",
  "INVALID_REQUEST",
  "UNSUPPORTED_VERSION",
  "UNSUPPORTED_COMPRESSION_TYPE",
  "UNSUPPORTED_FOR_MESSAGE_FORMAT",
  "NOT_ENOUGH_REPLICAS",
  "LEADER_NOT_AVAILABLE",
  "BROKER_NOT_AVAILABLE",
  "BROKER_OVERLOADED",
  "THROTTLING_QUOTA_EXCEEDED",
  "PARTITION_QUARANTINED",
  "POLICY_VIOLATION",
  "TOPIC_AUTHORIZATION_FAILED",
  "CLUSTER_AUTHORIZATION_FAILED",
  "ILLEGAL_SASL_STATE",
  "OUT_OF_ORDER_SEQUENCE_NUMBER",
  "UNKNOWN_PRODUCER_ID",
  "INVALID_PRODUCER_EPOCH",
  "PRODUCER_FENCED",
  "CONNECTION_FAILED",
]);

/** Whether an attempt that ended with `code` surely appended nothing. */
export function provesNotAppended(code: ErrorName): boolean {
  return definiteCodes.has(code);
}

/**
 * True when `error`, thrown by `send`, proves that the record is not stored: sending it again cannot make a
 * duplicate. False when it may be stored.
 */
export function isDefinite(error: unknown): boolean {
  return isMillraceError(error) && error.details["definite"] === true;
}

export interface DeliveryFailure {
  readonly code: ErrorName;
  readonly message?: string | undefined;
  readonly cause?: unknown;
  readonly definite: boolean;
  readonly topic: string;
  readonly partition?: number | undefined;
}

/** The error a record's promise rejects with. The producer itself goes on: `fatal` is false. */
export function deliveryError(failure: DeliveryFailure): MillraceError {
  const { topic, partition, definite } = failure;
  const place = partition === undefined ? topic : `${topic}-${partition}`;
  const certainty = definite ? "the record is not stored" : "the record may or may not be stored";
  const reason = failure.message === undefined ? "" : `: ${failure.message}`;
  return new MillraceError(failure.code, `${place}${reason} (${certainty})`, {
    cause: failure.cause,
    fatal: false,
    details: partition === undefined ? { topic, definite } : { topic, partition, definite },
  });
}

/** The producer takes nothing more. */
export function closedError(topic: string): MillraceError {
  return deliveryError({
    code: "CLOSED",
    message: "the producer is closed",
    definite: true,
    topic,
  });
}

export function abortedError(topic: string, definite: boolean): MillraceError {
  return deliveryError({
    code: "ABORTED",
    message: "the caller's signal aborted send",
    definite,
    topic,
  });
}
