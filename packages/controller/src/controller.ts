// The metadata log's shell, with one voter: decides one command after the other, appends its records as one
// batch, waits until that batch is flushed (with one voter: committed), replays it into the image, and only
// then releases the response. Raft takes over the two lines "append" and "wait until committed"; nothing
// above them changes. Whoever holds a controller reads `image` and hears of committed records by `subscribe`.

import { MillraceError, type NodeId } from "@millrace/protocol";
import { type Logger, randomUuid, type ServerRuntime } from "@millrace/runtime";
import { type Log, type LogManager, parseLogConfig } from "@millrace/storage";
import type {
  CommandContext,
  CommandHandler,
  CommandOutcome,
  TopicPolicy,
} from "./commands/command.js";
import {
  type CommandName,
  type CommandRequest,
  type CommandResponse,
  commands,
} from "./commands/index.js";
import type { TopicName } from "./image-records.js";
import { emptyImage, type MetadataImage, type MutableMetadataImage } from "./metadata-image.js";
import type { MetadataRecord } from "./metadata-record.js";
import { MetadataSnapshots } from "./metadata-snapshots.js";
import { METADATA_TOPIC, METADATA_TOPIC_ID } from "./metadata-topic.js";
import { encodeMetadataBatch, replayBatches } from "./replay.js";

/** Bound of one batch of metadata records: one command. */
const METADATA_BATCH_BYTES_MAX = 16 * 1024 * 1024;
const REPLAY_READ_BYTES = 1024 * 1024;
const SNAPSHOT_INTERVAL_BYTES_DEFAULT = 20 * 1024 * 1024;
/** Small enough that what a snapshot made superfluous goes soon, large enough for any batch. */
const METADATA_SEGMENT_BYTES = 2 * METADATA_BATCH_BYTES_MAX;
/** Commands waiting for their turn; further ones are refused. */
const COMMAND_QUEUE_MAX = 1000;
/** Changes that need space without freeing any: on a full disk they wait until there is room. */
const NEEDS_ROOM: ReadonlySet<CommandName> = new Set([
  "createTopics",
  "createPartitions",
  "allocateProducerIds",
]);
/** The term of the only voter, until there are elections. */
const LEADER_EPOCH = 0;

export type ControllerRuntime = Pick<
  ServerRuntime,
  "clock" | "random" | "compute" | "logger" | "fileSystem"
>;

export interface ControllerOptions {
  readonly runtime: ControllerRuntime;
  readonly logs: LogManager;
  readonly nodeId: NodeId;
  readonly policy: TopicPolicy;
  /** After so many bytes of records the metadata is written as a snapshot. Default 20 MiB. */
  readonly maxRecordBytesBetweenSnapshots?: number | undefined;
}

/** Called after records committed and took effect in the image, before the command's response is released. */
export type MetadataListener = (records: readonly MetadataRecord[]) => void;

export class Controller {
  readonly nodeId: NodeId;
  private readonly runtime: ControllerRuntime;
  private readonly logger: Logger;
  private readonly log: Log;
  private readonly policy: TopicPolicy;
  private readonly mutableImage: MutableMetadataImage = emptyImage();
  private readonly listeners = new Set<MetadataListener>();
  private readonly removedAtReplay = new Set<string>();
  private readonly snapshots: MetadataSnapshots;
  /** The end of the chain of commands: one runs at a time, in the order of `submit`. */
  private tail: Promise<unknown> = Promise.resolve();
  private waitingCount = 0;
  private isClosed = false;
  /** Set when a record was flushed but could not be applied, or the log's fate is unknown. */
  private brokenBy: unknown;

