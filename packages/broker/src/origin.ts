// Which web pages may reach this broker. A browser says in `Origin` which page opened a WebSocket; everything
// else says nothing and is let in. By default pages from loopback and from the listener's own host are let
// in. The `Host` header has no say: a page that rebinds its name to 127.0.0.1 controls it. Pure.

export interface OriginPolicy {
  /** Hosts the operator gave the listener (listen host, advertised host); wildcard addresses do not count. */
  readonly ownHosts: readonly string[];
  /** Whole origins besides: `https://console.example.com`, with a port unless it is the scheme's own. */
  readonly allowedOrigins: readonly string[];
}

interface Origin {
  readonly scheme: string;
  readonly host: string;
  readonly port: string;
}

/**
 * `scheme://host[:port]` and nothing else (RFC 6454, section 6.2): user info, a path, a trailing dot, an empty
 * or impossible port, non-ASCII or escaped hosts do not match. Browsers write hosts in lower case.
 */
const originPattern =
  /^(https?):\/\/(\[[0-9a-f:.]{2,45}\]|(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)(?::([1-9]\d{0,4}))?$/;

const defaultPorts: Readonly<Record<string, string>> = { http: "80", https: "443" };

function parseOrigin(text: string): Origin | undefined {
  const match = originPattern.exec(text);
  if (match === null) {
    return undefined;
  }
  const scheme = match[1] ?? "";
  const port = match[3] ?? defaultPorts[scheme] ?? "";
  return Number(port) > 65_535 ? undefined : { scheme, host: match[2] ?? "", port };
}

/** True for `localhost`, all of 127.0.0.0/8 in dotted form, and `::1`. */
export function isLoopbackHost(host: string): boolean {
  if (host === "localhost" || host === "[::1]" || host === "::1") {
    return true;
  }
  const octets = host.split(".");
  return (
    octets.length === 4 &&
    octets[0] === "127" &&
    octets.every((octet) => /^(0|[1-9]\d{0,2})$/.test(octet) && Number(octet) <= 255)
  );
}

const wildcardHosts: ReadonlySet<string> = new Set(["0.0.0.0", "::", "[::]", ""]);

function bracketed(host: string): string {
  const lower = host.toLowerCase();
  return lower.includes(":") && !lower.startsWith("[") ? `[${lower}]` : lower;
}

/** Why a page of this origin is refused, or undefined when it may connect. */
export function originProblem(
  origin: string | undefined,
  policy: OriginPolicy,
): string | undefined {
  if (origin === undefined) {
    return undefined;
  }
  const parsed = parseOrigin(origin);
  if (parsed === undefined) {
    return "the origin is opaque or malformed";
  }
  if (isLoopbackHost(parsed.host)) {
    return undefined;
  }
  const isOwn = policy.ownHosts.some(
    (host) => !wildcardHosts.has(host) && bracketed(host) === parsed.host,
  );
  const isListed = policy.allowedOrigins.some((allowed) => {
    const other = parseOrigin(allowed.toLowerCase());
    return (
      other !== undefined &&
      other.scheme === parsed.scheme &&
      other.host === parsed.host &&
      other.port === parsed.port
    );
  });
  return isOwn || isListed
    ? undefined
    : "web pages of this origin may not connect; the broker's allowed origins can be extended";
}

/** What is wrong with an entry of the allow-list, or undefined. */
export function allowedOriginProblem(entry: string): string | undefined {
  return parseOrigin(entry.toLowerCase()) === undefined
    ? 'expected scheme://host[:port], like "https://console.example.com"'
    : undefined;
}
