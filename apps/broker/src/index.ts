/**
 * The Millrace broker as a program, and as a function: `startServer` on Node.js, `startNode` on any runtime.
 * @packageDocumentation
 */
export {
  type ServerExitCode,
  StorageFailedError,
  serverExitCodeOf,
  serverExitCodes,
} from "./exit-codes.js";
export { type Node, type NodeConfig, type StartNodeOptions, startNode } from "./node.js";
export { createPinoLogger, type PinoLoggerOptions } from "./pino-logger.js";
export { type RunServerOptions, runServer } from "./run-server.js";
export {
  type RunningServer,
  type ServerOptions,
  serverDefaults,
  startServer,
} from "./server.js";
export {
  type LogLevelName,
  type ServerOption,
  type ServerOptionKind,
  type ServerSettings,
  serverOptions,
} from "./server-options.js";
export { mergeSettings, type SettingsSources } from "./server-settings.js";
export { softwareVersion } from "./software-version.js";
export { parseTopicSpecs, parseTopicsFile, type TopicSpec } from "./topics-file.js";
