// The Millrace broker as it is published: its binary, its defaults, one option for its log.

import { join } from "node:path";
import { checkout } from "../places.js";
import { type RunningServer, ServerProcess, type ServerRequest } from "./server.js";

export async function startMillrace(request: ServerRequest): Promise<RunningServer> {
  const main = join(checkout, "apps", "broker", "dist", "main.cjs");
  const server = ServerProcess.spawn(
    [
      process.execPath,
      main,
      "--port",
      "0",
      "--json",
      "--data-dir",
      request.directory,
      "--log-level",
      "warn",
    ],
    { logFile: request.logFile },
  );
  try {
    const [, address = ""] = await server.logged(/"url":"(ws:[^"]+)"/);
    return {
      address,
      pid: server.pid,
      configuration: request.durability === "os" ? { flush: "os" } : {},
      topicConfig: request.durability === "os" ? { flush: "os" } : {},
      stop: () => server.stop(),
    };
  } catch (error) {
    await server.stop();
    throw error;
  }
}
