// A file system that lives in this object: nothing reaches a disk, and every operation completes at once. It
// keeps what was written apart from what was synced, so that a test can take the difference away. Faults are
// not its business: whoever wants a failing sync or a full disk puts that in front.

import type { Clock } from "../clock.js";
import {
  type DirectoryEntry,
  type DirectoryLock,
  FileError,
  type FileHandle,
  type FileStatus,
  type FileSystem,
  type OpenMode,
} from "../file-system.js";
import type { FileInode } from "../sim/file-inode.js";
import { Prng } from "../sim/prng.js";
import { type Inode, Volume } from "../sim/volume.js";
import { MemoryFile } from "./memory-file.js";
import { SpaceMeter } from "./space-meter.js";

export interface MemoryFileSystemOptions {
  /** For modification times. */
  readonly clock: Pick<Clock, "nowMs">;
  /** What fits, in bytes of file content; beyond it writes are short, then fail. Default 1 GiB. */
  readonly capacityBytes?: number;
}

const CAPACITY_BYTES = 1024 ** 3;

export class MemoryFileSystem implements FileSystem {
  readonly #clock: Pick<Clock, "nowMs">;
  readonly #space: SpaceMeter;
  readonly #volume: Volume;
  readonly #locked = new Set<Inode>();
  #open = new Set<MemoryFile>();

  constructor(options: MemoryFileSystemOptions) {
    this.#clock = options.clock;
    this.#space = new SpaceMeter(options.capacityBytes ?? CAPACITY_BYTES);
    this.#volume = new Volume(options.clock.nowMs());
  }

  /**
   * What a power cut leaves: only what was synced, names included. Open handles are dead and locks are gone, as
   * the process that had them is.
   */
  losePower(): void {
    for (const file of this.#open) {
      file.invalidate();
    }
    this.#open = new Set();
    this.#locked.clear();
    // The model "nothing" draws no lots that matter: no unsynced operation survives.
    this.#volume.losePower(Prng.fromSeed(0), "nothing");
    this.#space.reset([...this.#volume.inodes()].flatMap((one) => sizeOf(one)));
  }

  async open(path: string, mode: OpenMode): Promise<FileHandle> {
    const inode = this.#openInode(path, mode);
    const file = new MemoryFile({
      path,
      inode,
      isWritable: mode !== "read",
      clock: this.#clock,
      space: this.#space,
      onClose: () => this.#open.delete(file),
    });
    this.#open.add(file);
    return file;
  }

  async readFile(path: string): Promise<Uint8Array> {
    const { cached } = this.#volume.file(path);
    const content = new Uint8Array(cached.size);
    cached.read(content, 0);
    return content;
  }

  async status(path: string): Promise<FileStatus> {
    const inode = this.#volume.existing(path);
    const size = inode.kind === "file" ? inode.cached.size : 0;
    return { kind: inode.kind, size, modifiedMs: inode.modifiedMs };
  }

  async createDirectory(path: string): Promise<void> {
    this.#volume.createDirectory(path, this.#clock.nowMs());
  }

  async readDirectory(path: string): Promise<DirectoryEntry[]> {
    const { entries } = this.#volume.directory(path);
    return [...entries].map(([name, inode]) => ({ name, kind: inode.kind }));
  }

  async rename(from: string, to: string): Promise<void> {
    const replaced = this.#volume.rename(from, to);
    if (replaced !== undefined) {
      this.#space.release(replaced.cached.size);
    }
  }

  async removeFile(path: string): Promise<void> {
    this.#space.release(this.#volume.removeFile(path).cached.size);
  }

  async removeDirectory(path: string): Promise<void> {
    for (const file of this.#volume.removeDirectory(path)) {
      this.#space.release(file.cached.size);
    }
  }

  async syncDirectory(path: string): Promise<void> {
    const directory = this.#volume.directory(path);
    this.#volume.completeDirectorySync(directory, this.#volume.beginDirectorySync());
  }

  async lockDirectory(path: string): Promise<DirectoryLock> {
    const directory = this.#volume.directory(path);
    if (this.#locked.has(directory)) {
      throw new FileError("LOCKED", path, `${path}: is locked by another holder`);
    }
    this.#locked.add(directory);
    let isHeld = true;
    return {
      release: async () => {
        if (isHeld) {
          isHeld = false;
          this.#locked.delete(directory);
        }
      },
    };
  }

  async availableBytes(path: string): Promise<number> {
    this.#volume.existing(path);
    return this.#space.availableBytes;
  }

  #openInode(path: string, mode: OpenMode): FileInode {
    const existing = this.#volume.find(path);
    if (existing !== undefined && mode === "createNew") {
      throw new FileError("ALREADY_EXISTS", path, `${path}: exists`);
    }
    return existing === undefined && mode !== "read"
      ? this.#volume.createFile(path, this.#clock.nowMs())
      : this.#volume.file(path);
  }
}

function sizeOf(inode: Inode): number[] {
  return inode.kind === "file" ? [inode.cached.size] : [];
}
