// What a bare `ws` round trip costs: a server that echoes, in a process of its own, and the end that asks. The baseline
// for everything that is one request and one answer.

import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { WebSocket } from "ws";

const serverSource = `
const { WebSocketServer } = require("ws");
const server = new WebSocketServer({ port: 0, host: "127.0.0.1", perMessageDeflate: false }, () => console.log(server.address().port));
server.on("connection", (socket) => socket.on("message", (message) => socket.send(message)));`;

function portOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    child.stdout?.once("data", (chunk: Buffer) => resolve(chunk.toString().trim()));
    child.once("exit", (code) => reject(new Error(`the echo server ended with ${code}`)));
  });
}

export class Echo implements Disposable {
  readonly #child: ChildProcess;
  readonly #socket: WebSocket;
  /** Who waits for the next answers, in order. */
  readonly #waiting: (() => void)[] = [];

  private constructor(child: ChildProcess, socket: WebSocket) {
    this.#child = child;
    this.#socket = socket;
    socket.on("message", () => this.#waiting.shift()?.());
  }

  static async start(): Promise<Echo> {
    const child = spawn(process.execPath, ["-e", serverSource], {
      stdio: ["ignore", "pipe", "inherit"],
      cwd: fileURLToPath(new URL("../..", import.meta.url)),
    });
    const socket = new WebSocket(`ws://127.0.0.1:${await portOf(child)}`, {
      perMessageDeflate: false,
    });
    await new Promise((resolve, reject) => {
      socket.once("open", resolve);
      socket.once("error", reject);
    });
    return new Echo(child, socket);
  }

  roundTrip(message: Uint8Array): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#socket.send(message);
    });
  }

  [Symbol.dispose](): void {
    this.#socket.terminate();
    this.#child.kill("SIGTERM");
  }
}
