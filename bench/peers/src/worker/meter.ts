// One measured stretch: CPU of this process and of the server, and the time, from begin to end.

import { cpuUsage } from "node:process";
import type { Phase } from "../job.js";
import { cpuSeconds } from "../proc.js";
import { type LatencySummary, round } from "../statistics.js";

export class Meter {
  readonly #serverPids: readonly number[];
  readonly #startMs = performance.now();
  readonly #clientStart = cpuUsage();
  readonly #serverStart: number;

  constructor(serverPids: readonly number[]) {
    this.#serverPids = serverPids;
    this.#serverStart = cpuSeconds(serverPids);
  }

  get elapsedSeconds(): number {
    return (performance.now() - this.#startMs) / 1000;
  }

  end(records: number, bytes: number, latencyMs?: LatencySummary): Phase {
    const seconds = this.elapsedSeconds;
    const client = cpuUsage(this.#clientStart);
    return {
      records,
      bytes,
      seconds: round(seconds, 4),
      clientCpuSeconds: round((client.user + client.system) / 1e6, 3),
      serverCpuSeconds: round(cpuSeconds(this.#serverPids) - this.#serverStart, 2),
      ...(latencyMs === undefined ? {} : { latencyMs }),
    };
  }
}
