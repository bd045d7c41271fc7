// The one table of wire errors (Kafka's codes and names) and the error every Millrace client throws.

interface WireErrorRow {
  readonly code: number;
  /** The same request may succeed later, unchanged. */
  readonly retriable: boolean;
  /** The client's metadata is out of date. */
  readonly refreshMetadata: boolean;
  /** A sentence for people; says what to do. */
  readonly summary: string;
}

const row = (
  code: number,
  summary: string,
  flags: { retriable?: true; refreshMetadata?: true } = {},
): WireErrorRow => ({
  code,
  summary,
  retriable: flags.retriable ?? false,
  refreshMetadata: flags.refreshMetadata ?? false,
});
const retriable = { retriable: true } as const;
const stale = { retriable: true, refreshMetadata: true } as const;

/**
 * Kafka's numbers where Kafka has the error; Millrace's own from 1000. The flags are Kafka's too, except where
 * Millrace promises something else: an unknown topic, topic id or corrupt batch fails at once (nothing is created
 * by being mentioned, and a batch that is corrupt stays so), a broker that shuts down is worth another try, and
 * whatever points to a node that is no longer the right one asks for fresh metadata.
 */
export const wireErrors = {
  NONE: row(0, "Success."),
  UNKNOWN_SERVER_ERROR: row(-1, "The broker failed unexpectedly; its log says why."),
  OFFSET_OUT_OF_RANGE: row(1, "The offset is outside the partition's log; seek to a valid one."),
  CORRUPT_MESSAGE: row(2, "A record batch failed its checks (CRC, count, length or codec)."),
  UNKNOWN_TOPIC_OR_PARTITION: row(
    3,
    "No such topic or partition; create it first: millrace topics create NAME.",
  ),
  LEADER_NOT_AVAILABLE: row(5, "The partition has no leader at the moment.", stale),
  NOT_LEADER_OR_FOLLOWER: row(6, "This broker does not lead the partition.", stale),
  REQUEST_TIMED_OUT: row(
    7,
    "The request took longer than its timeout; it may or may not have taken effect.",
    retriable,
  ),
  BROKER_NOT_AVAILABLE: row(8, "The broker is shutting down or not ready.", stale),
  REPLICA_NOT_AVAILABLE: row(9, "The replica is not available on this broker.", stale),
  MESSAGE_TOO_LARGE: row(10, "The batch is larger than the topic's max.message.bytes."),
  NETWORK_EXCEPTION: row(13, "The connection broke before an answer came.", stale),
  COORDINATOR_LOAD_IN_PROGRESS: row(14, "The coordinator is still loading.", retriable),
  COORDINATOR_NOT_AVAILABLE: row(15, "No coordinator is available.", stale),
  NOT_COORDINATOR: row(16, "This broker is not the coordinator.", stale),
  INVALID_TOPIC_EXCEPTION: row(
    17,
    "The topic name is not legal: 1 to 249 of a-z A-Z 0-9 . _ - and not . or ..",
  ),
  RECORD_LIST_TOO_LARGE: row(18, "The request carries more than the broker takes at once."),
  NOT_ENOUGH_REPLICAS: row(19, "Fewer in-sync replicas than min.insync.replicas.", retriable),
  NOT_ENOUGH_REPLICAS_AFTER_APPEND: row(
    20,
    "Written, but fewer in-sync replicas than min.insync.replicas.",
    retriable,
  ),
  INVALID_REQUIRED_ACKS: row(21, "acks must be 0, 1 or all."),
  TOPIC_AUTHORIZATION_FAILED: row(29, "Not allowed on this topic."),
  CLUSTER_AUTHORIZATION_FAILED: row(31, "Not allowed on this cluster."),
  INVALID_TIMESTAMP: row(32, "A record's timestamp is outside the allowed range."),
  UNSUPPORTED_SASL_MECHANISM: row(33, "The broker does not know this authentication mechanism."),
  ILLEGAL_SASL_STATE: row(34, "The request does not fit the connection's state: say hello first."),
  UNSUPPORTED_VERSION: row(35, "The broker does not support this API or version."),
  TOPIC_ALREADY_EXISTS: row(36, "A topic of this name exists already."),
  INVALID_PARTITIONS: row(37, "The number of partitions is not acceptable."),
  INVALID_REPLICATION_FACTOR: row(
    38,
    "The replication factor is larger than the number of brokers, or below 1.",
  ),
  INVALID_REPLICA_ASSIGNMENT: row(39, "The replica assignment is not acceptable."),
  INVALID_CONFIG: row(40, "A configuration key or value is not acceptable."),
  NOT_CONTROLLER: row(41, "This node is not the active controller.", stale),
  INVALID_REQUEST: row(42, "The request is malformed."),
  UNSUPPORTED_FOR_MESSAGE_FORMAT: row(43, "The record format does not support this request."),
  POLICY_VIOLATION: row(44, "A policy of the cluster forbids this."),
  OUT_OF_ORDER_SEQUENCE_NUMBER: row(45, "A batch of this producer is missing before this one."),
  DUPLICATE_SEQUENCE_NUMBER: row(
    46,
    "The batch was written before, too long ago to know its offset.",
  ),
  INVALID_PRODUCER_EPOCH: row(47, "A newer producer took over this producer id."),
  KAFKA_STORAGE_ERROR: row(56, "The broker's disk failed for this partition.", stale),
  UNKNOWN_PRODUCER_ID: row(59, "The broker no longer knows this producer."),
  FETCH_SESSION_ID_NOT_FOUND: row(70, "The fetch session is gone; start a new one.", retriable),
  INVALID_FETCH_SESSION_EPOCH: row(
    71,
    "The fetch session is at another epoch; start a new one.",
    retriable,
  ),
  FENCED_LEADER_EPOCH: row(
    74,
    "The leader epoch in the request is older than the broker's.",
    stale,
  ),
  UNKNOWN_LEADER_EPOCH: row(
    75,
    "The leader epoch in the request is newer than the broker's.",
    stale,
  ),
  UNSUPPORTED_COMPRESSION_TYPE: row(76, "This compression codec is not supported here."),
  OFFSET_NOT_AVAILABLE: row(78, "The offset is not available yet.", retriable),
  INVALID_RECORD: row(87, "A record was refused; see the message."),
  THROTTLING_QUOTA_EXCEEDED: row(89, "A quota is exceeded; slow down.", retriable),
  PRODUCER_FENCED: row(90, "A newer producer took over."),
  UNKNOWN_TOPIC_ID: row(100, "No topic has this id: it was deleted, or created again.", {
    refreshMetadata: true,
  }),
  INCONSISTENT_TOPIC_ID: row(103, "The topic id does not match the topic.", stale),
  INCONSISTENT_CLUSTER_ID: row(104, "This is another cluster than the one expected."),
  /** The broker's queues are full: the connection exceeded its credits, or all of them together did. */
  BROKER_OVERLOADED: row(1000, "The broker is at its limit of queued bytes; try again.", retriable),
  /** No space left on the broker's disk; reads go on. */
  STORAGE_FULL: row(
    1001,
    "The broker's disk is full; it recovers by itself when space is freed.",
    retriable,
  ),
  /** Damage was found in the partition's log; it refuses writes. */
  PARTITION_QUARANTINED: row(
    1002,
    "The partition's log is damaged and refuses writes: see millrace log verify.",
  ),
} as const satisfies Record<string, WireErrorRow>;

