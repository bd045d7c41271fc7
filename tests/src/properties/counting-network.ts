// A network that counts what passes through a process's connections, without changing any of it.

import type {
  AcceptedConnection,
  Connection,
  ConnectionEvents,
  ListenOptions,
  ServerRuntime,
} from "@millrace/runtime";

/** Less than this is a head without records: an empty answer, an acknowledgement, metadata. */
const HEAD_BYTES = 1_024;

export class TrafficCounter {
  /** Messages sent and dials begun. */
  sent = 0;
  dials = 0;
  /** Bytes of messages received that carry more than a head. */
  receivedBytes = 0;
  /** How many those were. */
  received = 0;
  readonly #open = new Set<Connection>();

  get openConnections(): number {
    return [...this.#open].filter((connection) => connection.isOpen).length;
  }

  /** Bytes accepted for sending that have not left the process, in the connection that has most of them. */
  get bufferedBytes(): number {
    return Math.max(0, ...[...this.#open].map(({ bufferedBytes }) => bufferedBytes));
  }

  /** Stops (or resumes) reading from every connection open now. */
  setReading(isReading: boolean): void {
    for (const connection of this.#open) {
      if (isReading) {
        connection.resumeReading();
      } else {
        connection.pauseReading();
      }
    }
  }

  /** The runtime with every connection counted here. */
  watch(runtime: ServerRuntime): ServerRuntime {
    const { network } = runtime;
    return {
      ...runtime,
      network: {
        dial: (url, options, attach) => {
          this.dials++;
          return network.dial(url, options, (connection) => {
            const counted = this.#counted(connection);
            return this.#events(connection, attach(counted));
          });
        },
        listen: (options: ListenOptions) =>
          network.listen({
            ...options,
            onConnection: (connection: AcceptedConnection) => {
              this.#open.add(connection);
              return this.#events(connection, options.onConnection(connection));
            },
          }),
      },
    };
  }

  #counted(connection: Connection): Connection {
    this.#open.add(connection);
    return {
      get remoteAddress() {
        return connection.remoteAddress;
      },
      get isOpen() {
        return connection.isOpen;
      },
      get bufferedBytes() {
        return connection.bufferedBytes;
      },
      send: (chunks, onLeft) => {
        this.sent++;
        connection.send(chunks, onLeft);
      },
      pauseReading: () => connection.pauseReading(),
      resumeReading: () => connection.resumeReading(),
      close: (code, reason) => connection.close(code, reason),
      terminate: () => connection.terminate(),
    };
  }

  #events(connection: Connection, events: ConnectionEvents): ConnectionEvents {
    return {
      onMessage: (message) => {
        if (message.length > HEAD_BYTES) {
          this.received++;
          this.receivedBytes += message.length;
        }
        events.onMessage(message);
      },
      onClose: (reason) => {
        this.#open.delete(connection);
        events.onClose(reason);
      },
      onDrain: () => events.onDrain?.(),
    };
  }
}
