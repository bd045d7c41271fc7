// Files as the storage engine sees them: positional reads and writes, an explicit sync, explicit directory
// syncs, and a lock that the kernel releases. The port reports what the platform reports (short counts
// included); what to make of it is the caller's decision.

export type OpenMode =
  /** The file must exist; reading only. */
  | "read"
  /** Created when missing; reading and writing. Never truncates. */
  | "readWrite"
  /** Must not exist; created for reading and writing. */
  | "createNew";

export interface DirectoryEntry {
  readonly name: string;
  readonly kind: "file" | "directory" | "other";
}

export interface FileStatus {
  readonly kind: "file" | "directory" | "other";
  /** Bytes. */
  readonly size: number;
  /** Last modification, milliseconds since 1970. */
  readonly modifiedMs: number;
}

/** Why a file operation failed, in words that do not depend on the platform. */
export type FileErrorCode =
  | "NOT_FOUND"
  | "ALREADY_EXISTS"
  | "NOT_EMPTY"
  | "PERMISSION_DENIED"
  /** No space, or over quota. */
  | "STORAGE_FULL"
  | "TOO_MANY_OPEN_FILES"
  /** The directory is locked by another process (or another holder in this one). */
  | "LOCKED"
  | "IO_ERROR";

export class FileError extends Error {
  override readonly name = "FileError";
  readonly code: FileErrorCode;
  readonly path: string;

  constructor(code: FileErrorCode, path: string, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
    this.path = path;
  }
}

export interface FileHandle {
  readonly path: string;
  /**
   * Reads up to `target.length` bytes at `position`. Returns how many were read: fewer only at the end of the
   * file, 0 at or beyond it.
   */
  read(target: Uint8Array, position: number): Promise<number>;
  /**
   * Writes the chunks back to back at `position`. Returns how many bytes were written, which may be FEWER
   * than given without an error when the disk fills up: the caller must compare. The chunks belong to the
   * file until the promise settles: changing them meanwhile changes what is written.
   */
  write(chunks: readonly Uint8Array[], position: number): Promise<number>;
  /** The same, synchronously: for small appends, where a trip through a thread pool costs more. */
  writeSync(chunks: readonly Uint8Array[], position: number): number;
  /**
   * `fdatasync`: when it resolves, all bytes written before the call are durable, the size included. When it
   * rejects, nothing is known about any of them, and a later success proves nothing (fsync-gate).
   */
  sync(): Promise<void>;
  truncate(size: number): Promise<void>;
  size(): Promise<number>;
  /** Idempotent. Does not sync. */
  close(): Promise<void>;
}

/** An exclusive hold on a directory; released by `release` or by the end of the process, however it ends. */
export interface DirectoryLock {
  release(): Promise<void>;
}

export interface FileSystem {
  open(path: string, mode: OpenMode): Promise<FileHandle>;
  /** The whole file. For small files: checkpoints, metadata. */
  readFile(path: string): Promise<Uint8Array>;
  status(path: string): Promise<FileStatus>;
  /** Creates the directory and its missing parents; an existing directory is fine. */
  createDirectory(path: string): Promise<void>;
  /** In no particular order. */
  readDirectory(path: string): Promise<DirectoryEntry[]>;
  /** Atomic; replaces an existing file. Durable only after `syncDirectory` of the parent(s). */
  rename(from: string, to: string): Promise<void>;
  /** Removes one file. Durable only after `syncDirectory` of the parent. */
  removeFile(path: string): Promise<void>;
  /** Removes a directory and all below it. Durable only after `syncDirectory` of the parent. */
  removeDirectory(path: string): Promise<void>;
  /** Makes creations, renames and removals in this directory durable. */
  syncDirectory(path: string): Promise<void>;
  /** @throws FileError `LOCKED` when another process, or another holder here, has it. */
  lockDirectory(path: string): Promise<DirectoryLock>;
  /** Bytes that can still be written to the file system that holds `path`. */
  availableBytes(path: string): Promise<number>;
}

/** Joins path segments with "/"; the only separator Millrace uses (Node accepts it on every platform). */
export function joinPath(...segments: readonly string[]): string {
  return segments
    .filter((segment) => segment !== "")
    .join("/")
    .replace(/\/{2,}/g, "/");
}
