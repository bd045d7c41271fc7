// Snapshots of the metadata: when one is due, writing it beside the commands that go on, and letting go of the log before
// it. The newest two are kept, and the log from the older one on, so that the newest may be lost without loss.

import { MillraceError } from "@millrace/protocol";
import type { Logger } from "@millrace/runtime";
import { type Log, StateSnapshots, type StateSnapshotsOptions } from "@millrace/storage";
import { freezeImage, imageRecords, type TopicName } from "./image-records.js";
import type { MetadataImage } from "./metadata-image.js";
import { encodeMetadataRecord, type MetadataRecord } from "./metadata-record.js";

const SNAPSHOTS_KEPT = 2;
/** Removed topics that a snapshot still names. */
const REMOVED_TOPICS_MAX = 10_000;

export interface MetadataSnapshotsOptions {
  readonly runtime: StateSnapshotsOptions["runtime"];
  readonly log: Log;
  /** Kafka's `metadata.log.max.record.bytes.between.snapshots`. */
  readonly maxRecordBytesBetweenSnapshots: number;
}

/** What the image contains. */
export interface SnapshotMoment {
  readonly image: MetadataImage;
  /** Exclusive. */
  readonly endOffset: number;
  readonly leaderEpoch: number;
  /** Of the last record. */
  readonly timestampMs: number;
}

export class MetadataSnapshots {
  private readonly options: MetadataSnapshotsOptions;
  private readonly logger: Logger;
  private readonly snapshots: StateSnapshots;
  /** Oldest first. Their logs are being removed: after a stop the next start must know that they may go. */
  private readonly removedTopics: TopicName[] = [];
  private bytesSinceSnapshot = 0;
  private running: Promise<void> | undefined;

  constructor(options: MetadataSnapshotsOptions) {
    this.options = options;
    this.logger = options.runtime.logger;
    const { runtime, log } = options;
    this.snapshots = new StateSnapshots({ runtime, directory: log.directory });
  }

  /**
   * Hands the batches of the newest undamaged snapshot to `replay`, and returns the offset at which the log goes on.
   * @throws MillraceError `CORRUPT_MESSAGE` when no snapshot reaches the log's start, or the log does not reach the
   *   snapshot
   */
  async load(replay: (batches: Uint8Array) => void): Promise<number> {
    const { log } = this.options;
    await this.snapshots.removeUnfinished();
    const snapshot = await this.snapshots.openNewest();
    const endOffset = snapshot?.id.endOffset ?? 0;
    try {
      if (endOffset < log.logStartOffset || endOffset > log.flushedOffset) {
        throw new MillraceError(
          "CORRUPT_MESSAGE",
          `the metadata log holds offsets ${log.logStartOffset} to ${log.flushedOffset}, the newest undamaged snapshot ends at ${endOffset}`,
        );
      }
      for await (const batches of snapshot?.batches() ?? []) {
        replay(batches);
      }
    } finally {
      await snapshot?.close();
    }
    return endOffset;
  }

  /** So many bytes of records were replayed or committed. */
  count(bytes: number): void {
    this.bytesSinceSnapshot += bytes;
  }

  topicsRemoved(topics: readonly TopicName[]): void {
    this.removedTopics.push(...topics);
    this.removedTopics.splice(0, this.removedTopics.length - REMOVED_TOPICS_MAX);
  }

  /** Begins a snapshot when one is due. `moment` is taken now; what is written of it afterwards does not change. */
  takeIfDue(moment: SnapshotMoment): void {
    const isDue = this.bytesSinceSnapshot >= this.options.maxRecordBytesBetweenSnapshots;
    if (!isDue || this.running !== undefined) {
      return;
    }
    this.bytesSinceSnapshot = 0;
    const { endOffset, leaderEpoch: epoch, timestampMs } = moment;
    const records = imageRecords(freezeImage(moment.image), [...this.removedTopics]);
    this.running = this.take({ endOffset, epoch }, { timestampMs, records })
      .catch((error: unknown) => {
        // The log has it all; the next one is due after as many bytes again.
        this.logger.warn({ endOffset, error }, "a snapshot of the metadata was not finished");
      })
      .finally(() => {
        this.running = undefined;
      });
  }

  /** Waits for the snapshot that is being written. */
  async close(): Promise<void> {
    await this.running;
  }

  private async take(
    id: { readonly endOffset: number; readonly epoch: number },
    content: { readonly timestampMs: number; readonly records: Iterable<MetadataRecord> },
  ): Promise<void> {
    const { timestampMs } = content;
    const records = encoded(content.records);
    const sizeBytes = await this.snapshots.write(id, { timestampMs, records });
    this.logger.info({ ...id, sizeBytes }, "metadata snapshot written");
    const oldestKept = (await this.snapshots.list())[SNAPSHOTS_KEPT - 1];
    if (oldestKept !== undefined) {
      await this.options.log.deleteRecordsBefore(oldestKept.endOffset);
      await this.snapshots.removeBefore(oldestKept.endOffset);
    }
  }
}

function* encoded(records: Iterable<MetadataRecord>) {
  for (const record of records) {
    yield { key: null, value: encodeMetadataRecord(record) };
  }
}
