// Whether a text is the address of a WebSocket, before a platform's own class gets to see it.

interface UrlLike {
  readonly protocol: string;
  readonly hostname: string;
  readonly hash: string;
}

const { URL: PlatformUrl } = globalThis as unknown as { URL: new (text: string) => UrlLike };

/** What is wrong with `url` as the address of a WebSocket; undefined when nothing is. */
export function webSocketUrlProblem(url: string): string | undefined {
  let parsed: UrlLike;
  try {
    parsed = new PlatformUrl(url);
  } catch {
    // The constructor's only way to say that this is no URL; which part is wrong it does not tell.
    return `"${url}" is no URL; expected something like ws://127.0.0.1:9092`;
  }
  if (parsed.protocol !== "ws:" && parsed.protocol !== "wss:") {
    return `"${url}" has the scheme ${parsed.protocol} instead of ws: or wss:`;
  }
  if (parsed.hostname === "") {
    return `"${url}" names no host`;
  }
  return parsed.hash === "" ? undefined : `"${url}" has a fragment, which a WebSocket cannot have`;
}
