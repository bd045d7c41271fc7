// A file that does nothing but hold space, so that a completely full disk can still free itself: what deleting needs (the
// new log start, the metadata of a topic's deletion) is written into the space that the file gives up. While it is
// gone records are refused, so that they do not take what it gave; it is made again as soon as there is room.

import type { FileHandle, Timer } from "@millrace/runtime";
import { RoundRefused } from "./commit-round.js";
import { RESERVE_FILE } from "./core/segment-name.js";
import { CHUNK_BYTES, isFileError, removeIfPresent, writeFully } from "./files.js";
import { removeHints } from "./hint-removal.js";
import type { StorageRuntime } from "./storage-config.js";

/** Less would not hold the checkpoints of a few thousand partitions. */
const RESERVE_BYTES_MIN = 64 * 1024;
/** Of the free space, so that a small disk is left to the records. */
const SHARE_OF_FREE_SPACE = 1 / 8;
const RETRY_INTERVAL_MS = 1_000;

export interface SpaceReserveOptions {
  readonly runtime: StorageRuntime;
  /** The data directory. */
  readonly path: string;
  /** How large the file is where the disk is not small; 0: there is none, and nothing is ever refused for it. */
  readonly reserveBytes: number;
}

export class SpaceReserve {
  readonly #options: SpaceReserveOptions;
  #isHeld = false;
  #dropping: Promise<void> | undefined;
  #making: Promise<void> | undefined;
  #timer: Timer | undefined;
  #isStopped = false;

  constructor(options: SpaceReserveOptions) {
    this.#options = options;
  }

  /** Whether records may be written. */
  get isHeld(): boolean {
    return this.#isHeld || this.#options.reserveBytes === 0;
  }

  /** Takes over the file that an earlier start left, or makes one if there is room. */
  async open(): Promise<void> {
    const { reserveBytes, runtime } = this.#options;
    if (reserveBytes === 0) {
      await removeIfPresent(runtime.fileSystem, this.#file);
      return;
    }
    const size = await this.#sizeFound();
    const wanted = await this.#affordableBytes(size);
    if (size >= RESERVE_BYTES_MIN && size >= wanted) {
      this.#isHeld = true;
      return;
    }
    await this.#make();
    this.#retryLater();
  }

  /**
   * Does `work`, which helps to free space; when the disk is full, gives the reserve up and does it again. When that is
   * gone, and somebody else took its space, hints are given up. `work` must bear being done three times.
   */
  async useAll<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await this.use(work);
    } catch (error) {
      if (!isDiskFull(error) || !(await this.#giveUpHints())) {
        throw error;
      }
      return await work();
    }
  }

  /**
   * Does `work`; when the disk is full, gives the reserve up and does it again.
   * `work` must bear being done twice.
   */
  async use<T>(work: () => Promise<T>): Promise<T> {
    const wasHeld = this.#isHeld;
    try {
      return await work();
    } catch (error) {
      if (!wasHeld || !isDiskFull(error)) {
        throw error;
      }
      await this.drop();
      return await work();
    }
  }

  async #giveUpHints(): Promise<boolean> {
    const { runtime, path } = this.#options;
    const bytes = await removeHints(runtime.fileSystem, path, RESERVE_BYTES_MIN);
    if (bytes > 0) {
      const message =
        "the disk is full and there is no reserve: indexes are given up, the next start takes longer";
      runtime.logger.warn({ path, bytes }, message);
    }
    return bytes > 0;
  }

  /** Frees the space. Does nothing when it is free already. */
  async drop(): Promise<void> {
    if (this.#isHeld) {
      this.#isHeld = false;
      this.#dropping = this.#remove().finally(() => {
        this.#dropping = undefined;
        this.#retryLater();
      });
      const { logger } = this.#options.runtime;
      logger.warn(
        { path: this.#options.path },
        "the disk is full: the reserve is given up, and records are refused until there is room again",
      );
    }
    await this.#dropping;
  }

  /** Touches the disk no more. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#timer?.cancel();
    await this.#dropping;
    await this.#making;
  }

  get #file(): string {
    return `${this.#options.path}/${RESERVE_FILE}`;
  }

  async #sizeFound(): Promise<number> {
    try {
      return (await this.#options.runtime.fileSystem.status(this.#file)).size;
    } catch (error) {
      if (isFileError(error, "NOT_FOUND")) {
        return 0;
      }
      throw error;
    }
  }

  async #affordableBytes(heldBytes: number): Promise<number> {
    const { runtime, path, reserveBytes } = this.#options;
    const free = heldBytes + (await runtime.fileSystem.availableBytes(path));
    return Math.min(reserveBytes, Math.floor(free * SHARE_OF_FREE_SPACE));
  }

  #retryLater(): void {
    if (this.#isHeld || this.#isStopped) {
      return;
    }
    this.#timer?.cancel();
    this.#timer = this.#options.runtime.clock.setTimer(RETRY_INTERVAL_MS, () => {
      this.#making = this.#make().finally(() => {
        this.#making = undefined;
        this.#retryLater();
      });
    });
  }

  /** Never rejects: without a reserve records are refused, and all else goes on. */
  async #make(): Promise<void> {
    const { runtime, path } = this.#options;
    try {
      const bytes = await this.#affordableBytes(await this.#sizeFound());
      if (bytes < RESERVE_BYTES_MIN) {
        return;
      }
      await this.#remove();
      await this.#write(bytes);
      this.#isHeld = true;
      runtime.logger.debug({ path, bytes }, "the reserve for a full disk is there");
    } catch (error) {
      runtime.logger.debug({ path, error }, "the reserve for a full disk cannot be made");
      await this.#remove();
    }
  }

  async #write(bytes: number): Promise<void> {
    const { fileSystem } = this.#options.runtime;
    const file = await fileSystem.open(this.#file, "createNew");
    try {
      await fill(file, bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await fileSystem.syncDirectory(this.#options.path);
  }

  async #remove(): Promise<void> {
    const { runtime, path } = this.#options;
    try {
      if (await removeIfPresent(runtime.fileSystem, this.#file)) {
        await runtime.fileSystem.syncDirectory(path);
      }
    } catch (error) {
      runtime.logger.warn({ path, error }, "the reserve for a full disk cannot be removed");
    }
  }
}

/** As the file system says it, or a commit round. */
function isDiskFull(error: unknown): boolean {
  const cause = error instanceof RoundRefused ? error.cause : error;
  return isFileError(cause, "STORAGE_FULL");
}

/** With noise: some file systems keep no blocks for zeros. */
async function fill(file: FileHandle, bytes: number): Promise<void> {
  const noise = new Uint8Array(Math.min(bytes, CHUNK_BYTES));
  let state = 1;
  for (let at = 0; at < noise.length; at++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    noise[at] = state >>> 24;
  }
  for (let position = 0; position < bytes; position += noise.length) {
    await writeFully(file, [noise.subarray(0, bytes - position)], position);
  }
}
