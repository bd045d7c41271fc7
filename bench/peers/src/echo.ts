// A bare `ws` round trip between two processes: what a socket, two event loops and nothing else take.

import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { WebSocket } from "ws";
import { builtDirectory } from "./places.js";

const MESSAGE_BYTES = 100;
const START_TIMEOUT_MS = 10_000;

function portOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error("the echo server did not start")),
      START_TIMEOUT_MS,
    );
    child.once("exit", () => reject(new Error("the echo server ended")));
    if (child.stdout !== null) {
      createInterface({ input: child.stdout }).once("line", (line) => {
        clearTimeout(timer);
        resolve(line);
      });
    }
  });
}

export class Echo implements Disposable {
  readonly #child: ChildProcess;
  readonly #socket: WebSocket;
  readonly #waiting: (() => void)[] = [];
  readonly #message = Buffer.alloc(MESSAGE_BYTES, 0x5a);

  private constructor(child: ChildProcess, socket: WebSocket) {
    this.#child = child;
    this.#socket = socket;
    socket.on("message", () => this.#waiting.shift()?.());
  }

  static async start(): Promise<Echo> {
    const child = spawn(process.execPath, [join(builtDirectory, "echo-server.js")], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    try {
      const socket = new WebSocket(`ws://127.0.0.1:${await portOf(child)}`, {
        perMessageDeflate: false,
      });
      await new Promise((resolve, reject) => {
        socket.once("open", resolve);
        socket.once("error", reject);
      });
      return new Echo(child, socket);
    } catch (error) {
      child.kill("SIGKILL");
      throw error;
    }
  }

  roundTrip(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#socket.send(this.#message);
    });
  }

  [Symbol.dispose](): void {
    this.#socket.terminate();
    this.#child.kill("SIGKILL");
  }
}
