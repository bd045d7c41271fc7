// One partition's log.
import type { LogConfig } from "./log-config.js";
import type { AppendOptions, AppendOutcome, LogSlice, LogState, ReadOptions, TimestampOffset } from "./log-types.js";

export declare class Log {
  readonly topic: string;
  readonly topicId: string;
  readonly partition: number;
  get config(): LogConfig;
  get logStartOffset(): number;
  get logEndOffset(): number;
  /** Next offset after the last flushed one (fsynced; with `flush=os`: written). */
  get flushedOffset(): number;
  get sizeBytes(): number;
  get segmentCount(): number;
  get state(): LogState;
  get latestEpoch(): number;
  get maxTimestamp(): number;
  updateConfig(config: LogConfig): void;
  append(batches: Uint8Array, options: AppendOptions): AppendOutcome;
  whenFlushed(offset: number): Promise<boolean>;
  read(options: ReadOptions): LogSlice | Promise<LogSlice>;
  availableBytes(fromOffset: number, endOffset: number): number;
  offsetForTimestamp(timestampMs: number): Promise<TimestampOffset | undefined>;
  maxTimestampOffset(): Promise<TimestampOffset | undefined>;
  endOffsetForEpoch(epoch: number): { epoch: number; endOffset: number };
  truncateTo(offset: number): Promise<void>;
  deleteRecordsBefore(offset: number): Promise<void>;
  applyRetention(nowMs: number): Promise<number>;
  subscribe(listener: () => void): () => void;
}
