// One channel to one node: the line of requests that wait to be written, and the connection they go out on.
// It dials when there is something to send, one dial at a time, with a backoff after each break, for as long
// as it is asked. Requests leave in the order of the calls, also those made while it was connecting.

import { isMillraceError, MillraceError, type NodeId } from "@millrace/protocol";
import type { AbortSignalLike } from "@millrace/runtime";
import type { Backoff } from "./backoff.js";
import { connectError, unsentError } from "./connection-errors.js";
import type { ConnectionLog } from "./connection-log.js";
import { CreditQueue } from "./credits.js";
import { type ConnectionSettings, NodeConnection } from "./node-connection.js";
import type { PendingRequest, RequestHolder } from "./pending-request.js";

/** Requests that may wait for one connection; more are refused, so that a stalled broker fills no memory. */
export const WAITING_REQUESTS_MAX = 10_000;

export interface NodeChannelOptions {
  readonly settings: ConnectionSettings;
  readonly nodeId: NodeId;
  readonly channel: string;
  readonly backoff: Backoff;
  readonly log: ConnectionLog;
  /** Aborts when the client closes. */
  readonly closing: AbortSignalLike;
  /** Where the node is now; may ask the cluster. */
  resolveUrl(nodeId: NodeId): Promise<string>;
  /** The node could not be reached, or another answered in its place. */
  onUnreachable(nodeId: NodeId): void;
}

export class NodeChannel implements RequestHolder {
  readonly #options: NodeChannelOptions;
  readonly #queue = new CreditQueue<PendingRequest>();
  #connection: NodeConnection | undefined;
  #isConnecting = false;
  /** Breaks and failed dials since the last answer. */
  #failureCount = 0;
  #dialNotBeforeMs = Number.NEGATIVE_INFINITY;

  constructor(options: NodeChannelOptions) {
    this.#options = options;
  }

  get nodeId(): NodeId {
    return this.#options.nodeId;
  }

  /** The connection, while it takes requests. */
  get connection(): NodeConnection | undefined {
    return this.#connection?.isOpen === true ? this.#connection : undefined;
  }

  /** Nothing waits, nothing is connected: it may be forgotten. */
  get isUnused(): boolean {
    return this.#connection === undefined && !this.#isConnecting && this.#queue.waitingCount === 0;
  }

  enqueue(request: PendingRequest): void {
    if (request.isSettled) {
      return;
    }
    if (this.#queue.waitingCount >= WAITING_REQUESTS_MAX) {
      const { nodeId } = this.#options;
      request.fail(
        new MillraceError(
          "BROKER_OVERLOADED",
          `${WAITING_REQUESTS_MAX} requests already wait for node ${nodeId}`,
          { details: { nodeId } },
        ),
      );
      return;
    }
    request.heldBy(this);
    this.#queue.add(request);
    this.#flush();
  }

  givenUp(request: PendingRequest): void {
    this.#queue.remove(request);
    // The one that left may have been the one that did not fit.
    this.#flush();
  }

