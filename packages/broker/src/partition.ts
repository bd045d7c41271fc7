// One partition as its leader sees it: a storage log, the leader epoch, and what consumers may see. With one
// replica the high watermark is the log's flushed mark. Decides whether an append or a read is in order and
// what an acknowledgement promises; the log assigns offsets and keeps the bytes.

import type { PartitionImage } from "@millrace/controller";
import {
  type BatchHeader,
  isMillraceError,
  MillraceError,
  validateProducedBatch,
  type WireErrorName,
} from "@millrace/protocol";
import type { Compute } from "@millrace/runtime";
import {
  type AppendOutcome,
  type FlushWaiter,
  isCompacted,
  type Log,
  type LogConfig,
  type LogSlice,
} from "@millrace/storage";
import type { CompressedContents } from "./compressed-contents.js";

/** The low byte of a batch's attributes, whose lowest three bits name the codec (RecordBatch v2). */
const ATTRIBUTES_LOW_AT = 22;
const CODEC_MASK = 0b111;

export type Acks = 0 | 1 | -1;

/** What stands when an acknowledgement is sent. */
export interface Durability {
  readonly replicas: number;
  readonly fsynced: boolean;
}

const onDisk: Durability = { replicas: 1, fsynced: true };
const written: Durability = { replicas: 1, fsynced: false };

export interface AppendRequest {
  /** Exactly one batch. Looked at until the outcome is there; the log takes a copy if `isBorrowed`, else the bytes. */
  readonly batch: Uint8Array;
  readonly isBorrowed: boolean;
  readonly acks: Acks;
  readonly nowMs: number;
}

/** What a partition needs to judge a batch. */
export interface BatchChecks {
  readonly compute: Compute;
  readonly contents: CompressedContents;
}

type Refusal = Extract<AppendOutcome, { ok: false }>;

const refuse = (error: WireErrorName, message: string): Refusal => ({ ok: false, error, message });

export class Partition {
  readonly topic: string;
  readonly topicId: string;
  readonly partition: number;
  readonly log: Log;
  private readonly checks: BatchChecks;
  /** The last append that waits for a look into its batch: later ones wait behind it. */
  private waiting: Promise<AppendOutcome> | undefined;
  private image: PartitionImage;
  private readonly watchers = new Set<() => void>();
  private readonly unsubscribe: () => void;
  private wasRemoved = false;

  constructor(log: Log, image: PartitionImage, checks: BatchChecks) {
    this.topic = log.topic;
    this.topicId = log.topicId;
    this.partition = log.partition;
    this.log = log;
    this.image = image;
    this.checks = checks;
    this.unsubscribe = log.subscribe(() => this.notify());
  }

  get leaderId(): number {
    return this.image.leader;
  }

  get leaderEpoch(): number {
    return this.image.leaderEpoch;
  }

  /** Consumers see everything below: what every in-sync replica has flushed. */
  get highWatermark(): number {
    return this.log.flushedOffset;
  }

  /** No transactions yet: the same as the high watermark. */
  get lastStableOffset(): number {
    return this.highWatermark;
  }

  get logStartOffset(): number {
    return this.log.logStartOffset;
  }

  /** The topic was deleted. */
  get isRemoved(): boolean {
    return this.wasRemoved;
  }

  update(image: PartitionImage): void {
    this.image = image;
    this.notify();
  }

  updateConfig(config: LogConfig): void {
    this.log.updateConfig(config);
  }

  /** The topic was deleted: whoever waits here looks again. */
  remove(): void {
    this.wasRemoved = true;
    this.unsubscribe();
    this.notify();
    this.watchers.clear();
  }

  /** Calls back whenever something to read may have come, or the partition changed. Returns the way out. */
  watch(callback: () => void): () => void {
    this.watchers.add(callback);
    return () => this.watchers.delete(callback);
  }

  /** KIP-320: a reader that knows another leader epoch must refresh first. -1: not checked. */
  epochProblem(currentLeaderEpoch: number): WireErrorName | undefined {
    if (currentLeaderEpoch === -1 || currentLeaderEpoch === this.leaderEpoch) {
      return undefined;
    }
    return currentLeaderEpoch < this.leaderEpoch ? "FENCED_LEADER_EPOCH" : "UNKNOWN_LEADER_EPOCH";
  }

  /**
   * Checks the batch and appends it. Appends take effect in the order of the calls: at once, but for compressed batches
   * of compacted topics, into which somebody has to look first, and what comes behind one.
   */
  append(request: AppendRequest): AppendOutcome | Promise<AppendOutcome> {
    if (this.waiting === undefined && !needsLook(this.log.config, request.batch)) {
      return this.appendNow(request);
    }
    const before = this.waiting ?? Promise.resolve();
    const outcome = before.then(
      () => this.appendChecked(request),
      () => this.appendChecked(request),
    );
    this.waiting = outcome;
    const done = (): void => {
      if (this.waiting === outcome) {
        this.waiting = undefined;
      }
    };
    outcome.then(done, done);
    return outcome;
  }

