// What goes wrong, as a person reads it: one sentence, and what to do next. Turns any thrown value into that
// and an exit code; knows nothing about the terminal.

import { type ErrorName, isMillraceError } from "@millrace/protocol";
import { FileError, ListenError, printable } from "@millrace/runtime";
import { CliError, systemErrorCode } from "./cli-failure.js";
import { type ExitCode, exitCodes } from "./exit-codes.js";

export { CliError, systemErrorCode, usageError } from "./cli-failure.js";

export interface ErrorDescription {
  /** A Millrace error code, a system error code (`ENOENT`), "USAGE", "UNEXPECTED" or "CLI". */
  readonly code: string;
  readonly message: string;
  readonly hint: string | undefined;
  readonly exitCode: ExitCode;
}

/** The code of a failure in the runtime's own words: a file's, or that of a port that cannot be bound. */
function portErrorCode(error: unknown): string | undefined {
  if (error instanceof FileError) {
    return error.code;
  }
  return error instanceof ListenError ? error.code : undefined;
}

const hints: Partial<Record<ErrorName, string>> = {
  CONNECTION_FAILED:
    "Start a broker with `millrace start`, or name a running one with --bootstrap ws://HOST:PORT.",
  UNKNOWN_TOPIC_OR_PARTITION:
    "`millrace topics list` shows what there is; `millrace topics create NAME` creates one.",
  TOPIC_ALREADY_EXISTS: "Add --if-not-exists to accept the topic that is there.",
  INVALID_REPLICATION_FACTOR:
    "A topic cannot have more replicas than the cluster has brokers; leave --replication-factor out.",
  OFFSET_OUT_OF_RANGE:
    "`millrace topics describe NAME` shows each partition's first and last offset.",
  MESSAGE_TOO_LARGE: "Send smaller records, or raise the topic's max.message.bytes.",
  RECORD_TOO_LARGE: "Send smaller records, or raise the topic's max.message.bytes.",
  INVALID_CONFIG: "Topic configurations have Kafka's names, such as retention.ms or segment.bytes.",
  STORAGE_FULL: "Free space on the broker's disk; it recovers by itself.",
  PARTITION_QUARANTINED:
    "Run `millrace log verify DATA_DIRECTORY` on the broker's machine, then `millrace log repair`.",
  UNSUPPORTED_VERSION: "The broker and this command are of different versions; update the older.",
};

function exitCodeOf(code: ErrorName, retriable: boolean): ExitCode {
  if (code === "CONNECTION_FAILED") {
    return exitCodes.UNREACHABLE;
  }
  if (code === "INVALID_ARGUMENT" || code === "INVALID_CONFIG_VALUE") {
    return exitCodes.USAGE;
  }
  if (code === "ABORTED") {
    return exitCodes.INTERRUPTED;
  }
  return retriable ? exitCodes.TEMPORARY : exitCodes.FAILURE;
}

const systemExitCodes: Partial<Record<string, ExitCode>> = {
  ENOENT: exitCodes.NO_INPUT,
  EISDIR: exitCodes.NO_INPUT,
  ENOTDIR: exitCodes.NO_INPUT,
  EACCES: exitCodes.NO_INPUT,
  EADDRINUSE: exitCodes.CANNOT_WRITE,
  ENOSPC: exitCodes.CANNOT_WRITE,
  EROFS: exitCodes.CANNOT_WRITE,
  NOT_FOUND: exitCodes.NO_INPUT,
  PERMISSION_DENIED: exitCodes.NO_INPUT,
  LOCKED: exitCodes.CANNOT_WRITE,
  STORAGE_FULL: exitCodes.CANNOT_WRITE,
  IO_ERROR: exitCodes.DISK_FAILED,
};

const systemHints: Partial<Record<string, string>> = {
  ENOENT: "Check the path.",
  EISDIR: "Name a file, not a directory.",
  ENOTDIR: "Name a directory, not a file.",
  EACCES: "Check who may read and write it.",
  EADDRINUSE: "Another program listens there; choose another with --port.",
  ADDRESS_IN_USE: "Another program listens there; choose another with --port.",
  ADDRESS_NOT_AVAILABLE: "This machine has no such address; check --host.",
  NOT_FOUND: "Check the path.",
  PERMISSION_DENIED: "Check who may read and write it.",
  STORAGE_FULL: "The disk is full; free some space.",
  LOCKED: "Another broker uses this directory; stop it, or choose another with --data-dir.",
  ENOSPC: "The disk is full; free some space.",
};

/** Never throws; text from outside is escaped. */
export function describeError(error: unknown): ErrorDescription {
  if (error instanceof CliError) {
    const { code, exitCode, hint, message } = error;
    return { code, message, hint, exitCode };
  }
  if (isMillraceError(error)) {
    const prefix = `${error.code}: `;
    const text = error.message.startsWith(prefix)
      ? error.message.slice(prefix.length)
      : error.message;
    return {
      code: error.code,
      message: text,
      hint: hints[error.code],
      exitCode: exitCodeOf(error.code, error.retriable),
    };
  }
  const code = systemErrorCode(error) ?? portErrorCode(error);
  const message = error instanceof Error ? error.message : String(error);
  if (code !== undefined) {
    return {
      code,
      message: printable(message, 500),
      hint: systemHints[code],
      exitCode: systemExitCodes[code] ?? exitCodes.FAILURE,
    };
  }
  return {
    code: "UNEXPECTED",
    message: printable(message, 500),
    hint: "This is a defect of Millrace; MILLRACE_DEBUG=1 shows where it happened.",
    exitCode: exitCodes.FAILURE,
  };
}
