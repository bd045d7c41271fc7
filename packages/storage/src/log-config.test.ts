import { describe, expect, it } from "vitest";
import { parseLogConfig, topicConfigKeys, topicConfigProblem } from "./log-config.js";

describe("parseLogConfig", () => {
  it("takes every default as a value", () => {
    const entries = Object.entries(topicConfigKeys).map(([name, key]) => [name, key.default]);
    expect(parseLogConfig(Object.fromEntries(entries))).toEqual(parseLogConfig());
  });

  it("refuses unknown keys, wrong types and values out of range, naming the key", () => {
    for (const [name, value] of [
      ["retention.mss", "1"],
      ["retention.ms", "-2"],
      ["retention.ms", "1.5"],
      ["segment.bytes", "2147483648"],
      ["flush", "never"],
      ["unclean.leader.election.enable", "yes"],
      ["__proto__", "1"],
    ] as const) {
      const entries = Object.fromEntries([[name, value]]);
      expect(() => parseLogConfig(entries)).toThrow(name);
    }
  });

  it("says that compaction is not supported", () => {
    expect(topicConfigProblem("cleanup.policy", "compact,delete")).toMatch("not supported");
  });

  it("reads Kafka's for ever as such", () => {
    expect(parseLogConfig({ "flush.ms": "9223372036854775807" }).flushMs).toBe(
      Number.MAX_SAFE_INTEGER,
    );
  });
});
