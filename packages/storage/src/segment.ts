// One segment: a `.log` file of batches back to back, its indexes, and the readers that still need them. Knows
// nothing about marks or recovery. The last segment of a log is active (its indexes stay in memory and grow), the
// others are sealed (their indexes are loaded when somebody looks something up, and may be dropped again).

import type { BatchHeader } from "@millrace/protocol";
import type { FileHandle } from "@millrace/runtime";
import { scanBatches } from "./batch-scanner.js";
import { BatchSequence } from "./core/batch-sequence.js";
import { INDEX_STATE_SUFFIX, type IndexState } from "./core/index-state.js";
import {
  DELETED_SUFFIX,
  LOG_SUFFIX,
  OFFSET_INDEX_SUFFIX,
  segmentFileName,
  TIME_INDEX_SUFFIX,
} from "./core/segment-name.js";
import { isFileError, removeIfPresent } from "./files.js";
import { type IndexPlace, SegmentIndexes } from "./segment-indexes.js";
import type { UndamagedRun } from "./torn-tail.js";

/** All files of a segment, the one that makes it a segment first. */
export const SEGMENT_SUFFIXES = [
  LOG_SUFFIX,
  OFFSET_INDEX_SUFFIX,
  TIME_INDEX_SUFFIX,
  INDEX_STATE_SUFFIX,
] as const;

export type SegmentSummary = Pick<
  IndexState,
  "logBytes" | "endOffset" | "maxTimestamp" | "maxTimestampOffset" | "firstTimestamp"
>;

export interface SegmentOptions extends IndexPlace {
  readonly summary: SegmentSummary;
  /** Given for an active segment. */
  readonly indexes?: SegmentIndexes | undefined;
  /** Given for a damaged segment: what can be read of it, in order. Its indexes describe the first run. */
  readonly runs?: readonly UndamagedRun[] | undefined;
}

export class Segment {
  readonly baseOffset: number;
  readonly #place: IndexPlace;
  #summary: SegmentSummary;
  #indexes: SegmentIndexes | undefined;
  #runs: readonly UndamagedRun[] | undefined;
  #mappedBytes: number | undefined;
  #loading: Promise<SegmentIndexes> | undefined;
  #file: Promise<FileHandle> | undefined;
  /** What `#file` resolved with. */
  #openFile: FileHandle | undefined;
  #readers = 0;
  #suffix = "";
  /** The open file must stay: its name may soon be another's. */
  #isPinned = false;
  /** The index files are this segment's: they may be loaded, and stored. */
  #hasIndexFiles = true;
  /** The log appends to it: its indexes must stay in memory, its file open. */
  #isActive: boolean;
  #onIdle: (() => void) | undefined;

  constructor(options: SegmentOptions) {
    this.baseOffset = options.baseOffset;
    this.#place = options;
    this.#summary = options.summary;
    this.#indexes = options.indexes;
    this.#runs = options.runs;
    this.#isActive = options.indexes !== undefined;
  }

  /** A new, empty, active segment. Durable after the directory is synced. */
  static async create(place: IndexPlace): Promise<Segment> {
    const indexes = new SegmentIndexes(place);
    const segment = new Segment({ ...place, summary: indexes, indexes });
    // An earlier attempt may have failed after it created the file (a full disk), and hints of a segment that was
    // truncated away may still lie about: they would describe other batches.
    for (const suffix of SEGMENT_SUFFIXES) {
      const name = segmentFileName(place.baseOffset, suffix);
      await removeIfPresent(place.fileSystem, `${place.directory}/${name}`);
    }
    const file = await place.fileSystem.open(segment.path, "createNew");
    segment.#file = Promise.resolve(file);
    segment.#openFile = file;
    return segment;
  }

  get path(): string {
    const { directory, baseOffset } = this.#place;
    return `${directory}/${segmentFileName(baseOffset, LOG_SUFFIX)}${this.#suffix}`;
  }

  get sizeBytes(): number {
    return this.#summary.logBytes;
  }

  /** Exclusive. */
  get endOffset(): number {
    return this.#summary.endOffset;
  }