  private constructor(options: ControllerOptions, log: Log) {
    this.nodeId = options.nodeId;
    this.runtime = options.runtime;
    this.logger = options.runtime.logger.child({ component: "controller" });
    this.policy = options.policy;
    this.log = log;
    this.snapshots = new MetadataSnapshots({
      runtime: {
        fileSystem: options.runtime.fileSystem,
        compute: options.runtime.compute,
        logger: this.logger,
      },
      log,
      maxRecordBytesBetweenSnapshots:
        options.maxRecordBytesBetweenSnapshots ?? SNAPSHOT_INTERVAL_BYTES_DEFAULT,
    });
  }

  /**
   * Opens the metadata log, creating it at the first start, and replays the newest snapshot and what follows it.
   * @throws MillraceError `CORRUPT_MESSAGE` (the log is damaged), `UNSUPPORTED_VERSION` (a newer version wrote it)
   */
  static async open(options: ControllerOptions): Promise<Controller> {
    const log =
      options.logs.getLog(METADATA_TOPIC, 0) ??
      (await options.logs.createLog(
        { topic: METADATA_TOPIC, topicId: METADATA_TOPIC_ID, partition: 0 },
        metadataLogConfig(),
      ));
    log.updateConfig(metadataLogConfig());
    const controller = new Controller(options, log);
    await controller.replayAll();
    return controller;
  }

  /** The committed metadata. Live: it changes between events, never during one. */
  get image(): MetadataImage {
    return this.mutableImage;
  }

  /** Ids of topics that the log had deleted when it was opened: what is left of them may go. */
  get replayedRemovals(): ReadonlySet<string> {
    return this.removedAtReplay;
  }

