// One line about one measurement, for the terminal. Pure.

import type { Measurement } from "./results.js";

const whole = (value: number): string => Math.round(value).toLocaleString("en");

export function lineOf({ client, durability, workload, answer, failure }: Measurement): string {
  const name = `${client}/${durability}`.padEnd(22);
  const title = workload.padEnd(20);
  if (answer === undefined) {
    return `${name} ${title} FAILED: ${failure?.split("\n").slice(0, 3).join(" | ") ?? ""}`;
  }
  const { produce, consume, endToEndMs } = answer;
  const parts: string[] = [];
  if (endToEndMs !== undefined) {
    parts.push(
      `end to end p50 ${endToEndMs.p50.toFixed(2)} ms, p99 ${endToEndMs.p99.toFixed(2)} ms`,
    );
  } else if (produce !== undefined) {
    const perSecond = produce.records / produce.seconds;
    const latency = produce.latencyMs;
    parts.push(`${whole(perSecond).padStart(11)}/s`);
    parts.push(latency === undefined ? "" : `p50 ${latency.p50.toFixed(2)} ms`);
  }
  if (consume !== undefined) {
    parts.push(`read ${whole(consume.records / consume.seconds)}/s`);
  }
  return `${name} ${title} ${parts.filter((part) => part !== "").join("  ")}`;
}
