// The plain HTTP side of a listener: requests that are answered on the same port, upgrades and malformed
// requests that are refused. Bodies are never read into memory.

import { type IncomingMessage, type ServerResponse, STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import type { HttpRequest, HttpResponse } from "../network.js";
import { errnoOf } from "./file-errors.js";

/** A request's body is ignored up to this size; a larger one is refused with 413. */
const MAX_BODY_BYTES = 64 * 1024;

const plainHeaders = (request: IncomingMessage): Record<string, string> => {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(request.headers)) {
    if (value !== undefined) {
      headers[name] = Array.isArray(value) ? value.join(", ") : value;
    }
  }
  return headers;
};

export const toHttpRequest = (request: IncomingMessage): HttpRequest => ({
  method: request.method ?? "GET",
  path: request.url ?? "/",
  headers: plainHeaders(request),
  remoteAddress: request.socket.remoteAddress ?? "unknown",
});

function writeResponse(response: ServerResponse, answer: HttpResponse): void {
  const body = typeof answer.body === "string" ? Buffer.from(answer.body) : answer.body;
  response.writeHead(answer.status, {
    "content-type": "text/plain; charset=utf-8",
    "x-content-type-options": "nosniff",
    "content-length": body.length,
    ...answer.headers,
  });
  response.end(body);
}

/** Answers one request by `handle`; a handler that fails gives 500 and is reported. */
export async function answerRequest(
  request: IncomingMessage,
  response: ServerResponse,
  handle: (request: HttpRequest) => HttpResponse | Promise<HttpResponse>,
): Promise<Error | undefined> {
  let bodyBytes = 0;
  const refuseBody = (): void => {
    if (!response.headersSent) {
      const headers = { connection: "close" };
      writeResponse(response, { status: 413, headers, body: "the body is too large\n" });
    }
    if (response.writableFinished) {
      request.destroy();
    } else {
      response.once("finish", () => request.destroy());
    }
  };
  if (Number(request.headers["content-length"] ?? 0) > MAX_BODY_BYTES) {
    refuseBody();
    return undefined;
  }
  request.on("data", (chunk: Uint8Array) => {
    bodyBytes += chunk.length;
    if (bodyBytes > MAX_BODY_BYTES) {
      refuseBody();
    }
  });
  // A client that goes away in the middle of its request has no more to be told.
  request.on("error", () => {});
  try {
    const answer = await handle(toHttpRequest(request));
    if (!response.headersSent) {
      writeResponse(response, answer);
    }
    return undefined;
  } catch (error) {
    if (!response.headersSent) {
      writeResponse(response, { status: 500, body: "internal error\n" });
    }
    return error instanceof Error ? error : new Error(String(error));
  }
}

/** Answers on a raw socket with a status and a reason, and closes it. */
export function refuse(socket: Duplex, status: number, reason: string): void {
  // The client may have gone already.
  socket.on("error", () => socket.destroy());
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  const body = `${reason}\n`;
  socket.once("finish", () => socket.destroy());
  socket.end(
    [
      `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}`,
      "connection: close",
      "content-type: text/plain; charset=utf-8",
      `content-length: ${Buffer.byteLength(body)}`,
      "",
      body,
    ].join("\r\n"),
  );
}

/** The status and the words for a request that Node's parser refused. */
export function malformedRequest(error: Error): { status: number; reason: string } {
  switch (errnoOf(error)) {
    case "HPE_HEADER_OVERFLOW":
      return { status: 431, reason: "the request head is too large" };
    case "ERR_HTTP_REQUEST_TIMEOUT":
      return { status: 408, reason: "the request head took too long" };
    default:
      return { status: 400, reason: "malformed HTTP request" };
  }
}