  /** Undefined when the segment is not known to be damaged. */
  get runs(): readonly UndamagedRun[] | undefined {
    return this.#runs;
  }

  /** Up to where every batch was verified to find `runs`; undefined when a start took headers' word. */
  get mappedBytes(): number | undefined {
    return this.#mappedBytes;
  }

  /** Damage was found: of the first `mappedBytes` bytes only `runs` can be read. */
  mapRuns(runs: readonly UndamagedRun[], mappedBytes: number): void {
    this.#runs = runs;
    this.#mappedBytes = mappedBytes;
  }

  get maxTimestamp(): number {
    return this.#summary.maxTimestamp;
  }

  get maxTimestampOffset(): number {
    return this.#summary.maxTimestampOffset;
  }

  get firstTimestamp(): number {
    return this.#summary.firstTimestamp;
  }

  /** Bytes of indexes in memory that `rest` would free. */
  get indexBytes(): number {
    return this.#indexes?.sizeBytes ?? 0;
  }

  /** The file, if it is open already. */
  get openFile(): FileHandle | undefined {
    return this.#openFile;
  }

  /** The open file; opened at first use. */
  file(): Promise<FileHandle> {
    if (this.#file === undefined) {
      const opening = this.#place.fileSystem.open(this.path, "readWrite");
      this.#file = opening;
      opening.then(
        (file) => {
          if (this.#file === opening) {
            this.#openFile = file;
          }
        },
        () => {
          this.#file = undefined;
        },
      );
    }
    return this.#file;
  }

  /** The active segment's indexes, which are always in memory. */
  get activeIndexes(): SegmentIndexes {
    if (this.#indexes === undefined) {
      throw new Error(`${this.path} is not active`);
    }
    return this.#indexes;
  }

  /** Takes note of a batch that was written at the end. */
  wrote(header: BatchHeader, indexIntervalBytes: number): void {
    const indexes = this.activeIndexes;
    indexes.add(header, indexIntervalBytes);
    this.#summary = indexes;
  }