  /** Takes over a connection that was opened to find out who answers. False: it has one already. */
  adopt(connection: NodeConnection): boolean {
    if (this.#connection !== undefined) {
      return false;
    }
    const { hello } = connection;
    this.#connection = connection;
    this.#queue.open({
      maxRequests: hello.limits.maxInFlightRequests,
      maxBytes: hello.limits.maxInFlightBytes,
    });
    connection.listen({
      onAnswered: (sizeBytes) => this.#onAnswered(connection, sizeBytes),
      onClosed: (error, cause) => this.#onClosed(connection, error, cause),
    });
    this.#options.log.opened({
      url: connection.url,
      nodeId: hello.nodeId,
      channel: this.#options.channel,
    });
    this.#flush();
    return true;
  }

  /** Rejects what waits, because the client closes. */
  rejectWaiting(error: MillraceError): void {
    for (const request of this.#queue.takeAll()) {
      request.fail(error);
    }
  }

  #flush(): void {
    const connection = this.#connection;
    if (connection === undefined) {
      this.#startConnecting();
      return;
    }
    while (connection.isOpen) {
      const first = this.#queue.peek();
      const refusal = first === undefined ? undefined : refusalOf(first, connection);
      if (first !== undefined && refusal !== undefined) {
        this.#queue.remove(first);
        first.fail(refusal);
        continue;
      }
      const next = this.#queue.takeNext();
      if (next === undefined) {
        return;
      }
      connection.send(next);
    }
  }

  #startConnecting(): void {
    if (this.#isConnecting || this.#queue.waitingCount === 0 || this.#options.closing.aborted) {
      return;
    }
    this.#isConnecting = true;
    this.#connect()
      .catch((error: unknown) => this.#onConnectFailed(error))
      .finally(() => {
        this.#isConnecting = false;
        this.#startConnectingAgain();
      })
      .catch((error: unknown) => {
        this.#options.settings.runtime.logger.error({ error: String(error) }, "connecting failed");
      });
  }

  /** For requests that came in while an attempt was ending. */
  #startConnectingAgain(): void {
    if (this.#connection === undefined) {
      this.#startConnecting();
    }
  }

  async #connect(): Promise<void> {
    const { closing, nodeId, settings } = this.#options;
    const { clock } = settings.runtime;
    const waitMs = this.#dialNotBeforeMs - clock.monotonicMs();
    if (waitMs > 0) {
      await clock.sleep(waitMs, closing);
    }
    if (this.#queue.waitingCount === 0) {
      return;
    }
    const url = await this.#options.resolveUrl(nodeId);
    if (this.#connection !== undefined) {
      return;
    }
    const connection = await NodeConnection.open(settings, url, closing);
    if (connection.hello.nodeId !== nodeId) {
      const error = wrongNodeError(url, nodeId, connection.hello.nodeId);
      connection.close(error);
      throw error;
    }
    if (closing.aborted || !this.adopt(connection)) {
      connection.close(unsentError(url));
    }
  }

  #onConnectFailed(error: unknown): void {
    const { channel, closing, log, nodeId } = this.#options;
    if (closing.aborted || this.#connection !== undefined) {
      return;
    }
    const failure = isMillraceError(error) ? error : connectError(`node ${nodeId}`, error);
    this.#backOff();
    log.failed(failure, { nodeId, channel });
    this.#options.onUnreachable(nodeId);
    this.rejectWaiting(failure);
  }

  #onAnswered(connection: NodeConnection, sizeBytes: number): void {
    if (connection === this.#connection) {
      this.#failureCount = 0;
      this.#queue.release(sizeBytes);
      this.#flush();
    }
  }

  #onClosed(connection: NodeConnection, error: MillraceError, cause: "idle" | "broken"): void {
    if (connection !== this.#connection) {
      return;
    }
    const { channel, closing, log, nodeId } = this.#options;
    this.#connection = undefined;
    this.#queue.close();
    if (closing.aborted) {
      return;
    }
    if (cause === "broken") {
      this.#backOff();
      log.broken(error, { url: connection.url, nodeId, channel });
      this.rejectWaiting(unsentError(connection.url));
    }
    this.#flush();
  }

  #backOff(): void {
    const { backoff, settings } = this.#options;
    this.#dialNotBeforeMs =
      settings.runtime.clock.monotonicMs() + backoff.delayMs(this.#failureCount);
    this.#failureCount++;
  }
}

/** Why this node can never take this request. */
function refusalOf(request: PendingRequest, connection: NodeConnection): MillraceError | undefined {
  const { maxFrameBytes } = connection.hello.limits;
  if (!connection.supports(request)) {
    return new MillraceError(
      "UNSUPPORTED_VERSION",
      `${connection.url} does not support ${request.api} as this client speaks it`,
      { details: { api: request.api } },
    );
  }
  if (request.sizeBytes > maxFrameBytes) {
    return new MillraceError(
      "RECORD_LIST_TOO_LARGE",
      `${request.api} takes ${request.sizeBytes} bytes; ${connection.url} takes ${maxFrameBytes} at once`,
      { details: { sizeBytes: request.sizeBytes, maxFrameBytes } },
    );
  }
  return undefined;
}

function wrongNodeError(url: string, expected: NodeId, actual: NodeId): MillraceError {
  return new MillraceError(
    "BROKER_NOT_AVAILABLE",
    `${url} should be node ${expected}, but node ${actual} answered`,
    { details: { url, expected, actual } },
  );
}
