// Dialing: one outcome, whatever happens first (open, refused, rejected, timed out, aborted).

import type { IncomingMessage } from "node:http";
import type { createConnection, Socket, TcpNetConnectOpts } from "node:net";
import { WebSocket } from "ws";
import { printable } from "../logger.js";
import {
  type Connection,
  type ConnectionEvents,
  DialError,
  type DialOptions,
  type Network,
  SUB_PROTOCOL,
} from "../network.js";
import { webSocketUrlProblem } from "../websocket-url.js";
import { DialedConnection } from "./dialed-connection.js";
import { DialedSocket } from "./dialed-socket.js";
import { createScratch } from "./direct-socket.js";
import { errnoOf } from "./file-errors.js";
import { KEEP_ALIVE_DELAY_MS, webSocketOptions } from "./websocket-options.js";

/** How much of a refusal's body becomes part of the error. */
const MAX_REFUSAL_BYTES = 1_024;

/**
 * RFC 6455 has clients mask with random keys, so that a script in a browser cannot write chosen bytes into a
 * confused proxy's cache (section 10.3). A Node process could write any bytes to any socket anyway: the key 0,
 * which leaves the payload as it is, saves both ends a pass over every byte.
 */
const zeroMask = (mask: Buffer): void => void mask.fill(0);

function failureOf(url: string, error: Error): DialError {
  const errno = errnoOf(error);
  if (errno === "ECONNREFUSED") {
    return new DialError("REFUSED", `nothing listens at ${url}`, { cause: error });
  }
  const code = errno === "ETIMEDOUT" ? "TIMEOUT" : "UNREACHABLE";
  return new DialError(code, `cannot connect to ${url}: ${error.message}`, { cause: error });
}

/** Reads the start of a refusal's body and calls `done` once with the error. */
function readRefusal(
  url: string,
  response: IncomingMessage,
  done: (error: DialError) => void,
): void {
  const status = response.statusCode ?? 0;
  let body = "";
  const finish = (): void => {
    response.destroy();
    const reason = body === "" ? "" : `: ${printable(body.trim())}`;
    done(new DialError("REJECTED", `${url} answered ${status}${reason}`, { status }));
  };
  response.setEncoding("utf8");
  response.on("data", (text: string) => {
    body += text;
    if (body.length >= MAX_REFUSAL_BYTES) {
      finish();
    }
  });
  response.on("end", finish);
  // A body that breaks off does not change the verdict.
  response.on("error", finish);
}

/** See `Network.dial`. The sockets share one buffer: what a read puts there is taken from there before the next. */
export function createDial(): Network["dial"] {
  const scratch = createScratch();
  return (url, options, attach) => dial(url, { ...options, scratch }, attach);
}

interface InnerOptions extends DialOptions {
  readonly scratch: Uint8Array;
}

/**
 * Options that have ws use a socket which splits messages itself, and give it to `onDialed`. Of TLS, and on Windows,
 * where a buffer is taken before there is anything to read, ws makes its own.
 */
function directly(
  url: string,
  { maxMessageBytes, scratch }: InnerOptions,
  onDialed: (dialed: DialedSocket) => void,
): { createConnection?: typeof createConnection } {
  if (!url.startsWith("ws:") || process.platform === "win32") {
    return {};
  }
  const connect = ({ host = "", port }: TcpNetConnectOpts): Socket => {
    const dialed = new DialedSocket({ host, port: Number(port), maxMessageBytes, scratch });
    onDialed(dialed);
    return dialed.socket;
  };
  return { createConnection: connect as typeof createConnection };
}

function dial(
  url: string,
  options: InnerOptions,
  attach: (connection: Connection) => ConnectionEvents,
): Promise<Connection> {
  const { signal, connectTimeoutMs } = options;
  const problem = webSocketUrlProblem(url);
  if (problem !== undefined) {
    return Promise.reject(new DialError("INVALID_URL", problem));
  }
  const aborted = (): DialError =>
    new DialError("ABORTED", `dialing ${url} was aborted`, { cause: signal?.reason });
  if (signal?.aborted) {
    return Promise.reject(aborted());
  }
  return new Promise((resolve, reject) => {
    let direct: DialedSocket | undefined;
    const webSocket = new WebSocket(url, [SUB_PROTOCOL], {
      ...webSocketOptions,
      ...directly(url, options, (dialed) => {
        direct = dialed;
      }),
      maxPayload: options.maxMessageBytes,
      generateMask: zeroMask,
      followRedirects: false,
    });
    let isSettled = false;
    const settle = (outcome: () => void): void => {
      if (!isSettled) {
        isSettled = true;
        clearTimeout(timeout);
        signal?.removeEventListener("abort", onAbort);
        outcome();
      }
    };
    const fail = (error: DialError): void =>
      settle(() => {
        reject(error);
        webSocket.terminate();
      });
    const onAbort = (): void => fail(aborted());
    const timeout = setTimeout(() => {
      fail(new DialError("TIMEOUT", `${url} did not answer within ${connectTimeoutMs} ms`));
    }, connectTimeoutMs);
    signal?.addEventListener("abort", onAbort, { once: true });

    let connection: DialedConnection | undefined;
    webSocket.on("upgrade", ({ socket }) => {
      socket.setKeepAlive(true, KEEP_ALIVE_DELAY_MS);
      connection = new DialedConnection({ webSocket, socket, direct });
    });
    webSocket.on("error", (error) => fail(failureOf(url, error)));
    webSocket.on("unexpected-response", (_request, response) => {
      readRefusal(url, response, fail);
    });
    webSocket.on("open", () => {
      try {
        connection?.attach(attach(connection));
      } catch (error) {
        // The caller's own error, thrown in the middle of ws's event: it belongs to the caller's promise.
        settle(() => reject(error));
        webSocket.terminate();
        return;
      }
      settle(() => connection !== undefined && resolve(connection));
    });
  });
}
