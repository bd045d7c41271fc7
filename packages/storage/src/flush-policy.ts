// What a topic's flush, flush.ms and flush.messages amount to, in words for people. Pure.

import type { LogConfig } from "./log-config.js";

const thousands = (count: number): string => count.toString().replace(/\B(?=(\d{3})+$)/g, ",");

/** When a record is acknowledged, and when it is on the disk at the latest if that is later. */
export function flushPolicyText(
  config: Pick<LogConfig, "flush" | "flushMs" | "flushMessages">,
): string {
  if (config.flush === "sync") {
    return "acknowledged after fsync";
  }
  const bounds: string[] = [];
  if (config.flushMs < Number.MAX_SAFE_INTEGER) {
    bounds.push(`${thousands(config.flushMs)} ms`);
  }
  if (config.flushMessages < Number.MAX_SAFE_INTEGER) {
    bounds.push(`${thousands(config.flushMessages)} records`);
  }
  const often = bounds.length === 0 ? "in the background" : `every ${bounds.join(" or ")}`;
  return `acknowledged after write; synced ${often}`;
}
