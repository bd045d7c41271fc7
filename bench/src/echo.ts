// What a bare `ws` round trip costs: a server that echoes, in a process of its own, and the end that asks. The baseline
// for everything that is one request and one answer. With a file it is the least log that Node.js can serve: what a
// message holds is appended and synced before it comes back, together with what else came meanwhile.

import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { WebSocket } from "ws";

const serverSource = `
const { fdatasync, openSync, writevSync } = require("node:fs");
const { WebSocketServer } = require("ws");
const file = process.argv[1] === undefined ? undefined : openSync(process.argv[1], "w");
let waiting = [];
let isSyncing = false;
function commit() {
  const round = waiting;
  waiting = [];
  isSyncing = round.length > 0;
  if (!isSyncing) return;
  writevSync(file, round.map(({ message }) => message));
  fdatasync(file, (error) => {
    if (error) throw error;
    for (const { socket, message } of round) socket.send(message);
    commit();
  });
}
const server = new WebSocketServer({ port: 0, host: "127.0.0.1", perMessageDeflate: false }, () => console.log(server.address().port));
server.on("connection", (socket) => socket.on("message", (message) => {
  if (file === undefined) return socket.send(message);
  waiting.push({ socket, message });
  if (!isSyncing) commit();
}));`;

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

  /** With a `file`, which is written anew, a message comes back when it is in there for good. */
  static async start(file?: string): Promise<Echo> {
    const child = spawn(process.execPath, ["-e", serverSource, ...(file ? [file] : [])], {
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

  get pid(): number {
    return this.#child.pid ?? 0;
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
