// npm run bench:peers -- ...
//
// Installs what the benchmark itself needs (its own folder, so that nobody else has to), compiles it, and starts it.
// Each step is skipped when nothing changed.

import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, "..", "..");

function run(command, parameters, options = {}) {
  const result = spawnSync(command, parameters, { cwd: here, stdio: "inherit", ...options });
  if (result.status !== 0) {
    process.stderr.write(`bench:peers: "${command} ${parameters.join(" ")}" failed\n`);
    process.exit(result.status ?? 1);
  }
}

/** Up to date when installed from this very lock file. Install scripts are not needed, so they do not run. */
function install() {
  const wanted = createHash("sha256")
    .update(readFileSync(join(here, "package-lock.json")))
    .digest("hex");
  const stamp = join(here, "node_modules", ".bench-peers-setup");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === wanted) {
    return;
  }
  process.stderr.write("bench:peers: installing the peers' clients\n");
  const quiet = ["--no-audit", "--no-fund", "--ignore-scripts", "--loglevel", "error"];
  run("npm", ["ci", ...quiet], { stdio: ["ignore", "ignore", "inherit"] });
  writeFileSync(stamp, wanted);
}

install();
run(process.execPath, [join(root, "node_modules", "typescript", "bin", "tsc"), "-p", here]);
const harness = spawn(process.execPath, [join(here, "dist", "main.js"), ...process.argv.slice(2)], {
  stdio: "inherit",
});
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
  // The harness stops what it started; this waits for it.
  process.on(signal, () => harness.kill(signal));
}
harness.once("exit", (code) => {
  process.exitCode = code ?? 130;
});
