// An open file of a memory file system.

import type { Clock } from "../clock.js";
import { FileError, type FileHandle } from "../file-system.js";
import type { FileInode } from "../sim/file-inode.js";
import type { SpaceMeter } from "./space-meter.js";

export interface MemoryFileOptions {
  readonly path: string;
  readonly inode: FileInode;
  readonly isWritable: boolean;
  readonly clock: Pick<Clock, "nowMs">;
  readonly space: SpaceMeter;
  onClose(): void;
}

export class MemoryFile implements FileHandle {
  readonly path: string;
  readonly #options: MemoryFileOptions;
  #isOpen = true;

  constructor(options: MemoryFileOptions) {
    this.path = options.path;
    this.#options = options;
  }

  /** Its process is gone: everything fails from now on. */
  invalidate(): void {
    this.#isOpen = false;
  }

  async read(target: Uint8Array, position: number): Promise<number> {
    this.#check("read");
    return this.#options.inode.cached.read(target, position);
  }

  async write(chunks: readonly Uint8Array[], position: number): Promise<number> {
    return this.writeSync(chunks, position);
  }

  writeSync(chunks: readonly Uint8Array[], position: number): number {
    this.#check("write");
    const { inode, clock } = this.#options;
    const bytes = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    const fitting = this.#fitting(position, bytes);
    const sizeBefore = inode.cached.size;
    let done = 0;
    for (const chunk of chunks) {
      const part = chunk.subarray(0, fitting - done);
      inode.write(position + done, part);
      done += part.length;
    }
    this.#charge(inode.cached.size - sizeBefore);
    inode.modifiedMs = clock.nowMs();
    return done;
  }

  async sync(): Promise<void> {
    this.#check("read");
    const { inode } = this.#options;
    inode.completeSync(inode.beginSync());
  }

  async truncate(size: number): Promise<void> {
    this.#check("write");
    const { inode, clock } = this.#options;
    const growth = size - inode.cached.size;
    inode.truncate(size);
    this.#charge(growth);
    inode.modifiedMs = clock.nowMs();
  }

  async size(): Promise<number> {
    this.#check("read");
    return this.#options.inode.cached.size;
  }

  async close(): Promise<void> {
    if (this.#isOpen) {
      this.#isOpen = false;
      this.#options.onClose();
    }
  }

  /** How many of the bytes there is room for. @throws FileError `STORAGE_FULL` when there is none. */
  #fitting(position: number, bytes: number): number {
    const { inode, space } = this.#options;
    const growth = Math.max(0, position + bytes - inode.cached.size);
    const shortage = Math.max(0, growth - space.availableBytes);
    if (bytes > 0 && shortage >= bytes) {
      throw new FileError("STORAGE_FULL", this.path, `${this.path}: no space left`);
    }
    return bytes - shortage;
  }

  /** A removed file's room was given back already. */
  #charge(bytes: number): void {
    if (this.#options.inode.linkCount > 0) {
      this.#options.space.take(bytes);
    }
  }

  #check(intent: "read" | "write"): void {
    if (!this.#isOpen) {
      throw new FileError("IO_ERROR", this.path, `${this.path}: the file is closed`);
    }
    if (intent === "write" && !this.#options.isWritable) {
      throw new FileError("IO_ERROR", this.path, `${this.path}: the file is open for reading only`);
    }
  }
}
