// Turns what went wrong below (a failed dial, a close frame, an error answer) into the error a caller sees.
// Text from the peer is made printable on the way.

import { errorMessageOf, errorName, isMillraceError, MillraceError } from "@millrace/protocol";
import { type CloseReason, DialError, printable } from "@millrace/runtime";

const PEER_TEXT_LENGTH_MAX = 1000;
const unprintable = /[\p{Cc}\p{Cf}\u2028\u2029]/u;

function peerText(text: string): string {
  return text.length > PEER_TEXT_LENGTH_MAX || unprintable.test(text)
    ? printable(text, PEER_TEXT_LENGTH_MAX)
    : text;
}

/** Of an answer whose `errorCode` is not 0. */
export function errorFromAnswer(errorNumber: number, body: unknown): MillraceError {
  const message = errorMessageOf(body);
  return new MillraceError(
    errorName(errorNumber),
    message === null ? undefined : peerText(message),
  );
}

/** Of a code and a message inside a body, as most answers carry one per item. */
export function errorFromItem(
  item: { readonly errorCode: number; readonly errorMessage: string | null },
  details: Readonly<Record<string, unknown>> = {},
): MillraceError {
  const { errorCode, errorMessage } = item;
  return new MillraceError(
    errorName(errorCode),
    errorMessage === null ? undefined : peerText(errorMessage),
    { details },
  );
}

/** Nothing was sent: dialing or `hello` failed. Errors that name a deeper cause pass through. */
export function connectError(url: string, error: unknown): MillraceError {
  if (isMillraceError(error)) {
    return error.code === "REQUEST_TIMED_OUT" || error.code === "NETWORK_EXCEPTION"
      ? new MillraceError("CONNECTION_FAILED", `${url} did not complete hello: ${error.message}`, {
          cause: error,
          details: { url },
        })
      : error;
  }
  return new MillraceError("CONNECTION_FAILED", `${url}: ${dialProblem(error)}`, {
    cause: error,
    details: { url },
  });
}

function dialProblem(error: unknown): string {
  if (!(error instanceof DialError)) {
    return `could not connect (${error instanceof Error ? error.message : String(error)})`;
  }
  switch (error.code) {
    case "REFUSED":
      return "nothing listens there; is the broker running (millrace start)?";
    case "TIMEOUT":
      return "no answer in time; check the host, the port and firewalls";
    case "REJECTED":
      return `refused with HTTP ${error.status ?? "error"}; is it a Millrace broker, and does it allow this origin? (${peerText(error.message)})`;
    case "INVALID_URL":
      return "not a usable WebSocket URL";
    case "UNREACHABLE":
      return `cannot be reached (${peerText(error.message)}); an Apache Kafka broker, for one, does not speak WebSockets`;
    case "ABORTED":
      return "dialing was given up";
  }
}

/** The connection broke under requests that were written: their outcome is unknown. */
export function brokenError(url: string, reason: CloseReason): MillraceError {
  const text = reason.reason === "" ? "" : ` ${peerText(reason.reason)}`;
  return new MillraceError(
    "NETWORK_EXCEPTION",
    `the connection to ${url} closed (${reason.code}${text}) before an answer came`,
    reason.error === undefined ? { details: { url } } : { cause: reason.error, details: { url } },
  );
}

/** The same break, for a request that was still waiting to be written. */
export function unsentError(url: string): MillraceError {
  return new MillraceError("CONNECTION_FAILED", `the connection to ${url} closed before sending`, {
    details: { url },
  });
}

export function violationError(url: string, problem: string): MillraceError {
  return new MillraceError("PROTOCOL_VIOLATION", `${url}: ${problem}`, { details: { url } });
}
