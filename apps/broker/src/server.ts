// A server on Node.js from settings: what `millrace-server` and `millrace start` run, and what tests embed.
// Takes settings as values; handles no signal and never exits the process.

import { readFile } from "node:fs/promises";
import { isIP } from "node:net";
import { isLoopbackHost, parseBrokerConfig } from "@millrace/broker";
import { MillraceError } from "@millrace/protocol";
import type { Logger, ServerRuntime } from "@millrace/runtime";
import { createNodeRuntime } from "@millrace/runtime/node";
import { EventLoopWatch } from "./event-loop-watch.js";
import { type Node, type NodeConfig, startNode } from "./node.js";
import { createPinoLogger } from "./pino-logger.js";
import type { ServerSettings } from "./server-options.js";
import { softwareVersion } from "./software-version.js";
import { parseTopicsFile, type TopicSpec } from "./topics-file.js";

export const serverDefaults = {
  host: "127.0.0.1",
  port: 9092,
  dataDirectory: "./millrace-data",
  nodeId: 0,
} as const;

export interface ServerOptions extends Omit<ServerSettings, "topics"> {
  /** A topics file's path, or its topics. */
  readonly topics?: string | readonly TopicSpec[];
  /** Default: pino on standard error, by `logLevel` and `logFormat`. */
  readonly logger?: Logger;
}

export interface RunningServer {
  /** `ws://host:port` */
  readonly url: string;
  readonly host: string;
  readonly port: number;
  readonly clusterId: string;
  readonly nodeId: number;
  readonly dataDirectory: string;
  /** Answers what is in flight, syncs everything, releases the data directory. Idempotent. */
  stop(): Promise<void>;
  /** Resolves when the server had to stop by itself (its disk failed), after it did. Never rejects. */
  readonly failed: Promise<Error>;
}

/**
 * Starts a server and resolves when it serves.
 * @throws MillraceError `INVALID_CONFIG_VALUE`, `INVALID_CONFIG` (settings, topics file); ListenError (the port);
 *   FileError or MillraceError (the data directory). `serverExitCodeOf` tells them apart.
 */
export async function startServer(options: ServerOptions = {}): Promise<RunningServer> {
  const logger =
    options.logger ??
    createPinoLogger({
      ...(options.logLevel === undefined ? {} : { level: options.logLevel }),
      ...(options.logFormat === undefined ? {} : { format: options.logFormat }),
    });
  const config = await nodeConfig(options);
  warn(config, logger);
  const runtime: ServerRuntime = createNodeRuntime({ logger });
  const watch = new EventLoopWatch(runtime.clock, logger);
  watch.start();
  try {
    const node = await startNode({ runtime, config });
    logListening(node, logger);
    void node.failed.then(() => watch.stop());
    return { ...node, stop: () => node.stop().finally(() => watch.stop()) };
  } catch (error) {
    watch.stop();
    throw error;
  }
}

/** Settings with defaults filled in and checked against each other. */
async function nodeConfig(options: ServerOptions): Promise<NodeConfig> {
  const host = options.host ?? serverDefaults.host;
  if (!isLoopback(host) && options.allowInsecureListen !== true) {
    throw new MillraceError(
      "INVALID_CONFIG_VALUE",
      `--host ${host} lets other machines in, and this version has no authentication; add --allow-insecure-listen if that is meant`,
    );
  }
  return {
    host,
    port: options.port ?? serverDefaults.port,
    dataDirectory: options.dataDirectory ?? serverDefaults.dataDirectory,
    nodeId: options.nodeId ?? serverDefaults.nodeId,
    clusterId: options.clusterId,
    advertisedUrl: options.advertise?.replace(/\/$/, ""),
    rack: options.rack,
    allowedOrigins: options.allowedOrigins ?? [],
    clampReplication: options.clampReplication ?? false,
    broker: parseBrokerConfig(options.config ?? {}),
    topics: await topicSpecs(options.topics),
    softwareVersion: softwareVersion(),
  };
}

function isLoopback(host: string): boolean {
  return isLoopbackHost(host.toLowerCase()) && (isIP(host) !== 0 || /^[a-z\d[\]:.]+$/i.test(host));
}

async function topicSpecs(topics: ServerOptions["topics"]): Promise<readonly TopicSpec[]> {
  if (topics === undefined) {
    return [];
  }
  if (typeof topics !== "string") {
    return topics;
  }
  let content: string;
  try {
    content = await readFile(topics, "utf8");
  } catch (error) {
    throw new MillraceError("INVALID_CONFIG_VALUE", `topics file: ${topics} cannot be read`, {
      cause: error,
    });
  }
  return parseTopicsFile(content);
}

function warn(config: NodeConfig, logger: Logger): void {
  if (!isLoopback(config.host)) {
    logger.warn(
      { host: config.host },
      "listening beyond this machine without authentication: everybody who reaches the port can read, write and delete",
    );
  }
  if (process.platform === "win32") {
    logger.warn({}, "brokers on Windows are best effort: Linux and macOS are what is tested");
  }
}

function logListening(node: Node, logger: Logger): void {
  const { url, clusterId, nodeId, dataDirectory } = node;
  logger.info({ url, clusterId, nodeId, dataDirectory }, "listening");
}
