// The listener's end of a connection: besides being a connection it is metered (unfinished messages, the size
// a message announces), and its limit can be changed.

import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import type { WebSocket } from "ws";
import type { AcceptedConnection } from "../network.js";
import type { DirectSocket } from "./direct-socket.js";
import { FrameMeter } from "./frame-meter.js";
import { NodeConnection } from "./node-connection.js";
import type { PartialMessage, PartialMessages } from "./partial-messages.js";
import { dropUnfinishedMessage, setReceiverLimit } from "./websocket-options.js";

export interface NodeAcceptedConnectionOptions {
  readonly webSocket: WebSocket;
  readonly socket: Socket;
  /** What `socket` belongs to, when it is one that reads straight into messages. */
  readonly direct: DirectSocket | undefined;
  readonly request: IncomingMessage;
  readonly maxMessageBytes: number;
  readonly partialMessages: PartialMessages;
  readonly onViolation: (reason: string) => void;
}

export class NodeAcceptedConnection extends NodeConnection implements AcceptedConnection {
  readonly origin: string | undefined;
  readonly host: string | undefined;
  readonly #webSocket: WebSocket;
  readonly #direct: DirectSocket | undefined;
  readonly #meter: FrameMeter;
  readonly #partialMessages: PartialMessages;
  readonly #partial: PartialMessage;
  readonly #onViolation: (reason: string) => void;

  constructor(options: NodeAcceptedConnectionOptions) {
    super({ webSocket: options.webSocket, socket: options.socket, masked: false });
    this.origin = options.request.headers.origin;
    this.host = options.request.headers.host;
    this.#webSocket = options.webSocket;
    this.#direct = options.direct;
    this.#meter = new FrameMeter(options.maxMessageBytes);
    this.#partialMessages = options.partialMessages;
    this.#onViolation = options.onViolation;
    this.#partial = options.partialMessages.track((reason) => this.#cut(reason));
    if (options.direct === undefined) {
      // Before ws's own listener: what is over the bound is cut before it is assembled.
      options.socket.prependListener("data", (chunk: Buffer) => this.#onBytes(chunk));
    }
    options.webSocket.once("close", () => options.partialMessages.forget(this.#partial));
  }

  /** Delivers what a direct socket receives; `head` came with the request. Call after `attach`. */
  startDirect(head: Uint8Array): void {
    const onMessage = (message: Uint8Array, release: (() => void) | undefined): void => {
      // Not after the peer's close frame, which only ws has seen.
      if (this.isOpen) {
        this.receive(message, release);
      } else {
        release?.();
      }
    };
    this.#direct?.start({ onBytes: (bytes) => this.#onBytes(bytes), onMessage }, head);
  }

  setMaxMessageBytes(bytes: number): void {
    this.#meter.maxMessageBytes = bytes;
    if (this.#direct !== undefined) {
      this.#direct.maxMessageBytes = bytes;
    }
    setReceiverLimit(this.#webSocket, bytes);
  }

  override pauseReading(): void {
    this.#partialMessages.pause(this.#partial);
    super.pauseReading();
  }

  override resumeReading(): void {
    this.#partialMessages.resume(this.#partial, performance.now());
    super.resumeReading();
  }

  #onBytes(chunk: Uint8Array): void {
    if (this.#meter.isTooLarge) {
      return;
    }
    const meter = this.#meter;
    meter.push(chunk);
    if (meter.isTooLarge) {
      this.#partialMessages.forget(this.#partial);
      this.#onViolation(`a message exceeds ${meter.maxMessageBytes} bytes`);
      // ws finds the same in this very chunk and closes with 1009. Should it not, it is cut.
      setImmediate(() => this.#cutIfOpen());
      return;
    }
    this.#partialMessages.update(this.#partial, {
      bytes: meter.partialBytes,
      messageCount: meter.messageCount,
      dataBytes: () => meter.dataBytes,
      nowMs: performance.now(),
    });
  }

  #cutIfOpen(): void {
    if (this.isOpen) {
      this.fail(new Error(`a message exceeds ${this.#meter.maxMessageBytes} bytes`));
    }
  }

  #cut(reason: string): void {
    this.#onViolation(reason);
    this.fail(new Error(reason));
    dropUnfinishedMessage(this.#webSocket);
    this.#direct?.drop();
  }
}
