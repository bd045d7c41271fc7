// redis-server. Its default keeps everything in memory and takes snapshots; strict is the append-only file, synced
// before each answer.

import { findProgram } from "../places.js";
import { freePort, type RunningServer, ServerProcess, type ServerRequest } from "./server.js";

export async function startRedis(request: ServerRequest): Promise<RunningServer> {
  const { directory, logFile, durability } = request;
  const port = await freePort();
  const strict = ["--appendonly", "yes", "--appendfsync", "always", "--save", ""];
  const options = durability === "strict" ? strict : [];
  const server = ServerProcess.spawn(
    [
      findProgram("redis-server") ?? "redis-server",
      ...["--bind", "127.0.0.1", "--port", String(port), "--dir", directory],
      ...options,
    ],
    { logFile },
  );
  await server.orStop(() => server.listening(port));
  return {
    address: `127.0.0.1:${port}`,
    pid: server.pid,
    configuration:
      durability === "strict"
        ? { appendonly: "yes", appendfsync: "always", save: "" }
        : { save: "3600 1 300 100 60 10000 (default)" },
    topicConfig: {},
    stop: () => server.stop(),
  };
}
