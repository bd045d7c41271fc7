// The answer to `GET /health`: what a load balancer or a person wants to know first. No names, no payload.

import type { HttpRequest, HttpResponse } from "@millrace/runtime";
import type { CleanerTotals, ScrubTotals } from "@millrace/storage";

export type BrokerStatus = "starting" | "running" | "stopping" | "stopped" | "failed";

export interface Health {
  readonly status: BrokerStatus;
  readonly clusterId: string;
  readonly nodeId: number;
  readonly uptimeMs: number;
  readonly version: string;
  readonly topics: number;
  readonly partitions: number;
  /** Partitions whose logs refuse writes because of damage, as `topic-partition`. */
  readonly quarantined: readonly string[];
  /** Compacted partitions that the log cleaner leaves alone because it cannot clean them. */
  readonly uncleanable: readonly string[];
  readonly connections: number;
  /** What the log cleaner has done since the start. */
  readonly cleaner: CleanerTotals;
  /** What the background verification of sealed segments has done since the start. */
  readonly scrub: ScrubTotals;
}

const headers = { "content-type": "application/json", "cache-control": "no-store" } as const;

/** 200 while running, 503 in every other state; 404 and 405 for anything but `GET /health`. */
export function answerHttp(request: HttpRequest, health: () => Health): HttpResponse {
  const [path] = request.path.split("?");
  if (path !== "/health") {
    return { status: 404, headers, body: JSON.stringify({ error: "not found" }) };
  }
  if (request.method !== "GET" && request.method !== "HEAD") {
    return {
      status: 405,
      headers: { ...headers, allow: "GET, HEAD" },
      body: JSON.stringify({ error: "method not allowed" }),
    };
  }
  const answer = health();
  const body = request.method === "HEAD" ? "" : `${JSON.stringify(answer)}\n`;
  return { status: answer.status === "running" ? 200 : 503, headers, body };
}
