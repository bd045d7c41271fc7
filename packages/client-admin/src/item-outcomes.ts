// Requests about several things at once (topics, partitions, configurations) fail or succeed for each alone.
// Items that failed with a retriable error are asked for again, the others are left in peace.

import { errorFromItem } from "@millrace/client-core";
import { isMillraceError, MillraceError } from "@millrace/protocol";
import type { AbortSignalLike } from "@millrace/runtime";
import type { ClusterPort } from "./cluster-port.js";

/** Of every call. */
export interface CallOptions {
  /** For the call with all its retries. Default: the admin's `timeoutMs`. */
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignalLike | undefined;
}

export type Outcome<Value> =
  | { readonly ok: true; readonly value: Value }
  | { readonly ok: false; readonly error: MillraceError };

/** One of several results: `ok` tells which of the two it is. */
export type ItemResult<Value> =
  | ({ readonly ok: true } & Value)
  | { readonly ok: false; readonly name: string; readonly error: MillraceError };

export interface AdminContext {
  readonly client: ClusterPort;
  readonly timeoutMs: number;
}

/** One attempt's share of the call's time. */
export interface Attempt {
  readonly number: number;
  readonly timeoutMs: number;
  readonly signal: AbortSignalLike | undefined;
  /** An earlier attempt may have taken effect although its answer never came. */
  readonly isRepeated: boolean;
}

/** Calls `operation` until it succeeds or fails for good. */
export function call<T>(
  context: AdminContext,
  options: CallOptions,
  operation: (attempt: Attempt) => Promise<T>,
): Promise<T> {
  const { client } = context;
  const { signal } = options;
  const timeoutMs = options.timeoutMs ?? context.timeoutMs;
  let isRepeated = false;
  return client.retry(
    async (number, remainingMs) => {
      try {
        return await operation({
          number,
          timeoutMs: Math.min(client.requestTimeoutMs, remainingMs),
          signal,
          isRepeated,
        });
      } catch (error) {
        isRepeated ||= isOutcomeUnknown(error);
        throw error;
      }
    },
    { timeoutMs, signal },
  );
}

function isOutcomeUnknown(error: unknown): boolean {
  return (
    isMillraceError(error) &&
    (error.code === "NETWORK_EXCEPTION" || error.code === "REQUEST_TIMED_OUT")
  );
}

/**
 * Calls `send` with the items that have no final outcome yet. Items still failing when the time is over keep
 * their last error; only a request that failed as a whole throws.
 */
export async function callForEach<Item, Value>(
  context: AdminContext,
  request: {
    readonly items: readonly Item[];
    readonly options: CallOptions;
    send(items: readonly Item[], attempt: Attempt): Promise<ReadonlyMap<Item, Outcome<Value>>>;
  },
): Promise<ReadonlyMap<Item, Outcome<Value>>> {
  const outcomes = new Map<Item, Outcome<Value>>();
  let open = request.items;
  if (open.length === 0) {
    return outcomes;
  }
  try {
    await call(context, request.options, async (attempt) => {
      for (const [item, outcome] of await request.send(open, attempt)) {
        outcomes.set(item, outcome);
      }
      open = open.filter((item) => isOpen(outcomes.get(item)));
      const retriable = open
        .map((item) => outcomes.get(item))
        .find((outcome) => outcome?.ok === false);
      if (retriable?.ok === false) {
        throw retriable.error;
      }
    });
  } catch (error) {
    if (!isMillraceError(error) || !open.some((item) => isErrorOf(outcomes.get(item), error))) {
      throw error;
    }
  }
  return outcomes;
}

function isOpen<Value>(outcome: Outcome<Value> | undefined): boolean {
  return outcome === undefined || (!outcome.ok && outcome.error.retriable);
}

function isErrorOf<Value>(outcome: Outcome<Value> | undefined, error: MillraceError): boolean {
  return outcome?.ok === false && outcome.error === error;
}

/** What an answer says about one item. */
export function outcomeOf<Value>(
  item: { readonly errorCode: number; readonly errorMessage: string | null },
  details: Readonly<Record<string, unknown>>,
  value: () => Value,
): Outcome<Value> {
  return item.errorCode === 0
    ? { ok: true, value: value() }
    : { ok: false, error: errorFromItem(item, details) };
}

/** The answer left out something that was asked for. */
export function unanswered(what: string): Outcome<never> {
  return {
    ok: false,
    error: new MillraceError("PROTOCOL_VIOLATION", `the broker's answer leaves out ${what}`),
  };
}

/** The value, or the error thrown. */
export function requireValue<Value>(outcome: Outcome<Value> | undefined): Value {
  if (outcome === undefined) {
    throw new MillraceError("PROTOCOL_VIOLATION", "the broker's answer is empty");
  }
  if (!outcome.ok) {
    throw outcome.error;
  }
  return outcome.value;
}

export function resultOf<Value>(
  name: string,
  outcome: Outcome<Value> | undefined,
): ItemResult<Value> {
  const known = outcome ?? unanswered(name);
  return known.ok ? { ok: true, ...known.value } : { ok: false, name, error: known.error };
}
