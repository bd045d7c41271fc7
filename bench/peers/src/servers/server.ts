// A server in a process of its own: started with a data directory of its own on a free port, its output kept in a
// log, stopped again however the harness ends. Only processes started here are ever signalled.

import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import type { ServerKind } from "../clients.js";

const START_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 15_000;
const LOG_TAIL_LINES = 15;

export interface ServerRequest {
  readonly kind: ServerKind;
  readonly durability: string;
  /** Empty, and removed by the caller. */
  readonly directory: string;
  readonly logFile: string;
}

export interface RunningServer {
  /** As the drivers take it. */
  readonly address: string;
  readonly pid: number;
  /** For the report. */
  readonly configuration: Readonly<Record<string, string>>;
  readonly topicConfig: Readonly<Record<string, string>>;
  stop(): Promise<void>;
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") {
    throw new Error("no free port");
  }
  return address.port;
}

export function logTail(logFile: string): string {
  const lines = readFileSync(logFile, "utf8").trimEnd().split("\n");
  return lines.slice(-LOG_TAIL_LINES).join("\n");
}

function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    const finish = (open: boolean): void => {
      socket.destroy();
      resolve(open);
    };
    socket.once("connect", () => finish(true));
    socket.once("error", () => finish(false));
  });
}

export class ServerProcess {
  readonly pid: number;
  readonly #child: ChildProcess;
  readonly #logFile: string;
  readonly #exited: Promise<void>;
  #isRunning = true;

  private constructor(child: ChildProcess, logFile: string) {
    this.#child = child;
    this.#logFile = logFile;
    this.pid = child.pid ?? -1;
    const killer = (): void => this.#signal("SIGKILL");
    // Before the handler that removes the data: nothing may write there any more.
    process.prependOnceListener("exit", killer);
    this.#exited = new Promise((resolve) => {
      const ended = (): void => {
        this.#isRunning = false;
        process.off("exit", killer);
        resolve();
      };
      child.once("exit", ended);
      child.once("error", ended);
    });
  }

  static spawn(
    command: readonly [string, ...string[]],
    options: { logFile: string; env?: Readonly<Record<string, string>>; directory?: string },
  ): ServerProcess {
    const log = openSync(options.logFile, "a");
    const [program, ...parameters] = command;
    const child = spawn(program, parameters, {
      cwd: options.directory,
      env: { ...process.env, ...options.env },
      stdio: ["ignore", log, log],
      // A group of its own: Ctrl-C is the harness's, and what a start script starts can be ended with it.
      detached: true,
    });
    closeSync(log);
    return new ServerProcess(child, options.logFile);
  }

  /** Waits for its start; one that does not come up is stopped. */
  async orStop(start: () => Promise<void>): Promise<void> {
    try {
      await start();
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  /** Resolves when the port takes connections. @throws with the end of the log when it does not in time */
  async listening(port: number, timeoutMs = START_TIMEOUT_MS): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    while (!(await isOpen(port))) {
      if (!this.#isRunning) {
        throw new Error(`it ended before it listened:\n${logTail(this.#logFile)}`);
      }
      if (performance.now() > deadline) {
        throw new Error(
          `it did not listen within ${timeoutMs / 1000} s:\n${logTail(this.#logFile)}`,
        );
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** Resolves when the log says `pattern`. */
  async logged(pattern: RegExp, timeoutMs = START_TIMEOUT_MS): Promise<RegExpExecArray> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const match = pattern.exec(readFileSync(this.#logFile, "utf8"));
      if (match !== null) {
        return match;
      }
      if (!this.#isRunning || performance.now() > deadline) {
        throw new Error(`it never said ${pattern}:\n${logTail(this.#logFile)}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** Asks it to stop, and ends its group when it does not. */
  async stop(): Promise<void> {
    if (this.#isRunning) {
      this.#child.kill("SIGTERM");
      const timer = setTimeout(() => this.#signal("SIGKILL"), STOP_TIMEOUT_MS);
      await this.#exited;
      clearTimeout(timer);
    }
    // What it started and left behind.
    this.#signal("SIGKILL");
  }

  #signal(signal: NodeJS.Signals): void {
    if (this.pid > 0) {
      try {
        process.kill(-this.pid, signal);
      } catch {
        // The group is empty.
      }
    }
  }
}
