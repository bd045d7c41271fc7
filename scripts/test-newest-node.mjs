// npm run test:newest-node
//
// Runs the tests of the SDK and of what it stands on under the newest Node there is (the npm package `node`),
// installed into a folder of its own that stays for the next run.

import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const home = join(root, "node_modules", ".cache", "newest-node");
const suites = [
  "apps/sdk/",
  "packages/client-core/",
  "packages/client-producer/",
  "packages/client-consumer/",
  "packages/client-admin/",
  "packages/protocol/",
  "packages/testing/",
  "packages/runtime/",
];

const bare = { ...process.env, NO_UPDATE_NOTIFIER: "1" };

function npm(...args) {
  return spawnSync("npm", [...args, "--no-audit", "--no-fund"], {
    cwd: home,
    encoding: "utf8",
    env: bare,
    shell: process.platform === "win32",
  });
}

/** The package `node` has an install script, which fetches the platform's package: this one. */
function platformPackage() {
  const platform = process.platform === "win32" ? "win" : process.platform;
  const isOdd = platform === "darwin" && process.arch === "arm64";
  return `node-${isOdd ? "bin-" : ""}${platform}-${process.arch}`;
}

/** Without a network, what was installed last time does. */
function install() {
  mkdirSync(home, { recursive: true });
  writeFileSync(join(home, "package.json"), '{ "private": true }');
  const newest = npm("view", "node", "version").stdout.trim();
  const result =
    newest === ""
      ? { status: 1, stderr: "npm view node: no answer\n" }
      : npm("install", "--no-save", "--ignore-scripts", `${platformPackage()}@${newest}`);
  if (result.status !== 0) {
    process.stderr.write(result.stderr);
  }
}

install();
const node = join(
  home,
  "node_modules",
  platformPackage(),
  "bin",
  process.platform === "win32" ? "node.exe" : "node",
);
if (!existsSync(node)) {
  process.stderr.write("newest-node: the newest Node could not be installed\n");
  process.exit(1);
}
const version = spawnSync(node, ["--version"], { encoding: "utf8" }).stdout.trim();
const vitest = join(root, "node_modules", "vitest", "vitest.mjs");
const result = spawnSync(node, [vitest, "run", ...suites], {
  cwd: root,
  stdio: "inherit",
  // What the tests start in turn is started by the same Node.
  env: { ...bare, PATH: `${dirname(node)}:${process.env.PATH}` },
});
console.log(`newest-node: the SDK's tests under Node ${version}`);
process.exitCode = result.status ?? 1;
