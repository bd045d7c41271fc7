// The disk of one machine, as a test sees it: capacity, damage, power loss, hooks before each operation. It
// outlives the processes that use it through `SimFileSystem`.

import { type DirectoryLock, FileError, type FileErrorCode } from "../file-system.js";
import type { FileInode, PowerLossModel } from "./file-inode.js";
import type { Prng } from "./prng.js";
import type { SimProcess } from "./sim-process.js";
import { type DirectoryInode, type Inode, Volume } from "./volume.js";
import { countFault, type World } from "./world.js";

/** The operations that change what a crash leaves. */
export type MutationKind =
  | "create"
  | "write"
  | "sync"
  | "truncate"
  | "createDirectory"
  | "rename"
  | "removeFile"
  | "removeDirectory"
  | "syncDirectory";

export type OperationKind = MutationKind | "open" | "read" | "status" | "readDirectory" | "lock";

export interface DiskOperation {
  /** Counts the mutations of this disk, from 0, over all lives of the machine. */
  readonly index: number;
  readonly kind: MutationKind;
  readonly path: string;
  /** Bytes to write; 0 for others. */
  readonly bytes: number;
}

/** What the process asked for and does not know the outcome of. */
export interface InFlight {
  /** The process died: the kernel may have done all of it, a part, or nothing. */
  abandon(prng: Prng): void;
}

interface PlannedFault {
  readonly kind: OperationKind;
  readonly code: FileErrorCode;
  readonly path: string | undefined;
}

/** An image of a disk at one moment. */
export class DiskSnapshot {
  readonly #volume: Volume;

  constructor(volume: Volume) {
    this.#volume = volume;
  }

  /** A fresh copy, so that one snapshot can be restored many times. */
  toVolume(): Volume {
    return this.#volume.cloneClean();
  }
}

/** How a machine goes down, for the disk. */
export interface DiskCrash {
  readonly losesPower: boolean;
  readonly model?: PowerLossModel | undefined;
}

export class SimDisk {
  readonly #world: World;
  readonly #prng: Prng;
  readonly #nodeName: string;
  readonly #listeners = new Set<(operation: DiskOperation) => void>();
  readonly #inFlight = new Set<InFlight>();
  readonly #planned: PlannedFault[] = [];
  readonly #locks = new Map<Inode, object>();
  readonly #isInUse: () => boolean;
  #volume: Volume;
  #operationCount = 0;
  #capacityBytes = 2 ** 40;
  #maxOpenFiles = Number.POSITIVE_INFINITY;
  #openFileCount = 0;
  #usedBytes = 0;
  #stallMs: number | undefined;

  constructor(world: World, options: { nodeName: string; isInUse: () => boolean }) {
    this.#world = world;
    this.#nodeName = options.nodeName;
    this.#prng = world.prng.fork(`disk:${options.nodeName}`);
    this.#isInUse = options.isInUse;
    this.#volume = new Volume(0);
  }

  /** @internal The directory tree, for the file system of a process. */
  get volume(): Volume {
    return this.#volume;
  }

  /** @internal */
  get prng(): Prng {
    return this.#prng;
  }

  /** Mutations so far. */
  get operationCount(): number {
    return this.#operationCount;
  }

  /** Bytes in files, as they are seen; removed files count while they are open. */
  get usedBytes(): number {
    return this.#usedBytes;
  }

