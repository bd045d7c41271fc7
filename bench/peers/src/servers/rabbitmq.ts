// rabbitmq-server with its stream plugin, one node. Erlang's port mapper runs as a process of ours too, on a port of
// its own, so that nothing outlives the measurement.

import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { findProgram } from "../places.js";
import { freePort, type RunningServer, ServerProcess, type ServerRequest } from "./server.js";

/** Debian's wrapper on the PATH changes the user when it is root; this is the program behind it. */
function rabbitmqServer(): string {
  const program = "/usr/lib/rabbitmq/bin/rabbitmq-server";
  return existsSync(program) ? program : (findProgram("rabbitmq-server") ?? "rabbitmq-server");
}

export async function startRabbitmq(request: ServerRequest): Promise<RunningServer> {
  const { directory, logFile } = request;
  const [amqp, stream, mapper, distribution] = [
    await freePort(),
    await freePort(),
    await freePort(),
    await freePort(),
  ];
  const file = (name: string, text: string): string => {
    const path = join(directory, name);
    writeFileSync(path, text);
    return path;
  };
  mkdirSync(join(directory, "home"), { recursive: true });
  const config = file(
    "rabbitmq.conf",
    [
      `listeners.tcp.1 = 127.0.0.1:${amqp}`,
      `stream.listeners.tcp.1 = 127.0.0.1:${stream}`,
      "stream.advertised_host = 127.0.0.1",
      `stream.advertised_port = ${stream}`,
      "log.console = true",
      "log.console.level = info",
      "",
    ].join("\n"),
  );
  const env = {
    HOME: join(directory, "home"),
    RABBITMQ_NODENAME: `bench-${process.pid}@localhost`,
    RABBITMQ_MNESIA_BASE: join(directory, "data"),
    RABBITMQ_LOG_BASE: join(directory, "log"),
    RABBITMQ_LOGS: "-",
    RABBITMQ_CONFIG_FILE: config,
    RABBITMQ_ENABLED_PLUGINS_FILE: file("enabled_plugins", "[rabbitmq_stream].\n"),
    RABBITMQ_DIST_PORT: String(distribution),
    ERL_EPMD_PORT: String(mapper),
    ERL_EPMD_ADDRESS: "127.0.0.1",
  };
  const portMapper = ServerProcess.spawn([findProgram("epmd") ?? "epmd", "-port", String(mapper)], {
    logFile,
    env,
  });
  const server = ServerProcess.spawn([rabbitmqServer()], { logFile, env, directory });
  const stop = async (): Promise<void> => {
    await server.stop();
    await portMapper.stop();
  };
  try {
    await server.listening(stream);
    await server.logged(/Server startup complete/);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    address: `127.0.0.1:${stream}`,
    pid: server.pid,
    configuration: { plugins: "rabbitmq_stream" },
    topicConfig: {},
    stop,
  };
}
