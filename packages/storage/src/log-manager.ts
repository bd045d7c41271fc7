// One data directory.
import type { LogConfig } from "./log-config.js";
import type { Log } from "./log.js";
import type { LogId, RecoveryProgress, StorageFailure } from "./log-types.js";
import type { StorageConfig, StorageRuntime } from "./storage-config.js";

export interface LogManagerOptions {
  readonly runtime: StorageRuntime;
  readonly path: string;
  readonly nodeId: number;
  /** Checked against the directory's; on the first start taken, or generated when absent. */
  readonly clusterId?: string | undefined;
  readonly config?: Partial<StorageConfig> | undefined;
  readonly onProgress?: ((progress: RecoveryProgress) => void) | undefined;
}

export declare class LogManager {
  static open(options: LogManagerOptions): Promise<LogManager>;
  readonly clusterId: string;
  readonly nodeId: number;
  readonly directoryId: string;
  readonly path: string;
  readonly wasCleanShutdown: boolean;
  readonly failed: Promise<StorageFailure>;
  logs(): Iterable<Log>;
  getLog(topic: string, partition: number): Log | undefined;
  createLog(id: LogId, config: LogConfig): Promise<Log>;
  deleteLog(log: Log): Promise<void>;
  setAside(log: Log, reason: string): Promise<void>;
  /** Every log's retention, once. @returns bytes deleted */
  applyRetention(nowMs: number): Promise<number>;
  close(): Promise<void>;
}
