// A client's network that counts: connections opened, bytes that came in, and whether anything still moves.

import type { ClientRuntime, Connection, ConnectionEvents, Network } from "@millrace/runtime";
import { silentLogger } from "@millrace/runtime";
import { createNodeRuntime } from "@millrace/runtime/node";

export class WatchedNetwork implements Network {
  dials = 0;
  sentBytes = 0;
  receivedBytes = 0;
  /** Open right now. */
  open = 0;
  readonly #inner: Network;

  constructor(inner: Network) {
    this.#inner = inner;
  }

  /** Changes whenever a byte moves or a connection is tried. */
  get activity(): string {
    return [this.dials, this.sentBytes, this.receivedBytes].join();
  }

  dial: Network["dial"] = (url, options, attach) => {
    this.dials++;
    return this.#inner.dial(url, options, (connection) => this.#attach(connection, attach));
  };

  #attach(
    connection: Connection,
    attach: (connection: Connection) => ConnectionEvents,
  ): ConnectionEvents {
    this.open++;
    const send = connection.send.bind(connection);
    connection.send = (chunks, onLeft) => {
      this.sentBytes += chunks.reduce((sum, chunk) => sum + chunk.length, 0);
      send(chunks, onLeft);
    };
    const events = attach(connection);
    return {
      onMessage: (message) => {
        this.receivedBytes += message.length;
        events.onMessage(message);
      },
      onClose: (reason) => {
        this.open--;
        events.onClose(reason);
      },
      onDrain: () => events.onDrain?.(),
    };
  }
}

export function watchedRuntime(): { runtime: ClientRuntime; network: WatchedNetwork } {
  const runtime = createNodeRuntime({ logger: silentLogger });
  const network = new WatchedNetwork(runtime.network);
  return { runtime: { ...runtime, network }, network };
}
