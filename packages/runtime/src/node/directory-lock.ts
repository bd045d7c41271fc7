// The lock on a data directory: a Unix domain socket bound inside it, which the kernel drops with its process,
// however that ends. A dead socket refuses connections, so what a killed process left never blocks a restart.
// On Windows a named pipe. It does not work between hosts that share a network file system.
//
// Binding one fixed name cannot be made race-free: two starters could both find a dead socket, and one would
// unlink what the other has just bound. So every contender has a socket of its own:
//   1. bind and listen as `.locking-ID`, then rename to `.lock-ID`: under that name it always listens;
//   2. list the directory and probe every other `.lock-*`: a dead one is removed (an ID never comes back);
//   3. a live one with a smaller ID, or one that holds the lock: withdraw. One with a larger ID: wait until
//      it withdrew (it will have seen us) or says that it holds the lock (it listed before we were there).
// Of two contenders at least the later one in step 2 sees the other, so at most one holds; the smallest of
// those that start together wins unless there is a holder.

import { createHash, randomBytes } from "node:crypto";
import { promises as fs } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { type DirectoryLock, FileError } from "../file-system.js";
import { errnoOf } from "./file-errors.js";
import { probeSocket, withShortPath } from "./unix-socket.js";

const BINDING_PREFIX = ".locking-";
const LOCK_PREFIX = ".lock-";
/** What the holder says to everyone who connects. */
const HELD = "held";
/** How long a contender may leave a probe without an answer (a stopped process) before it counts as holder. */
const ANSWER_TIMEOUT_MS = 2_000;

const locked = (path: string): FileError =>
  new FileError(
    "LOCKED",
    path,
    `${path} is in use by another process or another open log directory`,
  );

/** This process's socket in the contest for one directory. */
class Contender {
  readonly name = `${LOCK_PREFIX}${randomBytes(8).toString("hex")}`;
  readonly #directory: string;
  readonly #server: Server;
  readonly #waiting = new Set<Socket>();
  #isHolder = false;

  constructor(directory: string) {
    this.#directory = directory;
    this.#server = createServer((socket) => this.#onProbe(socket));
  }

  async publish(): Promise<void> {
    const binding = this.name.replace(LOCK_PREFIX, BINDING_PREFIX);
    await withShortPath(this.#directory, binding, (path) => listen(this.#server, path));
    this.#server.unref();
    try {
      await fs.rename(`${this.#directory}/${binding}`, `${this.#directory}/${this.name}`);
    } catch (error) {
      await this.withdraw();
      // The holder clears away what is being bound while it takes over.
      throw errnoOf(error) === "ENOENT" ? locked(this.#directory) : error;
    }
  }

  hold(): void {
    this.#isHolder = true;
    for (const socket of this.#waiting) {
      socket.end(HELD);
    }
  }

  async withdraw(): Promise<void> {
    // The name goes first: as long as it is there, the socket behind it is alive.
    await fs.rm(`${this.#directory}/${this.name}`, { force: true });
    for (const socket of this.#waiting) {
      socket.destroy();
    }
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
  }

  #onProbe(socket: Socket): void {
    socket.unref();
    // A prober that goes away is its own business.
    socket.on("error", () => socket.destroy());
    socket.on("close", () => this.#waiting.delete(socket));
    this.#waiting.add(socket);
    socket.resume();
    if (this.#isHolder) {
      socket.end(HELD);
    }
  }
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ path, exclusive: true }, () => {
      server.off("error", reject);
      // Accepting can fail later (too many open files): the lock is held all the same.
      server.on("error", () => {});
      resolve();
    });
  });
}

/** Whether `name` rules out that `own` gets the lock. Removes a dead socket. */
async function isObstacle(directory: string, own: string, name: string): Promise<boolean> {
  const probe = await withShortPath(directory, name, (path) =>
    probeSocket(path, name > own ? ANSWER_TIMEOUT_MS : 0),
  );
  if (probe === "dead") {
    await fs.rm(`${directory}/${name}`, { force: true });
  }
  // A smaller contender goes first, whatever becomes of it; a larger one that closed has withdrawn.
  return probe === "alive" || probe === "answered";
}

async function lockBySocket(directory: string): Promise<DirectoryLock> {
  const contender = new Contender(directory);
  await contender.publish();
  try {
    for (const name of await fs.readdir(directory)) {
      const isOther = name.startsWith(LOCK_PREFIX) && name !== contender.name;
      if (isOther && (await isObstacle(directory, contender.name, name))) {
        throw locked(directory);
      }
    }
    contender.hold();
    for (const name of await fs.readdir(directory)) {
      if (name.startsWith(BINDING_PREFIX)) {
        await fs.rm(`${directory}/${name}`, { force: true });
      }
    }
  } catch (error) {
    await contender.withdraw();
    throw error;
  }
  return releasable(() => contender.withdraw());
}

async function lockByPipe(directory: string): Promise<DirectoryLock> {
  const hash = createHash("sha256").update((await fs.realpath(directory)).toLowerCase());
  const server = createServer((socket) => socket.destroy());
  try {
    await listen(server, `\\\\.\\pipe\\millrace-${hash.digest("hex")}`);
  } catch (error) {
    throw errnoOf(error) === "EADDRINUSE" ? locked(directory) : error;
  }
  server.unref();
  return releasable(
    () =>
      new Promise((resolve) => {
        server.close(() => resolve());
      }),
  );
}

function releasable(release: () => Promise<void>): DirectoryLock {
  let released: Promise<void> | undefined;
  return {
    release() {
      released ??= release();
      return released;
    },
  };
}

/** @throws FileError `LOCKED`, or the system error when the directory is missing or not writable. */
export async function lockDirectory(path: string): Promise<DirectoryLock> {
  const directory = await fs.realpath(path);
  return process.platform === "win32" ? lockByPipe(directory) : lockBySocket(directory);
}
