// The network in front of a test broker: real sockets, but new connections may be cut, all of them dropped, and
// what arrives delayed.

import type {
  AcceptedConnection,
  Clock,
  ConnectionEvents,
  Listener,
  ListeningNetwork,
  ListenOptions,
} from "@millrace/runtime";
import { delayed } from "./delayed-connection.js";
import type { Faults } from "./faults.js";

const deaf: ConnectionEvents = { onMessage: () => {}, onClose: () => {} };

export class FaultyNetwork implements ListeningNetwork {
  readonly dial: ListeningNetwork["dial"];
  readonly #inner: ListeningNetwork;
  readonly #faults: Faults;
  readonly #clock: Clock;
  readonly #connections = new Set<AcceptedConnection>();
  readonly #listeners = new Set<Listener>();

  constructor(options: { inner: ListeningNetwork; faults: Faults; clock: Clock }) {
    this.#inner = options.inner;
    this.#faults = options.faults;
    this.#clock = options.clock;
    this.dial = (url, dialOptions, attach) => options.inner.dial(url, dialOptions, attach);
  }

  async listen(options: ListenOptions): Promise<Listener> {
    const listener = await this.#inner.listen({
      ...options,
      onConnection: (connection) => this.#accept(connection, options),
    });
    this.#listeners.add(listener);
    return listener;
  }

  /** Cuts every open connection, without a word. */
  dropConnections(): void {
    for (const connection of [...this.#connections]) {
      connection.terminate();
    }
  }

  /** As when the process ends: the port is free, every connection cut. */
  async cut(): Promise<void> {
    await Promise.all([...this.#listeners].map((listener) => listener.close(0)));
  }

  #accept(connection: AcceptedConnection, options: ListenOptions): ConnectionEvents {
    if (this.#faults.refuse) {
      connection.terminate();
      return deaf;
    }
    this.#connections.add(connection);
    const events = delayed(options.onConnection(connection), {
      clock: this.#clock,
      delayMs: () => this.#faults.delayMs,
      cut: () => connection.terminate(),
    });
    return {
      ...events,
      onClose: (reason) => {
        this.#connections.delete(connection);
        events.onClose(reason);
      },
    };
  }
}
