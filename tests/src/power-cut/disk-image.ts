// What a disk holds after a power cut: the tree as it was, plus what completed syncs covered. Data becomes
// durable by a sync of the file that started after the write completed; a name by a sync of its directory. The
// rest may be lost, kept or torn: `Loss` decides.

import type { JournalRecord } from "./journal.js";

/** Decides the fate of one operation that no sync covers. */
export interface Loss {
  /** How many of a directory's `count` unsynced changes survive; a journaling file system keeps a prefix. */
  keptNames(count: number): number;
  /** How many bytes of an unsynced write of `length` bytes survive, from its start. */
  keptBytes(length: number): number;
}

/** All that no completed sync covers is gone. */
export const loseEverything: Loss = { keptNames: () => 0, keptBytes: () => 0 };

/** Each unsynced write is kept, lost or torn at a sector; of the unsynced names a prefix is kept. */
export function loseAtRandom(random: () => number): Loss {
  return {
    keptNames: (count) => Math.floor(random() * (count + 1)),
    keptBytes: (length) => {
      const draw = random();
      if (draw < 0.4) {
        return 0;
      }
      return draw < 0.7 ? length : Math.floor((random() * length) / 512) * 512;
    },
  };
}

type FileChange =
  | { kind: "write"; offset: number; data: Uint8Array }
  | { kind: "truncate"; size: number };
type NameChange = { set: [string, Inode][]; removed: string[] };

interface FileInode {
  kind: "file";
  durable: Uint8Array;
  pending: FileChange[];
}

interface DirectoryInode {
  kind: "directory";
  current: Map<string, Inode>;
  durable: Map<string, Inode>;
  pending: NameChange[];
}

type Inode = FileInode | DirectoryInode;

/** A tree of files (bytes) and directories (maps), as read from or written to a real disk. */
export type Tree = Map<string, Uint8Array | Tree>;

function applyChange(content: Uint8Array, change: FileChange, keptBytes: number): Uint8Array {
  if (change.kind === "truncate") {
    const next = new Uint8Array(change.size);
    next.set(content.subarray(0, change.size));
    return next;
  }
  if (keptBytes === 0) {
    return content;
  }
  const end = change.offset + keptBytes;
  let next = content;
  if (end > content.length) {
    next = new Uint8Array(end);
    next.set(content);
  }
  next.set(change.data.subarray(0, keptBytes), change.offset);
  return next;
}

export class DiskImage {
  readonly #root: DirectoryInode;
  readonly #prefix: string;
  readonly #open = new Map<number, Inode>();
  readonly #syncs = new Map<number, { inode: Inode; covered: number }[]>();

  /** `root` is the absolute path of the watched directory, `tree` what it held at the start, all durable. */
  constructor(root: string, tree: Tree) {
    this.#prefix = root;
    this.#root = DiskImage.#fromTree(tree);
  }

