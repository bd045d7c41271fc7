// One open WebSocket as a Connection: ws receives and does the handshakes of opening and closing; messages are
// written to the socket directly. Used by both ends.

import type { Socket } from "node:net";
import type { WebSocket } from "ws";
import { closeReasonText } from "../close-reason.js";
import type { CloseReason, Connection, ConnectionEvents } from "../network.js";
import { toUint8Array } from "./bytes.js";
import { writeMessage } from "./websocket-frame.js";

const UNSUPPORTED_DATA = 1_003;

export interface NodeConnectionOptions {
  readonly webSocket: WebSocket;
  /** The socket under it. */
  readonly socket: Socket;
  /** True at the dialing end (RFC 6455 has clients mask). */
  readonly masked: boolean;
}

const addressOf = ({ remoteAddress, remotePort, remoteFamily }: Socket): string => {
  if (remoteAddress === undefined) {
    return "unknown";
  }
  return remoteFamily === "IPv6"
    ? `[${remoteAddress}]:${remotePort}`
    : `${remoteAddress}:${remotePort}`;
};

interface Received {
  readonly message: Uint8Array;
  readonly release: (() => void) | undefined;
}

export class NodeConnection implements Connection {
  readonly remoteAddress: string;
  readonly #webSocket: WebSocket;
  readonly #socket: Socket;
  readonly #masked: boolean;
  #events: ConnectionEvents | undefined;
  #error: Error | undefined;
  #isOpen = true;
  #isClosed = false;
  #isCorked = false;
  #isPaused = false;
  /** Messages that came with the bytes of the one during which reading was paused: one socket read, or less. */
  #held: Received[] = [];

  constructor(options: NodeConnectionOptions) {
    this.#webSocket = options.webSocket;
    this.#socket = options.socket;
    this.#masked = options.masked;
    this.remoteAddress = addressOf(options.socket);
  }

  /** Starts delivering to `events`. Called once, before any message can arrive. */
  attach(events: ConnectionEvents): void {
    this.#events = events;
    this.#webSocket.on("message", (data, isBinary) => this.#onMessage(data, isBinary));
    this.#webSocket.on("error", (error) => {
      this.#error ??= error;
      this.#isOpen = false;
    });
    this.#webSocket.on("close", (code, reason) => this.#onClose(code, reason.toString("utf8")));
    this.#socket.on("drain", () => this.#deliver(() => events.onDrain?.()));
  }

  get isOpen(): boolean {
    return this.#isOpen && this.#webSocket.readyState === this.#webSocket.OPEN;
  }

  get bufferedBytes(): number {
    return this.#isClosed ? 0 : this.#socket.writableLength;
  }

  send(chunks: readonly Uint8Array[], onLeft?: () => void): void {
    if (!this.isOpen) {
      onLeft?.();
      return;
    }
    if (!this.#isCorked) {
      // What is sent in one turn of the event loop leaves with one system call.
      this.#isCorked = true;
      this.#socket.cork();
      process.nextTick(() => {
        this.#isCorked = false;
        this.#socket.uncork();
      });
    }
    writeMessage(this.#socket, chunks, { masked: this.#masked, onLeft });
  }

  pauseReading(): void {
    this.#isPaused = true;
    this.#webSocket.pause();
  }

  resumeReading(): void {
    if (!this.#isPaused) {
      return;
    }
    this.#isPaused = false;
    this.#deliverHeld();
    if (!this.#isPaused) {
      this.#webSocket.resume();
    }
  }

  close(code = 1_000, reason = ""): void {
    if (this.isOpen) {
      this.#isOpen = false;
      this.#webSocket.close(code, closeReasonText(reason));
      // The peer's close frame must be read, or closing takes until the timeout.
      this.#webSocket.resume();
    }
  }

  terminate(): void {
    this.#isOpen = false;
    this.#dropHeld();
    this.#webSocket.terminate();
  }

  /** Cuts the connection and says why in the close reason's `error`. */
  fail(error: Error): void {
    this.#error ??= error;
    this.terminate();
  }

  #onMessage(data: Parameters<typeof toUint8Array>[0], isBinary: boolean): void {
    if (isBinary) {
      this.receive(toUint8Array(data));
    } else {
      this.close(UNSUPPORTED_DATA, "messages are binary");
    }
  }

  /** A binary message came. `release` as in `ConnectionEvents.onMessage`. */
  protected receive(message: Uint8Array, release?: () => void): void {
    if (this.#isPaused && this.#isOpen) {
      this.#held.push({ message, release });
    } else if (this.#isOpen) {
      this.#deliver((events) => events.onMessage(message, release));
    } else {
      release?.();
    }
  }

  #dropHeld(): void {
    for (const { release } of this.#held.splice(0)) {
      release?.();
    }
  }

  #deliverHeld(): void {
    let delivered = 0;
    const held = this.#held;
    this.#held = [];
    while (delivered < held.length && !this.#isPaused && this.#isOpen) {
      const { message, release } = held[delivered++] as Received;
      this.#deliver((events) => events.onMessage(message, release));
    }
    this.#held = held.slice(delivered);
    if (!this.#isOpen) {
      this.#dropHeld();
    }
  }

  #onClose(code: number, reason: string): void {
    if (this.#isClosed) {
      return;
    }
    // The peer sent them before it closed, and nothing follows: they are not kept back for a pause.
    this.#isPaused = false;
    this.#deliverHeld();
    this.#isOpen = false;
    this.#isClosed = true;
    const error = this.#error;
    const closeReason: CloseReason =
      error === undefined ? { code, reason } : { code, reason, error };
    this.#deliver((events) => events.onClose(closeReason));
  }

  /** A handler that throws costs its own connection and nothing else. */
  #deliver(call: (events: ConnectionEvents) => unknown): void {
    if (this.#events === undefined) {
      return;
    }
    try {
      call(this.#events);
    } catch (error) {
      this.fail(error instanceof Error ? error : new Error(String(error)));
    }
  }
}
