// Finds a first node for one channel when none is connected: tries every known address in random order until
// one answers, one search at a time, with a backoff after each that failed. Requests for "any" node wait here.

import { isMillraceError, MillraceError } from "@millrace/protocol";
import type { AbortSignalLike, Random } from "@millrace/runtime";
import type { Backoff } from "./backoff.js";
import { connectError, unsentError } from "./connection-errors.js";
import type { ConnectionLog } from "./connection-log.js";
import { WAITING_REQUESTS_MAX } from "./node-channel.js";
import { type ConnectionSettings, NodeConnection } from "./node-connection.js";
import type { PendingRequest, RequestHolder } from "./pending-request.js";

export interface NodeSearchOptions {
  readonly settings: ConnectionSettings;
  readonly backoff: Backoff;
  /** Aborts when the client closes. */
  readonly closing: AbortSignalLike;
  /** What to try. */
  bootstrapUrls(): readonly string[];
  readonly log: ConnectionLog;
  onFound(connection: NodeConnection, waiting: readonly PendingRequest[]): void;
}

export class NodeSearch implements RequestHolder {
  readonly #options: NodeSearchOptions;
  readonly #waiting = new Set<PendingRequest>();
  #isRunning = false;
  #failureCount = 0;
  #notBeforeMs = Number.NEGATIVE_INFINITY;

  constructor(options: NodeSearchOptions) {
    this.#options = options;
  }

  add(request: PendingRequest): void {
    if (request.isSettled) {
      return;
    }
    if (this.#waiting.size >= WAITING_REQUESTS_MAX) {
      request.fail(
        new MillraceError(
          "BROKER_OVERLOADED",
          `${WAITING_REQUESTS_MAX} requests already wait for a first node`,
        ),
      );
      return;
    }
    request.heldBy(this);
    this.#waiting.add(request);
    this.#start();
  }

  givenUp(request: PendingRequest): void {
    this.#waiting.delete(request);
  }

  rejectAll(error: MillraceError): void {
    for (const request of this.#takeAll()) {
      request.fail(error);
    }
  }

  #start(): void {
    if (this.#isRunning || this.#waiting.size === 0 || this.#options.closing.aborted) {
      return;
    }
    this.#isRunning = true;
    this.#run()
      .catch((error: unknown) => this.#onFailed(error))
      .finally(() => {
        this.#isRunning = false;
        this.#start();
      })
      .catch((error: unknown) => {
        this.#options.settings.runtime.logger.error({ error: String(error) }, "search failed");
      });
  }

  async #run(): Promise<void> {
    const { closing, settings } = this.#options;
    const { clock } = settings.runtime;
    const waitMs = this.#notBeforeMs - clock.monotonicMs();
    if (waitMs > 0) {
      await clock.sleep(waitMs, closing);
    }
    if (this.#waiting.size === 0) {
      return;
    }
    const connection = await this.#openFirst();
    this.#failureCount = 0;
    if (closing.aborted) {
      connection.close(unsentError(connection.url));
      return;
    }
    this.#options.onFound(connection, this.#takeAll());
  }

  /** Throws the error that says most: a refusal by a node before "nothing listens there". */
  async #openFirst(): Promise<NodeConnection> {
    const { closing, settings } = this.#options;
    const failures: MillraceError[] = [];
    for (const url of shuffled(this.#options.bootstrapUrls(), settings.runtime.random)) {
      if (closing.aborted) {
        break;
      }
      try {
        return await NodeConnection.open(settings, url, closing);
      } catch (error) {
        failures.push(connectError(url, error));
      }
    }
    throw failures.find(({ code }) => code !== "CONNECTION_FAILED") ?? noNodeError(failures);
  }

  #onFailed(error: unknown): void {
    const { backoff, closing, log, settings } = this.#options;
    if (closing.aborted) {
      return;
    }
    const failure = isMillraceError(error) ? error : connectError("bootstrap", error);
    this.#notBeforeMs = settings.runtime.clock.monotonicMs() + backoff.delayMs(this.#failureCount);
    this.#failureCount++;
    log.failed(failure, {});
    this.rejectAll(failure);
  }

  #takeAll(): PendingRequest[] {
    const all = [...this.#waiting];
    this.#waiting.clear();
    return all;
  }
}

function noNodeError(failures: readonly MillraceError[]): MillraceError {
  const [first] = failures;
  if (first !== undefined && failures.length === 1) {
    return first;
  }
  const reasons = failures.map(({ message }) => message.replace(/^CONNECTION_FAILED: /, ""));
  return new MillraceError(
    "CONNECTION_FAILED",
    `none of ${failures.length} addresses answered: ${reasons.slice(0, 5).join("; ")}`,
    { cause: first },
  );
}

/** Fisher and Yates. */
function shuffled<T>(items: readonly T[], random: Random): T[] {
  const rest = [...items];
  const result: T[] = [];
  while (rest.length > 0) {
    result.push(...rest.splice(random.below(rest.length), 1));
  }
  return result;
}
