// npm run test:browser
//
// Sees to it that there is a Chromium, then runs the browser tests (tests/src/browser) from the built output.

import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { findChromium } from "../tests/dist/browser/chromium.js";

function install() {
  const isDebian = spawnSync("apt-get", ["--version"], { stdio: "ignore" }).status === 0;
  if (process.platform !== "linux" || process.getuid?.() !== 0 || !isDebian) {
    return false;
  }
  process.stderr.write("browser: installing Chromium with apt-get (a minute or two)\n");
  const run = (...args) => spawnSync("apt-get", args, { encoding: "utf8" });
  run("update", "-qq");
  const result = run("install", "-y", "-qq", "--no-install-recommends", "chromium");
  if (result.status !== 0) {
    process.stderr.write(`${result.stderr.trim().split("\n").slice(-3).join("\n")}\n`);
  }
  return result.status === 0 && findChromium() !== undefined;
}

if (findChromium() === undefined && !install()) {
  process.stderr.write(
    "browser: no Chromium here. Install it (Debian, Ubuntu: sudo apt-get install chromium), or name one:\n" +
      "  CHROMIUM_PATH=/path/to/chrome npm run test:browser\n",
  );
  process.exit(1);
}
const main = fileURLToPath(new URL("../tests/dist/browser/main.js", import.meta.url));
process.exitCode = spawnSync(process.execPath, [main], { stdio: "inherit" }).status ?? 1;
