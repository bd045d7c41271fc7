// Reads the addresses a user types. Accepts `ws://host:port`, `wss://host`, and plain `host:port` as in Kafka's
// bootstrap.servers; everything else is refused with a sentence that says what to write instead. Pure: it
// resolves no names.

import { MillraceError } from "@millrace/protocol";
import { printable } from "@millrace/runtime";

/** For plain `host` without a port. URLs follow RFC 6455: 80 for `ws`, 443 for `wss`. */
const DEFAULT_PORT = 9092;
const ADDRESSES_MAX = 100;
const example = "for example ws://127.0.0.1:9092";

const urlShape = /^([A-Za-z][A-Za-z0-9+._-]*):\/\/([^/?#]*)([^#]*)(#.*)?$/;
const credentialsShape = /^(?:[A-Za-z][A-Za-z0-9+._-]*:\/\/)?[^/?#]*@/;
const hostShape =
  /^(\[[0-9A-Fa-f:.]+(?:%25[A-Za-z0-9._~-]+)?\]|[\p{L}\p{N}_](?:[\p{L}\p{N}._-]*))(?::([0-9]*))?$/u;
/** Listener names of Kafka's, which people paste from its configuration. */
const kafkaSchemes = new Set(["kafka", "plaintext", "ssl", "sasl_plaintext", "sasl_ssl"]);

/**
 * The addresses as WebSocket URLs, without duplicates, in the order given.
 * @throws MillraceError `INVALID_ARGUMENT`
 */
export function parseBootstrap(bootstrap: string | readonly string[]): readonly string[] {
  const texts = typeof bootstrap === "string" ? bootstrap.split(",") : bootstrap;
  const urls = new Set(texts.map((text) => parseBrokerUrl(text)));
  if (urls.size === 0) {
    throw refuse("", `name at least one broker, ${example}`);
  }
  if (urls.size > ADDRESSES_MAX) {
    throw refuse("", `at most ${ADDRESSES_MAX} addresses are taken`);
  }
  return [...urls];
}

/**
 * One address as a WebSocket URL.
 * @throws MillraceError `INVALID_ARGUMENT`
 */
export function parseBrokerUrl(address: string): string {
  const text = address.trim();
  if (text === "") {
    throw refuse(address, `it is empty; write host:port, ${example}`);
  }
  if (credentialsShape.test(text)) {
    // The address stays out of the message: it holds a password.
    throw new MillraceError(
      "INVALID_ARGUMENT",
      "a broker's address must not hold a user name or password: addresses end up in logs",
    );
  }
  const url = urlShape.exec(text);
  if (url === null) {
    return parseHostAndPort(text);
  }
  const [, scheme = "", authority = "", path = "", fragment] = url;
  const lowerScheme = scheme.toLowerCase();
  checkScheme(address, lowerScheme);
  if (fragment !== undefined) {
    throw refuse(address, "a broker's URL has no #fragment");
  }
  const { host, port } = parseAuthority(address, authority);
  return `${lowerScheme}://${host}${port === undefined ? "" : `:${port}`}${path === "/" ? "" : path}`;
}

function parseHostAndPort(text: string): string {
  if (/[/?#\s]/.test(text)) {
    throw refuse(text, `write host:port or a ws:// URL, ${example}`);
  }
  const { host, port } = parseAuthority(text, text);
  return `ws://${host}:${port ?? DEFAULT_PORT}`;
}

function checkScheme(address: string, scheme: string): void {
  if (scheme === "ws" || scheme === "wss") {
    return;
  }
  if (scheme === "http" || scheme === "https") {
    const right = scheme === "http" ? "ws" : "wss";
    throw refuse(address, `brokers speak WebSockets: write ${right}:// instead of ${scheme}://`);
  }
  if (kafkaSchemes.has(scheme)) {
    throw refuse(
      address,
      `that is an address of Apache Kafka's protocol; Millrace speaks WebSockets, ${example}`,
    );
  }
  throw refuse(address, `write ws:// or wss://, ${example}`);
}

function parseAuthority(
  address: string,
  authority: string,
): { readonly host: string; readonly port: number | undefined } {
  if (/^(?::[0-9]*)?$/.test(authority)) {
    throw refuse(address, `the host is missing; write host:port, ${example}`);
  }
  const match = hostShape.exec(authority);
  if (match === null) {
    throw refuse(address, `it is no host:port (an IPv6 address takes brackets), ${example}`);
  }
  const [, host = "", portText] = match;
  const port = portText === undefined ? undefined : Number(portText);
  if (portText === "" || (port !== undefined && (port < 1 || port > 65_535))) {
    throw refuse(address, "the port must be a number from 1 to 65535");
  }
  return { host: host.toLowerCase(), port };
}

function refuse(address: string, reason: string): MillraceError {
  const subject = address === "" ? "bootstrap" : `bootstrap address "${printable(address)}"`;
  return new MillraceError("INVALID_ARGUMENT", `${subject}: ${reason}`);
}
