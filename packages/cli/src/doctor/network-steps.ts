// The doctor's steps below the protocol: the URL, the name, the port, and what answers on it.

import { lookup } from "node:dns/promises";
import { createConnection, isIP, type Socket } from "node:net";
import { connect as connectSecurely } from "node:tls";
import { parseBootstrap } from "@millrace/client-core";
import { isMillraceError } from "@millrace/protocol";
import { printable } from "@millrace/runtime";
import { systemErrorCode } from "../cli-failure.js";
import { Unhealthy } from "./check.js";

export interface Address {
  readonly url: string;
  readonly host: string;
  readonly port: number;
  readonly isSecure: boolean;
}

const DEFAULT_PORTS: Readonly<Record<string, number>> = { "ws:": 80, "wss:": 443 };

/** @throws Unhealthy */
export function parseAddresses(bootstrap: string): readonly Address[] {
  let urls: readonly string[];
  try {
    urls = parseBootstrap(bootstrap);
  } catch (error) {
    if (!isMillraceError(error)) {
      throw error;
    }
    const message = error.message.replace(/^[A-Z_]+: /, "");
    throw new Unhealthy(message, "Write it as ws://HOST:PORT.", { cause: error });
  }
  return urls.map((url) => {
    const { hostname, port, protocol } = new URL(url);
    return {
      url,
      host: hostname.replace(/^\[(.*)\]$/, "$1"),
      port: port === "" ? (DEFAULT_PORTS[protocol] ?? 0) : Number(port),
      isSecure: protocol === "wss:",
    };
  });
}

/** @returns IP addresses, in the order they are tried. @throws Unhealthy */
export async function resolveHost(address: Address): Promise<readonly string[]> {
  const { host } = address;
  if (isIP(host) !== 0) {
    return [host];
  }
  try {
    const found = await lookup(host, { all: true });
    return found.map((entry) => entry.address);
  } catch (error) {
    const code = systemErrorCode(error) ?? "?";
    const isUnknown = code === "ENOTFOUND";
    throw new Unhealthy(
      isUnknown ? `there is no host ${host}` : `the name ${host} cannot be looked up now (${code})`,
      isUnknown
        ? "Check the spelling; inside a container or another network the name may be known only there."
        : "Check this machine's network and DNS settings.",
      { cause: error },
    );
  }
}

const refusals: Readonly<Record<string, readonly [problem: string, next: string]>> = {
  ECONNREFUSED: [
    "nothing listens there",
    "Start the broker (`millrace start`). If it runs on another machine or in a container: it listens on 127.0.0.1 unless started with --host 0.0.0.0.",
  ],
  EHOSTUNREACH: ["no way leads there", "Check the address, and this machine's network or VPN."],
  ENETUNREACH: ["no way leads there", "Check the address, and this machine's network or VPN."],
  EACCES: ["this machine forbids it", "Check the local firewall."],
  EPERM: ["this machine forbids it", "Check the local firewall."],
  ETIMEDOUT: [
    "no answer",
    "Usually a firewall that drops packets, or a machine that is off: check both.",
  ],
};

/** @throws Unhealthy */
export function connectTcp(address: Address, timeoutMs: number): Promise<void> {
  const { host, port } = address;
  return new Promise((resolve, reject) => {
    const socket = createConnection({ host, port });
    const fail = (code: string, cause?: unknown): void => {
      socket.destroy();
      const [problem, next] = refusals[code] ?? [code, "Check the address and the network."];
      reject(new Unhealthy(`${host} port ${port}: ${problem}`, next, { cause }));
    };
    socket.setTimeout(timeoutMs, () => fail("ETIMEDOUT"));
    socket.once("connect", () => {
      socket.destroy();
      resolve();
    });
    socket.once("error", (error: NodeJS.ErrnoException) => {
      // Several addresses tried at once fail with a collection.
      const inner = error instanceof AggregateError ? (error.errors[0] as unknown) : error;
      fail(systemErrorCode(inner) ?? systemErrorCode(error) ?? "?", error);
    });
  });
}

function openSocket({ host, isSecure, port }: Address): Socket {
  return isSecure
    ? connectSecurely({ host, port, ...(isIP(host) === 0 ? { servername: host } : {}) })
    : createConnection({ host, port });
}