  subscribe(listener: MetadataListener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /**
   * Runs a command. Resolves when its records are durable and in the image; commands take effect in the order
   * of the calls.
   * @throws MillraceError the command's wire error; `THROTTLING_QUOTA_EXCEEDED` when too many wait;
   *   `NOT_CONTROLLER` after `close`; `KAFKA_STORAGE_ERROR` when the metadata log failed.
   */
  submit<N extends CommandName>(name: N, request: CommandRequest<N>): Promise<CommandResponse<N>> {
    if (this.isClosed) {
      return Promise.reject(new MillraceError("NOT_CONTROLLER", "the controller is closed"));
    }
    if (this.waitingCount >= COMMAND_QUEUE_MAX) {
      return Promise.reject(
        new MillraceError(
          "THROTTLING_QUOTA_EXCEEDED",
          `${COMMAND_QUEUE_MAX} changes of the metadata are waiting already`,
        ),
      );
    }
    this.waitingCount += 1;
    const turn = this.tail.then(() => this.run(name, request));
    const settled = (): void => {
      this.waitingCount -= 1;
    };
    this.tail = turn.then(settled, settled);
    return turn;
  }

  /** Waits for the commands already submitted; refuses new ones. Idempotent. */
  async close(): Promise<void> {
    this.isClosed = true;
    await this.tail;
    await this.snapshots.close();
    this.listeners.clear();
  }

  private async run<N extends CommandName>(
    name: N,
    request: CommandRequest<N>,
  ): Promise<CommandResponse<N>> {
    if (this.brokenBy !== undefined) {
      throw new MillraceError("KAFKA_STORAGE_ERROR", "the metadata log failed", {
        cause: this.brokenBy,
      });
    }
    const context: CommandContext = {
      nowMs: this.runtime.clock.nowMs(),
      randomUuid: () => randomUuid(this.runtime.random),
      policy: this.policy,
    };
    const handler = commands[name] as unknown as CommandHandler<unknown, unknown>;
    const outcome = handler(this.image, request, context) as CommandOutcome<CommandResponse<N>>;
    if (!outcome.ok) {
      throw new MillraceError(outcome.error, outcome.message);
    }
    if (outcome.records.length > 0) {
      await this.commit(outcome.records, {
        nowMs: context.nowMs,
        mayUseReserve: !NEEDS_ROOM.has(name),
      });
      this.logger.debug({ command: name, records: outcome.records.length }, "metadata changed");
    }
    return outcome.response;
  }

  private async commit(
    records: readonly MetadataRecord[],
    options: { readonly nowMs: number; readonly mayUseReserve: boolean },
  ): Promise<void> {
    const { nowMs, mayUseReserve } = options;
    const batch = encodeMetadataBatch(records, nowMs, this.runtime.compute);
    if (batch.length > METADATA_BATCH_BYTES_MAX) {
      throw new MillraceError(
        "POLICY_VIOLATION",
        `the change takes ${batch.length} bytes of metadata; one change may take ${METADATA_BATCH_BYTES_MAX}: split it`,
      );
    }
    const appended = this.log.append(batch, { leaderEpoch: LEADER_EPOCH, mayUseReserve });
    if (!appended.ok) {
      throw new MillraceError(appended.error, appended.message);
    }
    try {
      await this.log.whenFlushed(appended.lastOffset);
      this.snapshots.topicsRemoved(removedTopics(this.image, records));
      this.replay(batch);
    } catch (error) {
      if (this.log.state === "online" && this.log.logEndOffset <= appended.baseOffset) {
        // The log took the batch back (a full disk, no file handles left): nothing happened.
        throw error;
      }
      // The batch may or may not be in the log: only a restart's replay can tell.
      this.brokenBy = error;
      throw error;
    }
    this.snapshots.count(batch.length);
    this.snapshots.takeIfDue({
      image: this.image,
      endOffset: appended.lastOffset + 1,
      leaderEpoch: LEADER_EPOCH,
      timestampMs: nowMs,
    });
  }

  private replay(bytes: Uint8Array): readonly MetadataRecord[] {
    const records = replayBatches(this.mutableImage, bytes, this.runtime.compute);
    for (const listener of this.listeners) {
      listener(records);
    }
    return records;
  }

  private replayStored(batches: Uint8Array): void {
    for (const record of this.replay(batches)) {
      if (record.kind === "removeTopic") {
        this.removedAtReplay.add(record.body.topicId);
      }
    }
  }

  private async replayAll(): Promise<void> {
    const endOffset = this.log.flushedOffset;
    let offset = await this.snapshots.load((batches) => this.replayStored(batches));
    while (offset < endOffset) {
      const slice = await this.log.read({
        offset,
        maxBytes: REPLAY_READ_BYTES,
        endOffset,
        minOneBatch: true,
      });
      if (slice.nextOffset <= offset) {
        throw new MillraceError("CORRUPT_MESSAGE", `the metadata log ends at offset ${offset}`);
      }
      this.replayStored(joined(slice.chunks));
      this.snapshots.count(slice.sizeBytes);
      offset = slice.nextOffset;
    }
    this.logger.info(
      {
        offset,
        topics: this.image.topicsById.size,
        partitions: this.image.partitionCount,
      },
      "metadata replayed",
    );
  }
}

/** The topics that `records` remove. */
function removedTopics(image: MetadataImage, records: readonly MetadataRecord[]): TopicName[] {
  return records
    .filter((record) => record.kind === "removeTopic")
    .map(({ body }) => image.topicsById.get(body.topicId))
    .filter((topic) => topic !== undefined);
}

/** The metadata log is never shortened by age or size: what a snapshot does not hold is here alone. */
function metadataLogConfig(): ReturnType<typeof parseLogConfig> {
  return parseLogConfig({
    "retention.ms": "-1",
    "retention.bytes": "-1",
    "max.message.bytes": String(METADATA_BATCH_BYTES_MAX),
    "segment.bytes": String(METADATA_SEGMENT_BYTES),
    flush: "sync",
  });
}

function joined(chunks: readonly Uint8Array[]): Uint8Array {
  const [only] = chunks;
  if (chunks.length === 1 && only !== undefined) {
    return only;
  }
  const bytes = new Uint8Array(chunks.reduce((size, chunk) => size + chunk.length, 0));
  let position = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, position);
    position += chunk.length;
  }
  return bytes;
}
