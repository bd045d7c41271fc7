// The commit journal: one append-only file that makes rounds of many logs durable with one write and one sync, when more
// logs wait than syncs may run at once. The logs' own files are written before, without a sync; the journal syncs them
// later, one after the other, before it begins a file anew. Two files take turns. Reading them is journal-replay.ts;
// ADR 0007 says why it is there and what it must not break.

import { FileError, type FileHandle } from "@millrace/runtime";
import { SyncFailed } from "./commit-round.js";
import {
  copiesThatSurvive,
  encodeJournalFrame,
  encodeJournalHeader,
  JOURNAL_BODY_BYTES_MAX,
  JOURNAL_FILES,
  JOURNAL_FRAME_HEADER_BYTES,
  JOURNAL_HEADER_BYTES,
  type JournalEntry,
  type JournalExtent,
  journalEntryBytes,
} from "./core/commit-journal-format.js";
import { assertWhole, isFileError, removeIfPresent } from "./files.js";
import { removeJournal } from "./journal-replay.js";
import type { StorageFailure } from "./log-types.js";
import type { StorageConfig, StorageRuntime } from "./storage-config.js";

/** Beyond its half, for words that something is to be forgotten: those cannot wait. */
const FORGET_BYTES_MAX = 4 * JOURNAL_BODY_BYTES_MAX;

/** A log whose bytes are in the journal. */
export interface JournaledLog {
  /** What was appended when it was called is durable in the log's own file when it resolves. */
  land(): Promise<void>;
}

export interface CommitJournalOptions {
  readonly runtime: Pick<StorageRuntime, "fileSystem" | "compute" | "random" | "clock" | "logger">;
  readonly storage: StorageConfig;
  /** The data directory. */
  readonly path: string;
  /** Something failed for good: what is in the journal must stay there for the next start. */
  readonly hasFailed: () => boolean;
  readonly fail: (failure: StorageFailure) => void;
}

interface Generation {
  readonly file: FileHandle;
  salt: number;
  /** Where the next frame goes. */
  position: number;
  /** Those that a replay would touch. */
  readonly logs: Map<string, JournaledLog>;
}

interface Waiting {
  readonly entry: JournalEntry;
  readonly log: JournaledLog | undefined;
  readonly sizeBytes: number;
  readonly resolve: (isDurable: boolean) => void;
  readonly reject: (error: unknown) => void;
}

export class CommitJournal {
  readonly #options: CommitJournalOptions;
  /** By file; undefined until it is needed first. */
  readonly #generations: [Generation | undefined, Generation | undefined] = [undefined, undefined];
  #current: 0 | 1 = 0;
  #lastGeneration = 0;
  #waiting: Waiting[] = [];
  #isWriting = false;
  #recycling: Promise<void> | undefined;
  #isFull = false;
  /** Nothing is written behind what may not be on the disk: a replay would take it, without what it follows. */
  #syncFailure: SyncFailed | undefined;

  constructor(options: CommitJournalOptions) {
    this.#options = options;
  }

  /** False while both files are in use, and where there is no journal: rounds go to the logs' own files then. */
  get hasRoom(): boolean {
    return this.#options.storage.journalBytes > 0 && !this.#isFull;
  }

  /**
   * Resolves with true when the extent is durable here; with false when there is no room, and nothing is promised.
   * @throws SyncFailed, which is final
   */
  append(extent: JournalExtent, log: JournaledLog): Promise<boolean> {
    return this.#enqueue(extent, log);
  }

