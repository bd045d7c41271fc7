import { topicConfigKeys } from "@millrace/storage";
import { describe, expect, it } from "vitest";
import {
  type BrokerConfigKey,
  brokerConfigKeys,
  parseBrokerConfig,
  topicDefaultKeys,
} from "./broker-config.js";

describe("the broker's configuration", () => {
  it("has defaults that are in range and fit together", () => {
    for (const key of Object.values<BrokerConfigKey>(brokerConfigKeys)) {
      expect(key.default).toBeGreaterThanOrEqual(key.min);
      expect(key.default).toBeLessThanOrEqual(key.max);
      expect(key.documentation).toMatch(/\.$/);
    }
    expect(parseBrokerConfig().numPartitions).toBe(1);
  });

  it("maps log.* and message.max.bytes to topic keys that exist", () => {
    for (const key of Object.values(topicDefaultKeys)) {
      expect(Object.hasOwn(topicConfigKeys, key)).toBe(true);
    }
    const config = parseBrokerConfig({ "message.max.bytes": "2000", "log.retention.ms": "5" });
    expect(config.topicDefaults).toEqual({ "max.message.bytes": "2000", "retention.ms": "5" });
  });

  it.each([
    [{ "no.such.key": "1" }, "no.such.key: unknown"],
    [{ "num.partitions": "0" }, "num.partitions: expected a whole number from 1 to 10000"],
    [{ "num.partitions": "1.5" }, "num.partitions: expected"],
    [{ "num.partitions": "" }, "num.partitions: expected"],
    [{ "num.partitions": "many" }, "num.partitions: expected"],
    [{ __proto__x: "1" }, "unknown"],
    [{ constructor: "1" }, "constructor: unknown"],
    [{ "log.retention.ms": "never" }, "retention.ms"],
    [{ "num.partitions": "20", "max.partitions.per.topic": "10" }, "is larger than max.partitions"],
    [{ "max.partitions": "5" }, "max.partitions.per.topic: is larger"],
    [{ "message.max.bytes": "20000000" }, "connection.max.in.flight.bytes: must hold"],
    [{ "queued.max.request.bytes": "200000" }, "queued.max.request.bytes: is smaller"],
  ] as [Record<string, string>, string][])("refuses %j", (entries, message) => {
    expect(() => parseBrokerConfig(entries)).toThrow(message);
  });

  it("does not change or keep what it was given", () => {
    const entries = { "num.partitions": "7" };
    const config = parseBrokerConfig(entries);
    entries["num.partitions"] = "8";
    expect([config.numPartitions, config.entries["num.partitions"]]).toEqual([7, "7"]);
    expect(Object.isFrozen(config)).toBe(true);
  });
});
