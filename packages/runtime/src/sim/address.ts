// Addresses in the simulated network: a machine's name is its host name; loopback names mean the machine itself.

/** Where a URL leads. */
export interface Address {
  readonly host: string;
  readonly port: number;
  /** As in the URL: what the `Host` header says. */
  readonly authority: string;
  readonly path: string;
}

const urlPattern =
  /^(?:wss?|https?):\/\/(\[[0-9a-f:]+\]|[^/:?#\s[\]]+)(?::(\d{1,5}))?(\/[^\s#]*)?$/i;
const loopbackNames: ReadonlySet<string> = new Set(["127.0.0.1", "localhost", "::1"]);
const wildcardNames: ReadonlySet<string> = new Set(["0.0.0.0", "::", ""]);

/** Undefined when it is no address. */
export function parseAddress(url: string): Address | undefined {
  const match = urlPattern.exec(url);
  const host = match?.[1]?.replace(/^\[|\]$/g, "");
  if (match === null || host === undefined) {
    return undefined;
  }
  const isSecure = /^(?:wss|https):/i.test(url);
  const port = match[2] === undefined ? (isSecure ? 443 : 80) : Number(match[2]);
  if (port > 65_535 || port === 0) {
    return undefined;
  }
  const authority = match[2] === undefined ? (match[1] ?? host) : `${match[1]}:${match[2]}`;
  return { host, port, authority, path: match[3] ?? "/" };
}

/** The machine that `host` names when asked from `machine`. */
export function machineOf(host: string, machine: string): string {
  return loopbackNames.has(host) || wildcardNames.has(host) ? machine : host;
}

/** Whether a listener on `listenHost` of `machine` is reached through `host` from `fromMachine`. */
export function isReachable(
  listenHost: string,
  way: { host: string; machine: string; fromMachine: string },
): boolean {
  if (wildcardNames.has(listenHost) || listenHost === way.machine) {
    return true;
  }
  return loopbackNames.has(listenHost) && way.fromMachine === way.machine;
}
