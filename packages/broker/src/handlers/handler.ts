// What every API handler is given and gives back. A handler decodes nothing and sends nothing: it gets a typed
// request, decides, and answers with a typed body; a thrown MillraceError becomes the answer's error.

import type { Controller } from "@millrace/controller";
import {
  type ApiName,
  type ErrorName,
  errorCode,
  isMillraceError,
  type NodeId,
  type RequestOf,
  type ResponseOf,
  type WireErrorName,
  wireErrors,
} from "@millrace/protocol";
import type { ServerRuntime } from "@millrace/runtime";
import type { BrokerConfig } from "../broker-config.js";
import type { FetchSessions } from "../fetch-session.js";
import type { ParkedFetches } from "../parked-fetches.js";
import type { PartitionSet } from "../partition-set.js";
import type { ProducerIds } from "../producer-ids.js";
import type { Registration } from "../registration.js";
import type { ResponseBudget } from "../response-budget.js";

/** The broker as its handlers see it. */
export interface BrokerServices {
  readonly runtime: ServerRuntime;
  readonly nodeId: NodeId;
  readonly clusterId: string;
  readonly softwareVersion: string;
  readonly config: BrokerConfig;
  readonly controller: Controller;
  readonly partitions: PartitionSet;
  readonly registration: Registration;
  readonly sessions: FetchSessions;
  readonly parkedFetches: ParkedFetches;
  readonly producerIds: ProducerIds;
  readonly responses: ResponseBudget;
  /** Where a client that used this `Host` header reaches this node. */
  advertisedUrl(host: string | undefined): string;
  /** Largest frame a connection may send once it has said hello. */
  maxFrameBytes(): number;
}

/** The connection behind a request. */
export interface CallConnection {
  readonly remoteAddress: string;
  /** The `Host` header of its upgrade. */
  readonly host: string | undefined;
  readonly isOpen: boolean;
  /** Called by `hello`: from now on other requests and larger frames are taken. */
  introduce(client: { clientId: string | null; software: string }): void;
  /**
   * Runs work that makes a large answer: one at a time, and only while the client takes what it was sent; at once if
   * nothing is in its way. The work runs too when the connection closed meanwhile.
   */
  inTurn<T>(work: () => T | Promise<T>): T | Promise<T>;
  /** Calls back when it closes. Returns the way out. */
  whenClosed(callback: () => void): () => void;
}

export interface Call {
  readonly connection: CallConnection;
  /** The frame's byte string of record batches. */
  readonly records: Uint8Array;
  /**
   * Present when `records` lie in memory that is used again: when the request has been served, or from this call on, when
   * nobody looks at them any more. What shall stay is copied before.
   */
  readonly letGoOfRecords: (() => void) | undefined;
  /** Keeps the request's bytes counted until `work` settles, though it is answered before. */
  holdUntil(work: Promise<unknown>): void;
}

export interface Answer<N extends ApiName> {
  readonly body: ResponseOf<N>;
  /** Sent as they are, without copying. */
  readonly records?: readonly Uint8Array[];
  /** To be called once, when nobody looks at `records` any more: they were sent, or never will be. */
  readonly release?: (() => void) | undefined;
}

export type Handler<N extends ApiName> = (
  broker: BrokerServices,
  request: RequestOf<N>,
  call: Call,
) => Answer<N> | Promise<Answer<N>>;

/** The fields of an item's result on the wire. */
export function wireResult(result: { error: WireErrorName; message: string | null }): {
  errorCode: number;
  errorMessage: string | null;
} {
  return { errorCode: errorCode(result.error), errorMessage: result.message };
}

/** An error as it goes out: the wire's name for it, and a text without the leading code. */
export function wireErrorOf(error: unknown): { error: WireErrorName; message: string } {
  if (!isMillraceError(error)) {
    return { error: "UNKNOWN_SERVER_ERROR", message: wireErrors.UNKNOWN_SERVER_ERROR.summary };
  }
  const prefix = `${error.code}: `;
  const message = error.message.startsWith(prefix)
    ? error.message.slice(prefix.length)
    : error.message;
  return { error: wireName(error.code), message };
}

function wireName(code: ErrorName): WireErrorName {
  return code in wireErrors ? (code as WireErrorName) : "UNKNOWN_SERVER_ERROR";
}
