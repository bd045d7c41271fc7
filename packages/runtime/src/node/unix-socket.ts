// Unix domain sockets by path: their length limit, and what a connection attempt tells about the other side.

import { randomBytes } from "node:crypto";
import { promises as fs } from "node:fs";
import { createConnection } from "node:net";
import { tmpdir } from "node:os";
import { errnoOf } from "./file-errors.js";

/** `sun_path` holds 108 bytes on Linux and 104 on macOS, with a final zero. */
const MAX_SOCKET_PATH_BYTES = 103;

/**
 * Calls `use` with a path to `name` in `directory` that a socket address can hold: where the real one is too
 * long, one through a short-lived symbolic link. The socket itself lies in `directory` either way.
 */
export async function withShortPath<Value>(
  directory: string,
  name: string,
  use: (path: string) => Promise<Value>,
): Promise<Value> {
  const path = `${directory}/${name}`;
  if (Buffer.byteLength(path) <= MAX_SOCKET_PATH_BYTES) {
    return await use(path);
  }
  const link = `${tmpdir()}/millrace-${randomBytes(6).toString("hex")}`;
  await fs.symlink(directory, link);
  try {
    return await use(`${link}/${name}`);
  } finally {
    await fs.rm(link, { force: true });
  }
}

/**
 * - `dead`: nobody listens there any more.
 * - `gone`: no such socket, or the other side hung up without a word.
 * - `answered`: it sent something.
 * - `alive`: somebody listens and has not spoken yet, or it cannot be told.
 */
export type ProbeOutcome = "dead" | "gone" | "answered" | "alive";

/** Connects to the socket at `path`, and waits up to `answerTimeoutMs` for a word from the other side. */
export function probeSocket(path: string, answerTimeoutMs: number): Promise<ProbeOutcome> {
  return new Promise((resolve) => {
    const socket = createConnection({ path });
    let timeout: NodeJS.Timeout | undefined;
    const finish = (outcome: ProbeOutcome): void => {
      clearTimeout(timeout);
      socket.destroy();
      resolve(outcome);
    };
    let isConnected = false;
    socket.on("connect", () => {
      isConnected = true;
      if (answerTimeoutMs === 0) {
        finish("alive");
      } else {
        timeout = setTimeout(() => finish("alive"), answerTimeoutMs);
      }
    });
    socket.on("data", () => finish("answered"));
    socket.on("end", () => finish("gone"));
    socket.on("error", (error) => {
      const errno = errnoOf(error);
      if (errno === "ECONNREFUSED" || errno === "ENOTSOCK") {
        finish("dead");
      } else {
        finish(errno === "ENOENT" || isConnected ? "gone" : "alive");
      }
    });
  });
}
