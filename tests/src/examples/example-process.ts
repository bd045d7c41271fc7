// One of the example programs as a process of its own, with what it printed.

import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const examples = fileURLToPath(new URL("../../../examples/", import.meta.url));

export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export class ExampleProcess {
  readonly ended: Promise<Ending>;
  readonly #child: ChildProcess;
  #output = "";
  #errors = "";
  #onOutput: () => void = () => {};

  /** `program` is a path below `examples/`. */
  constructor(program: string, ...args: readonly string[]) {
    this.#child = spawn(process.execPath, [`${examples}${program}`, ...args], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#child.stdout?.on("data", (chunk: Buffer) => {
      this.#output += chunk.toString();
      this.#onOutput();
    });
    this.#child.stderr?.on("data", (chunk: Buffer) => {
      this.#errors += chunk.toString();
    });
    this.ended = new Promise((resolve) => {
      this.#child.once("close", (code, signal) => {
        resolve({ code, signal });
        this.#onOutput();
      });
    });
  }

  get lines(): string[] {
    return this.#output.split("\n").slice(0, -1);
  }

  get errors(): string {
    return this.#errors;
  }

  /** Resolves when it has printed so many lines. @throws Error when it ends before */
  async printed(count: number): Promise<void> {
    while (this.lines.length < count) {
      const { exitCode, signalCode } = this.#child;
      if (exitCode !== null || signalCode !== null) {
        throw new Error(`it ended with ${exitCode ?? signalCode}:\n${this.#output}${this.#errors}`);
      }
      await new Promise<void>((resolve) => {
        this.#onOutput = resolve;
      });
    }
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }
}
