// The dialing end of a connection: gets what a direct socket receives besides what ws hands out.

import type { Socket } from "node:net";
import type { WebSocket } from "ws";
import type { ConnectionEvents } from "../network.js";
import type { DialedSocket } from "./dialed-socket.js";
import { NodeConnection } from "./node-connection.js";

export interface DialedConnectionOptions {
  readonly webSocket: WebSocket;
  readonly socket: Socket;
  /** What `socket` belongs to, when it is one that splits messages itself. */
  readonly direct: DialedSocket | undefined;
}

export class DialedConnection extends NodeConnection {
  readonly #direct: DialedSocket | undefined;

  constructor({ webSocket, socket, direct }: DialedConnectionOptions) {
    super({ webSocket, socket, masked: true });
    this.#direct = direct;
  }

  override attach(events: ConnectionEvents): void {
    super.attach(events);
    this.#direct?.start((message) => {
      // Not after the peer's close frame, which only ws has seen.
      if (this.isOpen) {
        this.receive(message);
      }
    });
  }
}
