// The error the CLI throws itself. Light: it is loaded before it is known what a command needs.

import { type ExitCode, exitCodes } from "./exit-codes.js";

export interface CliErrorOptions {
  readonly exitCode?: ExitCode;
  /** For programs. Default: "CLI". */
  readonly code?: string | undefined;
  /** The next thing to do; a full sentence. */
  readonly hint?: string | undefined;
  readonly cause?: unknown;
}

/** An error the CLI found itself. */
export class CliError extends Error {
  override readonly name = "CliError";
  readonly code: string;
  readonly exitCode: ExitCode;
  readonly hint: string | undefined;

  constructor(message: string, options: CliErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = options.code ?? "CLI";
    this.exitCode = options.exitCode ?? exitCodes.FAILURE;
    this.hint = options.hint;
  }
}

/** For usage mistakes that commander cannot see. */
export function usageError(message: string, hint?: string): CliError {
  return new CliError(message, { code: "USAGE", exitCode: exitCodes.USAGE, hint });
}

/** The code of a failed system call, else undefined. */
export function systemErrorCode(error: unknown): string | undefined {
  if (typeof error !== "object" || error === null || !("code" in error)) {
    return undefined;
  }
  const code = error.code;
  return typeof code === "string" && /^E[A-Z0-9]+$/.test(code) ? code : undefined;
}