  static #fromTree(tree: Tree): DirectoryInode {
    const entries = new Map<string, Inode>();
    for (const [name, item] of tree) {
      entries.set(
        name,
        item instanceof Map
          ? DiskImage.#fromTree(item)
          : { kind: "file", durable: item.slice(), pending: [] },
      );
    }
    return { kind: "directory", current: entries, durable: new Map(entries), pending: [] };
  }

  apply(record: JournalRecord): void {
    switch (record.operation) {
      case "create":
        this.#open.set(
          record.fd,
          this.#add(record.path, { kind: "file", durable: new Uint8Array(0), pending: [] }),
        );
        break;
      case "mkdir":
        this.#add(record.path, {
          kind: "directory",
          current: new Map(),
          durable: new Map(),
          pending: [],
        });
        break;
      case "open": {
        const inode = this.#find(record.path);
        if (inode === undefined) {
          this.#open.delete(record.fd);
        } else {
          this.#open.set(record.fd, inode);
        }
        break;
      }
      case "write":
        this.#change(record.fd, {
          kind: "write",
          offset: record.offset,
          data: record.data.slice(),
        });
        break;
      case "truncate":
        this.#change(record.fd, { kind: "truncate", size: record.offset });
        break;
      case "syncStart":
        this.#startSync(record.fd);
        break;
      case "syncEnd":
        this.#endSync(record.fd);
        break;
      case "rename":
        this.#rename(record.path, new TextDecoder().decode(record.data));
        break;
      case "unlink":
      case "rmdir":
        this.#remove(record.path);
        break;
    }
  }

  /** The tree after the cut. `lost` counts what did not survive. */
  cut(loss: Loss): { tree: Tree; lostBytes: number; lostNames: number } {
    const lost = { lostBytes: 0, lostNames: 0 };
    const tree = this.#cutDirectory(this.#root, loss, lost);
    return { tree, ...lost };
  }

  #cutDirectory(
    inode: DirectoryInode,
    loss: Loss,
    lost: { lostBytes: number; lostNames: number },
  ): Tree {
    const names = new Map(inode.durable);
    const kept = loss.keptNames(inode.pending.length);
    lost.lostNames += inode.pending.length - kept;
    for (const change of inode.pending.slice(0, kept)) {
      DiskImage.#applyNames(names, change);
    }
    const tree: Tree = new Map();
    for (const [name, item] of names) {
      tree.set(
        name,
        item.kind === "directory"
          ? this.#cutDirectory(item, loss, lost)
          : this.#cutFile(item, loss, lost),
      );
    }
    return tree;
  }

  #cutFile(inode: FileInode, loss: Loss, lost: { lostBytes: number }): Uint8Array {
    let content = inode.durable;
    for (const change of inode.pending) {
      const length = change.kind === "write" ? change.data.length : 1;
      const kept = loss.keptBytes(length);
      lost.lostBytes += length - kept;
      if (kept > 0) {
        content = applyChange(content, change, kept);
      }
    }
    return content;
  }

  static #applyNames(names: Map<string, Inode>, change: NameChange): void {
    for (const name of change.removed) {
      names.delete(name);
    }
    for (const [name, inode] of change.set) {
      names.set(name, inode);
    }
  }

  #segments(path: string): string[] {
    return path
      .slice(this.#prefix.length)
      .split("/")
      .filter((segment) => segment !== "" && segment !== ".");
  }

  #find(path: string): Inode | undefined {
    let inode: Inode | undefined = this.#root;
    for (const segment of this.#segments(path)) {
      inode = inode?.kind === "directory" ? inode.current.get(segment) : undefined;
    }
    return inode;
  }

  #parent(path: string): { directory: DirectoryInode; name: string } | undefined {
    const segments = this.#segments(path);
    const name = segments.pop();
    const directory = this.#find(`${this.#prefix}/${segments.join("/")}`);
    return directory?.kind === "directory" && name !== undefined ? { directory, name } : undefined;
  }

  #changeNames(directory: DirectoryInode, change: NameChange): void {
    DiskImage.#applyNames(directory.current, change);
    directory.pending.push(change);
  }

  #add(path: string, inode: Inode): Inode {
    const parent = this.#parent(path);
    if (parent !== undefined) {
      this.#changeNames(parent.directory, { set: [[parent.name, inode]], removed: [] });
    }
    return inode;
  }

  #remove(path: string): void {
    const parent = this.#parent(path);
    if (parent !== undefined) {
      this.#changeNames(parent.directory, { set: [], removed: [parent.name] });
    }
  }

  #rename(from: string, to: string): void {
    const source = this.#parent(from);
    const target = this.#parent(to);
    const inode = this.#find(from);
    if (source === undefined || target === undefined || inode === undefined) {
      return;
    }
    if (source.directory === target.directory) {
      this.#changeNames(source.directory, { set: [[target.name, inode]], removed: [source.name] });
      return;
    }
    this.#changeNames(target.directory, { set: [[target.name, inode]], removed: [] });
    this.#changeNames(source.directory, { set: [], removed: [source.name] });
  }

  #change(fd: number, change: FileChange): void {
    const inode = this.#open.get(fd);
    if (inode?.kind === "file") {
      inode.pending.push(change);
    }
  }

  #startSync(fd: number): void {
    const inode = this.#open.get(fd);
    if (inode !== undefined) {
      const running = this.#syncs.get(fd) ?? [];
      running.push({ inode, covered: inode.pending.length });
      this.#syncs.set(fd, running);
    }
  }

  /** Of several syncs of one descriptor the one that covers least is taken to have ended. */
  #endSync(fd: number): void {
    const sync = this.#syncs.get(fd)?.shift();
    if (sync === undefined) {
      return;
    }
    const { inode, covered } = sync;
    if (inode.kind === "file") {
      for (const change of inode.pending.splice(0, covered)) {
        inode.durable = applyChange(
          inode.durable,
          change,
          change.kind === "write" ? change.data.length : 0,
        );
      }
    } else {
      for (const change of inode.pending.splice(0, covered)) {
        DiskImage.#applyNames(inode.durable, change);
      }
    }
    for (const running of this.#syncs.values()) {
      for (const other of running) {
        if (other.inode === inode) {
          other.covered = Math.max(0, other.covered - covered);
        }
      }
    }
  }
}
