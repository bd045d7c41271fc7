import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { describe, expect, it } from "vitest";
import { createConsoleLogger } from "../console-logger.js";
import {
  clockContract,
  computeContract,
  diagnosticsContract,
  fileSystemContract,
  loggerContract,
  networkContract,
  randomContract,
} from "../contract/index.js";
import { silentLogger } from "../logger.js";
import { createNodeRuntime } from "./index.js";

const vitest = { describe, it, expect };
const runtime = createNodeRuntime({ logger: silentLogger });

describe("the Node runtime", () => {
  clockContract(vitest, { create: () => runtime.clock });
  randomContract(vitest, { create: () => runtime.random });
  computeContract(vitest, { create: () => runtime.compute });
  networkContract(vitest, {
    create: () => ({ network: runtime.network, peer: runtime.network, clock: runtime.clock }),
  });
  fileSystemContract(vitest, {
    create: () => ({
      fileSystem: runtime.fileSystem,
      root: mkdtempSync(`${tmpdir()}/millrace-contract-`),
    }),
    dispose: ({ root }) => rmSync(root, { recursive: true, force: true }),
  });
  diagnosticsContract(vitest, {
    create: () => ({
      diagnostics: runtime.diagnostics,
      subscribe: (name, listener) => {
        const onMessage = (message: unknown): void => listener(message);
        subscribe(name, onMessage);
        return () => unsubscribe(name, onMessage);
      },
    }),
  });
});

for (const format of ["json", "text"] as const) {
  describe(`the console logger, as ${format}`, () => {
    loggerContract(vitest, {
      create: () => {
        const lines: string[] = [];
        const write = (line: string): void => void lines.push(line);
        return {
          logger: createConsoleLogger({ level: "trace", format, write, nowMs: () => 0 }),
          lines: () => lines,
        };
      },
    });
  });
}
