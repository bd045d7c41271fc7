// What an answer to `GET /health` says about who listens there. Pure.

import { printable } from "@millrace/runtime";
import { Unhealthy } from "./check.js";
import type { Answer } from "./network-steps.js";

export interface BrokerHealth {
  readonly status: string;
  readonly version: string;
  readonly clusterId: string;
  readonly nodeId: number;
  readonly quarantined: readonly string[];
  /** Compacted partitions that the log cleaner leaves alone. */
  readonly uncleanable: readonly string[];
  /** What the log cleaner and the background verification did since the start; undefined: an older broker. */
  readonly upkeep: Upkeep | undefined;
  /** The broker's clock when it answered; undefined when it did not say. */
  readonly dateMs: number | undefined;
}

export interface Upkeep {
  readonly cleanings: number;
  readonly scrubbedBytes: number;
  /** Damaged places that the background verification has found. */
  readonly damages: number;
}

function parseHealth(body: string): Omit<BrokerHealth, "dateMs"> | undefined {
  let value: unknown;
  try {
    // A chunked body has its lengths around it.
    value = JSON.parse(body.slice(body.indexOf("{"), body.lastIndexOf("}") + 1));
  } catch {
    // Not JSON: not ours.
    return undefined;
  }
  if (typeof value !== "object" || value === null) {
    return undefined;
  }
  const fields = value as Record<string, unknown>;
  const { clusterId, nodeId, status, version } = fields;
  if (typeof clusterId !== "string" || typeof status !== "string" || typeof nodeId !== "number") {
    return undefined;
  }
  return {
    status,
    clusterId,
    nodeId,
    version: String(version ?? "unknown"),
    quarantined: namesIn(fields["quarantined"]),
    uncleanable: namesIn(fields["uncleanable"]),
    upkeep: parseUpkeep(fields),
  };
}

function namesIn(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.map(String) : [];
}

function parseUpkeep({ cleaner, scrub }: Record<string, unknown>): Upkeep | undefined {
  const cleanings = numberIn(cleaner, "passes");
  const scrubbedBytes = numberIn(scrub, "verifiedBytes");
  const damages = numberIn(scrub, "damages");
  return cleanings === undefined || scrubbedBytes === undefined || damages === undefined
    ? undefined
    : { cleanings, scrubbedBytes, damages };
}

function numberIn(value: unknown, name: string): number | undefined {
  const found: unknown =
    typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;
  return typeof found === "number" ? found : undefined;
}

/** @throws Unhealthy when it is no Millrace broker, or one that does not serve */
export function judgeAnswer(answer: Answer): BrokerHealth {
  switch (answer.kind) {
    case "tls":
      throw new Unhealthy(
        "the port speaks TLS, and was asked in the clear",
        "Use wss:// instead of ws://, or the port of a listener without TLS.",
      );
    case "silent":
      throw new Unhealthy(
        "the port is open, but whatever listens there does not answer HTTP",
        "A TLS port, another protocol, or a broker that hangs waits like this: try wss://, check the port number, and look at the broker's own output.",
      );
    case "closed":
      throw new Unhealthy(
        "the connection is closed without an answer, as Apache Kafka does with what is not its protocol",
        "Check the port: Kafka's default is 9092 too. Millrace clients cannot talk to a Kafka broker.",
      );
    case "other":
      throw new Unhealthy(
        `something that is no web server answers: "${answer.bytes}"`,
        "Another program listens there; check the port, or start the broker with another --port.",
      );
    case "http": {
      const health = parseHealth(answer.body);
      if (health === undefined) {
        throw new Unhealthy(
          `a web server answers (${answer.status}), but no Millrace broker: "${printable(answer.body.trim(), 60)}"`,
          "Check the port; behind a proxy, check where it forwards to, and that it passes /health on.",
        );
      }
      const parsed = Date.parse(answer.date ?? "");
      return checkServing({ ...health, dateMs: Number.isNaN(parsed) ? undefined : parsed });
    }
  }
}

function checkServing(health: BrokerHealth): BrokerHealth {
  if (health.status === "running") {
    return health;
  }
  throw new Unhealthy(
    `the broker is ${health.status}`,
    health.status === "starting"
      ? "It recovers its logs: wait, and try again. Its own output says how far it is."
      : "Look at the broker's own output, and start it again.",
  );
}
