// The one object that producers, consumers and admins stand on: it sends a request to the right node over a
// connection that is made when needed, knows the topics, and repeats what may be repeated. It does no I/O
// until it is asked for something.

import {
  type ApiName,
  encodeRequest,
  isMillraceError,
  MillraceError,
  type NodeId,
  type RequestOf,
  type ResponseOf,
} from "@millrace/protocol";
import type { AbortSignalLike, ClientRuntime } from "@millrace/runtime";
import { AbortSource, abortedError, linkSignals, throwIfAborted } from "./abort.js";
import { Backoff } from "./backoff.js";
import { parseBootstrap, parseBrokerUrl } from "./bootstrap.js";
import {
  type ClusterClientConfig,
  type ClusterClientOptions,
  parseClusterClientOptions,
} from "./cluster-client-options.js";
import { ClusterIdentity } from "./cluster-identity.js";
import { ConnectionPool } from "./connection-pool.js";
import { CorrelationIds } from "./correlation.js";
import { MetadataCache } from "./metadata-cache.js";
import { PendingRequest } from "./pending-request.js";
import type { Answer, RequestOptions, Target } from "./request.js";
import { isWorthRetrying, type RetryOptions } from "./retry.js";

export class ClusterClient {
  readonly runtime: ClientRuntime;
  readonly metadata: MetadataCache;
  readonly #config: ClusterClientConfig;
  readonly #bootstrapUrls: readonly string[];
  readonly #identity = new ClusterIdentity();
  readonly #backoff: Backoff;
  readonly #pool: ConnectionPool;
  readonly #correlationIds = new CorrelationIds();
  /** Every request that has not settled. */
  readonly #requests = new Set<PendingRequest>();
  /** Nodes that could not be reached where metadata says they are. */
  readonly #suspects = new Set<NodeId>();
  readonly #closing = new AbortSource();
  #closed: Promise<void> | undefined;

