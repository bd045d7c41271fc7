// Which errors are worth another attempt. Pure.

import { isMillraceError } from "@millrace/protocol";
import type { AbortSignalLike } from "@millrace/runtime";

export interface RetryOptions {
  /** When it is over the last error is thrown. Default: none, it goes on until it succeeds or is aborted. */
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignalLike | undefined;
}

/** Anything that is not Millrace's own error is a bug or the caller's, and is not repeated. */
export function isWorthRetrying(error: unknown): boolean {
  return isMillraceError(error) && error.retriable;
}
