// A broker in a process of its own for a measurement: started on a free port, asked to stop, killed when it does
// not listen to that. Also tells the CPU time it used, where the system says so (Linux).

import { type ChildProcess, spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { CliError } from "../cli-error.js";
import { exitCodes } from "../exit-codes.js";

const START_TIMEOUT_MS = 30_000;
const STOP_TIMEOUT_MS = 10_000;
/** What is kept of the broker's log, to explain why it did not start. */
const LOG_TAIL_LINES = 20;
/** `utime` and `stime` in /proc/PID/stat count in these (USER_HZ, 100 on every Linux). */
const TICKS_PER_SECOND = 100;

export class BrokerProcess {
  readonly url: string;
  readonly pid: number;
  readonly #child: ChildProcess;
  readonly #exited: Promise<void>;

  private constructor(child: ChildProcess, url: string, exited: Promise<void>) {
    this.#child = child;
    this.url = url;
    this.pid = child.pid ?? -1;
    this.#exited = exited;
  }

  /** Resolves when the broker serves. @throws CliError with the end of its log when it does not. */
  static async start(dataDirectory: string): Promise<BrokerProcess> {
    const main = fileURLToPath(new URL("../main.cjs", import.meta.url));
    const parameters = ["start", "--port", "0", "--json", "--data-dir", dataDirectory];
    const child = spawn(process.execPath, [main, ...parameters], {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, NO_COLOR: "1" },
      // Ctrl-C is for the bench, which stops its broker itself.
      detached: true,
    });
    const logTail: string[] = [];
    createInterface({ input: child.stderr }).on("line", (line) => {
      logTail.push(line);
      logTail.splice(0, logTail.length - LOG_TAIL_LINES);
    });
    const exited = new Promise<void>((resolve) => {
      child.once("exit", () => resolve());
      child.once("error", () => resolve());
    });
    // However this process ends, its broker does too.
    const killer = (): void => void child.kill("SIGKILL");
    process.once("exit", killer);
    void exited.then(() => process.off("exit", killer));
    try {
      return new BrokerProcess(child, await listeningUrl(child), exited);
    } catch (error) {
      child.kill("SIGKILL");
      throw new CliError(`The broker for the measurement did not start: ${String(error)}`, {
        exitCode: exitCodes.UNREACHABLE,
        hint: logTail.join("\n  "),
        cause: error,
      });
    }
  }

  /** Seconds of CPU used so far; undefined where the system does not tell. */
  async cpuSeconds(): Promise<number | undefined> {
    try {
      const stat = await readFile(`/proc/${this.pid}/stat`, "utf8");
      // The second field is the name in parentheses, which may hold spaces.
      const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
    } catch {
      // Not Linux, or the process is gone: the figure is left out.
      return undefined;
    }
  }

  async stop(): Promise<void> {
    this.#child.kill("SIGTERM");
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), STOP_TIMEOUT_MS);
    await this.#exited;
    clearTimeout(timer);
  }
}

function urlOf(line: string): string | undefined {
  try {
    const event: unknown = JSON.parse(line);
    if (typeof event === "object" && event !== null && "url" in event) {
      return String(event.url);
    }
  } catch {
    // Not the line we wait for.
  }
  return undefined;
}

function listeningUrl(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error(`it said nothing for ${START_TIMEOUT_MS / 1000} s`)),
      START_TIMEOUT_MS,
    );
    const fail = (reason: Error): void => {
      clearTimeout(timer);
      reject(reason);
    };
    child.once("error", fail);
    child.once("exit", (code, signal) => fail(new Error(`it ended with ${signal ?? code}`)));
    if (child.stdout === null) {
      return;
    }
    createInterface({ input: child.stdout }).on("line", (line) => {
      const url = urlOf(line);
      if (url !== undefined) {
        clearTimeout(timer);
        resolve(url);
      }
    });
  });
}
