// Listening: one HTTP server that upgrades to WebSockets and answers a few plain requests. Everything a client
// can do wrong ends with that client refused or cut, and a word to `onViolation`.

import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";
import { type WebSocket, WebSocketServer } from "ws";
import { BufferPool } from "../buffer-pool.js";
import { type Listener, type ListenOptions, refusalOf, SUB_PROTOCOL } from "../network.js";
import { NodeAcceptedConnection } from "./accepted-connection.js";
import { createScratch, DirectSocket } from "./direct-socket.js";
import { answerRequest, malformedRequest, refuse, toHttpRequest } from "./http-answers.js";
import { bind } from "./listen-error.js";
import { PartialMessages } from "./partial-messages.js";
import { KEEP_ALIVE_DELAY_MS, webSocketOptions } from "./websocket-options.js";

const MAX_HEADER_BYTES = 8 * 1024;
const KEEP_ALIVE_TIMEOUT_MS = 5_000;
/** Sockets beyond `maxConnections`, so that there is one for the answer 503 and for health checks. */
const SPARE_SOCKETS = 64;
/** Memory of messages that is kept for the next ones. */
const FREE_MESSAGE_BYTES_MAX = 8 * 1024 * 1024;
const DEFAULT_GRACE_MS = 1_000;
const GOING_AWAY = 1_001;
const INTERNAL_ERROR = 1_011;

const offersSubProtocol = (request: IncomingMessage): boolean =>
  (request.headers["sec-websocket-protocol"] ?? "")
    .split(",")
    .some((offered) => offered.trim() === SUB_PROTOCOL);

const noBytes = Buffer.alloc(0);

interface Upgraded {
  readonly webSocket: WebSocket;
  readonly socket: Socket;
  readonly request: IncomingMessage;
  readonly direct: DirectSocket | undefined;
  /** What came with the request. */
  readonly head: Uint8Array;
}

class NodeListener implements Listener {
  readonly #options: ListenOptions;
  readonly #server: Server;
  readonly #webSockets: WebSocketServer;
  readonly #partialMessages: PartialMessages;
  readonly #connections = new Set<NodeAcceptedConnection>();
  readonly #scratch = createScratch();
  readonly #pool = new BufferPool({ maxFreeBytes: FREE_MESSAGE_BYTES_MAX });
  readonly #sweep: NodeJS.Timeout;
  #whenEmpty: () => void = () => {};
  #isAccepting = true;
  #closing: Promise<void> | undefined;
  #address: AddressInfo | undefined;

