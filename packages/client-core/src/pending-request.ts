// One request from the call to its end. It settles exactly once, by an answer, an error, its timeout or the
// caller's signal, and then leaves no timer and no listener behind. Whoever holds it at the moment (a queue, a
// connection) is told when it ends early.

import { type ApiName, MillraceError } from "@millrace/protocol";
import type { AbortSignalLike, Clock, Timer } from "@millrace/runtime";
import { abortedError, onAbort } from "./abort.js";
import type { Costed } from "./credits.js";

/** An answer before its body got a type. */
export interface RawAnswer {
  readonly body: unknown;
  readonly records: Uint8Array;
}

/** Who holds a request: told when its caller no longer waits. */
export interface RequestHolder {
  givenUp(request: PendingRequest, cause: "timeout" | "abort"): void;
}

export interface PendingRequestOptions {
  readonly api: ApiName;
  readonly correlationId: number;
  readonly channel: string;
  readonly chunks: readonly Uint8Array[];
  readonly clock: Clock;
  readonly timeoutMs: number;
  readonly signal?: AbortSignalLike | undefined;
  onAnswer(answer: RawAnswer): void;
  onError(error: unknown): void;
  /** After either of the two. */
  onSettled?(request: PendingRequest, error: unknown): void;
}

/** Longer timers fire at once in Node and in browsers. */
const TIMER_MS_MAX = 0x7fffffff;
const noChunks: readonly Uint8Array[] = [];

export class PendingRequest implements Costed {
  readonly api: ApiName;
  readonly correlationId: number;
  readonly channel: string;
  readonly sizeBytes: number;
  readonly startedAtMs: number;
  readonly #options: PendingRequestOptions;
  readonly #timer: Timer;
  readonly #stopListening: () => void;
  #sentAtMs = Number.NEGATIVE_INFINITY;
  #chunks: readonly Uint8Array[];
  #state: "waiting" | "sent" | "settled" = "waiting";
  #holder: RequestHolder | undefined;

  constructor(options: PendingRequestOptions) {
    this.#options = options;
    this.api = options.api;
    this.correlationId = options.correlationId;
    this.channel = options.channel;
    this.#chunks = options.chunks;
    this.sizeBytes = options.chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    this.startedAtMs = options.clock.monotonicMs();
    const timeoutMs = Math.min(Math.max(0, options.timeoutMs), TIMER_MS_MAX);
    this.#timer = options.clock.setTimer(timeoutMs, () => this.#timeOut());
    this.#stopListening = onAbort(options.signal, () => this.#abort());
  }

  get isSettled(): boolean {
    return this.#state === "settled";
  }

  get isSent(): boolean {
    return this.#state === "sent";
  }

  /** When it was written. */
  get sentAtMs(): number {
    return this.#sentAtMs;
  }

  heldBy(holder: RequestHolder): void {
    this.#holder = holder;
  }

  /** The message to write. From now on an error means that the outcome is unknown. */
  takeChunks(): readonly Uint8Array[] {
    const chunks = this.#chunks;
    this.#chunks = noChunks;
    this.#state = "sent";
    this.#sentAtMs = this.#options.clock.monotonicMs();
    return chunks;
  }

  answer(answer: RawAnswer): void {
    if (this.#settle()) {
      this.#options.onAnswer(answer);
      this.#options.onSettled?.(this, undefined);
    }
  }

  fail(error: unknown): void {
    if (this.#settle()) {
      this.#options.onError(error);
      this.#options.onSettled?.(this, error);
    }
  }

  #timeOut(): void {
    const wasSent = this.isSent;
    this.#holder?.givenUp(this, "timeout");
    const timeoutMs = Math.round(this.#options.timeoutMs);
    const details = { api: this.api, timeoutMs };
    this.fail(
      wasSent
        ? new MillraceError(
            "REQUEST_TIMED_OUT",
            `no answer to ${this.api} within ${timeoutMs} ms`,
            {
              details,
            },
          )
        : new MillraceError(
            "CONNECTION_FAILED",
            `${this.api} was not sent within ${timeoutMs} ms: it waited for a connection`,
            { details },
          ),
    );
  }

  #abort(): void {
    this.#holder?.givenUp(this, "abort");
    const signal = this.#options.signal;
    this.fail(signal === undefined ? new MillraceError("ABORTED") : abortedError(signal));
  }

  #settle(): boolean {
    if (this.#state === "settled") {
      return false;
    }
    this.#state = "settled";
    this.#chunks = noChunks;
    this.#holder = undefined;
    this.#timer.cancel();
    this.#stopListening();
    return true;
  }
}
