// A real broker in a process of its own, in a scratch directory, for benchmarks that look at it from outside: its
// CPU seconds, its memory and what it reads, from /proc (Linux). Measures nothing by itself.

import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const MEGABYTE = 1_000_000;

export interface BrokerProcessOptions {
  /** Where the scratch directory is made; the disk that is measured. Default the system's temporary directory. */
  readonly parent?: string | undefined;
  /** Flags of Node itself, as `--trace-gc`. */
  readonly nodeFlags?: readonly string[] | undefined;
  /** Entries of the broker's configuration file. */
  readonly config?: Readonly<Record<string, string>> | undefined;
  /** Where the built command line is. Default this checkout's. */
  readonly cli?: string | undefined;
}

/** What /proc tells. Bytes and seconds. */
export interface ProcessFigures {
  readonly cpuSeconds: number;
  readonly residentMegabytes: number;
  readonly peakResidentMegabytes: number;
  /** By `read` and `pread`, from files (page cache included) and sockets alike. */
  readonly readMegabytes: number;
  /** What the kernel fetched from disks for it. */
  readonly diskReadMegabytes: number;
}

/** User and system CPU seconds of a process so far. */
export function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

export function processFigures(pid: number): ProcessFigures {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const kilobytes = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(status)?.[1] ?? 0);
  const io = readFileSync(`/proc/${pid}/io`, "utf8");
  const megabytesOf = (name: string): number =>
    Number(new RegExp(`^${name}: (\\d+)`, "m").exec(io)?.[1] ?? 0) / MEGABYTE;
  return {
    cpuSeconds: cpuSeconds(pid),
    residentMegabytes: (kilobytes("VmRSS") * 1024) / MEGABYTE,
    peakResidentMegabytes: (kilobytes("VmHWM") * 1024) / MEGABYTE,
    readMegabytes: megabytesOf("rchar"),
    diskReadMegabytes: megabytesOf("read_bytes"),
  };
}

function firstLine(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    child.stdout?.on("data", function take(chunk: Buffer) {
      text += chunk.toString();
      if (text.includes("\n")) {
        child.stdout?.off("data", take);
        child.stdout?.resume();
        resolve(text.split("\n").find((line) => line.startsWith("{")) ?? "");
      }
    });
    child.once("exit", (code) => reject(new Error(`the broker ended with ${code}`)));
  });
}

export class BrokerProcess implements AsyncDisposable {
  readonly url: string;
  readonly pid: number;
  readonly dataDirectory: string;
  readonly #child: ChildProcess;
  readonly #scratch: string;

  private constructor(child: ChildProcess, scratch: string, url: string) {
    this.#child = child;
    this.#scratch = scratch;
    this.url = url;
    this.pid = child.pid ?? 0;
    this.dataDirectory = join(scratch, "data");
  }

  static async start(options: BrokerProcessOptions = {}): Promise<BrokerProcess> {
    const scratch = mkdtempSync(join(options.parent ?? tmpdir(), "millrace-bench-"));
    const cli =
      options.cli ?? fileURLToPath(new URL("../../packages/cli/dist/main.cjs", import.meta.url));
    const set = Object.entries(options.config ?? {}).flatMap(([key, value]) => [
      "--set",
      `${key}=${value}`,
    ]);
    const child = spawn(
      process.execPath,
      [
        ...(options.nodeFlags ?? []),
        cli,
        "start",
        "--port=0",
        "--json",
        "--log-level=error",
        `--data-dir=${join(scratch, "data")}`,
        ...set,
      ],
      { stdio: ["ignore", "pipe", "inherit"] },
    );
    try {
      const { url } = JSON.parse(await firstLine(child)) as { url: string };
      return new BrokerProcess(child, scratch, url);
    } catch (error) {
      child.kill("SIGKILL");
      rmSync(scratch, { recursive: true, force: true });
      throw error;
    }
  }

  figures(): ProcessFigures {
    return processFigures(this.pid);
  }

  /** Stops the broker and removes its directory. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      await new Promise((resolve) => {
        this.#child.once("exit", resolve);
        this.#child.kill("SIGTERM");
      });
    }
    rmSync(this.#scratch, { recursive: true, force: true, maxRetries: 3 });
  }
}