  constructor(options: ListenOptions) {
    const { handshakeTimeoutMs, maxConnections, partialMessageTimeoutMs } = options.limits;
    this.#options = options;
    this.#partialMessages = new PartialMessages(options.limits);
    this.#server = createServer({
      maxHeaderSize: MAX_HEADER_BYTES,
      headersTimeout: handshakeTimeoutMs,
      requestTimeout: handshakeTimeoutMs,
      connectionsCheckingInterval: Math.max(50, Math.min(1_000, handshakeTimeoutMs / 4)),
      keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: KEEP_ALIVE_DELAY_MS,
    });
    this.#server.maxConnections = maxConnections + SPARE_SOCKETS;
    this.#webSockets = new WebSocketServer({
      ...webSocketOptions,
      noServer: true,
      clientTracking: false,
      maxPayload: options.limits.maxMessageBytes,
      handleProtocols: () => SUB_PROTOCOL,
    });
    this.#serve();
    const sweepMs = Math.max(20, Math.min(1_000, partialMessageTimeoutMs / 4));
    this.#sweep = setInterval(() => this.#partialMessages.sweep(performance.now()), sweepMs);
    this.#sweep.unref();
  }

  async open(): Promise<void> {
    try {
      this.#address = await bind(this.#server, this.#options);
    } catch (error) {
      clearInterval(this.#sweep);
      throw error;
    }
  }

  get host(): string {
    return this.#address?.address ?? this.#options.host;
  }

  get port(): number {
    return this.#address?.port ?? this.#options.port;
  }

  get connectionCount(): number {
    return this.#connections.size;
  }

  stopAccepting(): Promise<void> {
    if (this.#isAccepting) {
      this.#isAccepting = false;
      // The listening socket is closed when this returns; its callback would wait for every connection.
      this.#server.close();
    }
    return Promise.resolve();
  }

  close(graceMs = DEFAULT_GRACE_MS): Promise<void> {
    this.#closing ??= this.#close(graceMs);
    return this.#closing;
  }

  async #close(graceMs: number): Promise<void> {
    await this.stopAccepting();
    const whenEmpty = new Promise<void>((resolve) => {
      this.#whenEmpty = resolve;
    });
    if (this.#connections.size === 0) {
      this.#whenEmpty();
    }
    for (const connection of this.#connections) {
      connection.close(GOING_AWAY, "the server is going away");
    }
    const timeout = setTimeout(() => {
      for (const connection of [...this.#connections]) {
        connection.terminate();
      }
    }, graceMs);
    await whenEmpty;
    clearTimeout(timeout);
    clearInterval(this.#sweep);
    this.#server.closeAllConnections();
  }

  #serve(): void {
    this.#server.on("request", (request, response) => {
      void answerRequest(request, response, this.#options.onHttpRequest).then((error) => {
        if (error !== undefined) {
          this.#report(request.socket, `answering a request failed: ${error.message}`);
        }
      });
    });
    this.#server.on("upgrade", (request, socket, head) => this.#onUpgrade(request, socket, head));
    this.#server.on("clientError", (error, socket) => {
      const { status, reason } = malformedRequest(error);
      // A reset is no violation; it happens.
      if ("code" in error && error.code !== "ECONNRESET") {
        this.#report(socket, `${reason}: ${error.message}`);
      }
      refuse(socket, status, reason);
    });
    this.#webSockets.on("wsClientError", (error, socket) => {
      this.#report(socket, error.message);
      refuse(socket, 400, error.message);
    });
  }

  #onUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const refusal = this.#refusalOf(request);
    if (refusal !== undefined) {
      this.#report(socket, refusal.reason);
      refuse(socket, refusal.status, refusal.reason);
      return;
    }
    const { maxMessageBytes } = this.#options.limits;
    const [scratch, pool] = [this.#scratch, this.#pool];
    const direct = DirectSocket.takeOver(socket, { maxMessageBytes, scratch, pool });
    const use = direct === undefined ? { socket, head } : { socket: direct.socket, head: noBytes };
    this.#webSockets.handleUpgrade(request, use.socket, use.head, (webSocket) => {
      this.#accept({ webSocket, socket: use.socket as Socket, request, direct, head });
    });
  }

  #refusalOf(request: IncomingMessage): { status: number; reason: string } | undefined {
    if (!this.#isAccepting) {
      return { status: 503, reason: "the server is going away" };
    }
    if (this.#connections.size >= this.#options.limits.maxConnections) {
      return { status: 503, reason: "too many connections" };
    }
    if (!offersSubProtocol(request)) {
      return { status: 400, reason: `the WebSocket sub-protocol must be ${SUB_PROTOCOL}` };
    }
    try {
      const verdict = this.#options.allowUpgrade(toHttpRequest(request));
      return verdict === true ? undefined : refusalOf(verdict);
    } catch (error) {
      return { status: 500, reason: `deciding about an upgrade failed: ${String(error)}` };
    }
  }

  #accept(upgraded: Upgraded): void {
    const { webSocket, socket, head } = upgraded;
    const connection = new NodeAcceptedConnection({
      ...upgraded,
      maxMessageBytes: this.#options.limits.maxMessageBytes,
      partialMessages: this.#partialMessages,
      onViolation: (reason) => this.#report(socket, reason),
    });
    this.#connections.add(connection);
    webSocket.once("close", () => {
      this.#connections.delete(connection);
      if (this.#connections.size === 0) {
        this.#whenEmpty();
      }
    });
    try {
      connection.attach(this.#options.onConnection(connection));
      connection.startDirect(head);
    } catch (error) {
      // Without handlers there is nobody to serve this connection, and ws's errors need a listener.
      webSocket.on("error", () => {});
      connection.close(INTERNAL_ERROR, "internal error");
      this.#report(socket, `accepting a connection failed: ${String(error)}`);
    }
  }

  #report(socket: Duplex, reason: string): void {
    const { remoteAddress, remotePort } = socket as Partial<Socket>;
    const address = remoteAddress === undefined ? "unknown" : `${remoteAddress}:${remotePort}`;
    try {
      this.#options.onViolation?.({ remoteAddress: address, reason });
    } catch {
      // The log of a violation must not become the next one; there is nobody left to tell.
    }
  }
}

/** See `ListeningNetwork.listen`. */
export async function listen(options: ListenOptions): Promise<Listener> {
  const listener = new NodeListener(options);
  await listener.open();
  return listener;
}
