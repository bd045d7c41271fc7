// The seam's `FileSystem` for one process on a simulated disk: adds time, faults and death to `Volume`.

import {
  type DirectoryEntry,
  type DirectoryLock,
  FileError,
  type FileHandle,
  type FileStatus,
  type FileSystem,
  type OpenMode,
} from "../file-system.js";
import { DiskQueue } from "./disk-queue.js";
import type { FileInode } from "./file-inode.js";
import type { MachineClock } from "./sim-clock.js";
import type { SimDisk } from "./sim-disk.js";
import { SimFileHandle } from "./sim-file-handle.js";
import type { SimProcess } from "./sim-process.js";
import type { World } from "./world.js";

export interface FileSystemContext {
  readonly world: World;
  readonly disk: SimDisk;
  readonly process: SimProcess;
  readonly clock: MachineClock;
}

export class SimFileSystem implements FileSystem {
  readonly #disk: SimDisk;
  readonly #process: SimProcess;
  readonly #clock: MachineClock;
  readonly #queue: DiskQueue;

  constructor(context: FileSystemContext) {
    this.#disk = context.disk;
    this.#process = context.process;
    this.#clock = context.clock;
    this.#queue = new DiskQueue(context);
  }

  open(path: string, mode: OpenMode): Promise<FileHandle> {
    const inode = this.#find(path);
    const creates = mode === "createNew" || (mode === "readWrite" && inode === undefined);
    const perform = (): FileInode => this.#openInode(path, mode);
    return this.#queue.run({ kind: creates ? "create" : "open", path, perform }).then(
      (file) =>
        new SimFileHandle({
          path,
          file,
          mode,
          disk: this.#disk,
          queue: this.#queue,
          clock: this.#clock,
        }),
    );
  }

  readFile(path: string): Promise<Uint8Array> {
    const perform = (): Uint8Array => this.#disk.peek(path);
    return this.#queue.run({ kind: "read", path, perform });
  }

  status(path: string): Promise<FileStatus> {
    const perform = (): FileStatus => {
      const inode = this.#disk.volume.existing(path);
      const size = inode.kind === "file" ? inode.cached.size : 0;
      return { kind: inode.kind, size, modifiedMs: inode.modifiedMs };
    };
    return this.#queue.run({ kind: "status", path, perform });
  }

  createDirectory(path: string): Promise<void> {
    const perform = (): void => this.#disk.volume.createDirectory(path, this.#clock.nowMs());
    return this.#queue.run({ kind: "createDirectory", path, perform });
  }

  readDirectory(path: string): Promise<DirectoryEntry[]> {
    const perform = (): DirectoryEntry[] => {
      const entries = [...this.#disk.volume.directory(path).entries];
      // "In no particular order": a different one each time.
      for (let index = entries.length - 1; index > 0; index--) {
        const other = this.#disk.prng.below(index + 1);
        const [one, two] = [entries[index], entries[other]];
        if (one !== undefined && two !== undefined) {
          entries[index] = two;
          entries[other] = one;
        }
      }
      return entries.map(([name, inode]) => ({ name, kind: inode.kind }));
    };
    return this.#queue.run({ kind: "readDirectory", path, perform });
  }

  rename(from: string, to: string): Promise<void> {
    const perform = (): void => {
      const replaced = this.#disk.volume.rename(from, to);
      if (replaced !== undefined) {
        this.#disk.releaseUnused(replaced);
      }
    };
    return this.#queue.run({ kind: "rename", path: from, perform });
  }

  removeFile(path: string): Promise<void> {
    const perform = (): void => this.#disk.releaseUnused(this.#disk.volume.removeFile(path));
    return this.#queue.run({ kind: "removeFile", path, perform });
  }

  removeDirectory(path: string): Promise<void> {
    const remove = (stopAfter?: number): void => {
      for (const file of this.#disk.volume.removeDirectory(path, stopAfter)) {
        this.#disk.releaseUnused(file);
      }
    };
    return this.#queue.run({
      kind: "removeDirectory",
      path,
      perform: () => remove(),
      performPart: (prng) => remove(prng.below(8)),
    });
  }

  syncDirectory(path: string): Promise<void> {
    const volume = this.#disk.volume;
    const mark = volume.beginDirectorySync();
    const perform = (): void => volume.completeDirectorySync(volume.directory(path), mark);
    return this.#queue.run({ kind: "syncDirectory", path, perform });
  }

  lockDirectory(path: string): Promise<DirectoryLock> {
    const perform = (): DirectoryLock => this.#disk.lock(path, this.#process);
    return this.#queue.run({ kind: "lock", path, perform });
  }

  availableBytes(path: string): Promise<number> {
    const perform = (): number => {
      this.#disk.volume.existing(path);
      return this.#disk.availableBytes;
    };
    return this.#queue.run({ kind: "status", path, perform });
  }

  #find(path: string): unknown {
    try {
      return this.#disk.volume.find(path);
    } catch {
      // A path that cannot be resolved fails where every other operation fails: when it is performed.
      return undefined;
    }
  }

  #openInode(path: string, mode: OpenMode): FileInode {
    const volume = this.#disk.volume;
    this.#disk.checkHandleLimit(path);
    const existing = volume.find(path);
    if (existing !== undefined && mode === "createNew") {
      throw new FileError("ALREADY_EXISTS", path, `${path}: exists`);
    }
    if (existing === undefined && mode !== "read") {
      const file = volume.createFile(path, this.#clock.nowMs());
      this.#disk.openHandle(file);
      return file;
    }
    const file = volume.file(path);
    this.#disk.openHandle(file);
    return file;
  }
}
