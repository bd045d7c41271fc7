// A segment's two indexes together with the state file that vouches for them: fed batch by batch, stored as hints,
// loaded again only if every byte is as it was written.

import type { BatchHeader } from "@millrace/protocol";
import type { Compute, FileSystem } from "@millrace/runtime";
import {
  decodeIndexState,
  encodeIndexState,
  INDEX_STATE_SUFFIX,
  type IndexState,
} from "./core/index-state.js";
import { type IndexedBatch, OFFSET_INDEX_ENTRY_BYTES, OffsetIndex } from "./core/offset-index.js";
import { OFFSET_INDEX_SUFFIX, segmentFileName, TIME_INDEX_SUFFIX } from "./core/segment-name.js";
import { TIME_INDEX_ENTRY_BYTES, TimeIndex } from "./core/time-index.js";
import { isFileError, readIfPresent, removeIfPresent, writeFully } from "./files.js";

export interface IndexPlace {
  readonly fileSystem: FileSystem;
  readonly compute: Pick<Compute, "crc32c">;
  readonly directory: string;
  readonly baseOffset: number;
}

/** What a segment holds, as far as its batches were shown to `add`. */
export class SegmentIndexes {
  readonly #place: IndexPlace;
  #offsets: OffsetIndex;
  #times: TimeIndex;
  #bytesSinceEntry = 0;
  #logBytes = 0;
  #endOffset: number;
  #maxTimestamp = -1;
  #maxTimestampOffset = -1;
  #firstTimestamp = -1;
  /** How much of either index the files hold, and its CRC. */
  #stored = { offsetEntries: 0, offsetCrc: 0, timeEntries: 0, timeCrc: 0 };

  constructor(place: IndexPlace) {
    this.#place = place;
    this.#offsets = new OffsetIndex(place.baseOffset);
    this.#times = new TimeIndex(place.baseOffset);
    this.#endOffset = place.baseOffset;
  }

  get offsets(): OffsetIndex {
    return this.#offsets;
  }

  get times(): TimeIndex {
    return this.#times;
  }

  get baseOffset(): number {
    return this.#place.baseOffset;
  }

  get logBytes(): number {
    return this.#logBytes;
  }

  get endOffset(): number {
    return this.#endOffset;
  }

  get maxTimestamp(): number {
    return this.#maxTimestamp;
  }

  /** The last offset of the first batch that has the largest timestamp. */
  get maxTimestampOffset(): number {
    return this.#maxTimestampOffset;
  }

  get firstTimestamp(): number {
    return this.#firstTimestamp;
  }

  get sizeBytes(): number {
    return this.#offsets.sizeBytes + this.#times.sizeBytes;
  }

  /** The next batch of the segment, which lies at `logBytes`. */
  add(header: BatchHeader, intervalBytes: number): void {
    // A batch without records has no timestamp that a search could find, whatever its header says.
    const maxTimestamp = header.recordCount === 0 ? -1 : header.maxTimestamp;
    if (this.#logBytes === 0) {
      this.#firstTimestamp = maxTimestamp;
    }
    if (maxTimestamp > this.#maxTimestamp) {
      this.#maxTimestamp = maxTimestamp;
      this.#maxTimestampOffset = header.lastOffset;
    }
    if (this.#bytesSinceEntry > intervalBytes) {
      this.#offsets.append({ lastOffset: header.lastOffset, position: this.#logBytes });
      this.#addTimestamp();
      this.#bytesSinceEntry = 0;
    }
    this.#bytesSinceEntry += header.sizeBytes;
    this.#logBytes += header.sizeBytes;
    this.#endOffset = header.lastOffset + 1;
  }