  get availableBytes(): number {
    return Math.max(0, this.#capacityBytes - this.#usedBytes);
  }

  get openFileCount(): number {
    return this.#openFileCount;
  }

  /** The disk holds so many bytes (default 1 TiB). Below what is used it is simply full. */
  setCapacity(bytes: number): void {
    this.#capacityBytes = bytes;
  }

  /** Opening more files than this fails with `TOO_MANY_OPEN_FILES`. */
  setMaxOpenFiles(count: number): void {
    this.#maxOpenFiles = count;
  }

  /** The next operation of this kind (on `path`, when given) fails once. */
  failNext(kind: OperationKind, options: { code?: FileErrorCode; path?: string } = {}): void {
    this.#planned.push({ kind, code: options.code ?? "IO_ERROR", path: options.path });
  }

  /** Faults that were planned and met no operation yet will not happen. */
  forgetPlannedFaults(): void {
    this.#planned.length = 0;
  }

  /** The next operation takes this long. */
  stallNext(durationMs: number): void {
    this.#stallMs = durationMs;
  }

  /** Called before each mutation; may crash the node. Returns the way to stop. */
  onOperation(listener: (operation: DiskOperation) => void): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  /** Paths of all files, sorted. */
  paths(): string[] {
    const found: string[] = [];
    const walk = (directory: DirectoryInode, prefix: string): void => {
      for (const [name, inode] of directory.entries) {
        if (inode.kind === "file") {
          found.push(`${prefix}/${name}`);
        } else {
          walk(inode, `${prefix}/${name}`);
        }
      }
    };
    walk(this.#volume.root, "");
    return found.sort();
  }

  /** What reads of this file show, at once and without an event. @throws FileError */
  peek(path: string): Uint8Array {
    const file = this.#volume.file(path);
    const bytes = new Uint8Array(file.cached.size);
    file.cached.read(bytes, 0);
    return bytes;
  }

  /** Puts a durable file there, with its directories: what an earlier time left. @throws FileError */
  plant(path: string, bytes: Uint8Array): void {
    const names = path.split("/");
    this.#volume.createDirectory(names.slice(0, -1).join("/"), 0);
    const existing = this.#volume.find(path);
    const file = existing?.kind === "file" ? existing : this.#volume.createFile(path, 0);
    file.truncate(0);
    file.write(0, bytes);
    this.syncAll();
    this.#recount();
  }

  /** Everything written so far is durable, names and bytes. */
  syncAll(): void {
    this.#volume.settle();
  }

  /** Flips one bit, in the cache and on the platter. `bit` counts from the first byte's least significant. */
  flipBit(path: string, bit: number): void {
    const position = Math.floor(bit / 8);
    const byte = new Uint8Array(1);
    const file = this.#volume.file(path);
    if (file.cached.read(byte, position) === 0) {
      throw new RangeError(`${path} has no byte ${position}`);
    }
    byte[0] = (byte[0] ?? 0) ^ (1 << (bit % 8));
    file.damage(position, byte);
    countFault(this.#world, "disk.flipBit");
  }

  /** Replaces a range with zeros or noise, in the cache and on the platter. Never extends the file. */
  corrupt(
    path: string,
    damage: { position: number; length: number; kind?: "zeros" | "noise" },
  ): void {
    const file = this.#volume.file(path);
    const length = Math.max(0, Math.min(damage.length, file.cached.size - damage.position));
    const bytes = new Uint8Array(length);
    file.damage(damage.position, damage.kind === "noise" ? this.#prng.fill(bytes) : bytes);
    countFault(this.#world, "disk.corrupt");
  }

  /** The file's content becomes `bytes`, in the cache and on the platter: an older state of it, say. */
  replaceContent(path: string, bytes: Uint8Array): void {
    this.#volume.file(path).replaceContent(bytes);
    this.#recount();
    countFault(this.#world, "disk.replaceContent");
  }

  /** The file is gone, on the platter too. @throws FileError */
  loseFile(path: string): void {
    this.releaseUnused(this.#volume.loseName(path));
    countFault(this.#world, "disk.loseFile");
  }

  snapshot(): DiskSnapshot {
    return new DiskSnapshot(this.#volume.cloneClean());
  }

  /** Back to an older image, as when a virtual machine is rolled back. The node must be down. */
  restore(snapshot: DiskSnapshot): void {
    this.#replace(snapshot.toVolume(), "disk.restore");
  }

  /** A new, empty disk. The node must be down. */
  wipe(): void {
    this.#replace(new Volume(this.#world.scheduler.nowMs), "disk.wipe");
  }

  /** @internal Announces a mutation to the listeners. */
  announce(kind: MutationKind, path: string, bytes: number): void {
    const operation = { index: this.#operationCount++, kind, path, bytes };
    for (const listener of this.#listeners) {
      listener(operation);
    }
  }

  /** @internal The error that this operation shall end with, if any. */
  takeFault(kind: OperationKind, path: string): FileError | undefined {
    const index = this.#planned.findIndex(
      (fault) => fault.kind === kind && (fault.path === undefined || fault.path === path),
    );
    if (index !== -1) {
      const code = this.#planned.splice(index, 1)[0]?.code ?? "IO_ERROR";
      countFault(this.#world, `disk.${kind}.error`);
      return new FileError(code, path, `${path}: simulated ${code} in ${kind}`);
    }
    const { syncErrorRate, writeErrorRate, readErrorRate } = this.#world.faults.disk;
    const rates: Partial<Record<OperationKind, number>> = {
      sync: syncErrorRate,
      write: writeErrorRate,
      read: readErrorRate,
    };
    if (this.#prng.chance(rates[kind] ?? 0)) {
      countFault(this.#world, `disk.${kind}.error`);
      return new FileError("IO_ERROR", path, `${path}: simulated I/O error in ${kind}`);
    }
    return undefined;
  }

  /** @internal How long the next operation takes. */
  drawLatencyMs(): number {
    if (this.#stallMs !== undefined) {
      const stallMs = this.#stallMs;
      this.#stallMs = undefined;
      countFault(this.#world, "disk.stall");
      return stallMs;
    }
    const { minLatencyMs, maxLatencyMs, stallRate, maxStallMs } = this.#world.faults.disk;
    if (this.#prng.chance(stallRate)) {
      countFault(this.#world, "disk.stall");
      return this.#prng.between(maxLatencyMs, maxStallMs);
    }
    return this.#prng.between(minLatencyMs, maxLatencyMs);
  }

  /** @internal */
  addInFlight(operation: InFlight): void {
    this.#inFlight.add(operation);
  }

  /** @internal */
  removeInFlight(operation: InFlight): void {
    this.#inFlight.delete(operation);
  }

  /** @internal */
  charge(bytes: number): void {
    this.#usedBytes += bytes;
  }

  /** @internal A file lost its last name or its last handle. */
  releaseUnused(file: FileInode): void {
    if (file.linkCount === 0 && file.openCount === 0) {
      this.#usedBytes -= file.cached.size;
    }
  }

  /** @internal @throws FileError `TOO_MANY_OPEN_FILES` */
  checkHandleLimit(path: string): void {
    if (this.#openFileCount >= this.#maxOpenFiles) {
      countFault(this.#world, "disk.tooManyOpenFiles");
      throw new FileError("TOO_MANY_OPEN_FILES", path, `${path}: too many open files`);
    }
  }

  /** @internal */
  openHandle(file: FileInode): void {
    this.#openFileCount++;
    file.openCount++;
  }

  /** @internal */
  closeHandle(file: FileInode): void {
    this.#openFileCount--;
    file.openCount--;
    this.releaseUnused(file);
  }

  /** @internal @throws FileError */
  lock(path: string, process: SimProcess): DirectoryLock {
    const directory = this.#volume.directory(path);
    if (this.#locks.has(directory)) {
      throw new FileError("LOCKED", path, `${path}: locked`);
    }
    const holder = {};
    this.#locks.set(directory, holder);
    return {
      release: async () => {
        if (process.isAlive && this.#locks.get(directory) === holder) {
          this.#locks.delete(directory);
        }
      },
    };
  }

  /** @internal The process died, or the power went. */
  crash(crash: DiskCrash): void {
    const inFlight = [...this.#inFlight];
    this.#inFlight.clear();
    for (const operation of inFlight) {
      operation.abandon(this.#prng);
    }
    this.#locks.clear();
    this.#openFileCount = 0;
    for (const inode of this.#volume.inodes()) {
      if (inode.kind === "file") {
        inode.openCount = 0;
      }
    }
    if (crash.losesPower) {
      this.#volume.losePower(this.#prng, crash.model, (damage) => {
        countFault(this.#world, `powerLoss.${damage}`);
      });
    }
    this.#recount();
  }

  #replace(volume: Volume, kind: string): void {
    if (this.#isInUse()) {
      throw new Error(`${this.#nodeName} must be down: crash() it first`);
    }
    this.#volume = volume;
    this.#recount();
    countFault(this.#world, kind);
  }

  #recount(): void {
    this.#usedBytes = 0;
    for (const inode of this.#volume.inodes()) {
      this.#usedBytes += inode.kind === "file" ? inode.cached.size : 0;
    }
  }
}
