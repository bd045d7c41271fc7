// Prepares a checkout so that any command can run: the right Node, the dependencies, the build. Each step is
// skipped when nothing changed. Uses nothing but Node itself, because nothing else is installed yet.

import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const nodeWanted = [20, 19];

function fail(message) {
  process.stderr.write(`setup: ${message}\n`);
  process.exit(1);
}

function checkNode() {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  if (major < nodeWanted[0] || (major === nodeWanted[0] && minor < nodeWanted[1])) {
    fail(`Node ${nodeWanted.join(".")} or later is needed; this is ${process.versions.node}.`);
  }
}

function run(command, args, why) {
  process.stderr.write(`setup: ${why}\n`);
  const started = performance.now();
  const result = spawnSync(command, args, {
    cwd: root,
    stdio: ["ignore", "pipe", "pipe"],
    encoding: "utf8",
    shell: process.platform === "win32",
    env: { ...process.env, TURBO_TELEMETRY_DISABLED: "1", DO_NOT_TRACK: "1" },
    maxBuffer: 64 * 1024 * 1024,
  });
  if (result.status !== 0) {
    process.stderr.write(`${result.stdout ?? ""}${result.stderr ?? ""}\n`);
    fail(
      `"${command} ${args.join(" ")}" failed${result.error ? `: ${result.error.message}` : "."}`,
    );
  }
  process.stderr.write(`setup: done in ${((performance.now() - started) / 1000).toFixed(1)} s\n`);
}

/** The dependencies are up to date when they were installed from this very lock file. */
function installDependencies() {
  const lock = readFileSync(join(root, "package-lock.json"));
  const wanted = createHash("sha256").update(lock).digest("hex");
  const stamp = join(root, "node_modules", ".millrace-setup");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === wanted) {
    return;
  }
  run("npm", ["ci", "--no-audit", "--no-fund"], "installing dependencies (about half a minute)");
  mkdirSync(dirname(stamp), { recursive: true });
  writeFileSync(stamp, wanted);
}

/** turbo knows what changed; asking it costs a fraction of a second. */
function build() {
  const turbo = join(root, "node_modules", "turbo", "bin", "turbo");
  const quick = spawnSync(
    process.execPath,
    [turbo, "run", "build", "--output-logs=errors-only", "--dry-run=json"],
    {
      cwd: root,
      encoding: "utf8",
      env: { ...process.env, TURBO_TELEMETRY_DISABLED: "1" },
      maxBuffer: 64 * 1024 * 1024,
    },
  );
  const pending = pendingTasks(quick.stdout);
  if (pending === 0) {
    // Restores missing outputs from the cache; says nothing.
    spawnSync(process.execPath, [turbo, "run", "build", "--output-logs=none"], {
      cwd: root,
      stdio: "ignore",
      env: { ...process.env, TURBO_TELEMETRY_DISABLED: "1" },
    });
    return;
  }
  run(
    process.execPath,
    [turbo, "run", "build", "--output-logs=errors-only"],
    `building ${pending === undefined ? "the packages" : `${pending} package${pending === 1 ? "" : "s"}`}`,
  );
}

function pendingTasks(output) {
  try {
    const plan = JSON.parse(output);
    return plan.tasks.filter(
      (task) => task.command !== "<NONEXISTENT>" && task.cache.status !== "HIT",
    ).length;
  } catch {
    return undefined;
  }
}

checkNode();
installDependencies();
build();
