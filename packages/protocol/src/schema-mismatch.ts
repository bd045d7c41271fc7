// What schemas throw: the value does not fit, and where.

import { MillraceError, ProtocolError } from "./errors.js";

/** What came from the wire is not what the schema expects. */
export function mismatch(path: string, expected: string): ProtocolError {
  return new ProtocolError("INVALID_REQUEST", `${path}: expected ${expected}`, {
    details: { path, expected },
  });
}

/** Paths are put together only when something fails: each level adds its own part on the way out. */
export function below(error: unknown, path: string): unknown {
  if (!(error instanceof MillraceError)) {
    return error;
  }
  const { path: inner, expected } = error.details;
  if (typeof inner !== "string" || typeof expected !== "string") {
    return error;
  }
  const whole = path === "" || inner === "" ? `${path}${inner}` : `${path}/${inner}`;
  return error instanceof ProtocolError ? mismatch(whole, expected) : unwritable(whole, expected);
}

/** What shall go to the wire cannot. */
export function unwritable(path: string, expected: string): MillraceError {
  return new MillraceError("INVALID_ARGUMENT", `${path}: expected ${expected}`, {
    details: { path, expected },
  });
}
