// The `millrace` command as a process, for tests: run it to its end, or start a broker with it.

import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const main = fileURLToPath(new URL("../../../packages/cli/dist/main.cjs", import.meta.url));

export interface Result {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  /** Standard input; it ends behind it. */
  readonly input?: string | Uint8Array;
  readonly env?: Readonly<Record<string, string>>;
  readonly onStart?: (child: ChildProcessWithoutNullStreams) => void;
  /** Called with everything written to standard output so far. */
  readonly onOutput?: (stdout: string, child: ChildProcessWithoutNullStreams) => void;
}

function launch(parameters: readonly string[], env: Readonly<Record<string, string>> = {}) {
  if (!existsSync(main)) {
    throw new Error(`${main} is missing: run \`npm run build\` first`);
  }
  const { MILLRACE_BOOTSTRAP: _own, MILLRACE_PROFILE: _profile, ...environment } = process.env;
  // Nobody's own profiles: no such directory.
  const hermetic = { ...environment, XDG_CONFIG_HOME: "/nonexistent" };
  return spawn(process.execPath, [main, ...parameters], { env: { ...hermetic, ...env } });
}

/** Runs `millrace PARAMETERS` to its end. */
export function millrace(parameters: readonly string[], options: RunOptions = {}): Promise<Result> {
  const child = launch(parameters, options.env);
  options.onStart?.(child);
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
    options.onOutput?.(stdout, child);
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  child.stdin.end(options.input ?? "");
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, stdout, stderr }));
  });
}

export interface Broker {
  readonly url: string;
  /** Everything it wrote to standard output. */
  stdout(): string;
  /** SIGTERM. @returns its exit code */
  stop(): Promise<number | null>;
}

/** `millrace start --port 0 --json`, once it serves. */
export async function startBroker(dataDirectory: string): Promise<Broker> {
  const child = launch(["start", "--port", "0", "--json", "--data-dir", dataDirectory]);
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const exited = new Promise<number | null>((resolve) => child.once("close", resolve));
  const url = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout }).once("line", (line) => {
      resolve((JSON.parse(line) as { url: string }).url);
    });
    void exited.then((code) => reject(new Error(`the broker ended with ${code}: ${stderr}`)));
  });
  return {
    url,
    stdout: () => stdout,
    stop: () => {
      child.kill("SIGTERM");
      return exited;
    },
  };
}
