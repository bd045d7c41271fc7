import { describe, expect, it } from "vitest";
import { parseStatsLine } from "./nats-bench.js";

describe("nats bench", () => {
  it("tells the rate of publishers and of readers in one line among others", () => {
    const published = `09:42:22 Starting JetStream asynchronous publisher benchmark [batch=1,000, msgs=100,000]
09:42:22 [1] Starting JetStream asynchronous publisher, publishing 100,000 messages

NATS JetStream asynchronous publisher stats: 1,096,145 msgs/sec ~ 9.2 MiB/sec ~ 10.40us
`;
    expect(parseStatsLine(published)).toBe(1_096_145);
    const read = "NATS JetStream ordered ephemeral consumer stats: 904 msgs/sec ~ 17 MiB/sec";
    expect(parseStatsLine(read)).toBe(904);
  });

  it("is no figure when it failed", () => {
    expect(() => parseStatsLine("nats: error: no responders available")).toThrow("no figures");
  });
});
