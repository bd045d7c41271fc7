import { describe, expect, it } from "vitest";
import { flushPolicyText } from "./flush-policy.js";
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

  it("takes both cleanup policies at once, in any order, and no other", () => {
    expect(parseLogConfig({ "cleanup.policy": "compact" }).cleanupPolicy).toBe("compact");
    for (const both of ["compact,delete", "delete,compact"]) {
      expect(parseLogConfig({ "cleanup.policy": both }).cleanupPolicy).toBe("compact,delete");
    }
    expect(topicConfigProblem("cleanup.policy", "compact,keep")).toMatch("must be one of");
    expect(topicConfigProblem("cleanup.policy", "")).toMatch("must be one of");
  });

  it("refuses a compaction that must come before it may", () => {
    const entries = { "min.compaction.lag.ms": "2000", "max.compaction.lag.ms": "1000" };
    expect(() => parseLogConfig(entries)).toThrow("min.compaction.lag.ms");
  });

  it("gives flush.ms and flush.messages a meaning with every flush, and says it in words", () => {
    const policies: [Record<string, string>, string][] = [
      [{}, "acknowledged after fsync"],
      [{ "flush.ms": "1000", "flush.messages": "500" }, "acknowledged after fsync"],
      [{ flush: "os" }, "acknowledged after write; synced in the background"],
      [{ flush: "os", "flush.ms": "1000" }, "acknowledged after write; synced every 1,000 ms"],
      [
        { flush: "os", "flush.ms": "1000", "flush.messages": "10000" },
        "acknowledged after write; synced every 1,000 ms or 10,000 records",
      ],
      [{ flush: "os", "flush.messages": "1" }, "acknowledged after fsync"],
    ];
    for (const [entries, words] of policies) {
      expect(flushPolicyText(parseLogConfig(entries))).toBe(words);
    }
  });

  it("reads Kafka's for ever as such", () => {
    expect(parseLogConfig({ "flush.ms": "9223372036854775807" }).flushMs).toBe(
      Number.MAX_SAFE_INTEGER,
    );
  });
});
