// What a `LogManager` is opened with.

import type { ProducerState } from "./core/producer-state.js";
import type { RecoveryProgress } from "./log-types.js";
import type { StorageConfig, StorageRuntime } from "./storage-config.js";

export interface LogManagerOptions {
  readonly runtime: StorageRuntime;
  readonly path: string;
  readonly nodeId: number;
  /** Checked against the directory's; on the first start taken, or generated when absent. */
  readonly clusterId?: string | undefined;
  readonly config?: Partial<StorageConfig> | undefined;
  readonly onProgress?: ((progress: RecoveryProgress) => void) | undefined;
  /** Makes the producer state of a log. Default: `ProducerState`. */
  readonly createProducerState?: (() => ProducerState) | undefined;
}
