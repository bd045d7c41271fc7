/**
 * The seam between Millrace and the outside world: interfaces only, and the pure functions beside them.
 * Implementations: `@millrace/runtime/node`, `/browser`, `/sim`. Contract suites: `/contract`.
 * @packageDocumentation
 */
export { BufferPool, type BufferPoolOptions, type PooledBuffer } from "./buffer-pool.js";
export type { Clock, Timer, TimerOptions } from "./clock.js";
export { type CompressionCodec, type Compute, ComputeError } from "./compute.js";
export { type ConsoleLoggerOptions, createConsoleLogger } from "./console-logger.js";
export { crc32c } from "./crc32c.js";
export {
  type Diagnostics,
  type DiagnosticsChannel,
  silentDiagnostics,
} from "./diagnostics.js";
export {
  type DirectoryEntry,
  type DirectoryLock,
  FileError,
  type FileErrorCode,
  type FileHandle,
  type FileStatus,
  type FileSystem,
  joinPath,
  type OpenMode,
} from "./file-system.js";
export { type LogFields, type Logger, type LogLevel, printable, silentLogger } from "./logger.js";
export {
  type AcceptedConnection,
  type CloseReason,
  type Connection,
  type ConnectionEvents,
  DialError,
  type DialOptions,
  type HttpRequest,
  type HttpResponse,
  ListenError,
  type Listener,
  type ListeningNetwork,
  type ListenLimits,
  type ListenOptions,
  type Network,
  SUB_PROTOCOL,
  type UpgradeRefusal,
} from "./network.js";
export {
  type AbortSignalLike,
  createTextDecoder,
  createTextEncoder,
  type TextDecoderLike,
  type TextEncoderLike,
} from "./platform.js";
export { type Random, randomUuid } from "./random.js";
export type { ClientRuntime, ServerRuntime } from "./runtime.js";
