// The seam's `ListeningNetwork` for one process: dials and listens through the simulated network.

import {
  type Connection,
  type ConnectionEvents,
  DialError,
  type DialOptions,
  type HttpRequest,
  type HttpResponse,
  ListenError,
  type Listener,
  type ListeningNetwork,
  type ListenOptions,
  SUB_PROTOCOL,
} from "../network.js";
import { type Address, machineOf, parseAddress } from "./address.js";
import { knock } from "./knock.js";
import { SimConnection } from "./sim-connection.js";
import { SimListener } from "./sim-listener.js";
import type { SimNetwork } from "./sim-network.js";
import type { SimProcess } from "./sim-process.js";
import type { World } from "./world.js";

export interface NetworkPortContext {
  readonly world: World;
  readonly network: SimNetwork;
  readonly process: SimProcess;
  /** What this process sends as `Origin`, when it plays a browser. */
  readonly origin?: string | undefined;
}

type Attach = (connection: Connection) => ConnectionEvents;

export class NetworkPort implements ListeningNetwork {
  readonly #context: NetworkPortContext;

  constructor(context: NetworkPortContext) {
    this.#context = context;
  }

  dial(url: string, options: DialOptions, attach: Attach): Promise<Connection> {
    if (!this.#context.process.isAlive) {
      return new Promise(() => {});
    }
    const address = /^wss?:/i.test(url) ? parseAddress(url) : undefined;
    if (address === undefined) {
      return Promise.reject(new DialError("INVALID_URL", `not a WebSocket address: "${url}"`));
    }
    if (options.signal?.aborted === true) {
      return Promise.reject(new DialError("ABORTED", `${url}: dial aborted`));
    }
    return dialAddress(this.#context, { url, address, options, attach });
  }

  listen(options: ListenOptions): Promise<Listener> {
    const { world, network, process } = this.#context;
    if (!process.isAlive) {
      return new Promise(() => {});
    }
    const { host } = options;
    if (machineOf(host, process.nodeName) !== process.nodeName) {
      const message = `${host} is not an address of ${process.nodeName}`;
      return Promise.reject(new ListenError("ADDRESS_NOT_AVAILABLE", message));
    }
    const port = options.port === 0 ? network.freePort(process.nodeName) : options.port;
    const onStop = (stopped: SimListener): void => network.removeListener(stopped);
    const listener = new SimListener({ world, process, options, port, onStop });
    if (!network.addListener(listener)) {
      return Promise.reject(new ListenError("ADDRESS_IN_USE", `${host}:${port} is in use`));
    }
    return Promise.resolve(listener);
  }

  /** A plain HTTP request to a listener's port, as an operator's tool sends it. @throws DialError */
  request(
    url: string,
    options: { method?: string; headers?: Readonly<Record<string, string>> } = {},
  ): Promise<HttpResponse> {
    const address = parseAddress(url);
    if (address === undefined) {
      return Promise.reject(new DialError("INVALID_URL", `not an address: "${url}"`));
    }
    const { world, network, process } = this.#context;
    const request: HttpRequest = {
      method: options.method ?? "GET",
      path: address.path,
      headers: { host: address.authority, ...options.headers },
      remoteAddress: `${process.nodeName}:${network.freePort(process.nodeName)}`,
    };
    return new Promise((resolve, reject) => {
      const answer = (listener: SimListener, run: () => void): void => {
        const delayMs = network.topology.drawLatencyMs(listener.process.nodeName, process.nodeName);
        world.scheduler.schedule({ delayMs, kind: "http.answer", owner: process, run });
      };
      knock({
        world,
        network,
        process,
        address,
        isOver: () => false,
        onListener: (listener) => {
          Promise.resolve(listener.options.onHttpRequest(request)).then(
            (response) => answer(listener, () => resolve(response)),
            (error) => answer(listener, () => reject(error)),
          );
        },
        onRefused: () => reject(new DialError("REFUSED", `${url}: nothing listens`)),
        onUnknownHost: () => reject(new DialError("UNREACHABLE", `${url}: no such machine`)),
      });
    });
  }
}

interface Dial {
  readonly url: string;
  readonly address: Address;
  readonly options: DialOptions;
  readonly attach: Attach;
}

function dialAddress(context: NetworkPortContext, dial: Dial): Promise<Connection> {
  const { world, network, process } = context;
  const { url, address, options } = dial;
  const dialer = new SimConnection({
    world,
    process,
    remoteAddress: `${address.host}:${address.port}`,
    maxMessageBytes: options.maxMessageBytes,
  });
  return new Promise((resolve, reject) => {
    let isOver = false;
    const finish = (): void => {
      isOver = true;
      world.scheduler.cancel(timeout);
      options.signal?.removeEventListener("abort", onAbort);
    };
    const fail = (error: unknown): void => {
      if (!isOver) {
        finish();
        dialer.terminate();
        reject(error);
      }
    };
    const onAbort = (): void => fail(new DialError("ABORTED", `${url}: dial aborted`));
    options.signal?.addEventListener("abort", onAbort, { once: true });
    const timeout = world.scheduler.schedule({
      delayMs: options.connectTimeoutMs,
      kind: "net.dialTimeout",
      phase: "timer",
      owner: process,
      run: () => fail(new DialError("TIMEOUT", `${url}: no answer`)),
    });
    dialer.awaitAnswer({
      accepted: () => {
        try {
          const handlers = dial.attach(dialer);
          finish();
          resolve(dialer);
          return handlers;
        } catch (error) {
          fail(error);
          return undefined;
        }
      },
      rejected: (status, reason) => {
        fail(new DialError("REJECTED", `${url}: HTTP ${status}: ${reason}`, { status }));
      },
      broken: () => fail(new DialError("UNREACHABLE", `${url}: connection reset`)),
    });
    knock({
      world,
      network,
      process,
      address,
      isOver: () => isOver,
      onListener: (listener) => welcome(context, { listener, dialer, address }),
      onRefused: () => fail(new DialError("REFUSED", `${url}: nothing listens`)),
      onUnknownHost: () => fail(new DialError("UNREACHABLE", `${url}: no such machine`)),
    });
  });
}

/** The listener's side of a dial, in an event of its own process. */
function welcome(
  context: NetworkPortContext,
  visit: { listener: SimListener; dialer: SimConnection; address: Address },
): void {
  const { world, network, process, origin } = context;
  const { listener, dialer, address } = visit;
  const remoteAddress = `${process.nodeName}:${network.freePort(process.nodeName)}`;
  const request: HttpRequest = {
    method: "GET",
    path: address.path,
    headers: {
      host: address.authority,
      connection: "Upgrade",
      upgrade: "websocket",
      "sec-websocket-protocol": SUB_PROTOCOL,
      ...(origin === undefined ? {} : { origin }),
    },
    remoteAddress,
  };
  const acceptor = new SimConnection({
    world,
    process: listener.process,
    remoteAddress,
    maxMessageBytes: listener.options.limits.maxMessageBytes,
    origin,
    host: address.authority,
    lends: true,
  });
  const back = network.connect(dialer, acceptor);
  const refusal = listener.isAccepting
    ? listener.refusal(request)
    : { status: 503, reason: "shutting down" };
  if (refusal !== undefined) {
    back.push({ kind: "rejected", ...refusal });
    acceptor.abandon();
    return;
  }
  back.push({ kind: "accepted" });
  listener.accept(acceptor);
}
