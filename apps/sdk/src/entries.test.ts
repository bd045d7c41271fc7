import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import * as browser from "./browser.js";
import * as node from "./index.js";

const source = (name: string): string =>
  readFileSync(new URL(`./${name}`, import.meta.url), "utf8");

/** Every name in the export lists of a module, types included. */
function exportedNames(name: string): string[] {
  const lists = source(name).matchAll(/^export (?:type )?\{([^}]*)\}/gm);
  return [...lists]
    .flatMap(([, list = ""]) => list.split(","))
    .map((entry) => entry.trim())
    .filter((entry) => entry !== "")
    .sort();
}

describe("the two entries", () => {
  it("export the same names, values and types", () => {
    expect(Object.keys(browser).sort()).toEqual(Object.keys(node).sort());
    expect(exportedNames("browser.ts").map((name) => name.replace(/^type /, ""))).toEqual(
      exportedNames("index.ts").map((name) => name.replace(/^type /, "")),
    );
  });

  it("share their errors, records, producers, consumers and admins", () => {
    expect(browser.MillraceError).toBe(node.MillraceError);
    expect(browser.Producer).toBe(node.Producer);
    expect(browser.ConsumerRecord).toBe(node.ConsumerRecord);
  });

  it("define Symbol.asyncDispose before any class in a browser, and tell bundlers to keep that", () => {
    const [first] = source("browser.ts").match(/^(?:import|export)[^;]*;/m) ?? [];
    expect(first).toBe('import "./async-dispose.js";');
    const manifest = JSON.parse(source("../package.json"));
    expect(manifest.sideEffects).toContain("./dist/async-dispose.js");
  });

  it("never reach for Node in a browser", () => {
    for (const name of ["browser.ts", "browser-millrace.ts", "client.ts", "async-dispose.ts"]) {
      expect(source(name)).not.toMatch(/node:|runtime\/node/);
    }
  });
});
