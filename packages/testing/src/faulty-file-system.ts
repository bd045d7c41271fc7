// The file system in front of a test broker's real one, for one life of the broker: syncs that fail, a disk
// that is full, and the end of the process, after which nothing reaches a file any more.

import {
  type DirectoryEntry,
  type DirectoryLock,
  FileError,
  type FileHandle,
  type FileStatus,
  type FileSystem,
  type OpenMode,
} from "@millrace/runtime";
import type { Faults } from "./faults.js";
import { FaultyFile } from "./faulty-file.js";

export class FaultyFileSystem implements FileSystem {
  readonly #inner: FileSystem;
  readonly #faults: Faults;
  readonly #files = new Set<FileHandle>();
  readonly #locks = new Set<DirectoryLock>();
  #isCut = false;

  constructor(inner: FileSystem, faults: Faults) {
    this.#inner = inner;
    this.#faults = faults;
  }

  get isCut(): boolean {
    return this.#isCut;
  }

  /** The process is gone: what comes now fails, and the kernel closes files and releases locks. */
  async cut(): Promise<void> {
    this.#isCut = true;
    await Promise.all([...this.#files].map((file) => file.close()));
    await Promise.all([...this.#locks].map((lock) => lock.release()));
  }

  /** @throws FileError when the process is gone */
  check(path: string): void {
    if (this.#isCut) {
      throw new FileError("IO_ERROR", path, `${path}: the broker was killed`);
    }
  }

  open(path: string, mode: OpenMode): Promise<FileHandle> {
    return this.#run(path, async () => {
      const file = await this.#inner.open(path, mode);
      this.#files.add(file);
      return new FaultyFile(file, {
        faults: this.#faults,
        check: () => this.check(path),
        onClose: () => this.#files.delete(file),
      });
    });
  }

  readFile(path: string): Promise<Uint8Array> {
    return this.#run(path, () => this.#inner.readFile(path));
  }

  status(path: string): Promise<FileStatus> {
    return this.#run(path, () => this.#inner.status(path));
  }

  createDirectory(path: string): Promise<void> {
    return this.#run(path, () => this.#inner.createDirectory(path));
  }

  readDirectory(path: string): Promise<DirectoryEntry[]> {
    return this.#run(path, () => this.#inner.readDirectory(path));
  }

  rename(from: string, to: string): Promise<void> {
    return this.#run(from, () => this.#inner.rename(from, to));
  }

  removeFile(path: string): Promise<void> {
    return this.#run(path, () => this.#inner.removeFile(path));
  }

  removeDirectory(path: string): Promise<void> {
    return this.#run(path, () => this.#inner.removeDirectory(path));
  }

  syncDirectory(path: string): Promise<void> {
    return this.#run(path, () => this.#inner.syncDirectory(path));
  }

  lockDirectory(path: string): Promise<DirectoryLock> {
    return this.#run(path, async () => {
      const lock = await this.#inner.lockDirectory(path);
      this.#locks.add(lock);
      return {
        release: async () => {
          this.#locks.delete(lock);
          await lock.release();
        },
      };
    });
  }

  availableBytes(path: string): Promise<number> {
    return this.#run(path, async () =>
      this.#faults.fullDisk ? 0 : await this.#inner.availableBytes(path),
    );
  }

  /** An answer that comes after the end is no answer: nobody is left to hear it. */
  async #run<Value>(path: string, work: () => Promise<Value>): Promise<Value> {
    this.check(path);
    const value = await work();
    this.check(path);
    return value;
  }
}
