// One WebSocket to one node, from dialing over `hello` to its close. It matches answers to requests and
// trusts the peer with nothing: what does not parse, or answers a question nobody asked, ends the connection.
// It neither queues, nor counts credits, nor reconnects: that is `NodeChannel`'s.

import {
  apis,
  decodeResponseFrame,
  encodeRequest,
  isMillraceError,
  MillraceError,
  PRE_HELLO_FRAME_BYTES_MAX,
  type ResponseOf,
} from "@millrace/protocol";
import type {
  AbortSignalLike,
  ClientRuntime,
  CloseReason,
  Connection,
  Timer,
} from "@millrace/runtime";
import type { ClusterIdentity } from "./cluster-identity.js";
import {
  brokenError,
  connectError,
  errorFromAnswer,
  unsentError,
  violationError,
} from "./connection-errors.js";
import { InFlightTable } from "./correlation.js";
import { PendingRequest, type RawAnswer, type RequestHolder } from "./pending-request.js";
import { SOFTWARE_NAME, SOFTWARE_VERSION } from "./software.js";

const HELLO_CORRELATION_ID = 0;
const CLOSE_NORMAL = 1000;
const CLOSE_PROTOCOL_ERROR = 1002;
/** How long a polite close may take before the connection is cut. */
const CLOSE_GRACE_MS = 1000;

export interface ConnectionSettings {
  readonly runtime: ClientRuntime;
  readonly clientId: string | null;
  readonly identity: ClusterIdentity;
  readonly connectTimeoutMs: number;
  readonly maxMessageBytes: number;
  readonly connectionMaxIdleMs: number;
  /** Every connection from its dial to its close; whoever closes the client waits for them. */
  readonly live: Set<NodeConnection>;
}

/** What the holder of a connection hears from it. */
export interface NodeConnectionEvents {
  /** A request of this size was answered, whether or not its caller still waits. */
  onAnswered(sizeBytes: number): void;
  /** Once, last of all, after every request in flight was rejected. */
  onClosed(error: MillraceError, cause: "idle" | "broken"): void;
}

export type Hello = ResponseOf<"hello">;

export class NodeConnection implements RequestHolder {
  readonly url: string;
  /** Resolves when the socket is gone; never rejects. */
  readonly closed: Promise<void>;
  readonly #settings: ConnectionSettings;
  readonly #connection: Connection;
  readonly #inFlight = new InFlightTable<PendingRequest>();
  readonly #openedAtMs: number;
  #resolveClosed: () => void = () => {};
  #hello: Hello | undefined;
  #supportedApis: ReadonlySet<number> = new Set();
  #events: NodeConnectionEvents | undefined;
  /** Why this side closes it; undefined while it lives or when the peer did. */
  #closeError: MillraceError | undefined;
  #isClosed = false;
  #isIdleClose = false;
  #lastMessageAtMs: number;
  #lastUseAtMs: number;
  #idleTimer: Timer | undefined;
  #graceTimer: Timer | undefined;

