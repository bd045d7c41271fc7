// nats-server with JetStream, one node. The default syncs every two minutes; `sync_interval: always` before each
// acknowledgement.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { findProgram } from "../places.js";
import { freePort, type RunningServer, ServerProcess, type ServerRequest } from "./server.js";

export async function startNats(request: ServerRequest): Promise<RunningServer> {
  const { directory, logFile, durability } = request;
  const port = await freePort();
  const config = join(directory, "nats.conf");
  const sync = durability === "strict" ? "sync_interval: always" : "";
  const jetstream = `jetstream {\n  store_dir: ${JSON.stringify(join(directory, "data"))}\n  ${sync}\n}`;
  writeFileSync(config, `listen: 127.0.0.1:${port}\nmax_payload: 1MB\n${jetstream}\n`);
  const server = ServerProcess.spawn([findProgram("nats-server") ?? "nats-server", "-c", config], {
    logFile,
  });
  await server.orStop(() => server.listening(port));
  return {
    address: `127.0.0.1:${port}`,
    pid: server.pid,
    configuration: durability === "strict" ? { sync_interval: "always" } : {},
    topicConfig: {},
    stop: () => server.stop(),
  };
}