  /**
   * Goes back to where some indexed batch that ends before `offset` begins, and returns that batch's place and last
   * offset; undefined when there is none. The caller shows the batches from there on again, beginning with `resumeAt`.
   */
  rewindBefore(offset: number): IndexedBatch | undefined {
    const entry = this.#offsets.lookup(offset - 1);
    if (entry === undefined) {
      return undefined;
    }
    this.#offsets.truncateToPosition(entry.position);
    this.#times.truncateToOffset(entry.lastOffset);
    this.#logBytes = entry.position;
    this.#bytesSinceEntry = entry.position - (this.#offsets.last?.position ?? 0);
    // Every entry of the offset index was accompanied by one of the time index, if that had anything to add.
    this.#maxTimestamp = this.#times.last?.timestamp ?? -1;
    this.#maxTimestampOffset = this.#times.last?.offset ?? -1;
    const { compute } = this.#place;
    this.#stored = {
      offsetEntries: this.#offsets.entryCount,
      offsetCrc: compute.crc32c(this.#offsets.encoded()),
      timeEntries: this.#times.entryCount,
      timeCrc: compute.crc32c(this.#times.encoded()),
    };
    return entry;
  }

  /** After `rewindBefore`: the base offset of the batch it went back to. */
  resumeAt(baseOffset: number): void {
    this.#endOffset = baseOffset;
  }

  /** Adds what the time index still lacks. Nothing is added to the segment afterwards. */
  finish(): void {
    this.#addTimestamp();
  }

  /**
   * Writes what the files lack, then the state. With `sync` all three are durable when it resolves; without, a
   * crash may lose them, which costs time at the next start and nothing else.
   */
  async store(options: { readonly sync: boolean }): Promise<void> {
    const offsets = this.#offsets.encoded(this.#stored.offsetEntries).slice();
    const times = this.#times.encoded(this.#stored.timeEntries).slice();
    const stored = {
      offsetEntries: this.#offsets.entryCount,
      offsetCrc: this.#place.compute.crc32c(offsets, this.#stored.offsetCrc),
      timeEntries: this.#times.entryCount,
      timeCrc: this.#place.compute.crc32c(times, this.#stored.timeCrc),
    };
    const state = encodeIndexState(
      {
        ...stored,
        logBytes: this.#logBytes,
        endOffset: this.#endOffset,
        maxTimestamp: this.#maxTimestamp,
        maxTimestampOffset: this.#maxTimestampOffset,
        firstTimestamp: this.#firstTimestamp,
      },
      this.#place.compute,
    );
    const { sync } = options;
    const offsetsAt = this.#stored.offsetEntries * OFFSET_INDEX_ENTRY_BYTES;
    const timesAt = this.#stored.timeEntries * TIME_INDEX_ENTRY_BYTES;
    await this.#write({ suffix: OFFSET_INDEX_SUFFIX, bytes: offsets, at: offsetsAt, sync });
    await this.#write({ suffix: TIME_INDEX_SUFFIX, bytes: times, at: timesAt, sync });
    await this.#write({ suffix: INDEX_STATE_SUFFIX, bytes: state, at: 0, sync });
    this.#stored = stored;
  }

  /** Durably; on a full disk what was stored before is removed instead, and the next start walks over the segment. */
  async storeOrForget(): Promise<void> {
    try {
      await this.store({ sync: true });
    } catch (error) {
      if (!isFileError(error, "STORAGE_FULL")) {
        throw error;
      }
      const { fileSystem, directory, baseOffset } = this.#place;
      const name = segmentFileName(baseOffset, INDEX_STATE_SUFFIX);
      await removeIfPresent(fileSystem, `${directory}/${name}`);
      await fileSystem.syncDirectory(directory);
    }
  }

  /** What the files say about the first bytes of the segment; undefined when they cannot be trusted. */
  static async load(place: IndexPlace): Promise<SegmentIndexes | undefined> {
    const state = await readIndexState(place);
    if (state === undefined) {
      return undefined;
    }
    const { fileSystem, directory, baseOffset } = place;
    const path = (suffix: string): string => `${directory}/${segmentFileName(baseOffset, suffix)}`;
    const offsets = await readIfPresent(fileSystem, path(OFFSET_INDEX_SUFFIX));
    const times = await readIfPresent(fileSystem, path(TIME_INDEX_SUFFIX));
    const offsetBytes = offsets?.subarray(0, state.offsetEntries * OFFSET_INDEX_ENTRY_BYTES);
    const timeBytes = times?.subarray(0, state.timeEntries * TIME_INDEX_ENTRY_BYTES);
    const areGenuine =
      offsetBytes !== undefined &&
      timeBytes !== undefined &&
      offsetBytes.length === state.offsetEntries * OFFSET_INDEX_ENTRY_BYTES &&
      timeBytes.length === state.timeEntries * TIME_INDEX_ENTRY_BYTES &&
      place.compute.crc32c(offsetBytes) === state.offsetCrc &&
      place.compute.crc32c(timeBytes) === state.timeCrc;
    return areGenuine
      ? SegmentIndexes.#restore({ place, state, offsetBytes, timeBytes })
      : undefined;
  }

  static #restore(from: {
    readonly place: IndexPlace;
    readonly state: IndexState;
    readonly offsetBytes: Uint8Array;
    readonly timeBytes: Uint8Array;
  }): SegmentIndexes | undefined {
    const { place, state } = from;
    const indexes = new SegmentIndexes(place);
    indexes.#offsets = new OffsetIndex(place.baseOffset, from.offsetBytes);
    indexes.#times = new TimeIndex(place.baseOffset, from.timeBytes);
    indexes.#logBytes = state.logBytes;
    indexes.#endOffset = state.endOffset;
    indexes.#maxTimestamp = state.maxTimestamp;
    indexes.#maxTimestampOffset = state.maxTimestampOffset;
    indexes.#firstTimestamp = state.firstTimestamp;
    indexes.#bytesSinceEntry = state.logBytes - (indexes.#offsets.last?.position ?? 0);
    indexes.#stored = {
      offsetEntries: state.offsetEntries,
      offsetCrc: state.offsetCrc,
      timeEntries: state.timeEntries,
      timeCrc: state.timeCrc,
    };
    const problem =
      indexes.#offsets.problem(state.logBytes) ?? indexes.#times.problem(state.endOffset);
    return problem === undefined ? indexes : undefined;
  }

  #addTimestamp(): void {
    if (this.#maxTimestamp >= 0) {
      this.#times.append({ timestamp: this.#maxTimestamp, offset: this.#maxTimestampOffset });
    }
  }

  async #write(part: {
    readonly suffix: string;
    readonly bytes: Uint8Array;
    readonly at: number;
    readonly sync: boolean;
  }): Promise<void> {
    const { fileSystem, directory, baseOffset } = this.#place;
    const file = await fileSystem.open(
      `${directory}/${segmentFileName(baseOffset, part.suffix)}`,
      "readWrite",
    );
    try {
      await file.truncate(part.at);
      await writeFully(file, [part.bytes], part.at);
      if (part.sync) {
        await file.sync();
      }
    } finally {
      await file.close();
    }
  }
}

/** What the state file says, without a look at the indexes; undefined when it is missing or damaged. */
export async function readIndexState(place: IndexPlace): Promise<IndexState | undefined> {
  const path = `${place.directory}/${segmentFileName(place.baseOffset, INDEX_STATE_SUFFIX)}`;
  const bytes = await readIfPresent(place.fileSystem, path);
  return bytes === undefined ? undefined : decodeIndexState(bytes, place.compute);
}
