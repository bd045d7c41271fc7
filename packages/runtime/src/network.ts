// The network as clients and the broker see it: message-oriented connections (one WebSocket each), dialed or
// accepted, and the few plain HTTP requests the same port answers. Frames are opaque here.

import type { AbortSignalLike } from "./platform.js";

/** The WebSocket sub-protocol of Millrace. */
export const SUB_PROTOCOL = "millrace.v1";

export interface CloseReason {
  /** RFC 6455 close code; 1006 when the connection broke without a close frame. */
  readonly code: number;
  readonly reason: string;
  /** Set when it broke because of an error on this side or on the wire. */
  readonly error?: Error;
}

export interface ConnectionEvents {
  /**
   * One whole binary message. The bytes belong to the receiver, who may keep views of them. With `release` they are lent:
   * to be called once nobody looks at them any more, their memory is used for other messages then. Whoever never calls it
   * may keep them.
   */
  onMessage(message: Uint8Array, release?: () => void): void;
  /** Exactly once, last of all. */
  onClose(reason: CloseReason): void;
  /** Output went from above to below the low mark (`bufferedBytes` small again). */
  onDrain?(): void;
}

export interface Connection {
  /** "host:port" of the peer, or "unknown" (browsers do not tell). */
  readonly remoteAddress: string;
  /** False once it is closing or closed; sends are then dropped. */
  readonly isOpen: boolean;
  /** Bytes accepted by `send` that have not left this process. */
  readonly bufferedBytes: number;
  /**
   * Sends the chunks as ONE binary message, without joining them where the platform allows it. The chunks
   * must not change until `bufferedBytes` shows that they left, or `onLeft` says so: it is called once, as soon as
   * nobody here will look at them again, whether they were sent, the connection closed, or it was closed
   * already (then before `send` returns). It must not throw.
   */
  send(chunks: readonly Uint8Array[], onLeft?: () => void): void;
  /** Stops reading from the peer (real backpressure: the socket's window closes). Browsers cannot: no effect. */
  pauseReading(): void;
  resumeReading(): void;
  /** Closes politely: what was sent before still leaves; the peer sees `code` and `reason`. */
  close(code?: number, reason?: string): void;
  /** Cuts the connection at once. */
  terminate(): void;
}

export interface DialOptions {
  /** Largest message accepted from the peer, in bytes; a larger one closes the connection (1009). */
  readonly maxMessageBytes: number;
  readonly connectTimeoutMs: number;
  readonly signal?: AbortSignalLike;
}

export class DialError extends Error {
  override readonly name = "DialError";
  /** `REFUSED`: nothing listens there. `REJECTED`: an HTTP answer other than 101, see `status`. */
  readonly code: "REFUSED" | "TIMEOUT" | "REJECTED" | "UNREACHABLE" | "INVALID_URL" | "ABORTED";
  readonly status: number | undefined;

  constructor(
    code: DialError["code"],
    message: string,
    options: { status?: number; cause?: unknown } = {},
  ) {
    super(message, "cause" in options ? { cause: options.cause } : undefined);
    this.code = code;
    this.status = options.status;
  }
}

export interface Network {
  /**
   * Opens a WebSocket to `url` (`ws:` or `wss:`) with the sub-protocol `millrace.v1`. `attach` is called once
   * the connection is open, before any message is delivered, and returns the handlers.
   * @throws DialError
   */
  dial(
    url: string,
    options: DialOptions,
    attach: (connection: Connection) => ConnectionEvents,
  ): Promise<Connection>;
}

export interface HttpRequest {
  readonly method: string;
  /** Path with query, as sent. */
  readonly path: string;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  readonly remoteAddress: string;
}

export interface HttpResponse {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array;
}

/** What a listener bounds by itself, before any message reaches the handler. */
export interface ListenLimits {
  /** Largest message from one connection; may be raised per connection by `AcceptedConnection.setMaxMessageBytes`. */
  readonly maxMessageBytes: number;
  /** Bytes of unfinished messages over all connections; above it the connection with the oldest unfinished message is cut. */
  readonly maxPartialBytes: number;
  /** An unfinished message must make progress: at least one byte per second on average over this time, or the connection is cut. */
  readonly partialMessageTimeoutMs: number;
  /** Connections in all; further ones get HTTP 503. */
  readonly maxConnections: number;
  /** Time for the HTTP request head. */
  readonly handshakeTimeoutMs: number;
}

export interface AcceptedConnection extends Connection {
  readonly origin: string | undefined;
  /** The request's `Host` header. */
  readonly host: string | undefined;
  /** Raises (or lowers) the message limit of this connection, once it has said hello. */
  setMaxMessageBytes(bytes: number): void;
}

/** Why an upgrade is refused, with the HTTP status that says it. */
export interface UpgradeRefusal {
  readonly status: number;
  readonly reason: string;
}

export interface ListenOptions {
  readonly host: string;
  /** 0 picks a free port. */
  readonly port: number;
  readonly limits: ListenLimits;
  /** Decides about an upgrade before it happens; a string refuses it with HTTP 403 and this reason. */
  allowUpgrade(request: HttpRequest): true | string | UpgradeRefusal;
  onConnection(connection: AcceptedConnection): ConnectionEvents;
  onHttpRequest(request: HttpRequest): HttpResponse | Promise<HttpResponse>;
  /** A connection was refused or cut by the listener's own rules; for the log. */
  onViolation?(violation: { remoteAddress: string; reason: string }): void;
}

export class ListenError extends Error {
  override readonly name = "ListenError";
  readonly code: "ADDRESS_IN_USE" | "ADDRESS_NOT_AVAILABLE" | "PERMISSION_DENIED" | "OTHER";

  constructor(code: ListenError["code"], message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

export interface Listener {
  readonly host: string;
  readonly port: number;
  readonly connectionCount: number;
  /** Stops accepting; open connections go on. Idempotent. */
  stopAccepting(): Promise<void>;
  /** Stops accepting, closes every connection (1001) and cuts what is left after `graceMs` (default 1000). Idempotent. */
  close(graceMs?: number): Promise<void>;
}

export interface ListeningNetwork extends Network {
  /** @throws ListenError */
  listen(options: ListenOptions): Promise<Listener>;
}

/** What a listener answers for a verdict of `allowUpgrade` that is not true. */
export function refusalOf(verdict: string | UpgradeRefusal): UpgradeRefusal {
  return typeof verdict === "string" ? { status: 403, reason: verdict } : verdict;
}
