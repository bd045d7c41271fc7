import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const source = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const packages = [
  "runtime",
  "protocol",
  "storage",
  "client-core",
  "controller",
  "client-producer",
  "client-consumer",
  "client-admin",
  "broker",
  "cli",
  "testing",
];

/**
 * Unit tests run against the sources, so that a package can be tested without building the others.
 * Tests that start processes use the built output; `npm test` builds first.
 */
export default defineConfig({
  resolve: {
    alias: [
      {
        find: /^@millrace\/runtime\/(\w+)$/,
        replacement: source("./packages/runtime/src/$1/index.ts"),
      },
      ...packages.map((name) => ({
        find: new RegExp(`^@millrace/${name}$`),
        replacement: source(`./packages/${name}/src/index.ts`),
      })),
      { find: /^@millrace\/server$/, replacement: source("./apps/broker/src/index.ts") },
      { find: /^millrace$/, replacement: source("./apps/sdk/src/index.ts") },
    ],
  },
  test: {
    include: [
      "packages/*/src/**/*.test.ts",
      "apps/*/src/**/*.test.ts",
      "tests/src/**/*.test.ts",
      "scripts/**/*.test.ts",
      "bench/peers/src/**/*.test.ts",
    ],
    exclude: ["**/node_modules/**", "**/dist/**"],
    // No measure of speed: a machine may be busy. It only ends what hangs.
    setupFiles: [source("./vitest.setup.ts")],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    maxWorkers: 2,
  },
});
