// The directory tree of a simulated disk: what is visible, what is on the platter, and the creations, renames
// and removals in between. Synchronous and without time; `sim-file-system.ts` adds both.

import { FileError } from "../file-system.js";
import {
  FileInode,
  type PowerLossDamage,
  type PowerLossModel,
  powerLossModels,
} from "./file-inode.js";
import type { Prng } from "./prng.js";

export class DirectoryInode {
  readonly kind = "directory";
  entries = new Map<string, Inode>();
  durable = new Map<string, Inode>();
  modifiedMs: number;

  constructor(modifiedMs: number) {
    this.modifiedMs = modifiedMs;
  }
}

export type Inode = FileInode | DirectoryInode;

/** A change of names. It is durable when every directory in `waiting` has been synced after it. */
interface NameChange {
  readonly sequence: number;
  readonly waiting: Set<DirectoryInode>;
  applyTo(select: (directory: DirectoryInode) => Map<string, Inode>): void;
}

export interface Location {
  readonly parent: DirectoryInode;
  readonly name: string;
}

const fileError = (code: FileError["code"], path: string, problem: string): FileError =>
  new FileError(code, path, `${path}: ${problem}`);

/** The path's names; "." and empty ones dropped. */
export function pathNames(path: string): string[] {
  const names = path.split("/").filter((name) => name !== "" && name !== ".");
  if (names.includes("..")) {
    throw fileError("IO_ERROR", path, "the simulated disk resolves no '..'");
  }
  return names;
}

export class Volume {
  root: DirectoryInode;
  #changes: NameChange[] = [];
  #sequence = 0;

  constructor(nowMs: number) {
    this.root = new DirectoryInode(nowMs);
  }

  find(path: string): Inode | undefined {
    let inode: Inode | undefined = this.root;
    for (const name of pathNames(path)) {
      inode = inode?.kind === "directory" ? inode.entries.get(name) : undefined;
    }
    return inode;
  }

  /** @throws FileError `NOT_FOUND` */
  existing(path: string): Inode {
    const inode = this.find(path);
    if (inode === undefined) {
      throw fileError("NOT_FOUND", path, "no such file or directory");
    }
    return inode;
  }

  /** @throws FileError */
  file(path: string): FileInode {
    const inode = this.existing(path);
    if (inode.kind !== "file") {
      throw fileError("IO_ERROR", path, "is a directory");
    }
    return inode;
  }

  /** @throws FileError */
  directory(path: string): DirectoryInode {
    const inode = this.existing(path);
    if (inode.kind !== "directory") {
      throw fileError("IO_ERROR", path, "is not a directory");
    }
    return inode;
  }

  /** @throws FileError when the parent is missing, or the path is the root. */
  locate(path: string): Location {
    const names = pathNames(path);
    const name = names.pop();
    if (name === undefined) {
      throw fileError("PERMISSION_DENIED", path, "is the root directory");
    }
    const parent = this.find(names.join("/"));
    if (parent?.kind !== "directory") {
      throw fileError("NOT_FOUND", path, "no such directory");
    }
    return { parent, name };
  }

  createFile(path: string, nowMs: number): FileInode {
    const file = new FileInode(nowMs);
    file.linkCount = 1;
    this.#link(this.locate(path), file);
    return file;
  }

  /** Creates what is missing on the way. @throws FileError `ALREADY_EXISTS` when a file is there. */
  createDirectory(path: string, nowMs: number): void {
    let parent = this.root;
    for (const name of pathNames(path)) {
      let inode = parent.entries.get(name);
      if (inode === undefined) {
        inode = new DirectoryInode(nowMs);
        this.#link({ parent, name }, inode);
      }
      if (inode.kind === "file") {
        throw fileError("ALREADY_EXISTS", path, "a file is in the way");
      }
      parent = inode;
    }
  }

