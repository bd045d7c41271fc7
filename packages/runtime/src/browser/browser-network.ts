// A browser's network: it dials. Why a dial failed a browser does not tell (a script could scan networks with
// that), so refusals of every kind are `UNREACHABLE`.

import type { Clock } from "../clock.js";
import {
  type Connection,
  type ConnectionEvents,
  DialError,
  type DialOptions,
  type Network,
  SUB_PROTOCOL,
} from "../network.js";
import { webSocketUrlProblem } from "../websocket-url.js";
import { BrowserConnection } from "./browser-connection.js";
import type { WebSocketClass } from "./web-socket-like.js";

export interface BrowserNetworkOptions {
  readonly clock: Clock;
  /** Default: the platform's `WebSocket`. */
  readonly webSocket?: WebSocketClass;
}

/** The platform's class, looked up when first needed: a server that renders pages may lack it. */
function platformWebSocket(): WebSocketClass {
  const { WebSocket: found } = globalThis as { WebSocket?: WebSocketClass };
  if (found === undefined) {
    throw new DialError("UNREACHABLE", "this platform has no WebSocket; pass one as an option");
  }
  return found;
}

export class BrowserNetwork implements Network {
  readonly #clock: Clock;
  readonly #webSocket: WebSocketClass | undefined;

  constructor(options: BrowserNetworkOptions) {
    this.#clock = options.clock;
    this.#webSocket = options.webSocket;
  }

  async dial(
    url: string,
    options: DialOptions,
    attach: (connection: Connection) => ConnectionEvents,
  ): Promise<Connection> {
    const problem = webSocketUrlProblem(url);
    if (problem !== undefined) {
      throw new DialError("INVALID_URL", problem);
    }
    if (options.signal?.aborted) {
      throw new DialError("ABORTED", `dialing ${url} was aborted`, {
        cause: options.signal.reason,
      });
    }
    return await this.#open(url, options, attach);
  }

  #open(
    url: string,
    options: DialOptions,
    attach: (connection: Connection) => ConnectionEvents,
  ): Promise<Connection> {
    const { signal, connectTimeoutMs, maxMessageBytes } = options;
    const webSocket = new (this.#webSocket ?? platformWebSocket())(url, [SUB_PROTOCOL]);
    webSocket.binaryType = "arraybuffer";
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        timeout.cancel();
        signal?.removeEventListener("abort", onAbort);
      };
      const fail = (error: unknown): void => {
        settle();
        // The events of a connection that nobody has must not be missed as errors: they stay handled.
        webSocket.onopen = () => webSocket.close();
        webSocket.onerror = () => {};
        webSocket.onclose = null;
        webSocket.close();
        reject(error);
      };
      const unreachable = (): void =>
        fail(new DialError("UNREACHABLE", `cannot connect to ${url}; browsers do not tell why`));
      const onAbort = (): void =>
        fail(new DialError("ABORTED", `dialing ${url} was aborted`, { cause: signal?.reason }));
      const timeout = this.#clock.setTimer(connectTimeoutMs, () => {
        fail(new DialError("TIMEOUT", `${url} did not answer within ${connectTimeoutMs} ms`));
      });
      signal?.addEventListener("abort", onAbort, { once: true });
      webSocket.onerror = unreachable;
      webSocket.onclose = unreachable;
      webSocket.onopen = () => {
        const connection = new BrowserConnection({
          webSocket,
          clock: this.#clock,
          maxMessageBytes,
        });
        try {
          connection.attach(attach(connection));
          settle();
          resolve(connection);
        } catch (error) {
          fail(error);
        }
      };
    });
  }
}
