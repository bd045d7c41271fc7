// What the network suites run against, and the recorder with which their cases watch a connection.

import type { Clock } from "../clock.js";
import type {
  AcceptedConnection,
  CloseReason,
  Connection,
  ConnectionEvents,
  Listener,
  ListeningNetwork,
  ListenOptions,
  Network,
} from "../network.js";

export interface NetworkSubject {
  /** The network under test: it dials. */
  readonly network: Network;
  /** Where the other end listens: the network under test itself where it can, else Node's. */
  readonly peer: ListeningNetwork;
  readonly clock: Clock;
  /** What `peer` can listen on and `network` can reach. Default "127.0.0.1". */
  readonly host?: string;
  /** False where reading cannot be stopped (browsers). Default true. */
  readonly canPauseReading?: boolean;
  /** False where a failed dial has no reason (browsers: always `UNREACHABLE`). Default true. */
  readonly seesDialFailures?: boolean;
  /** False where only 1000 and 3000 to 4999 may be sent (browsers). Default true. */
  readonly sendsAnyCloseCode?: boolean;
}

export const testLimits: ListenOptions["limits"] = {
  maxMessageBytes: 32 * 1024 * 1024,
  maxPartialBytes: 256 * 1024 * 1024,
  partialMessageTimeoutMs: 10_000,
  maxConnections: 100,
  handshakeTimeoutMs: 5_000,
};

/** One end of a connection with all that happened to it. */
export class RecordedConnection<Kind extends Connection = Connection> implements ConnectionEvents {
  readonly connection: Kind;
  readonly messages: Uint8Array[] = [];
  readonly closes: CloseReason[] = [];
  messagesAfterClose = 0;
  drains = 0;
  /** Called after each message was recorded. */
  whenMessage: (message: Uint8Array) => void = () => {};

  constructor(connection: Kind) {
    this.connection = connection;
  }

  onMessage(message: Uint8Array): void {
    this.messages.push(message);
    this.messagesAfterClose += this.closes.length > 0 ? 1 : 0;
    this.whenMessage(message);
  }

  onClose(reason: CloseReason): void {
    this.closes.push(reason);
  }

  onDrain(): void {
    this.drains += 1;
  }
}

export interface Pair {
  readonly dialed: RecordedConnection;
  readonly accepted: RecordedConnection<AcceptedConnection>;
  readonly listener: Listener;
}

/** Polls `holds` on the subject's clock; fails after a minute of that clock. */
export async function until(
  clock: Clock,
  holds: () => boolean,
  what = "the expected state",
): Promise<void> {
  const endMs = clock.monotonicMs() + 60_000;
  while (!holds()) {
    if (clock.monotonicMs() > endMs) {
      throw new Error(`waited in vain for ${what}`);
    }
    await clock.sleep(2);
  }
}

/** Listens with defaults for everything that a case does not care about. */
export function listenWith(
  subject: NetworkSubject,
  overrides: Partial<Omit<ListenOptions, "limits">> & {
    limits?: Partial<ListenOptions["limits"]>;
  } = {},
): Promise<Listener> {
  const { limits, ...rest } = overrides;
  return subject.peer.listen({
    host: subject.host ?? "127.0.0.1",
    port: 0,
    allowUpgrade: () => true,
    onConnection: (connection) => new RecordedConnection(connection),
    onHttpRequest: () => ({ status: 404, body: "" }),
    ...rest,
    limits: { ...testLimits, ...limits },
  });
}

export const urlOf = (listener: Listener): string =>
  `ws://${listener.host.includes(":") ? `[${listener.host}]` : listener.host}:${listener.port}/`;

export async function dialWith(
  subject: NetworkSubject,
  listener: Listener,
  maxMessageBytes = testLimits.maxMessageBytes,
): Promise<RecordedConnection> {
  let recorded: RecordedConnection | undefined;
  const connection = await subject.network.dial(
    urlOf(listener),
    { maxMessageBytes, connectTimeoutMs: 10_000 },
    (opened) => {
      recorded = new RecordedConnection(opened);
      return recorded;
    },
  );
  if (recorded?.connection !== connection) {
    throw new Error("dial resolved without attaching the same connection first");
  }
  return recorded;
}

/** A listener, one dialed connection, and its accepted end; all closed after the case. */
export async function withPair(
  subject: NetworkSubject,
  body: (pair: Pair) => Promise<void>,
  limits: { listener?: Partial<ListenOptions["limits"]>; dialerMaxMessageBytes?: number } = {},
): Promise<void> {
  let accepted: RecordedConnection<AcceptedConnection> | undefined;
  const listener = await listenWith(subject, {
    limits: limits.listener ?? {},
    onConnection: (connection) => {
      accepted = new RecordedConnection(connection);
      return accepted;
    },
  });
  try {
    const dialed = await dialWith(subject, listener, limits.dialerMaxMessageBytes);
    await until(subject.clock, () => accepted !== undefined, "the accepted connection");
    if (accepted !== undefined) {
      await body({ dialed, accepted, listener });
    }
  } finally {
    await listener.close(0);
  }
}
