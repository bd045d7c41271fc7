// The exit codes of every command, in one place. Numbers from sysexits.h where it has one, so that scripts can
// tell "the broker is not there" from "you typed it wrong" from "the answer is no".

export const exitCodes = {
  /** Done. */
  OK: 0,
  /** The command ran and failed, or what it checked is not in order (`log verify`, a refused topic). */
  FAILURE: 1,
  /** Unknown command or option, or a value that cannot be one (EX_USAGE). */
  USAGE: 64,
  /** The input cannot be read as what it should be (EX_DATAERR). */
  DATA: 65,
  /** A file or directory that should be read is missing or closed to us (EX_NOINPUT). */
  NO_INPUT: 66,
  /** No broker can be reached; for `start`: the port cannot be bound (EX_UNAVAILABLE). */
  UNREACHABLE: 69,
  /** A file or directory cannot be written or is in use (EX_CANTCREAT). */
  CANNOT_WRITE: 73,
  /** The broker's disk failed; nothing more could be acknowledged (EX_IOERR). */
  DISK_FAILED: 74,
  /** The same command may succeed later: a timeout, a full disk, an overloaded broker (EX_TEMPFAIL). */
  TEMPORARY: 75,
  /** Ctrl-C, SIGTERM or a closed terminal (128 + SIGINT). */
  INTERRUPTED: 130,
} as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];