/** @returns what was agreed on. @throws Unhealthy */
export function connectTls(address: Address, timeoutMs: number): Promise<string> {
  const { host, port } = address;
  const place = `${host} port ${port}`;
  return new Promise((resolve, reject) => {
    const servername = isIP(host) === 0 ? { servername: host } : {};
    const socket = connectSecurely({ host, port, ...servername });
    socket.setTimeout(timeoutMs, () => socket.destroy(new Error("no answer in time")));
    socket.once("secureConnect", () => {
      const agreed = `${socket.getProtocol() ?? "TLS"}, and the certificate is trusted`;
      socket.destroy();
      resolve(agreed);
    });
    socket.once("error", (error: NodeJS.ErrnoException) => {
      const code = String(error.code ?? "");
      const isPlain = code === "EPROTO" || /wrong.version.number/i.test(error.message);
      const isSilent = code === "ECONNRESET" || code === "";
      reject(
        isPlain || isSilent
          ? new Unhealthy(`${place} does not speak TLS`, "Use ws:// instead of wss://.", {
              cause: error,
            })
          : new Unhealthy(
              `the certificate of ${place} is not accepted: ${error.message}`,
              "NODE_EXTRA_CA_CERTS=FILE names certificates to trust besides; check the name and the dates in it too.",
              { cause: error },
            ),
      );
    });
  });
}

/** What the first bytes of an answer to a plain HTTP request show. */
export type Answer =
  | {
      readonly kind: "http";
      readonly status: number;
      readonly date: string | undefined;
      readonly body: string;
    }
  | { readonly kind: "tls" }
  | { readonly kind: "silent" }
  | { readonly kind: "closed" }
  | { readonly kind: "other"; readonly bytes: string };

const ANSWER_BYTES_MAX = 16 * 1024;
const TLS_ALERT = 0x15;
const TLS_HANDSHAKE = 0x16;

/** Pure. @param isOver nothing more will come */
export function classifyAnswer(bytes: Buffer, isOver: boolean): Answer {
  if (bytes.length === 0) {
    return { kind: isOver ? "closed" : "silent" };
  }
  const isTlsRecord = (bytes[0] === TLS_ALERT || bytes[0] === TLS_HANDSHAKE) && bytes[1] === 0x03;
  if (isTlsRecord) {
    return { kind: "tls" };
  }
  const text = bytes.toString("latin1");
  const status = /^HTTP\/1\.[01] (\d{3})/.exec(text)?.[1];
  if (status === undefined) {
    return { kind: "other", bytes: printable(text, 40) };
  }
  // Web servers answer plain HTTP on their TLS port with a 400 that says so.
  if (status === "400" && /HTTPS? (?:port|server)|TLS|SSL/i.test(text)) {
    return { kind: "tls" };
  }
  const [head = "", body = ""] = text.split(/\r\n\r\n/s, 2);
  const date = /^date: *(.+)$/im.exec(head)?.[1];
  return { kind: "http", status: Number(status), date, body };
}

/** Asks for `/health` as plain HTTP, byte by byte, so that whatever answers can be told. */
export function askHealth(address: Address, timeoutMs: number): Promise<Answer> {
  const { host, isSecure, port } = address;
  return new Promise((resolve, reject) => {
    const socket = openSocket(address);
    const chunks: Buffer[] = [];
    let isSettled = false;
    const settle = (isOver: boolean): void => {
      if (!isSettled) {
        isSettled = true;
        socket.destroy();
        resolve(classifyAnswer(Buffer.concat(chunks), isOver));
      }
    };
    const name = isIP(host) === 6 ? `[${host}]` : host;
    socket.once(isSecure ? "secureConnect" : "connect", () => {
      socket.write(`GET /health HTTP/1.1\r\nHost: ${name}:${port}\r\nConnection: close\r\n\r\n`);
    });
    socket.on("data", (chunk) => {
      chunks.push(chunk);
      if (chunks.reduce((sum, { length }) => sum + length, 0) > ANSWER_BYTES_MAX) {
        settle(true);
      }
    });
    socket.setTimeout(timeoutMs, () => settle(false));
    socket.once("close", () => settle(true));
    socket.once("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "ECONNRESET") {
        settle(true);
      } else {
        isSettled = true;
        reject(
          new Unhealthy(
            `the connection broke: ${error.message}`,
            "Try again; if it stays so, check proxies and firewalls in between.",
          ),
        );
      }
    });
  });
}
