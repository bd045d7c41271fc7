import { readFileSync } from "node:fs";
import type { ClientRuntime } from "@millrace/runtime";
import { describe, expect, it } from "vitest";
import { type ClusterClientOptions, parseClusterClientOptions } from "./cluster-client-options.js";
import { SOFTWARE_VERSION } from "./software.js";

const parse = (options: Partial<ClusterClientOptions>) =>
  parseClusterClientOptions({ runtime: {} as ClientRuntime, bootstrap: "a", ...options });

describe("parseClusterClientOptions", () => {
  it("fills in the documented defaults", () => {
    expect(parse({})).toMatchObject({ requestTimeoutMs: 30_000, connectTimeoutMs: 10_000 });
  });

  it.each([
    [{ requestTimeoutMs: 0 }, "requestTimeoutMs"],
    [{ connectTimeoutMs: Number.NaN }, "connectTimeoutMs"],
    [{ metadataMaxAgeMs: 2 ** 31 }, "metadataMaxAgeMs"],
    [{ retryBackoffMs: 2000 }, "retryBackoffMaxMs"],
    [{ clientId: "x".repeat(250) }, "clientId"],
    [{ maxMessageBytes: 100 }, "maxMessageBytes"],
  ])("refuses %j and names the option", (options, name) => {
    expect(() => parse(options)).toThrow(name);
  });
});

describe("SOFTWARE_VERSION", () => {
  it("is the version of the package", () => {
    const text = readFileSync(new URL("../package.json", import.meta.url), "utf8");
    expect(SOFTWARE_VERSION).toBe(JSON.parse(text).version);
  });
});
