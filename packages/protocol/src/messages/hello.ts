// The first request on every connection. Before its answer a frame may have 16 KiB.

import { array, boolean, integer, map, nullable, optional, text, tuple } from "../schema.js";
import { count, int32, milliseconds } from "./fields.js";

export const helloRequest = map({
  /** Name and version of the client's software, for the broker's log. */
  software: text(249),
  softwareVersion: text(249),
  /** A name the user gave the client. */
  clientId: optional(nullable(text(249)), null),
  /** Refused with `INCONSISTENT_CLUSTER_ID` when it is another. */
  clusterId: optional(nullable(text(249)), null),
});

/** What a connection may have outstanding; a client that keeps within never sees a stopped socket. */
export const connectionLimits = map({
  /** Largest frame in bytes. */
  maxFrameBytes: count,
  /** Requests without an answer. */
  maxInFlightRequests: count,
  /** Bytes of requests without an answer. */
  maxInFlightBytes: count,
  /** A connection without a request for so long is closed; connecting again is all it takes. */
  idleTimeoutMs: milliseconds,
});

export const helloResponse = map({
  software: text(249),
  softwareVersion: text(249),
  clusterId: text(249),
  nodeId: int32,
  /** `[apiKey, minVersion, maxVersion]` */
  apis: array(
    tuple({
      apiKey: integer(0, 32767),
      minVersion: integer(0, 32767),
      maxVersion: integer(0, 32767),
    }),
  ),
  limits: connectionLimits,
  /** Empty: none offered. */
  authMechanisms: array(text(64)),
  /** Whether `authenticate` must come next. */
  authenticationRequired: boolean,
});