  /** Returns the file that was replaced. */
  rename(from: string, to: string): FileInode | undefined {
    const moved = this.existing(from);
    const source = this.locate(from);
    const target = this.locate(to);
    const replaced = target.parent.entries.get(target.name);
    if (replaced === moved) {
      return undefined;
    }
    if (replaced?.kind === "directory" && replaced.entries.size > 0) {
      throw fileError("NOT_EMPTY", to, "directory is not empty");
    }
    if (replaced !== undefined && replaced.kind !== moved.kind) {
      throw fileError("IO_ERROR", to, "a file cannot replace a directory, nor the reverse");
    }
    if (replaced?.kind === "file") {
      replaced.linkCount = 0;
    }
    this.#change([source.parent, target.parent], (select) => {
      if (select(source.parent).get(source.name) === moved) {
        select(source.parent).delete(source.name);
      }
      select(target.parent).set(target.name, moved);
    });
    return replaced?.kind === "file" ? replaced : undefined;
  }

  removeFile(path: string): FileInode {
    const file = this.file(path);
    this.#unlink(this.locate(path), file);
    file.linkCount = 0;
    return file;
  }

  /**
   * Removes a directory from the leaves up, as `rm -r` does: one change of names each. With `stopAfter` only
   * so many of them, as when the process dies on the way. Returns the files removed.
   */
  removeDirectory(path: string, stopAfter = Number.POSITIVE_INFINITY): FileInode[] {
    const directory = this.directory(path);
    const steps: { location: Location; inode: Inode }[] = [];
    collectLeavesFirst(directory, steps);
    steps.push({ location: this.locate(path), inode: directory });
    const files: FileInode[] = [];
    for (const step of steps.slice(0, stopAfter)) {
      this.#unlink(step.location, step.inode);
      if (step.inode.kind === "file") {
        step.inode.linkCount = 0;
        files.push(step.inode);
      }
    }
    return files;
  }

  /** The name is gone, on the platter too: damage that no program did. */
  loseName(path: string): FileInode {
    const file = this.file(path);
    const { parent, name } = this.locate(path);
    parent.entries.delete(name);
    parent.durable.delete(name);
    file.linkCount = 0;
    return file;
  }

  /** What a directory sync that starts now covers; give it to `completeDirectorySync`. */
  beginDirectorySync(): number {
    return this.#sequence;
  }

  completeDirectorySync(directory: DirectoryInode, mark: number): void {
    this.#changes = this.#changes.filter((change) => {
      if (change.sequence < mark && change.waiting.delete(directory) && change.waiting.size === 0) {
        change.applyTo((one) => one.durable);
        return false;
      }
      return true;
    });
  }

  /** Everything becomes durable, as if long ago. */
  settle(): void {
    this.#changes = [];
    for (const inode of this.inodes()) {
      if (inode.kind === "directory") {
        inode.durable = new Map(inode.entries);
      } else {
        inode.completeSync(inode.beginSync());
      }
    }
  }

  /**
   * Unsynced changes of names survive as a journal's prefix, or each on its own; unsynced bytes as
   * `FileInode.losePower` says. `model` forces one model for all.
   */
  losePower(
    prng: Prng,
    model: PowerLossModel | undefined,
    onDamage: (damage: PowerLossDamage | "lostName" | "reorderedNames") => void = () => undefined,
  ): void {
    const changes = this.#changes;
    this.#changes = [];
    const namesModel = model ?? prng.pick(powerLossModels);
    const prefix =
      namesModel === "nothing"
        ? 0
        : namesModel === "prefix"
          ? prng.below(changes.length + 1)
          : changes.length;
    let hasLost = false;
    let isReordered = false;
    for (const [index, change] of changes.entries()) {
      if (index < prefix && (namesModel !== "sectors" || prng.chance(0.5))) {
        change.applyTo((one) => one.durable);
        isReordered ||= hasLost;
      } else {
        hasLost = true;
        onDamage("lostName");
      }
    }
    if (isReordered) {
      onDamage("reorderedNames");
    }
    const sectorBytes = prng.chance(0.5) ? 512 : 4096;
    adoptDurable(this.root);
    for (const inode of this.inodes()) {
      if (inode.kind === "file") {
        inode.openCount = 0;
        inode.linkCount = 1;
        const fileModel = model ?? prng.pick(powerLossModels);
        inode.losePower(prng, { model: fileModel, sectorBytes, onDamage });
      }
    }
  }

  /** A copy of what is visible, all of it durable. */
  cloneClean(): Volume {
    const copy = new Volume(this.root.modifiedMs);
    copy.root = cloneTree(this.root);
    return copy;
  }

  /** Everything reachable, the root first. */
  *inodes(): Iterable<Inode> {
    const stack: Inode[] = [this.root];
    for (let inode = stack.pop(); inode !== undefined; inode = stack.pop()) {
      yield inode;
      if (inode.kind === "directory") {
        stack.push(...inode.entries.values());
      }
    }
  }

  #link(location: Location, inode: Inode): void {
    this.#change([location.parent], (select) => {
      select(location.parent).set(location.name, inode);
    });
  }

  #unlink(location: Location, inode: Inode): void {
    this.#change([location.parent], (select) => {
      if (select(location.parent).get(location.name) === inode) {
        select(location.parent).delete(location.name);
      }
    });
  }

  #change(parents: readonly DirectoryInode[], applyTo: NameChange["applyTo"]): void {
    applyTo((directory) => directory.entries);
    this.#changes.push({ sequence: this.#sequence++, waiting: new Set(parents), applyTo });
  }
}

function collectLeavesFirst(
  directory: DirectoryInode,
  steps: { location: Location; inode: Inode }[],
): void {
  for (const [name, inode] of directory.entries) {
    if (inode.kind === "directory") {
      collectLeavesFirst(inode, steps);
    }
    steps.push({ location: { parent: directory, name }, inode });
  }
}

function adoptDurable(directory: DirectoryInode): void {
  directory.entries = new Map(directory.durable);
  for (const inode of directory.entries.values()) {
    if (inode.kind === "directory") {
      adoptDurable(inode);
    }
  }
}

function cloneTree(directory: DirectoryInode): DirectoryInode {
  const copy = new DirectoryInode(directory.modifiedMs);
  for (const [name, inode] of directory.entries) {
    const inodeCopy = inode.kind === "directory" ? cloneTree(inode) : inode.cloneClean();
    copy.entries.set(name, inodeCopy);
    copy.durable.set(name, inodeCopy);
  }
  return copy;
}
