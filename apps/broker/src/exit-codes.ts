// Which exit code a fault gets. Numbers from sysexits.h where it has one, so that a supervisor can tell what
// helps: another start, another option, or a person.

import { isMillraceError } from "@millrace/protocol";
import { FileError, ListenError } from "@millrace/runtime";

export const serverExitCodes = {
  /** Stopped because it was told to. */
  OK: 0,
  /** Failed for a reason that has no code of its own. */
  FAILURE: 1,
  /** An option, a configuration or a topics file is not acceptable (EX_USAGE). */
  USAGE: 64,
  /** The port is in use or cannot be bound (EX_UNAVAILABLE). */
  CANNOT_LISTEN: 69,
  /** The data directory is locked, not writable, another node's, or of a newer version (EX_CANTCREAT). */
  DATA_DIRECTORY: 73,
  /** The disk failed: nothing more could be acknowledged (EX_IOERR). */
  STORAGE_FAILED: 74,
  /** A second signal cut the shutdown short (128 + SIGINT). */
  INTERRUPTED: 130,
} as const;

export type ServerExitCode = (typeof serverExitCodes)[keyof typeof serverExitCodes];

/** Raised when the broker stopped by itself because its storage failed. */
export class StorageFailedError extends Error {
  override readonly name = "StorageFailedError";
}

/** The exit code for what a start or a run ended with. */
export function serverExitCodeOf(error: unknown): ServerExitCode {
  if (error instanceof StorageFailedError) {
    return serverExitCodes.STORAGE_FAILED;
  }
  if (error instanceof ListenError) {
    return serverExitCodes.CANNOT_LISTEN;
  }
  if (error instanceof FileError) {
    return serverExitCodes.DATA_DIRECTORY;
  }
  if (isMillraceError(error)) {
    switch (error.code) {
      case "INVALID_CONFIG":
      case "INVALID_CONFIG_VALUE":
        return serverExitCodes.USAGE;
      case "KAFKA_STORAGE_ERROR":
      case "STORAGE_FULL":
      case "UNSUPPORTED_VERSION":
      case "INCONSISTENT_CLUSTER_ID":
      case "CORRUPT_MESSAGE":
        return serverExitCodes.DATA_DIRECTORY;
      default:
        return error.cause === undefined ? serverExitCodes.FAILURE : serverExitCodeOf(error.cause);
    }
  }
  return serverExitCodes.FAILURE;
}
