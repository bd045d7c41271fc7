import { describe, expect, it } from "vitest";
import { serverOptions } from "./server-options.js";
import { mergeSettings } from "./server-settings.js";

const file = (json: unknown) => ({ path: "m.json", content: JSON.stringify(json) });

describe("settings", () => {
  it("come from flags before environment before file", () => {
    const settings = mergeSettings({
      file: file({
        host: "a",
        port: 1,
        nodeId: 1,
        config: { "num.partitions": 1, "max.partitions": 2 },
      }),
      environment: {
        MILLRACE_HOST: "b",
        MILLRACE_PORT: "2",
        MILLRACE_CONFIG_NUM_PARTITIONS: "3",
        MILLRACE_ALLOW_ORIGIN: "http://a.example,http://b.example",
        OTHER: "x",
      },
      flags: { host: "c", config: ["log.retention.ms=9"], clampReplication: true },
    });
    expect(settings).toEqual({
      host: "c",
      port: 2,
      nodeId: 1,
      clampReplication: true,
      allowedOrigins: ["http://a.example", "http://b.example"],
      config: { "num.partitions": "3", "max.partitions": "2", "log.retention.ms": "9" },
    });
  });

  it("leave out what nobody said", () => {
    expect(mergeSettings({ environment: { MILLRACE_HOST: "" }, flags: {} })).toEqual({});
  });

  it("may hold = in a configuration value", () => {
    expect(mergeSettings({ flags: { config: ["a=b=c"] } }).config).toEqual({ a: "b=c" });
  });

  it.each([
    [{ file: { path: "m.json", content: "{" } }, "m.json: not JSON"],
    [{ file: file([]) }, "m.json: expected an object"],
    [{ file: file({ prot: 1 }) }, "m.json: /prot: unknown setting"],
    [{ file: file({ port: "9092" }) }, "m.json: /port: expected a whole number"],
    [{ file: file({ port: 70000 }) }, "m.json: /port: expected a whole number from 0 to 65535"],
    [{ file: file({ config: { a: null } }) }, "m.json: /config/a: expected"],
    [{ file: file({ allowedOrigins: "x" }) }, "m.json: /allowedOrigins: expected a list"],
    [{ file: file({ allowedOrigins: ["*"] }) }, "m.json: /allowedOrigins: expected scheme://"],
    [{ environment: { MILLRACE_PORT: "x" } }, "MILLRACE_PORT: expected a whole number"],
    [
      { environment: { MILLRACE_CLAMP_REPLICATION: "yes" } },
      "MILLRACE_CLAMP_REPLICATION: expected",
    ],
    [{ environment: { MILLRACE_CONFIG_NOPE: "1" } }, "there is no broker configuration nope"],
    [{ flags: { port: "9092x" } }, "--port: expected"],
    [{ flags: { advertise: "localhost:9092" } }, "--advertise: expected ws://HOST:PORT"],
    [{ flags: { config: ["novalue"] } }, "--set: expected key=value"],
    [{ flags: { logLevel: "loud" } }, "--log-level: expected one of trace"],
  ] as [Parameters<typeof mergeSettings>[0], string][])("refuse %j", (sources, message) => {
    expect(() => mergeSettings(sources)).toThrow(message);
  });

  it("have one flag and one variable each", () => {
    const flags = serverOptions.map((option) => option.flag);
    const variables = serverOptions.map((option) => option.environment);
    expect(new Set(flags).size).toBe(flags.length);
    expect(new Set(variables).size).toBe(variables.length);
    expect(variables.every((name) => /^MILLRACE_[A-Z_]+$/.test(name))).toBe(true);
  });
});
