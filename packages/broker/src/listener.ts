// The broker's one port. Open from the first moment of a start, so that a taken port is known before any log is
// touched and `GET /health` answers while logs are recovered; connections are let in when the broker serves.

import { PRE_HELLO_FRAME_BYTES_MAX } from "@millrace/protocol";
import {
  type AcceptedConnection,
  type ConnectionEvents,
  type Listener,
  type Logger,
  printable,
  type ServerRuntime,
  type UpgradeRefusal,
} from "@millrace/runtime";
import type { BrokerConfig } from "./broker-config.js";
import { answerHttp, type Health } from "./health.js";
import { originProblem } from "./origin.js";

export interface BrokerListenerOptions {
  readonly runtime: Pick<ServerRuntime, "network" | "logger">;
  readonly config: BrokerConfig;
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  /** What metadata reports instead of the address a client used; `ws://host:port`. */
  readonly advertisedUrl: string | undefined;
  /** Origins of web pages let in besides loopback and this listener's own hosts. */
  readonly allowedOrigins: readonly string[];
  /** Until `serve` is called. */
  readonly healthWhileStarting: () => Health;
}

/** What the listener is for, once the broker is ready. */
export interface BrokerDoor {
  onConnection(connection: AcceptedConnection): ConnectionEvents;
  health(): Health;
}

/** The authority of a `Host` header: a name or an address, and a port. */
const authorityPattern = /^(\[[0-9a-f:.]{2,45}\]|[a-z0-9._-]{1,253})(:\d{1,5})?$/i;
const wildcards: ReadonlySet<string> = new Set(["0.0.0.0", "::", "[::]"]);

export class BrokerListener {
  private readonly options: BrokerListenerOptions;
  private readonly logger: Logger;
  private listener: Listener | undefined;
  private door: BrokerDoor | undefined;

  private constructor(options: BrokerListenerOptions) {
    this.options = options;
    this.logger = options.runtime.logger.child({ component: "listener" });
  }

  /** @throws ListenError */
  static async open(options: BrokerListenerOptions): Promise<BrokerListener> {
    const opened = new BrokerListener(options);
    opened.listener = await opened.listen();
    return opened;
  }

  get host(): string {
    return this.listener?.host ?? this.options.host;
  }

  get port(): number {
    return this.listener?.port ?? this.options.port;
  }

  get connectionCount(): number {
    return this.listener?.connectionCount ?? 0;
  }

  /** Where this node is reached: as advertised, else as listening. */
  get url(): string {
    const host = wildcards.has(this.host) ? "127.0.0.1" : this.host;
    const name = host.includes(":") && !host.startsWith("[") ? `[${host}]` : host;
    return this.options.advertisedUrl ?? `ws://${name}:${this.port}`;
  }

  /** Where a client that used this `Host` header reaches this node again. */
  advertisedUrl(hostHeader: string | undefined): string {
    if (this.options.advertisedUrl !== undefined) {
      return this.options.advertisedUrl;
    }
    return hostHeader !== undefined && authorityPattern.test(hostHeader)
      ? `ws://${hostHeader}`
      : this.url;
  }

  /** From now on connections are let in. */
  serve(door: BrokerDoor): void {
    this.door = door;
  }

  async stopAccepting(): Promise<void> {
    await this.listener?.stopAccepting();
  }

  async close(graceMs?: number): Promise<void> {
    await this.listener?.close(graceMs);
  }

  private listen(): Promise<Listener> {
    const { config, runtime, host, port } = this.options;
    return runtime.network.listen({
      host,
      port,
      limits: {
        maxMessageBytes: PRE_HELLO_FRAME_BYTES_MAX,
        maxPartialBytes: config.queuedMaxRequestBytes,
        partialMessageTimeoutMs: config.partialMessageTimeoutMs,
        maxConnections: config.maxConnections,
        handshakeTimeoutMs: config.helloTimeoutMs,
      },
      allowUpgrade: ({ headers, remoteAddress }) =>
        this.upgradeProblem(headers["origin"], remoteAddress) ?? true,
      onConnection: (connection) => this.accept(connection),
      onHttpRequest: (request) =>
        answerHttp(request, () => this.door?.health() ?? this.options.healthWhileStarting()),
      onViolation: ({ remoteAddress, reason }) => {
        this.logger.warn({ remoteAddress, reason: printable(reason) }, "connection refused");
      },
    });
  }

  private upgradeProblem(
    origin: string | undefined,
    remoteAddress: string,
  ): string | UpgradeRefusal | undefined {
    if (this.door === undefined) {
      return { status: 503, reason: "the broker is starting" };
    }
    const problem = originProblem(origin, {
      ownHosts: this.ownHosts(),
      allowedOrigins: this.options.allowedOrigins,
    });
    if (problem !== undefined) {
      this.logger.warn(
        { remoteAddress, origin: printable(origin ?? ""), reason: problem },
        "a web page was refused",
      );
    }
    return problem;
  }

  private ownHosts(): string[] {
    const advertised = /^wss?:\/\/(\[[^\]]*\]|[^:/]*)/.exec(this.options.advertisedUrl ?? "");
    return [this.options.host, ...(advertised?.[1] === undefined ? [] : [advertised[1]])];
  }

  private accept(connection: AcceptedConnection): ConnectionEvents {
    if (this.door !== undefined) {
      return this.door.onConnection(connection);
    }
    connection.terminate();
    return { onMessage: () => {}, onClose: () => {} };
  }
}
