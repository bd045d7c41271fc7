// Node's file system. Errors are FileErrors that name operation and path.

import * as fs from "node:fs";
import { dirname } from "node:path";
import type {
  DirectoryEntry,
  FileHandle,
  FileStatus,
  FileSystem,
  OpenMode,
} from "../file-system.js";
import { lockDirectory } from "./directory-lock.js";
import { errnoOf, toFileError } from "./file-errors.js";
import { NodeFile } from "./node-file.js";

const { constants, promises } = fs;

const flags: Readonly<Record<OpenMode, number>> = {
  read: constants.O_RDONLY,
  readWrite: constants.O_RDWR | constants.O_CREAT,
  createNew: constants.O_RDWR | constants.O_CREAT | constants.O_EXCL,
};

/** Owner reads and writes, the group reads: a log holds other people's data. */
const FILE_PERMISSIONS = 0o640;
const DIRECTORY_PERMISSIONS = 0o750;

const kindOf = (entry: fs.Dirent | fs.Stats): DirectoryEntry["kind"] => {
  if (entry.isFile()) {
    return "file";
  }
  return entry.isDirectory() ? "directory" : "other";
};

async function attempt<Value>(
  operation: string,
  path: string,
  work: () => Promise<Value>,
): Promise<Value> {
  try {
    return await work();
  } catch (error) {
    throw toFileError(error, operation, path);
  }
}

const openDescriptor = (path: string, mode: OpenMode): Promise<number> =>
  new Promise((resolve, reject) => {
    fs.open(path, flags[mode], FILE_PERMISSIONS, (error, descriptor) =>
      error ? reject(toFileError(error, "open", path)) : resolve(descriptor),
    );
  });

async function syncDirectory(path: string): Promise<void> {
  if (process.platform === "win32") {
    // Windows cannot open a directory for syncing, and its file systems journal names by themselves.
    await promises.stat(path);
    return;
  }
  const directory = await promises.open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/**
 * Creates the directory and those above it. Not Node's own recursion: where a parent refuses new entries with
 * ENOENT (procfs) that never ends, and on a read-only file system it reports ENOENT instead of EROFS.
 */
async function createDirectory(path: string): Promise<void> {
  try {
    await makeDirectory(path);
  } catch (error) {
    const parent = dirname(path);
    if (errnoOf(error) !== "ENOENT" || parent === path) {
      throw error;
    }
    await createDirectory(parent);
    await makeDirectory(path);
  }
}

/** One directory; that it is there already is fine. */
async function makeDirectory(path: string): Promise<void> {
  try {
    await promises.mkdir(path, { mode: DIRECTORY_PERMISSIONS });
  } catch (error) {
    const isThere = errnoOf(error) === "EEXIST" && (await promises.stat(path)).isDirectory();
    if (!isThere) {
      throw error;
    }
  }
}

async function statusOf(path: string): Promise<FileStatus> {
  const status = await promises.stat(path);
  return { kind: kindOf(status), size: status.size, modifiedMs: status.mtimeMs };
}

/** The process's file system. */
export const nodeFileSystem: FileSystem = {
  async open(path, mode): Promise<FileHandle> {
    return new NodeFile(path, await openDescriptor(path, mode));
  },
  readFile: (path) =>
    attempt("read", path, async () => {
      const content = await promises.readFile(path);
      return new Uint8Array(content.buffer, content.byteOffset, content.length);
    }),
  status: (path) => attempt("stat", path, () => statusOf(path)),
  createDirectory: (path) => attempt("create directory", path, () => createDirectory(path)),
  readDirectory: (path) =>
    attempt("list", path, async () => {
      const entries = await promises.readdir(path, { withFileTypes: true });
      return entries.map((entry) => ({ name: entry.name, kind: kindOf(entry) }));
    }),
  rename: (from, to) => attempt(`rename (to ${to})`, from, () => promises.rename(from, to)),
  removeFile: (path) => attempt("remove", path, () => promises.unlink(path)),
  removeDirectory: (path) =>
    attempt("remove directory", path, () => promises.rm(path, { recursive: true })),
  syncDirectory: (path) => attempt("sync directory", path, () => syncDirectory(path)),
  lockDirectory: (path) => attempt("lock", path, () => lockDirectory(path)),
  availableBytes: (path) =>
    attempt("stat file system of", path, async () => {
      const status = await promises.statfs(path);
      return status.bavail * status.bsize;
    }),
};
