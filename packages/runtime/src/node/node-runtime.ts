// The whole seam on Node.

import { createConsoleLogger } from "../console-logger.js";
import type { Logger, LogLevel } from "../logger.js";
import type { ServerRuntime } from "../runtime.js";
import { nodeClock } from "./node-clock.js";
import { nodeCompute } from "./node-compute.js";
import { nodeDiagnostics } from "./node-diagnostics.js";
import { nodeFileSystem } from "./node-file-system.js";
import { nodeNetwork } from "./node-network.js";
import { createNodeRandom } from "./node-random.js";

export interface NodeRuntimeOptions {
  /** Default: warnings and worse, as text on standard error. */
  readonly logger?: Logger;
}

/** A logger on standard error, which leaves standard output to what was asked for. */
export function createStderrLogger(
  options: { level?: LogLevel; format?: "json" | "text" } = {},
): Logger {
  return createConsoleLogger({
    level: options.level ?? "warn",
    format: options.format ?? "text",
    nowMs: nodeClock.nowMs,
    write: (line) => void process.stderr.write(`${line}\n`),
  });
}

export function createNodeRuntime(options: NodeRuntimeOptions = {}): ServerRuntime {
  return {
    clock: nodeClock,
    random: createNodeRandom(),
    fileSystem: nodeFileSystem,
    network: nodeNetwork,
    compute: nodeCompute,
    logger: options.logger ?? createStderrLogger(),
    diagnostics: nodeDiagnostics,
  };
}
