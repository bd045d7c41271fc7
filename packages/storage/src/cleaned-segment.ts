// The segment file that a cleaning pass writes (`.log.cleaned`): batches that stay, and placeholders for the offsets of
// those that went, so that offsets go on without a gap. Not part of the log until it is swapped in (compaction-swap.ts).

import { type BatchHeader, readBatchHeader } from "@millrace/protocol";
import type { FileHandle } from "@millrace/runtime";
import type { CompactionPacer } from "./compaction-pacer.js";
import { CLEANED_SUFFIX, LOG_SUFFIX, segmentFileName } from "./core/segment-name.js";
import { removeIfPresent, writeFully } from "./files.js";
import { placeholderBatches } from "./placeholder-batch.js";
import { type IndexPlace, SegmentIndexes } from "./segment-indexes.js";

/** Synced in pieces: one sync of a whole segment would hold up those of the logs that are written to. */
const SYNC_EVERY_BYTES = 8 * 1024 * 1024;

export interface CleanedSegmentOptions {
  readonly place: IndexPlace;
  readonly indexIntervalBytes: number;
  readonly pacer: CompactionPacer;
  /** `CHUNK_BYTES` of memory, for one segment at a time. */
  readonly buffer: Uint8Array;
}

export class CleanedSegment {
  readonly indexes: SegmentIndexes;
  readonly #options: CleanedSegmentOptions;
  readonly #file: FileHandle;
  #bufferedBytes = 0;
  #writtenBytes = 0;
  #syncedBytes = 0;
  /** Offsets whose batches went, not yet in the file. */
  #gap: { firstOffset: number; lastOffset: number; readonly leaderEpoch: number } | undefined;

  private constructor(options: CleanedSegmentOptions, file: FileHandle) {
    this.#options = options;
    this.#file = file;
    this.indexes = new SegmentIndexes(options.place);
  }

  static async create(options: CleanedSegmentOptions): Promise<CleanedSegment> {
    const { fileSystem } = options.place;
    const path = pathOf(options.place);
    await removeIfPresent(fileSystem, path);
    return new CleanedSegment(options, await fileSystem.open(path, "createNew"));
  }

  get path(): string {
    return this.#file.path;
  }

  async add(bytes: Uint8Array, header: BatchHeader = readBatchHeader(bytes)): Promise<void> {
    await this.#fillGap();
    await this.#append(bytes, header);
  }

  /** The batch goes; what is left of it is that its offsets are taken. */
  async drop(header: BatchHeader): Promise<void> {
    const gap = this.#gap;
    if (gap !== undefined && gap.leaderEpoch === header.leaderEpoch) {
      gap.lastOffset = header.lastOffset;
      return;
    }
    await this.#fillGap();
    const { baseOffset, lastOffset, leaderEpoch } = header;
    this.#gap = { firstOffset: baseOffset, lastOffset, leaderEpoch };
  }

  /** All is durable when it resolves, but for the file's name; and the file is closed. */
  async finish(): Promise<void> {
    await this.#fillGap();
    await this.#flush();
    await this.#file.sync();
    await this.#file.close();
    this.indexes.finish();
  }

  /** Nothing of it is left. */
  async discard(): Promise<void> {
    await this.#file.close();
    await removeIfPresent(this.#options.place.fileSystem, this.path);
  }

  async #fillGap(): Promise<void> {
    const gap = this.#gap;
    if (gap === undefined) {
      return;
    }
    this.#gap = undefined;
    const { compute } = this.#options.place;
    for (const bytes of placeholderBatches({ ...gap, maxTimestamp: -1 }, compute)) {
      await this.#append(bytes, readBatchHeader(bytes));
    }
  }

  async #append(bytes: Uint8Array, header: BatchHeader): Promise<void> {
    const { buffer, indexIntervalBytes } = this.#options;
    if (this.#bufferedBytes + bytes.length > buffer.length) {
      await this.#flush();
    }
    if (bytes.length > buffer.length) {
      await this.#write(bytes);
    } else {
      buffer.set(bytes, this.#bufferedBytes);
      this.#bufferedBytes += bytes.length;
    }
    this.indexes.add(header, indexIntervalBytes);
  }

  async #flush(): Promise<void> {
    if (this.#bufferedBytes > 0) {
      await this.#write(this.#options.buffer.subarray(0, this.#bufferedBytes));
      this.#bufferedBytes = 0;
    }
  }

  async #write(bytes: Uint8Array): Promise<void> {
    await writeFully(this.#file, [bytes], this.#writtenBytes);
    this.#writtenBytes += bytes.length;
    if (this.#writtenBytes - this.#syncedBytes >= SYNC_EVERY_BYTES) {
      await this.#file.sync();
      this.#syncedBytes = this.#writtenBytes;
    }
    await this.#options.pacer.charge(bytes.length);
  }
}

function pathOf({ directory, baseOffset }: IndexPlace): string {
  return `${directory}/${segmentFileName(baseOffset, LOG_SUFFIX)}${CLEANED_SUFFIX}`;
}
