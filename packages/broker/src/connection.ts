// One client's connection: hello first, then requests. Counts what is outstanding against the connection's
// credits and the broker's budget, stops reading from those who exceed them, hands requests to dispatch in
// the order they came, and sends answers as they are ready. A malformed frame ends the connection.
//
//   new --hello--> open --(error, stop, idle)--> closing --> closed

import {
  type ApiName,
  apiName,
  apis,
  decodeRequestFrame,
  encodeErrorResponse,
  isMillraceError,
  type RequestFrame,
  type WireErrorName,
} from "@millrace/protocol";
import {
  type AcceptedConnection,
  type CloseReason,
  type ConnectionEvents,
  type Logger,
  printable,
  type Timer,
} from "@millrace/runtime";
import { dispatch, type Reply } from "./dispatch.js";
import {
  type BrokerServices,
  type Call,
  type CallConnection,
  wireErrorOf,
} from "./handlers/handler.js";
import { OutputGate } from "./output-gate.js";
import type { RequestBudget } from "./request-budget.js";

/** Requests up to this size are served even when the broker's budget is exceeded: they free more than they hold. */
const SMALL_REQUEST_BYTES = 16 * 1024;
/** RFC 6455, section 7.4.1. */
const CLOSE_PROTOCOL_ERROR = 1002;
const CLOSE_POLICY_VIOLATION = 1008;

export interface ClientConnectionOptions {
  readonly connection: AcceptedConnection;
  readonly broker: BrokerServices;
  readonly budget: RequestBudget;
  readonly logger: Logger;
  /** While true every request but `hello` is answered with BROKER_NOT_AVAILABLE. */
  readonly isStopping: () => boolean;
  readonly onClosed: (connection: ClientConnection) => void;
}

interface Received {
  readonly message: Uint8Array;
  /** As in `ConnectionEvents.onMessage`. */
  readonly letGo: (() => void) | undefined;
  /** It fits into the broker's budget. */
  readonly fits: boolean;
}

export class ClientConnection implements ConnectionEvents, CallConnection {
  private readonly options: ClientConnectionOptions;
  private readonly connection: AcceptedConnection;
  private readonly output: OutputGate;
  private readonly helloTimer: Timer;
  private logger: Logger;
  private state: "new" | "open" | "closing" | "closed" = "new";
  private inFlightRequests = 0;
  private inFlightBytes = 0;
  private isPaused = false;
  private leaveBudget: (() => void) | undefined;
  private lastActivityMs: number;
  /** Requests that wait for the client to take its answers; reading is paused meanwhile. */
  private readonly queue: Received[] = [];
  private readonly closeCallbacks = new Set<() => void>();
  private readonly idleCallbacks: (() => void)[] = [];

  constructor(options: ClientConnectionOptions) {
    const { connection, broker } = options;
    const { clock } = broker.runtime;
    this.options = options;
    this.connection = connection;
    this.logger = options.logger.child({ remoteAddress: connection.remoteAddress });
    this.lastActivityMs = clock.monotonicMs();
    this.output = new OutputGate({
      clock,
      connection,
      budget: broker.responses,
      maxBytes: broker.config.maxOutputBytes,
      timeoutMs: broker.config.outputTimeoutMs,
      onRoom: () => this.processQueue(),
      onStalled: () => this.cut("the client does not read its answers"),
    });
    this.helloTimer = clock.setTimer(broker.config.helloTimeoutMs, () =>
      this.refuse(CLOSE_POLICY_VIOLATION, "no hello in time"),
    );
  }

  get remoteAddress(): string {
    return this.connection.remoteAddress;
  }

  get host(): string | undefined {
    return this.connection.host;
  }

  get isOpen(): boolean {
    return this.connection.isOpen;
  }

  onMessage(message: Uint8Array, letGo?: () => void): void {
    if (this.state === "closing" || this.state === "closed") {
      letGo?.();
      return;
    }
    this.lastActivityMs = this.options.broker.runtime.clock.monotonicMs();
    this.inFlightRequests += 1;
    this.inFlightBytes += message.length;
    const received = { message, letGo, fits: this.options.budget.take(message.length) };
    if (this.queue.length > 0 || this.output.isFull) {
      this.queue.push(received);
    } else {
      this.process(received);
    }
    this.adjustReading();
  }