  private async appendChecked(request: AppendRequest): Promise<AppendOutcome> {
    const { config } = this.log;
    if (!needsLook(config, request.batch)) {
      return this.appendNow(request);
    }
    try {
      const header = this.validate(request);
      const { maxMessageBytes } = config;
      await this.checks.contents.check(request.batch, header, {
        maxMessageBytes,
        ...timestampBounds(config, request.nowMs),
      });
    } catch (error) {
      return refusalOf(error);
    }
    return this.appendNow(request);
  }

  private appendNow(request: AppendRequest): AppendOutcome {
    const { config } = this.log;
    if (request.acks === -1 && this.image.isr.length < config.minInsyncReplicas) {
      return refuse(
        "NOT_ENOUGH_REPLICAS",
        `${this.image.isr.length} in-sync replicas, min.insync.replicas is ${config.minInsyncReplicas}`,
      );
    }
    try {
      const header = this.validate(request);
      if (header.sizeBytes !== request.batch.length) {
        return refuse("INVALID_RECORD", "a request carries exactly one batch per partition");
      }
      return this.log.append(request.batch, {
        leaderEpoch: this.leaderEpoch,
        headers: [header],
        isBorrowed: request.isBorrowed,
      });
    } catch (error) {
      return refusalOf(error);
    }
  }

  private validate({ batch, nowMs }: AppendRequest): BatchHeader {
    const { config } = this.log;
    return validateProducedBatch(batch, 0, {
      compute: this.checks.compute,
      maxMessageBytes: config.maxMessageBytes,
      requireKeys: isCompacted(config),
      ...timestampBounds(config, nowMs),
    });
  }

  /**
   * `waiter` hears when everything up to `lastOffset` is on every in-sync replica, as durably as the topic asks, or that
   * it never will be; perhaps before this returns.
   */
  awaitDurability(lastOffset: number, waiter: FlushWaiter): void {
    this.log.awaitFlush(lastOffset, waiter);
  }

  /** What an acknowledgement promises. */
  durability(isSynced: boolean): Durability {
    return isSynced ? onDisk : written;
  }

  /** What becomes of a batch that will never be durable because of `error`. */
  durabilityError(error: Error): Error {
    return this.wasRemoved ? new MillraceError("UNKNOWN_TOPIC_ID", "the topic was deleted") : error;
  }

  /** Why nothing can be read from here, or undefined. The log end itself is readable: it is empty so far. */
  offsetProblem(offset: number): string | undefined {
    const { logStartOffset, logEndOffset } = this.log;
    return offset < logStartOffset || offset > logEndOffset
      ? `offset ${offset} is outside ${logStartOffset} to ${logEndOffset}`
      : undefined;
  }

  /** Bytes a consumer could read from `offset` on; cheap, and never 0 when there is something. */
  availableBytes(offset: number): number {
    return offset >= this.highWatermark ? 0 : this.log.availableBytes(offset, this.highWatermark);
  }

  /** Whole batches below the high watermark. @throws MillraceError */
  read(options: {
    offset: number;
    maxBytes: number;
    minOneBatch: boolean;
  }): LogSlice | Promise<LogSlice> {
    return this.log.read({ ...options, endOffset: this.highWatermark });
  }

  private notify(): void {
    for (const watcher of [...this.watchers]) {
      watcher();
    }
  }
}

/** Whether only the decompressed records say if the topic takes them. */
function needsLook(config: LogConfig, batch: Uint8Array): boolean {
  return isCompacted(config) && ((batch[ATTRIBUTES_LOW_AT] ?? 0) & CODEC_MASK) !== 0;
}

function timestampBounds(
  config: LogConfig,
  nowMs: number,
): { minTimestampMs?: number; maxTimestampMs?: number } {
  return config.messageTimestampType === "LogAppendTime"
    ? {}
    : {
        minTimestampMs: Math.max(0, nowMs - config.messageTimestampBeforeMaxMs),
        maxTimestampMs: nowMs + config.messageTimestampAfterMaxMs,
      };
}

/** A refused batch; anything unexpected goes on as an exception. */
function refusalOf(error: unknown): Refusal {
  if (!isMillraceError(error)) {
    throw error;
  }
  const prefix = `${error.code}: `;
  const message = error.message.startsWith(prefix)
    ? error.message.slice(prefix.length)
    : error.message;
  return refuse(error.code as WireErrorName, message);
}
