// The README's examples, run as they stand, against a real broker.

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLogger } from "@millrace/runtime";
import { type RunningServer, startServer } from "@millrace/server";
import ts from "typescript";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import * as zod from "zod";
import * as millrace from "./index.js";

const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");
const examples = [...readme.matchAll(/^## (.+)$|^```ts\n([\s\S]*?)^```$/gm)].reduce<
  { section: string; code: string }[]
>((found, [, heading, code]) => {
  const section = heading ?? found.at(-1)?.section ?? "The first example";
  return [...found, { section, code: code ?? "" }];
}, []);

const modules: Record<string, unknown> = { millrace, zod };
const directory = mkdtempSync(join(tmpdir(), "millrace-readme-"));
let server: RunningServer;

beforeAll(async () => {
  server = await startServer({ port: 0, dataDirectory: directory, logger: silentLogger });
  await using client = new millrace.Millrace({ bootstrap: server.url, logger: silentLogger });
  for (const topic of ["lines", "orders", "typed-orders", "payments", "payments-dead"]) {
    await client.admin().createTopic(topic);
  }
  const values = Array.from({ length: 12 }, (_, id) => JSON.stringify({ id }));
  await client.producer().send(values.map((value) => ({ topic: "orders", key: "k", value })));
});

afterAll(async () => {
  await server.stop();
  rmSync(directory, { recursive: true });
});

/** Runs TypeScript with `import`s from the modules above, and these names at hand. */
async function execute(code: string, names: Readonly<Record<string, unknown>>): Promise<void> {
  const local = code.replaceAll("ws://127.0.0.1:9092", server.url);
  const { outputText } = ts.transpileModule(`${local}\nexport {};`, {
    compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ES2022 },
  });
  const body = outputText
    .replace(/^import (.+) from "(.+)";$/gm, 'const $1 = modules["$2"];')
    .replace(/^export \{\};$/gm, "");
  const all = { ...names, modules };
  const AsyncFunction = Object.getPrototypeOf(async () => {}).constructor as new (
    ...parts: string[]
  ) => (...values: unknown[]) => Promise<void>;
  const run = new AsyncFunction(...Object.keys(all), body);
  await run(...Object.values(all));
}

describe("the README", () => {
  const runnable = examples.filter(({ code }) => code !== "");

  it("has examples", () => {
    expect(runnable.length).toBeGreaterThanOrEqual(7);
  });

  it.each(runnable)("runs: $section", async ({ code }) => {
    const log = vi.spyOn(console, "log").mockImplementation(() => {});
    const client = new millrace.Millrace({ bootstrap: server.url, logger: silentLogger });
    let stored = 0;
    try {
      await execute(code, {
        client,
        lines: ["a", "b", "c"],
        store: async () => void stored++,
        isEnough: () => stored >= 3,
      });
      expect(log.mock.calls.length + stored).toBeGreaterThan(0);
    } finally {
      log.mockRestore();
      await client.close();
    }
  });
});
