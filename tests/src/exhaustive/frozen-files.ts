// A file system over a fixed set of files: each case begins from the same content and leaves it untouched (a file is
// copied when it is first written). Everything completes at once. No locks, no space limit, no faults.

import {
  type DirectoryEntry,
  type DirectoryLock,
  FileError,
  type FileHandle,
  type FileStatus,
  type FileSystem,
  type OpenMode,
} from "@millrace/runtime";

export type FileImage = ReadonlyMap<string, Uint8Array>;

interface Content {
  bytes: Uint8Array;
  /** Nobody else has these bytes: they may be changed. */
  isOwn: boolean;
}

/** Where in a file each buffer was read from: how a checksum knows which bytes it is given. */
export type ReadPlaces = WeakMap<ArrayBufferLike, { readonly path: string; readonly from: number }>;

export class FrozenFiles implements FileSystem {
  readonly places: ReadPlaces = new WeakMap();
  readonly #files = new Map<string, Content>();

  constructor(image: FileImage) {
    for (const [path, bytes] of image) {
      this.#files.set(path, { bytes, isOwn: false });
    }
  }

  /** What is in the file now. */
  peek(path: string): Uint8Array | undefined {
    return this.#files.get(path)?.bytes;
  }

  open(path: string, mode: OpenMode): Promise<FileHandle> {
    let content = this.#files.get(path);
    if (content !== undefined && mode === "createNew") {
      return Promise.reject(new FileError("ALREADY_EXISTS", path, `${path}: exists`));
    }
    if (content === undefined) {
      if (mode === "read") {
        return Promise.reject(missing(path));
      }
      content = { bytes: new Uint8Array(0), isOwn: true };
      this.#files.set(path, content);
    }
    return Promise.resolve(new FrozenFile(this, path, content));
  }

  async readFile(path: string): Promise<Uint8Array> {
    return this.#existing(path).bytes.slice();
  }

  async status(path: string): Promise<FileStatus> {
    const content = this.#files.get(path);
    if (content !== undefined) {
      return { kind: "file", size: content.bytes.length, modifiedMs: 0 };
    }
    if (this.#hasDirectory(path)) {
      return { kind: "directory", size: 0, modifiedMs: 0 };
    }
    throw missing(path);
  }

  async createDirectory(): Promise<void> {
    // Directories are where files are.
  }

  async readDirectory(path: string): Promise<DirectoryEntry[]> {
    const kinds = new Map<string, DirectoryEntry["kind"]>();
    for (const name of this.#files.keys()) {
      if (name.startsWith(`${path}/`)) {
        const rest = name.slice(path.length + 1);
        const slash = rest.indexOf("/");
        kinds.set(slash < 0 ? rest : rest.slice(0, slash), slash < 0 ? "file" : "directory");
      }
    }
    return [...kinds].map(([name, kind]) => ({ name, kind }));
  }

  async rename(from: string, to: string): Promise<void> {
    const moved = [...this.#files].filter(([path]) => path === from || path.startsWith(`${from}/`));
    if (moved.length === 0) {
      throw missing(from);
    }
    for (const [path, content] of moved) {
      this.#files.delete(path);
      this.#files.set(to + path.slice(from.length), content);
    }
  }

  async removeFile(path: string): Promise<void> {
    this.#existing(path);
    this.#files.delete(path);
  }

  async removeDirectory(path: string): Promise<void> {
    for (const name of [...this.#files.keys()]) {
      if (name.startsWith(`${path}/`)) {
        this.#files.delete(name);
      }
    }
  }

  async syncDirectory(): Promise<void> {
    // Nothing is ever lost here.
  }

  async lockDirectory(): Promise<DirectoryLock> {
    return { release: async () => undefined };
  }

  async availableBytes(): Promise<number> {
    return 2 ** 40;
  }

  #existing(path: string): Content {
    const content = this.#files.get(path);
    if (content === undefined) {
      throw missing(path);
    }
    return content;
  }

  #hasDirectory(path: string): boolean {
    return [...this.#files.keys()].some((name) => name.startsWith(`${path}/`));
  }
}

class FrozenFile implements FileHandle {
  readonly path: string;
  readonly #files: FrozenFiles;
  readonly #content: Content;

  constructor(files: FrozenFiles, path: string, content: Content) {
    this.#files = files;
    this.path = path;
    this.#content = content;
  }

  read(target: Uint8Array, position: number): Promise<number> {
    const { bytes } = this.#content;
    const count = Math.max(0, Math.min(target.length, bytes.length - position));
    target.set(bytes.subarray(position, position + count));
    const from = position - target.byteOffset;
    this.#files.places.set(target.buffer, { path: this.path, from });
    return Promise.resolve(count);
  }

  write(chunks: readonly Uint8Array[], position: number): Promise<number> {
    return Promise.resolve(this.writeSync(chunks, position));
  }

  writeSync(chunks: readonly Uint8Array[], position: number): number {
    let at = position;
    for (const chunk of chunks) {
      // Recovery writes again what it read: that takes no copy.
      if (!isThere(this.#content.bytes, chunk, at)) {
        this.#resize(Math.max(this.#content.bytes.length, at + chunk.length));
        this.#content.bytes.set(chunk, at);
      }
      at += chunk.length;
    }
    return at - position;
  }

  async sync(): Promise<void> {
    // Nothing is ever lost here.
  }

  async truncate(size: number): Promise<void> {
    const { bytes } = this.#content;
    if (size < bytes.length) {
      this.#content.bytes = bytes.subarray(0, size);
    } else {
      this.#resize(size);
    }
  }

  async size(): Promise<number> {
    return this.#content.bytes.length;
  }

  async close(): Promise<void> {
    // Nothing is held.
  }

  #resize(size: number): void {
    const { bytes, isOwn } = this.#content;
    if (!isOwn || bytes.length !== size) {
      const own = new Uint8Array(size);
      own.set(bytes.subarray(0, Math.min(bytes.length, size)));
      this.#content.bytes = own;
      this.#content.isOwn = true;
    }
  }
}

function isThere(bytes: Uint8Array, chunk: Uint8Array, at: number): boolean {
  const there = bytes.subarray(at, at + chunk.length);
  return there.length === chunk.length && Buffer.compare(there, chunk) === 0;
}

function missing(path: string): FileError {
  return new FileError("NOT_FOUND", path, `${path}: is missing`);
}
