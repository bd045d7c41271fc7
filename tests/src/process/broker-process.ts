// A broker as a process of its own, started through the command line's built output, for tests that kill it.

import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const cli = fileURLToPath(new URL("../../../packages/cli/dist/main.cjs", import.meta.url));

export interface BrokerProcessOptions {
  readonly dataDirectory: string;
  /** 0 (default): a free port. */
  readonly port?: number;
  readonly arguments?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** How long it may take to serve, in milliseconds (default 30,000). */
  readonly startTimeoutMs?: number;
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export class BrokerProcess {
  readonly url: string;
  readonly port: number;
  /** What it said when it began to listen. */
  readonly listening: Readonly<Record<string, unknown>>;
  /** Settles when the process is gone, however it went. */
  readonly exited: Promise<Exit>;
  readonly #child: ChildProcess;
  readonly #log: { text: string };

  private constructor(
    child: ChildProcess,
    listening: Record<string, unknown>,
    exited: Promise<Exit>,
    log: { text: string },
  ) {
    this.#child = child;
    this.listening = listening;
    this.url = String(listening["url"]);
    this.port = Number(new URL(this.url).port);
    this.exited = exited;
    this.#log = log;
  }

  /** Resolves when the broker serves; rejects with its output when it ends or stays silent. */
  static async start(options: BrokerProcessOptions): Promise<BrokerProcess> {
    const { child, exited, log } = spawnBroker(options);
    const line = firstLine(child);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => reject(new Error(`the broker did not serve in time:\n${log.text}`)),
        options.startTimeoutMs ?? 30_000,
      );
    });
    const gone = exited.then((exit): never => {
      throw new Error(
        `the broker ended with ${exit.code ?? exit.signal} before it served:\n${log.text}`,
      );
    });
    try {
      const listening = JSON.parse(await Promise.race([line, gone, late])) as Record<
        string,
        unknown
      >;
      return new BrokerProcess(child, listening, exited, log);
    } catch (error) {
      child.kill("SIGKILL");
      throw error;
    } finally {
      clearTimeout(timer);
      gone.catch(() => {});
    }
  }

  get pid(): number {
    return this.#child.pid ?? -1;
  }

  /** Everything it wrote to standard error so far (the last 64 KiB). */
  get log(): string {
    return this.#log.text;
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  async kill(signal: NodeJS.Signals = "SIGKILL"): Promise<Exit> {
    this.#child.kill(signal);
    return await this.exited;
  }
}

/** Starts it and waits for its end: for starts that must fail. */
export async function runBroker(options: BrokerProcessOptions): Promise<Exit & { output: string }> {
  const { exited, log, child } = spawnBroker(options);
  child.stdout?.on("data", (chunk: Buffer) => {
    log.text += chunk.toString();
  });
  const timer = setTimeout(() => child.kill("SIGKILL"), options.startTimeoutMs ?? 30_000);
  const exit = await exited;
  clearTimeout(timer);
  return { ...exit, output: log.text };
}

function spawnBroker(options: BrokerProcessOptions): {
  child: ChildProcess;
  exited: Promise<Exit>;
  log: { text: string };
} {
  if (!existsSync(cli)) {
    throw new Error("packages/cli/dist is missing: run `npm run build` first (`npm test` does)");
  }
  const child = spawn(
    process.execPath,
    [
      cli,
      "start",
      "--json",
      "--port",
      String(options.port ?? 0),
      "--data-dir",
      options.dataDirectory,
      ...(options.arguments ?? []),
    ],
    { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, ...options.environment } },
  );
  const log = { text: "" };
  child.stderr?.on("data", (chunk: Buffer) => {
    log.text = (log.text + chunk.toString()).slice(-65_536);
  });
  const exited = new Promise<Exit>((resolve) => {
    child.once("error", (error) => {
      log.text += `${error.message}\n`;
      resolve({ code: -1, signal: null });
    });
    child.once("close", (code, signal) => resolve({ code, signal }));
  });
  return { child, exited, log };
}

function firstLine(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    let text = "";
    const onData = (chunk: Buffer): void => {
      text += chunk.toString();
      const end = text.indexOf("\n");
      if (end >= 0) {
        child.stdout?.off("data", onData);
        child.stdout?.resume();
        resolve(text.slice(0, end));
      }
    };
    child.stdout?.on("data", onData);
  });
}