  onDrain(): void {
    this.output.check();
  }

  onClose(reason: CloseReason): void {
    this.state = "closed";
    this.helloTimer.cancel();
    this.leaveBudget?.();
    this.dropQueue();
    this.output.close();
    for (const callback of [...this.closeCallbacks]) {
      callback();
    }
    this.logger.debug({ code: reason.code, reason: printable(reason.reason) }, "connection closed");
    this.options.onClosed(this);
  }

  introduce(client: { clientId: string | null; software: string }): void {
    this.helloTimer.cancel();
    this.logger = this.logger.child({
      clientId: printable(client.clientId ?? ""),
      software: printable(client.software),
    });
    if (this.state === "new") {
      this.state = "open";
      this.raiseMessageLimit();
      this.logger.debug({}, "client connected");
    }
  }

  /** The largest frame grew or shrank with the topics' configuration. */
  raiseMessageLimit(): void {
    if (this.state === "open") {
      this.connection.setMaxMessageBytes(this.options.broker.maxFrameBytes());
    }
  }

  inTurn<T>(work: () => T | Promise<T>): T | Promise<T> {
    return this.output.inTurn(work);
  }

  whenClosed(callback: () => void): () => void {
    this.closeCallbacks.add(callback);
    return () => this.closeCallbacks.delete(callback);
  }

  /** Closes the connection when it has been idle for too long. */
  sweep(nowMs: number): void {
    const idleMs = nowMs - this.lastActivityMs;
    if (this.inFlightRequests === 0 && idleMs > this.options.broker.config.idleTimeoutMs) {
      this.state = "closing";
      this.connection.close(1000, "idle");
    }
  }

  /** Resolves when nothing is in flight any more. */
  whenIdle(): Promise<void> {
    return this.inFlightRequests === 0
      ? Promise.resolve()
      : new Promise((resolve) => this.idleCallbacks.push(resolve));
  }

  private processQueue(): void {
    while (this.state !== "closed" && !this.output.isFull) {
      const next = this.queue.shift();
      if (next === undefined) {
        break;
      }
      this.process(next);
    }
    this.adjustReading();
  }

  /** Nothing more of this client is served. */
  private dropQueue(): void {
    for (const received of this.queue.splice(0)) {
      this.release(received);
    }
  }

  private process(received: Received): void {
    const { message, fits } = received;
    let frame: RequestFrame;
    try {
      frame = decodeRequestFrame(message);
    } catch (error) {
      const { error: name, message: text } = wireErrorOf(error);
      this.output.send(encodeErrorResponse(0, name, text));
      this.release(received);
      this.refuse(CLOSE_PROTOCOL_ERROR, `malformed frame: ${text}`);
      return;
    }
    const problem = this.problemOf(frame, fits || message.length <= SMALL_REQUEST_BYTES);
    if (problem !== undefined) {
      this.output.send(encodeErrorResponse(frame.correlationId, problem.error, problem.message));
      this.release(received);
      if (problem.isFatal) {
        this.refuse(CLOSE_POLICY_VIOLATION, problem.message);
      }
      return;
    }
    this.serve(frame, received);
  }

  /** Why the request is not served, as far as the envelope tells. */
  private problemOf(
    { apiKey, apiVersion }: RequestFrame,
    fits: boolean,
  ): { error: WireErrorName; message: string; isFatal?: true } | undefined {
    const api = apiName(apiKey);
    if (this.state === "new" && api !== "hello") {
      return {
        error: "ILLEGAL_SASL_STATE",
        message: "the first request must be hello",
        isFatal: true,
      };
    }
    if (api === undefined) {
      return { error: "UNSUPPORTED_VERSION", message: `there is no API ${apiKey}` };
    }
    const { minVersion, maxVersion } = apis[api];
    if (apiVersion < minVersion || apiVersion > maxVersion) {
      return {
        error: "UNSUPPORTED_VERSION",
        message: `${api} has versions ${minVersion} to ${maxVersion}, not ${apiVersion}`,
      };
    }
    if (this.options.isStopping()) {
      return { error: "BROKER_NOT_AVAILABLE", message: "the broker is stopping" };
    }
    return fits
      ? undefined
      : {
          error: "BROKER_OVERLOADED",
          message: "the broker is at its limit of queued request bytes (queued.max.request.bytes)",
        };
  }

