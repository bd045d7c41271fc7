// Options of a `ClusterClient`: what they mean, their defaults, and the check that refuses bad ones.

import { CLIENT_ID_LENGTH_MAX, MillraceError } from "@millrace/protocol";
import type { ClientRuntime } from "@millrace/runtime";

export interface ClusterClientOptions {
  readonly runtime: ClientRuntime;
  /**
   * Addresses of one or more brokers of the cluster: `ws://host:port`, `wss://host`, or plain `host:port`;
   * a list, or one text with commas. The others are found through whichever answers first.
   */
  readonly bootstrap: string | readonly string[];
  /** A name for the broker's log, at most 249 characters. */
  readonly clientId?: string | undefined;
  /** For dialing and `hello` together. Default 10 s. */
  readonly connectTimeoutMs?: number | undefined;
  /** Default of each request's `timeoutMs`. Default 30 s. */
  readonly requestTimeoutMs?: number | undefined;
  /** First delay between attempts, of `retry` and of dialing. Doubles with each. Default 100 ms. */
  readonly retryBackoffMs?: number | undefined;
  /** Largest delay between attempts. Default 1 s. */
  readonly retryBackoffMaxMs?: number | undefined;
  /** Topic metadata older than this is fetched again when it is asked for. Default 5 min. */
  readonly metadataMaxAgeMs?: number | undefined;
  /** A connection without requests is closed after this time. Default 9 min. */
  readonly connectionMaxIdleMs?: number | undefined;
  /** Largest message accepted from a broker. Default 64 MiB. */
  readonly maxMessageBytes?: number | undefined;
}

/** The options with every default filled in. */
export interface ClusterClientConfig {
  readonly clientId: string | null;
  readonly connectTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly retryBackoffMs: number;
  readonly retryBackoffMaxMs: number;
  readonly metadataMaxAgeMs: number;
  readonly connectionMaxIdleMs: number;
  readonly maxMessageBytes: number;
}

const defaults = {
  connectTimeoutMs: 10_000,
  requestTimeoutMs: 30_000,
  retryBackoffMs: 100,
  retryBackoffMaxMs: 1_000,
  metadataMaxAgeMs: 300_000,
  connectionMaxIdleMs: 540_000,
  maxMessageBytes: 64 * 1024 * 1024,
} as const;

/** Timers take 31 bits in browsers and in Node: longer delays fire at once. */
const DELAY_MS_MAX = 0x7fffffff;

type NumberOption = keyof typeof defaults;

/** @throws MillraceError `INVALID_CONFIG_VALUE` naming the option. */
export function parseClusterClientOptions(options: ClusterClientOptions): ClusterClientConfig {
  const { clientId } = options;
  if (clientId !== undefined && clientId.length > CLIENT_ID_LENGTH_MAX) {
    throw refuse("clientId", `at most ${CLIENT_ID_LENGTH_MAX} characters`, clientId.length);
  }
  const read = (name: NumberOption, min = 1): number => {
    const value = options[name] ?? defaults[name];
    if (!Number.isFinite(value) || value < min || value > DELAY_MS_MAX) {
      throw refuse(name, `a number from ${min} to ${DELAY_MS_MAX}`, value);
    }
    return value;
  };
  const retryBackoffMs = read("retryBackoffMs");
  const retryBackoffMaxMs = read("retryBackoffMaxMs");
  if (retryBackoffMaxMs < retryBackoffMs) {
    throw refuse("retryBackoffMaxMs", "at least retryBackoffMs", retryBackoffMaxMs);
  }
  return {
    clientId: clientId ?? null,
    connectTimeoutMs: read("connectTimeoutMs"),
    requestTimeoutMs: read("requestTimeoutMs"),
    retryBackoffMs,
    retryBackoffMaxMs,
    metadataMaxAgeMs: read("metadataMaxAgeMs", 0),
    connectionMaxIdleMs: read("connectionMaxIdleMs"),
    maxMessageBytes: read("maxMessageBytes", 64 * 1024),
  };
}

function refuse(name: string, expected: string, actual: number): MillraceError {
  return new MillraceError("INVALID_CONFIG_VALUE", `${name}: expected ${expected}, got ${actual}`);
}
