// Every connection of a client: one channel per node and channel name, made when first used. A request for
// any node goes to one that is connected, else a search finds the first.

import type { MillraceError, NodeId } from "@millrace/protocol";
import type { AbortSignalLike } from "@millrace/runtime";
import type { Backoff } from "./backoff.js";
import { unsentError } from "./connection-errors.js";
import { ConnectionLog } from "./connection-log.js";
import { NodeChannel } from "./node-channel.js";
import type { ConnectionSettings, NodeConnection } from "./node-connection.js";
import { NodeSearch } from "./node-search.js";
import type { PendingRequest } from "./pending-request.js";

export interface ConnectionPoolOptions {
  readonly settings: ConnectionSettings;
  readonly backoff: Backoff;
  readonly closing: AbortSignalLike;
  /** Addresses to try when no node is known to answer. */
  bootstrapUrls(): readonly string[];
  resolveUrl(nodeId: NodeId): Promise<string>;
  onUnreachable(nodeId: NodeId): void;
}

/** Channels kept for nodes that nobody talks to; above it unused ones are forgotten. */
const UNUSED_CHANNELS_MAX = 64;

export class ConnectionPool {
  readonly #options: ConnectionPoolOptions;
  readonly #log: ConnectionLog;
  readonly #channels = new Map<string, NodeChannel>();
  readonly #searches = new Map<string, NodeSearch>();

  constructor(options: ConnectionPoolOptions) {
    this.#options = options;
    const { clock, logger } = options.settings.runtime;
    this.#log = new ConnectionLog(logger, clock);
  }

  /** Sends to this node, or rejects the request. */
  toNode(nodeId: NodeId, request: PendingRequest): void {
    this.#channel(nodeId, request.channel).enqueue(request);
  }

  /** Sends to whichever node has a connection, or answers first. */
  toAny(request: PendingRequest): void {
    const suffix = `/${request.channel}`;
    for (const [key, channel] of this.#channels) {
      if (key.endsWith(suffix) && channel.connection !== undefined) {
        channel.enqueue(request);
        return;
      }
    }
    this.#search(request.channel).add(request);
  }

  /** Largest request the node said it takes; `undefined` while there is no connection to it. */
  maxFrameBytes(nodeId: NodeId): number | undefined {
    for (const channel of this.#channels.values()) {
      if (channel.nodeId === nodeId && channel.connection !== undefined) {
        return channel.connection.hello.limits.maxFrameBytes;
      }
    }
    return undefined;
  }

  /** Rejects what waits, closes every connection and resolves when they are gone. */
  async close(error: MillraceError): Promise<void> {
    for (const search of this.#searches.values()) {
      search.rejectAll(error);
    }
    for (const channel of this.#channels.values()) {
      channel.rejectWaiting(error);
    }
    const live = [...this.#options.settings.live];
    for (const connection of live) {
      connection.close(error);
    }
    await Promise.all(live.map((connection) => connection.closed));
  }

  #channel(nodeId: NodeId, name: string): NodeChannel {
    const key = `${nodeId}/${name}`;
    const known = this.#channels.get(key);
    if (known !== undefined) {
      return known;
    }
    this.#forgetUnused();
    const { backoff, closing, onUnreachable, resolveUrl, settings } = this.#options;
    const channel = new NodeChannel({
      settings,
      nodeId,
      channel: name,
      backoff,
      log: this.#log,
      closing,
      resolveUrl,
      onUnreachable,
    });
    this.#channels.set(key, channel);
    return channel;
  }

  #forgetUnused(): void {
    if (this.#channels.size < UNUSED_CHANNELS_MAX) {
      return;
    }
    for (const [key, channel] of this.#channels) {
      if (channel.isUnused) {
        this.#channels.delete(key);
      }
    }
  }

  #search(name: string): NodeSearch {
    const known = this.#searches.get(name);
    if (known !== undefined) {
      return known;
    }
    const search = new NodeSearch({
      ...this.#options,
      log: this.#log,
      onFound: (connection, waiting) => this.#onFound(name, connection, waiting),
    });
    this.#searches.set(name, search);
    return search;
  }

  #onFound(name: string, connection: NodeConnection, waiting: readonly PendingRequest[]): void {
    const channel = this.#channel(connection.hello.nodeId, name);
    if (!channel.adopt(connection)) {
      connection.close(unsentError(connection.url));
    }
    for (const request of waiting) {
      channel.enqueue(request);
    }
  }
}