  private serve(frame: RequestFrame, received: Received): void {
    const api = apiName(frame.apiKey) as ApiName;
    const { correlationId, body, records } = frame;
    let held: Promise<unknown> | undefined;
    const call: Call = {
      connection: this,
      records,
      letGoOfRecords: received.letGo,
      holdUntil: (work) => {
        held = work;
      },
    };
    const finish = ({ chunks, release }: Reply): void => {
      this.output.send(chunks, release);
      this.lastActivityMs = this.options.broker.runtime.clock.monotonicMs();
      if (held === undefined) {
        this.release(received);
      } else {
        const settled = (): void => this.release(received);
        held.then(settled, settled);
      }
    };
    const fail = (error: unknown): void =>
      finish({ chunks: this.errorFrame(api, correlationId, error), release: undefined });
    try {
      const answer = dispatch(this.options.broker, { api, correlationId, body, call });
      if (answer instanceof Promise) {
        answer.then(finish, fail).catch((error: unknown) => {
          this.logger.error({ api, error }, "an answer could not be sent");
          this.cut("internal error");
        });
      } else {
        finish(answer);
      }
    } catch (error) {
      fail(error);
    }
  }

  private errorFrame(api: ApiName, correlationId: number, error: unknown): Uint8Array[] {
    const { error: name, message } = wireErrorOf(error);
    if (isMillraceError(error) && name !== "UNKNOWN_SERVER_ERROR") {
      this.logger.debug({ api, error: name, reason: printable(message) }, "request refused");
    } else {
      this.logger.error({ api, error }, "a request failed unexpectedly");
    }
    return encodeErrorResponse(correlationId, name, message);
  }

  /** The request has been served, or never will be: nobody looks at its bytes any more. */
  private release({ message, letGo }: Received): void {
    letGo?.();
    this.inFlightRequests -= 1;
    this.inFlightBytes -= message.length;
    this.options.budget.release(message.length);
    if (this.inFlightRequests === 0) {
      for (const resolve of this.idleCallbacks.splice(0)) {
        resolve();
      }
    }
    this.adjustReading();
  }

  /** Reads from the client only while it keeps its credits and the broker has room. */
  private adjustReading(): void {
    if (this.state === "closed") {
      return;
    }
    const { config } = this.options.broker;
    const { budget } = this.options;
    const mustWait =
      this.inFlightRequests > config.maxInFlightRequests ||
      this.inFlightBytes > config.maxInFlightBytes ||
      this.queue.length > 0 ||
      budget.isTight;
    if (budget.isTight && this.leaveBudget === undefined) {
      this.leaveBudget = budget.whenRoom(() => {
        this.leaveBudget = undefined;
        this.adjustReading();
      });
    }
    if (mustWait === this.isPaused) {
      return;
    }
    this.isPaused = mustWait;
    if (mustWait) {
      this.connection.pauseReading();
    } else {
      this.connection.resumeReading();
    }
  }

  /** Ends the connection because of what the client did; what was answered still leaves. */
  private refuse(code: number, reason: string): void {
    if (this.state === "closing" || this.state === "closed") {
      return;
    }
    this.state = "closing";
    this.dropQueue();
    this.logger.warn({ reason: printable(reason) }, "connection refused");
    // A close frame's reason has at most 123 bytes; ours are ASCII after `printable`.
    this.connection.close(code, printable(reason, 100).slice(0, 120));
  }

  private cut(reason: string): void {
    this.state = "closing";
    this.dropQueue();
    this.logger.warn({ reason }, "connection cut");
    this.connection.terminate();
  }
}