/** Errors of a client's own, never on the wire. */
export const clientErrors = {
  /** The client (or the iterator) was closed. */
  CLOSED: row(-1, "The client is closed."),
  CONNECTION_FAILED: row(-1, "No broker can be reached.", retriable),
  DELIVERY_TIMEOUT: row(
    -1,
    "The record was not acknowledged within deliveryTimeoutMs; it may or may not be stored.",
  ),
  BUFFER_FULL: row(-1, "The producer's buffer stayed full for maxBlockMs."),
  ABORTED: row(-1, "The caller's signal aborted the operation."),
  INVALID_ARGUMENT: row(-1, "An argument is not acceptable."),
  INVALID_CONFIG_VALUE: row(-1, "An option is not acceptable."),
  CORRUPT_RECORD: row(-1, "A record could not be read."),
  RECORD_TOO_LARGE: row(-1, "The record is larger than the producer may send."),
  PROTOCOL_VIOLATION: row(-1, "The peer sent something the protocol does not allow."),
} as const satisfies Record<string, WireErrorRow>;

export type WireErrorName = keyof typeof wireErrors;
export type ClientErrorName = keyof typeof clientErrors;
/** Every code that a `MillraceError` may carry. */
export type ErrorName = WireErrorName | ClientErrorName;

const namesByCode = new Map<number, WireErrorName>(
  Object.entries(wireErrors).map(([name, entry]) => [entry.code, name as WireErrorName]),
);

/** An unknown code (a newer peer's) reads as `UNKNOWN_SERVER_ERROR`. */
export function errorName(code: number): WireErrorName {
  return namesByCode.get(code) ?? "UNKNOWN_SERVER_ERROR";
}

export function errorCode(name: WireErrorName): number {
  return wireErrors[name].code;
}

const brand = Symbol.for("millrace.error");

export interface MillraceErrorOptions {
  readonly cause?: unknown;
  /** Overrides the table's `retriable`. */
  readonly retriable?: boolean;
  /** Overrides the default (`!retriable`). */
  readonly fatal?: boolean;
  /** What the error is about: topic, partition, offset, ... */
  readonly details?: Readonly<Record<string, unknown>>;
}

/**
 * Every error Millrace throws. `code` is from a closed set; `retriable`: the same call may succeed later;
 * `fatal`: the producer, consumer or iterator that threw it cannot go on.
 */
export class MillraceError extends Error {
  override readonly name: string = "MillraceError";
  readonly code: ErrorName;
  readonly retriable: boolean;
  readonly fatal: boolean;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: ErrorName, message?: string, options: MillraceErrorOptions = {}) {
    const entry =
      code in wireErrors
        ? wireErrors[code as WireErrorName]
        : clientErrors[code as ClientErrorName];
    super(
      `${code}: ${message ?? entry.summary}`,
      options.cause === undefined ? undefined : { cause: options.cause },
    );
    this.code = code;
    this.retriable = options.retriable ?? entry.retriable;
    this.fatal = options.fatal ?? !this.retriable;
    this.details = options.details ?? {};
    Object.defineProperty(this, brand, { value: true });
  }

  /** The metadata behind the request is out of date. */
  get refreshMetadata(): boolean {
    return this.code in wireErrors && wireErrors[this.code as WireErrorName].refreshMetadata;
  }
}

/** Works across duplicated installations, where `instanceof` does not. */
export function isMillraceError(value: unknown): value is MillraceError {
  return typeof value === "object" && value !== null && brand in value;
}

/** Something that does not follow the protocol or a format; carries the wire error to answer with. */
export class ProtocolError extends MillraceError {
  override readonly name = "ProtocolError";
}