  /** The indexes, loaded or built again when they are not in memory. */
  indexes(indexIntervalBytes: number): Promise<SegmentIndexes> {
    if (this.#indexes !== undefined) {
      return Promise.resolve(this.#indexes);
    }
    this.#loading ??= this.#loadIndexes(indexIntervalBytes).finally(() => {
      this.#loading = undefined;
    });
    return this.#loading;
  }

  async #loadIndexes(indexIntervalBytes: number): Promise<SegmentIndexes> {
    const loaded = this.#hasIndexFiles ? await SegmentIndexes.load(this.#place) : undefined;
    const isComplete = loaded !== undefined && loaded.logBytes === this.sizeBytes;
    const found = isComplete ? loaded : await this.#buildIndexes(indexIntervalBytes);
    // A truncation may have replaced them meanwhile; then what was found is of a file that is no more.
    this.#indexes ??= found;
    return this.#indexes;
  }

  async #buildIndexes(indexIntervalBytes: number): Promise<SegmentIndexes> {
    const indexes = new SegmentIndexes(this.#place);
    await this.reading((file) =>
      scanBatches({
        file,
        from: 0,
        to: this.sizeBytes,
        sequence: new BatchSequence(this.baseOffset),
        visit: ({ header }) => {
          indexes.add(header, indexIntervalBytes);
          return undefined;
        },
      }),
    );
    indexes.finish();
    if (this.#hasIndexFiles && this.#indexes === undefined) {
      await indexes.store({ sync: false }).catch(ignoreExhaustion);
    }
    return indexes;
  }

  /** Lets go of what can be had again: the indexes in memory, and the open file when nobody reads it. */
  rest(): void {
    if (this.#isActive) {
      return;
    }
    this.#indexes = undefined;
    const file = this.#file;
    if (this.#readers === 0 && file !== undefined && !this.#isPinned) {
      this.#file = undefined;
      this.#openFile = undefined;
      // Closing a file that was only read loses nothing, whatever the outcome.
      void file.then((open) => open.close()).catch(() => undefined);
    }
  }

  /**
   * Takes the place of the indexes, before the end of the file is cut. The segment is active from now on. Resolves when
   * nobody builds or stores other ones any more: those would describe what is about to go.
   */
  async replaceIndexes(indexes: SegmentIndexes): Promise<void> {
    this.#isActive = true;
    this.#runs = undefined;
    this.#mappedBytes = undefined;
    this.#indexes = indexes;
    this.#summary = indexes;
    await this.#loading?.catch(() => undefined);
  }

  /** The segment is complete: its indexes are stored durably, so that a start need not read the log. */
  async seal(): Promise<void> {
    const indexes = this.activeIndexes;
    indexes.finish();
    await indexes.store({ sync: true });
  }

  /** Another segment is active from now on. Call after `seal`. */
  deactivate(): void {
    this.#summary = summaryOf(this.activeIndexes);
    this.#isActive = false;
  }

  /** Runs `use` while the file stays open and in place. */
  async reading<T>(use: (file: FileHandle) => Promise<T>): Promise<T> {
    this.enter();
    try {
      return await use(await this.file());
    } finally {
      this.leave();
    }
  }

  /** While a reader is in, the file is neither closed nor removed. Pair with `leave`. */
  enter(): void {
    this.#readers++;
  }

  leave(): void {
    this.#readers--;
    if (this.#readers === 0) {
      this.#onIdle?.();
      this.#onIdle = undefined;
    }
  }

  get hasReaders(): boolean {
    return this.#readers > 0;
  }

  /** Opens the file and keeps it open, whatever becomes of its name. */
  async pin(): Promise<void> {
    this.#isPinned = true;
    await this.file();
  }

  /** From now on the index files are somebody else's: nothing of this segment reads or writes them any more. */
  async leaveIndexFiles(): Promise<void> {
    this.#hasIndexFiles = false;
    await this.#loading?.catch(() => undefined);
  }

  /** Renames all files to `.deleted`: after a restart they are no longer part of the log. Readers go on. */
  async retire(): Promise<void> {
    await this.pin();
    await this.leaveIndexFiles();
    for (const suffix of SEGMENT_SUFFIXES) {
      const { fileSystem, directory, baseOffset } = this.#place;
      const path = `${directory}/${segmentFileName(baseOffset, suffix)}`;
      try {
        await fileSystem.rename(path, path + DELETED_SUFFIX);
      } catch (error) {
        if (!isFileError(error, "NOT_FOUND")) {
          throw error;
        }
      }
    }
    this.#suffix = DELETED_SUFFIX;
  }

  /** Waits for the last reader, then closes and removes the files of a retired segment. */
  async remove(): Promise<void> {
    await this.close();
    const { fileSystem, directory, baseOffset } = this.#place;
    for (const suffix of SEGMENT_SUFFIXES) {
      await removeIfPresent(
        fileSystem,
        `${directory}/${segmentFileName(baseOffset, suffix)}${DELETED_SUFFIX}`,
      );
    }
  }

  /** Waits for the last reader, then closes the file. */
  async close(): Promise<void> {
    if (this.#readers > 0) {
      await new Promise<void>((resolve) => {
        const earlier = this.#onIdle;
        this.#onIdle = () => {
          earlier?.();
          resolve();
        };
      });
    }
    const file = this.#file;
    this.#file = undefined;
    this.#openFile = undefined;
    await (await file)?.close();
  }
}

/** The indexes are in memory, which is what a reader needs; the next one that finds them gone builds them again. */
function ignoreExhaustion(error: unknown): void {
  if (!isFileError(error, "STORAGE_FULL") && !isFileError(error, "TOO_MANY_OPEN_FILES")) {
    throw error;
  }
}

function summaryOf(indexes: SegmentIndexes): SegmentSummary {
  const { logBytes, endOffset, maxTimestamp, maxTimestampOffset, firstTimestamp } = indexes;
  return { logBytes, endOffset, maxTimestamp, maxTimestampOffset, firstTimestamp };
}