  /**
   * Nothing that was appended for this log so far is ever replayed, durably when it resolves. The log's own file must
   * be synced before. Called before the log gets shorter at its end, or goes.
   * @throws FileError, SyncFailed
   */
  async forget(name: string): Promise<void> {
    if (!this.#generations.some((generation) => generation?.logs.has(name) === true)) {
      return;
    }
    if (!(await this.#enqueue({ kind: "forget", name }, undefined))) {
      throw new FileError("STORAGE_FULL", this.#options.path, "the commit journal is full");
    }
    for (const generation of this.#generations) {
      generation?.logs.delete(name);
    }
  }

  /** Every log is closed, its file synced: nothing needs to be replayed, and the files go. */
  async close(): Promise<void> {
    await this.#recycling;
    const { path, runtime } = this.#options;
    for (const index of [0, 1] as const) {
      await this.#generations[index]?.file.close();
      this.#generations[index] = undefined;
    }
    if (!this.#options.hasFailed()) {
      await removeJournal(runtime.fileSystem, path);
    }
  }

  #enqueue(entry: JournalEntry, log: JournaledLog | undefined): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const sizeBytes = journalEntryBytes(entry);
      this.#waiting.push({ entry, log, sizeBytes, resolve, reject });
      if (!this.#isWriting) {
        this.#isWriting = true;
        // All rounds that begin in this turn share a frame.
        this.#options.runtime.clock.defer(() => void this.#writeAll());
      }
    });
  }

  async #writeAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      const group = this.#takeGroup();
      try {
        const isDurable = await this.#writeFrame(group);
        for (const { resolve } of group) {
          resolve(isDurable);
        }
      } catch (error) {
        this.#syncFailure ??= error instanceof SyncFailed ? error : undefined;
        for (const { reject } of group) {
          reject(error);
        }
      }
    }
    this.#isWriting = false;
  }

  #takeGroup(): Waiting[] {
    let bytes = 0;
    let count = 0;
    const kind = this.#waiting[0]?.entry.kind;
    for (const { entry, sizeBytes } of this.#waiting) {
      bytes += sizeBytes;
      if (entry.kind !== kind || (count > 0 && bytes > JOURNAL_BODY_BYTES_MAX)) {
        break;
      }
      count++;
    }
    const group = this.#waiting.slice(0, count);
    this.#waiting = this.#waiting.slice(count);
    return group;
  }

  async #writeFrame(group: readonly Waiting[]): Promise<boolean> {
    if (this.#syncFailure !== undefined) {
      throw this.#syncFailure;
    }
    const sizeBytes = group.reduce((sum, waiting) => sum + waiting.sizeBytes, 0);
    const frameBytes = JOURNAL_FRAME_HEADER_BYTES + sizeBytes;
    const mustFit = group[0]?.entry.kind === "forget";
    // Without it older bytes would go over newer ones; a lost extent is still in the log's own file, unless the power went.
    const copies = mustFit ? copiesThatSurvive(frameBytes) : 1;
    let generation: Generation | undefined;
    try {
      generation = await this.#roomFor(copies * frameBytes, mustFit);
      if (generation === undefined) {
        return false;
      }
      // Before the write: even a frame that fails may be found by a replay.
      for (const { entry, log } of group) {
        if (log !== undefined) {
          generation.logs.set(entry.name, log);
        }
      }
      const entries = group.map(({ entry }) => entry);
      const { compute } = this.#options.runtime;
      const frame = encodeJournalFrame(entries, sizeBytes, { salt: generation.salt, compute });
      await this.#write(
        generation,
        Array.from({ length: copies }, () => frame),
      );
    } catch (error) {
      const isExhausted =
        isFileError(error, "STORAGE_FULL") || isFileError(error, "TOO_MANY_OPEN_FILES");
      // A part of it may be there, with whole copies of what is not to be forgotten after all.
      await generation?.file.truncate(generation.position);
      if (isExhausted && !mustFit) {
        return false;
      }
      throw error;
    }
    await sync(generation.file);
    return true;
  }

  async #write(generation: Generation, frames: readonly Uint8Array[]): Promise<void> {
    const { file, position } = generation;
    const sizeBytes = frames.reduce((sum, frame) => sum + frame.length, 0);
    const isSmall = sizeBytes <= this.#options.storage.synchronousWriteBytesMax;
    const written = isSmall ? file.writeSync(frames, position) : await file.write(frames, position);
    assertWhole(file, sizeBytes, written);
    generation.position += sizeBytes;
  }

  /** The generation that takes so many bytes; undefined when neither does. */
  async #roomFor(sizeBytes: number, mustFit: boolean): Promise<Generation | undefined> {
    const halfBytes = Math.floor(this.#options.storage.journalBytes / 2);
    let generation = await this.#generation(this.#current);
    if (generation.position + sizeBytes > halfBytes && this.#recycling === undefined) {
      generation = await this.#turn(generation);
    }
    const endMax = mustFit ? halfBytes + FORGET_BYTES_MAX : halfBytes;
    if (generation.position + sizeBytes <= endMax) {
      return generation;
    }
    this.#isFull = this.#recycling !== undefined;
    return undefined;
  }

  async #generation(index: 0 | 1): Promise<Generation> {
    const generation = this.#generations[index] ?? (await this.#create(index));
    this.#generations[index] = generation;
    return generation;
  }

  /**
   * Goes on in the other file, and makes this one empty in the background. A file that could not be emptied the last
   * time is tried again first: a newer generation must not go before an older one, since it may say what to forget.
   */
  async #turn(current: Generation): Promise<Generation> {
    const index = this.#current === 0 ? 1 : 0;
    const other = await this.#generation(index);
    const isEmpty = other.position === JOURNAL_HEADER_BYTES;
    if (isEmpty) {
      this.#current = index;
    }
    this.#recycling = this.#recycle(isEmpty ? current : other).finally(() => {
      this.#recycling = undefined;
      this.#isFull = false;
    });
    return isEmpty ? other : current;
  }

  async #create(index: 0 | 1): Promise<Generation> {
    const { path, runtime } = this.#options;
    const { fileSystem } = runtime;
    const name = `${path}/${JOURNAL_FILES[index]}`;
    await removeIfPresent(fileSystem, name);
    const file = await fileSystem.open(name, "createNew");
    try {
      const generation = { file, salt: 0, position: 0, logs: new Map<string, JournaledLog>() };
      await this.#begin(generation);
      await fileSystem.syncDirectory(path);
      return generation;
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** What the file held is no more, durably when it resolves. */
  async #begin(generation: Generation): Promise<void> {
    const { compute, random } = this.#options.runtime;
    const salt = new DataView(random.fill(new Uint8Array(4)).buffer).getUint32(0);
    const header = { salt, generation: ++this.#lastGeneration };
    const { file } = generation;
    const bytes = encodeJournalHeader(header, compute);
    assertWhole(file, bytes.length, await file.write([bytes], 0));
    await sync(file);
    generation.salt = salt;
    generation.position = JOURNAL_HEADER_BYTES;
    generation.logs.clear();
  }

  /** One log at a time: nobody waits for it, and rounds and reads need the threads. */
  async #recycle(generation: Generation): Promise<void> {
    try {
      for (const log of generation.logs.values()) {
        await log.land();
      }
      if (!this.#options.hasFailed()) {
        await this.#begin(generation);
      }
    } catch (error) {
      const { path } = generation.file;
      if (isFileError(error, "STORAGE_FULL")) {
        this.#options.runtime.logger.warn({ path, error }, "commit journal not emptied");
      } else {
        const reason = error instanceof Error ? error.message : String(error);
        this.#options.fail({
          path,
          message: `emptying the journal failed: ${reason}`,
          cause: error,
        });
      }
    }
  }
}

async function sync(file: FileHandle): Promise<void> {
  try {
    await file.sync();
  } catch (error) {
    throw new SyncFailed(error);
  }
}