  private constructor(settings: ConnectionSettings, url: string, connection: Connection) {
    this.#settings = settings;
    this.url = url;
    this.#connection = connection;
    this.#openedAtMs = settings.runtime.clock.monotonicMs();
    this.#lastMessageAtMs = this.#openedAtMs;
    this.#lastUseAtMs = this.#openedAtMs;
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve;
    });
    settings.live.add(this);
  }

  /**
   * Dials, says hello, and resolves when requests may be sent.
   * @throws MillraceError `CONNECTION_FAILED` or the error that `hello` was answered with.
   */
  static async open(
    settings: ConnectionSettings,
    url: string,
    signal: AbortSignalLike,
  ): Promise<NodeConnection> {
    const { clock, network } = settings.runtime;
    const { connectTimeoutMs, maxMessageBytes } = settings;
    const deadlineMs = clock.monotonicMs() + connectTimeoutMs;
    let node: NodeConnection | undefined;
    try {
      await network.dial(url, { maxMessageBytes, connectTimeoutMs, signal }, (connection) => {
        const attached = new NodeConnection(settings, url, connection);
        node = attached;
        return {
          onMessage: (message) => attached.#onMessage(message),
          onClose: (reason) => attached.#onClose(reason),
        };
      });
      if (node === undefined) {
        throw new MillraceError("CONNECTION_FAILED", `${url}: dialing gave no connection`);
      }
      await node.#sayHello(Math.max(0, deadlineMs - clock.monotonicMs()), signal);
      return node;
    } catch (error) {
      const failure = connectError(url, error);
      node?.close(failure);
      throw failure;
    }
  }

  /** What the node said about itself. */
  get hello(): Hello {
    if (this.#hello === undefined) {
      throw new MillraceError("CONNECTION_FAILED", `${this.url}: hello is not complete`);
    }
    return this.#hello;
  }

  get isOpen(): boolean {
    return !this.#isClosed && this.#closeError === undefined && this.#connection.isOpen;
  }

  get inFlightCount(): number {
    return this.#inFlight.size;
  }

  /** To be called once, by the holder, before the first request. */
  listen(events: NodeConnectionEvents): void {
    this.#events = events;
  }

  /** Whether the node offered this request in the version this client speaks. */
  supports(request: PendingRequest): boolean {
    return this.#supportedApis.has(apis[request.api].key);
  }

  /** Writes the request. Only while `isOpen`. */
  send(request: PendingRequest): void {
    if (!this.#inFlight.add(request.correlationId, request)) {
      this.#violation(`no answer to request ${request.correlationId} in 2^31 others`);
      request.fail(brokenError(this.url, { code: 1006, reason: "" }));
      return;
    }
    this.#lastUseAtMs = this.#settings.runtime.clock.monotonicMs();
    request.heldBy(this);
    this.#connection.send(request.takeChunks());
  }

  /** Rejects what is in flight with `error` and closes politely; cuts the connection if that takes long. */
  close(error: MillraceError, code = CLOSE_NORMAL): void {
    if (this.#isClosed || this.#closeError !== undefined) {
      return;
    }
    this.#closeError = error;
    this.#rejectAll(error);
    this.#connection.close(code, code === CLOSE_NORMAL ? "" : error.code);
    if (!this.#isClosed) {
      this.#graceTimer = this.#settings.runtime.clock.setTimer(CLOSE_GRACE_MS, () =>
        this.#connection.terminate(),
      );
    }
  }

  /**
   * The caller gave up a request that was written. Its answer may still come, so it stays in the table. But a
   * peer that said nothing at all since it was asked is taken for dead.
   */
  givenUp(request: PendingRequest, cause: "timeout" | "abort"): void {
    if (cause === "timeout" && this.#lastMessageAtMs <= request.sentAtMs) {
      this.#closeError ??= new MillraceError(
        "NETWORK_EXCEPTION",
        `${this.url} said nothing while ${request.api} timed out; the connection is taken for dead`,
        { details: { url: this.url } },
      );
      this.#connection.terminate();
    }
  }

  async #sayHello(timeoutMs: number, signal: AbortSignalLike): Promise<void> {
    const { clientId, identity, runtime } = this.#settings;
    const body = {
      software: SOFTWARE_NAME,
      softwareVersion: SOFTWARE_VERSION,
      clientId,
      clusterId: identity.clusterId,
    };
    const answer = await new Promise<RawAnswer>((resolve, reject) => {
      const request = new PendingRequest({
        api: "hello",
        correlationId: HELLO_CORRELATION_ID,
        channel: "",
        chunks: encodeRequest("hello", HELLO_CORRELATION_ID, body),
        clock: runtime.clock,
        timeoutMs,
        signal,
        onAnswer: resolve,
        onError: reject,
      });
      if (this.#isClosed) {
        request.fail(brokenError(this.url, { code: 1006, reason: "" }));
        return;
      }
      this.send(request);
    });
    this.#welcome(answer.body as Hello);
  }

  #welcome(hello: Hello): void {
    this.#settings.identity.check(hello.clusterId, this.url);
    if (hello.authenticationRequired) {
      const offered = hello.authMechanisms.join(", ");
      throw new MillraceError(
        "UNSUPPORTED_SASL_MECHANISM",
        `${this.url} asks for authentication (${offered}), which this client does not offer`,
      );
    }
    this.#supportedApis = new Set(
      hello.apis
        .filter(({ apiKey, minVersion, maxVersion }) => isSpoken(apiKey, minVersion, maxVersion))
        .map(({ apiKey }) => apiKey),
    );
    this.#hello = hello;
    this.#watchIdleness(hello.limits.idleTimeoutMs);
    const { diagnostics } = this.#settings.runtime;
    const channel = diagnostics.channel("millrace:connection:open");
    if (channel.hasSubscribers) {
      channel.publish({ url: this.url, nodeId: hello.nodeId, clusterId: hello.clusterId });
    }
  }

  #onMessage(message: Uint8Array): void {
    if (this.#closeError !== undefined) {
      return;
    }
    this.#lastMessageAtMs = this.#settings.runtime.clock.monotonicMs();
    this.#lastUseAtMs = this.#lastMessageAtMs;
    if (this.#hello === undefined && message.length > PRE_HELLO_FRAME_BYTES_MAX) {
      this.#violation(`${message.length} bytes before hello was answered`);
      return;
    }
    try {
      this.#onAnswer(message);
    } catch (error) {
      this.#violation(error instanceof Error ? error.message : String(error));
    }
  }

  #onAnswer(message: Uint8Array): void {
    const frame = decodeResponseFrame(message);
    const request = this.#inFlight.take(frame.correlationId);
    if (request === undefined) {
      this.#violation(`an answer to request ${frame.correlationId}, which is not in flight`);
      return;
    }
    try {
      if (frame.errorCode !== 0) {
        request.fail(errorFromAnswer(frame.errorCode, frame.body));
      } else if (!request.isSettled) {
        const body: unknown = apis[request.api].response.fromWire(frame.body, request.api);
        request.answer({ body, records: frame.records });
      }
    } catch (error) {
      const problem = isMillraceError(error) ? error.message : String(error);
      request.fail(violationError(this.url, problem));
      throw error;
    } finally {
      this.#events?.onAnswered(request.sizeBytes);
    }
  }

  #violation(problem: string): void {
    const { logger } = this.#settings.runtime;
    logger.warn({ url: this.url, problem }, "closing a connection: the broker broke the protocol");
    this.close(violationError(this.url, problem), CLOSE_PROTOCOL_ERROR);
  }

  #onClose(reason: CloseReason): void {
    this.#isClosed = true;
    this.#settings.live.delete(this);
    this.#idleTimer?.cancel();
    this.#graceTimer?.cancel();
    const error = this.#closeError ?? brokenError(this.url, reason);
    this.#rejectAll(error);
    this.#publishClose(reason, error);
    this.#events?.onClosed(error, this.#isIdleClose ? "idle" : "broken");
    this.#resolveClosed();
  }

  #publishClose(reason: CloseReason, error: MillraceError): void {
    const channel = this.#settings.runtime.diagnostics.channel("millrace:connection:close");
    if (this.#hello !== undefined && channel.hasSubscribers) {
      channel.publish({
        url: this.url,
        nodeId: this.#hello.nodeId,
        code: reason.code,
        error,
        durationMs: this.#settings.runtime.clock.monotonicMs() - this.#openedAtMs,
      });
    }
  }

  #rejectAll(error: MillraceError): void {
    for (const request of this.#inFlight.takeAll()) {
      request.fail(error);
    }
  }

  /** Closes the connection before the broker would: a request must not cross with the broker's close. */
  #watchIdleness(brokerIdleTimeoutMs: number): void {
    const { connectionMaxIdleMs, runtime } = this.#settings;
    const brokerMs = brokerIdleTimeoutMs === 0 ? Number.POSITIVE_INFINITY : brokerIdleTimeoutMs;
    const maxIdleMs = Math.min(connectionMaxIdleMs, brokerMs * 0.8);
    const check = (): void => {
      const idleMs = runtime.clock.monotonicMs() - this.#lastUseAtMs;
      if (this.#inFlight.size === 0 && idleMs >= maxIdleMs) {
        this.#isIdleClose = true;
        this.close(unsentError(this.url));
        return;
      }
      const waitMs = this.#inFlight.size > 0 ? maxIdleMs : maxIdleMs - idleMs;
      this.#idleTimer = runtime.clock.setTimer(Math.max(1, waitMs), check);
    };
    this.#idleTimer = runtime.clock.setTimer(maxIdleMs, check);
  }
}

/** The version this client writes is always the highest it knows. */
function isSpoken(apiKey: number, minVersion: number, maxVersion: number): boolean {
  return Object.values(apis).some(
    (api) => api.key === apiKey && minVersion <= api.maxVersion && api.maxVersion <= maxVersion,
  );
}
