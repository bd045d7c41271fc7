// Abort signals without the platform's `AbortController`: making one, listening to one, waiting under one.
// Every listener that is added here is removed again when the wait is over.

import { isMillraceError, MillraceError } from "@millrace/protocol";
import type { AbortSignalLike } from "@millrace/runtime";

const nothing = (): void => {};

/** The side that aborts; the counterpart of `AbortController`. */
export class AbortSource {
  readonly #listeners = new Set<() => void>();
  #isAborted = false;
  #reason: unknown;
  readonly signal: AbortSignalLike;

  constructor() {
    const isAborted = (): boolean => this.#isAborted;
    const reason = (): unknown => this.#reason;
    const listeners = this.#listeners;
    this.signal = {
      get aborted() {
        return isAborted();
      },
      get reason() {
        return reason();
      },
      addEventListener: (_type, listener) => {
        listeners.add(listener);
      },
      removeEventListener: (_type, listener) => {
        listeners.delete(listener);
      },
    };
  }

  /** How many listen; for tests that look for leaks. */
  get listenerCount(): number {
    return this.#listeners.size;
  }

  /** Only the first call counts. */
  abort(reason: unknown): void {
    if (this.#isAborted) {
      return;
    }
    this.#isAborted = true;
    this.#reason = reason;
    const listeners = [...this.#listeners];
    this.#listeners.clear();
    for (const listener of listeners) {
      listener();
    }
  }
}

/** Calls `listener` once when `signal` aborts; not at all when it has already. Returns how to stop listening. */
export function onAbort(signal: AbortSignalLike | undefined, listener: () => void): () => void {
  if (signal === undefined || signal.aborted) {
    return nothing;
  }
  signal.addEventListener("abort", listener, { once: true });
  return () => signal.removeEventListener("abort", listener);
}

/** What a wait under an aborted signal throws: `ABORTED` with the signal's reason as its cause. */
export function abortedError(signal: AbortSignalLike): MillraceError {
  return isMillraceError(signal.reason)
    ? signal.reason
    : new MillraceError("ABORTED", undefined, { cause: signal.reason });
}

/** @throws MillraceError `ABORTED` */
export function throwIfAborted(signal: AbortSignalLike | undefined): void {
  if (signal?.aborted) {
    throw abortedError(signal);
  }
}

/**
 * Waits for a promise that others share: when `signal` aborts only this wait ends.
 * @throws MillraceError `ABORTED`
 */
export function underSignal<T>(
  promise: Promise<T>,
  signal: AbortSignalLike | undefined,
): Promise<T> {
  if (signal === undefined) {
    return promise;
  }
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      promise.catch(nothing);
      reject(abortedError(signal));
      return;
    }
    const stopListening = onAbort(signal, () => reject(abortedError(signal)));
    promise.then(resolve, reject).finally(stopListening).catch(nothing);
  });
}

/** A signal that aborts as soon as one of `signals` does. `unlink` when the wait is over. */
export function linkSignals(signals: readonly (AbortSignalLike | undefined)[]): {
  readonly signal: AbortSignalLike;
  readonly unlink: () => void;
} {
  const source = new AbortSource();
  const stops: (() => void)[] = [];
  for (const signal of signals) {
    if (signal?.aborted) {
      source.abort(signal.reason);
    }
    stops.push(onAbort(signal, () => source.abort(signal?.reason)));
  }
  return {
    signal: source.signal,
    unlink: () => {
      for (const stop of stops) {
        stop();
      }
    },
  };
}
