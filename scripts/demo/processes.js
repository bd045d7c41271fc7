// The processes of the demo: a broker that can be killed and started again, and the two clients. Everything that
// was started is stopped by `stopAll`, whatever happened.

import { fork, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const START_TIMEOUT_MS = 20_000;
const running = new Set();

function track(child) {
  running.add(child);
  child.once("exit", () => running.delete(child));
  return child;
}

/** Kills what is left. Safe to call at any time, and again. */
export function stopAll() {
  for (const child of running) {
    child.kill("SIGKILL");
  }
}

/**
 * Starts a broker and resolves when it serves.
 * @returns {Promise<{ url: string, port: number, child: import("node:child_process").ChildProcess, startMs: number }>}
 */
export async function startBroker(dataDirectory, port = 0) {
  const startedMs = performance.now();
  const child = track(
    spawn(
      process.execPath,
      [
        here("../../packages/cli/dist/main.cjs"),
        ...["start", "--json", "--port", String(port), "--data-dir", dataDirectory],
      ],
      // Not of the terminal's group: Ctrl-C is the demo's to handle.
      { stdio: ["ignore", "pipe", "pipe"], detached: true },
    ),
  );
  const log = [];
  createInterface({ input: child.stderr }).on("line", (line) => {
    log.push(line);
    log.splice(0, log.length - 20);
  });
  const url = await new Promise((resolve, reject) => {
    const fail = (why) => reject(new Error(`the broker did not start: ${why}\n${log.join("\n")}`));
    const timer = setTimeout(() => fail("it said nothing"), START_TIMEOUT_MS);
    child.once("exit", (code, signal) => fail(`it ended with ${signal ?? code}`));
    createInterface({ input: child.stdout }).on("line", (line) => {
      const event = JSON.parse(line);
      if (event.event === "listening") {
        clearTimeout(timer);
        resolve(event.url);
      }
    });
  });
  return { url, port: Number(new URL(url).port), child, startMs: performance.now() - startedMs };
}

/** `kill -9`: no flush, no goodbye. */
export async function killBroker(broker) {
  const gone = once(broker.child, "exit");
  broker.child.kill("SIGKILL");
  await gone;
}

/** SIGTERM, as an operator would. */
export async function stopBroker(broker) {
  const gone = once(broker.child, "exit");
  broker.child.kill("SIGTERM");
  await gone;
}

/** Starts `producer` or `consumer`; its reports go to `onReport`. */
export function startClient(name, settings, onReport) {
  const child = track(
    fork(here(`./${name}.js`), [JSON.stringify(settings)], {
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    }),
  );
  const done = new Promise((resolve, reject) => {
    child.on("message", (message) => {
      onReport(message);
      if (message.type === "done") {
        resolve(message);
      } else if (message.type === "failed") {
        reject(new Error(`the ${name} failed: ${message.message}`));
      }
    });
    child.once("exit", (code, signal) =>
      reject(new Error(`the ${name} process ended early (${signal ?? code})`)),
    );
  });
  // The caller waits for it later; until then a failure must not count as unhandled.
  done.catch(() => {});
  return { child, done };
}