  /** @throws MillraceError `INVALID_ARGUMENT`, `INVALID_CONFIG_VALUE` */
  constructor(options: ClusterClientOptions) {
    const { runtime } = options;
    this.runtime = runtime;
    this.#config = parseClusterClientOptions(options);
    this.#bootstrapUrls = parseBootstrap(options.bootstrap);
    this.#backoff = new Backoff({
      initialMs: this.#config.retryBackoffMs,
      maxMs: this.#config.retryBackoffMaxMs,
      random: runtime.random,
    });
    this.metadata = new MetadataCache({
      clock: runtime.clock,
      logger: runtime.logger,
      maxAgeMs: this.#config.metadataMaxAgeMs,
      fetch: (names) => this.#fetchMetadata(names),
    });
    this.#pool = new ConnectionPool({
      settings: { ...this.#config, runtime, identity: this.#identity, live: new Set() },
      backoff: this.#backoff,
      closing: this.#closing.signal,
      bootstrapUrls: () => this.#knownUrls(),
      resolveUrl: (nodeId) => this.#resolveUrl(nodeId),
      onUnreachable: (nodeId) => this.#onUnreachable(nodeId),
    });
  }

  get isClosed(): boolean {
    return this.#closed !== undefined;
  }

  /** null until a node has answered. */
  get clusterId(): string | null {
    return this.#identity.clusterId;
  }

  /** Default of a request's `timeoutMs`. */
  get requestTimeoutMs(): number {
    return this.#config.requestTimeoutMs;
  }

  /** Largest request frame that the node takes; `undefined` while no connection to it is open. */
  maxFrameBytes(nodeId: NodeId): number | undefined {
    return this.#pool.maxFrameBytes(nodeId);
  }

  /**
   * ONE attempt. Waits for a connection and for the broker's credits, within `timeoutMs`.
   * @throws MillraceError `CONNECTION_FAILED` (never sent), `NETWORK_EXCEPTION` (the connection broke: outcome
   * unknown), `REQUEST_TIMED_OUT` (sent; outcome unknown), `ABORTED`, `CLOSED`, `PROTOCOL_VIOLATION`,
   * `BROKER_OVERLOADED`, or the error the broker answered with.
   */
  request<Name extends ApiName>(
    target: Target,
    api: Name,
    body: RequestOf<Name>,
    options: RequestOptions = {},
  ): Promise<Answer<Name>> {
    return new Promise((resolve, reject) => {
      throwIfAborted(this.#closing.signal);
      throwIfAborted(options.signal);
      const correlationId = this.#correlationIds.next();
      const request = new PendingRequest({
        api,
        correlationId,
        channel: options.channel ?? "default",
        chunks: encodeRequest(api, correlationId, body, options.records),
        clock: this.runtime.clock,
        timeoutMs: options.timeoutMs ?? this.#config.requestTimeoutMs,
        signal: options.signal,
        // The connection has read the body by the schema of this very API.
        onAnswer: (answer) => resolve(answer as Answer<Name>),
        onError: reject,
        onSettled: (settled, error) => this.#onSettled(settled, target, error),
      });
      this.#requests.add(request);
      this.#route(target, request);
    });
  }

  /**
   * Repeats `operation` while it fails with errors that are worth repeating, with a backoff between, and
   * refreshes the metadata where the error asks for it. `operation` gets the number of the attempt (0, 1, ...)
   * and the time that is left (`Infinity` without `timeoutMs`).
   * @throws the last error when it is not worth repeating or the time is over; MillraceError `ABORTED`, `CLOSED`.
   */
  async retry<T>(
    operation: (attempt: number, remainingMs: number) => Promise<T>,
    options: RetryOptions = {},
  ): Promise<T> {
    const { clock } = this.runtime;
    const deadlineMs = clock.monotonicMs() + (options.timeoutMs ?? Number.POSITIVE_INFINITY);
    for (let attempt = 0; ; attempt++) {
      throwIfAborted(this.#closing.signal);
      throwIfAborted(options.signal);
      try {
        return await operation(attempt, deadlineMs - clock.monotonicMs());
      } catch (error) {
        const delayMs = this.#backoff.delayMs(attempt);
        if (!isWorthRetrying(error) || clock.monotonicMs() + delayMs >= deadlineMs) {
          throw error;
        }
        await this.#pause(delayMs, options.signal);
        await this.#refreshAfter(error, options.signal);
      }
    }
  }

  /** Rejects what is pending with `CLOSED` and resolves when every connection is gone. Idempotent. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    const error = new MillraceError("CLOSED");
    this.#closing.abort(error);
    this.metadata.close();
    for (const request of [...this.#requests]) {
      request.fail(error);
    }
    await this.#pool.close(error);
  }

  #route(target: Target, request: PendingRequest): void {
    if (target === "any") {
      this.#pool.toAny(request);
    } else if (target === "controller") {
      this.#controllerId().then(
        (nodeId) => this.#pool.toNode(nodeId, request),
        (error: unknown) => request.fail(error),
      );
    } else {
      this.#pool.toNode(target.nodeId, request);
    }
  }

  #onSettled(request: PendingRequest, target: Target, error: unknown): void {
    this.#requests.delete(request);
    const channel = this.runtime.diagnostics.channel("millrace:request");
    if (channel.hasSubscribers) {
      channel.publish({
        api: request.api,
        target: typeof target === "string" ? target : target.nodeId,
        channel: request.channel,
        requestBytes: request.sizeBytes,
        durationMs: this.runtime.clock.monotonicMs() - request.startedAtMs,
        error,
      });
    }
  }

  async #controllerId(): Promise<NodeId> {
    if (this.metadata.controllerId < 0) {
      await this.metadata.refresh([]);
    }
    const { controllerId } = this.metadata;
    if (controllerId < 0) {
      throw new MillraceError(
        "BROKER_NOT_AVAILABLE",
        "the cluster has no controller at the moment",
      );
    }
    return controllerId;
  }

  async #fetchMetadata(names: readonly string[]): Promise<ResponseOf<"metadata">> {
    const { body } = await this.request("any", "metadata", { topics: names, topicIds: [] });
    this.#identity.check(body.clusterId, "a broker's metadata");
    this.#suspects.clear();
    return body;
  }

  /** Where metadata says the node is; asks again when it does not know, or was wrong. */
  async #resolveUrl(nodeId: NodeId): Promise<string> {
    if (this.#urlOf(nodeId) === undefined || this.#suspects.has(nodeId)) {
      await this.metadata.refresh([]);
    }
    const url = this.#urlOf(nodeId);
    if (url === undefined) {
      throw new MillraceError("BROKER_NOT_AVAILABLE", `the cluster has no node ${nodeId}`, {
        details: { nodeId },
      });
    }
    try {
      return parseBrokerUrl(url);
    } catch (error) {
      throw new MillraceError(
        "PROTOCOL_VIOLATION",
        `node ${nodeId} advertises an address that cannot be used: ${String(error)}`,
        { cause: error, details: { nodeId } },
      );
    }
  }

  #urlOf(nodeId: NodeId): string | undefined {
    return this.metadata.brokers.find((broker) => broker.nodeId === nodeId)?.url;
  }

  #knownUrls(): readonly string[] {
    const urls = new Set(this.#bootstrapUrls);
    for (const { url } of this.metadata.brokers) {
      try {
        urls.add(parseBrokerUrl(url));
      } catch {
        // An address that cannot be used; whoever is sent to that very node hears of it.
      }
    }
    return [...urls];
  }

  #onUnreachable(nodeId: NodeId): void {
    this.#suspects.add(nodeId);
    this.metadata.invalidate(`node ${nodeId} cannot be reached`);
  }

  /** @throws MillraceError `ABORTED`, `CLOSED` */
  async #pause(delayMs: number, signal: AbortSignalLike | undefined): Promise<void> {
    const linked = linkSignals([this.#closing.signal, signal]);
    try {
      await this.runtime.clock.sleep(delayMs, linked.signal);
    } catch {
      // A sleep rejects for one reason only: its signal.
      throw abortedError(linked.signal);
    } finally {
      linked.unlink();
    }
  }

  async #refreshAfter(error: unknown, signal: AbortSignalLike | undefined): Promise<void> {
    if (!isMillraceError(error) || !(error.refreshMetadata || error.code === "CONNECTION_FAILED")) {
      return;
    }
    this.metadata.invalidate(error.code);
    try {
      await this.metadata.refresh(undefined, { signal });
    } catch {
      // The next attempt meets the same trouble and reports it.
    }
  }
}
