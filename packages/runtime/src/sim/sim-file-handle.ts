// An open file of one process on a simulated disk.

import { FileError, type FileHandle, type OpenMode } from "../file-system.js";
import type { DiskQueue } from "./disk-queue.js";
import type { FileInode } from "./file-inode.js";
import type { Prng } from "./prng.js";
import type { MachineClock } from "./sim-clock.js";
import type { InFlight, SimDisk } from "./sim-disk.js";
import { countFault } from "./world.js";

export interface SimFileHandleOptions {
  readonly path: string;
  readonly file: FileInode;
  readonly mode: OpenMode;
  readonly disk: SimDisk;
  readonly queue: DiskQueue;
  readonly clock: MachineClock;
}

const totalBytes = (chunks: readonly Uint8Array[]): number => {
  let total = 0;
  for (const chunk of chunks) {
    total += chunk.length;
  }
  return total;
};

export class SimFileHandle implements FileHandle {
  readonly path: string;
  readonly #file: FileInode;
  readonly #isWritable: boolean;
  readonly #disk: SimDisk;
  readonly #queue: DiskQueue;
  readonly #clock: MachineClock;
  #isOpen = true;

  constructor(options: SimFileHandleOptions) {
    this.path = options.path;
    this.#file = options.file;
    this.#isWritable = options.mode !== "read";
    this.#disk = options.disk;
    this.#queue = options.queue;
    this.#clock = options.clock;
  }

  async read(target: Uint8Array, position: number): Promise<number> {
    this.#check();
    return await this.#queue.run({
      kind: "read",
      path: this.path,
      bytes: target.length,
      perform: () => this.#file.cached.read(target, position),
    });
  }

  async write(chunks: readonly Uint8Array[], position: number): Promise<number> {
    this.#check("write");
    const bytes = totalBytes(chunks);
    if (bytes === 0) {
      return 0;
    }
    return await this.#queue.run({
      kind: "write",
      path: this.path,
      bytes,
      // The chunks are read NOW, at completion, as a thread of the pool might: a buffer that was reused
      // meanwhile writes what it holds now.
      perform: () => this.#apply(chunks, position, bytes),
      performPart: (prng) => this.#applyPart(chunks, position, prng),
      onFault: () => this.#applyPart(chunks, position, this.#disk.prng),
    });
  }

  writeSync(chunks: readonly Uint8Array[], position: number): number {
    this.#check("write");
    const bytes = totalBytes(chunks);
    if (bytes === 0) {
      return 0;
    }
    if (!this.#queue.isAlive) {
      throw new FileError("IO_ERROR", this.path, `${this.path}: the process is dead`);
    }
    const inFlight: InFlight = {
      abandon: (prng) => {
        countFault(this.#queue.world, "crash.write.part");
        this.#applyPart(chunks, position, prng);
      },
    };
    this.#disk.addInFlight(inFlight);
    const survives = this.#queue.announce("write", this.path, bytes);
    this.#disk.removeInFlight(inFlight);
    if (!survives) {
      throw new FileError("IO_ERROR", this.path, `${this.path}: the process died`);
    }
    const fault = this.#disk.takeFault("write", this.path);
    if (fault !== undefined) {
      this.#applyPart(chunks, position, this.#disk.prng);
      throw fault;
    }
    return this.#apply(chunks, position, bytes);
  }

  async sync(): Promise<void> {
    this.#check();
    const mark = this.#file.beginSync();
    await this.#queue.run({
      kind: "sync",
      path: this.path,
      perform: () => this.#file.completeSync(mark),
      onFault: () => this.#file.failSync(mark, this.#disk.prng),
    });
  }

  async truncate(size: number): Promise<void> {
    this.#check("write");
    const perform = (): void => {
      this.#disk.charge(size - this.#file.cached.size);
      this.#file.truncate(size);
      this.#file.modifiedMs = this.#clock.nowMs();
    };
    await this.#queue.run({ kind: "truncate", path: this.path, perform });
  }

  async size(): Promise<number> {
    this.#check();
    const perform = (): number => this.#file.cached.size;
    return await this.#queue.run({ kind: "status", path: this.path, perform });
  }

  async close(): Promise<void> {
    if (this.#isOpen && this.#queue.isAlive) {
      this.#isOpen = false;
      this.#disk.closeHandle(this.#file);
    }
  }

  #check(intent: "read" | "write" = "read"): void {
    if (!this.#isOpen) {
      throw new FileError("IO_ERROR", this.path, `${this.path}: the file is closed`);
    }
    if (intent === "write" && !this.#isWritable) {
      throw new FileError("IO_ERROR", this.path, `${this.path}: the file is open for reading only`);
    }
  }

  /** Writes what fits on the disk and returns how much that was. @throws FileError `STORAGE_FULL` */
  #apply(chunks: readonly Uint8Array[], position: number, bytes: number): number {
    const growth = Math.max(0, position + bytes - this.#file.cached.size);
    const shortage = Math.max(0, growth - this.#disk.availableBytes);
    const fitting = Math.max(0, bytes - shortage);
    if (fitting === 0) {
      countFault(this.#queue.world, "disk.full");
      throw new FileError("STORAGE_FULL", this.path, `${this.path}: no space left`);
    }
    if (fitting < bytes) {
      countFault(this.#queue.world, "disk.shortWrite");
    }
    return this.#put(chunks, position, fitting);
  }

  /** A random part from the start, perhaps nothing: the write failed, or its process died. */
  #applyPart(chunks: readonly Uint8Array[], position: number, prng: Prng): void {
    const bytes = totalBytes(chunks);
    const part = Math.min(prng.below(bytes + 1), this.#disk.availableBytes);
    this.#put(chunks, position, part);
  }

  #put(chunks: readonly Uint8Array[], position: number, limit: number): number {
    const sizeBefore = this.#file.cached.size;
    let done = 0;
    for (const chunk of chunks) {
      const part = chunk.subarray(0, limit - done);
      this.#queue.world.trace.bytes(part);
      this.#file.write(position + done, part);
      done += part.length;
    }
    this.#disk.charge(this.#file.cached.size - sizeBefore);
    this.#file.modifiedMs = this.#clock.nowMs();
    return done;
  }
}
