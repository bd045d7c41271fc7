// What a data directory holds beside its logs: who it belongs to, the lock, the two offset checkpoints and the mark
// of a clean shutdown. Knows nothing about logs.

import { MillraceError } from "@millrace/protocol";
import { type DirectoryLock, randomUuid } from "@millrace/runtime";
import {
  CLEAN_SHUTDOWN_FILE,
  CLEANER_OFFSET_FILE,
  DIRECTORY_METADATA_FILE,
  isDeletedDirectory,
  LOG_START_OFFSET_FILE,
  parsePartitionDirectory,
  RECOVERY_POINT_FILE,
} from "./core/segment-name.js";
import {
  base64ToUuid,
  decodeOffsetCheckpoint,
  decodeProperties,
  encodeOffsetCheckpoint,
  encodeProperties,
  type OffsetCheckpoint,
  uuidToBase64,
} from "./core/text-checkpoints.js";
import { exists, isFileError, readTextIfPresent, removeIfPresent, replaceFile } from "./files.js";
import type { StorageRuntime } from "./storage-config.js";

/** Of the layout as docs/formats.md describes it. A directory of a newer one is refused. */
export const FORMAT_VERSION = 1;

export interface DirectoryIdentity {
  readonly clusterId: string;
  readonly nodeId: number;
  /** Canonical UUID text; a new one for every new (or wiped) directory. */
  readonly directoryId: string;
}

export interface OpenDirectoryOptions {
  readonly runtime: StorageRuntime;
  readonly path: string;
  readonly nodeId: number;
  readonly clusterId: string | undefined;
}

export class DataDirectory implements DirectoryIdentity {
  readonly path: string;
  readonly clusterId: string;
  readonly nodeId: number;
  readonly directoryId: string;
  readonly #runtime: StorageRuntime;
  readonly #lock: DirectoryLock;

  private constructor(
    options: OpenDirectoryOptions,
    lock: DirectoryLock,
    identity: DirectoryIdentity,
  ) {
    this.path = options.path;
    this.clusterId = identity.clusterId;
    this.nodeId = identity.nodeId;
    this.directoryId = identity.directoryId;
    this.#runtime = options.runtime;
    this.#lock = lock;
  }

  /**
   * Creates the directory if need be, locks it and checks whose it is.
   * @throws MillraceError `KAFKA_STORAGE_ERROR` (in use, unwritable, damaged, another node's),
   *   `INCONSISTENT_CLUSTER_ID`, `UNSUPPORTED_VERSION` (a newer format).
   */
  static async open(options: OpenDirectoryOptions): Promise<DataDirectory> {
    const { path, runtime } = options;
    const lock = await lockDirectory(options);
    try {
      const text = await readTextIfPresent(
        runtime.fileSystem,
        `${path}/${DIRECTORY_METADATA_FILE}`,
      );
      const identity =
        text === undefined ? await initialize(options) : checkIdentity(options, text);
      return new DataDirectory(options, lock, identity);
    } catch (error) {
      await lock.release();
      throw error;
    }
  }

  /** Whether the last stop was a clean one. The mark is gone, durably, when this resolves. */
  async takeCleanShutdownMark(): Promise<boolean> {
    const { fileSystem } = this.#runtime;
    const wasThere = await removeIfPresent(fileSystem, `${this.path}/${CLEAN_SHUTDOWN_FILE}`);
    if (wasThere) {
      await fileSystem.syncDirectory(this.path);
    }
    return wasThere;
  }

  async markCleanShutdown(): Promise<void> {
    await this.#replace(CLEAN_SHUTDOWN_FILE, "version=1\n");
  }

  /** Undefined when the file is missing or damaged. */
  async loadRecoveryPoints(): Promise<OffsetCheckpoint | undefined> {
    return await this.#load(RECOVERY_POINT_FILE);
  }

  /** Undefined when the file is missing or damaged. */
  async loadLogStartOffsets(): Promise<OffsetCheckpoint | undefined> {
    return await this.#load(LOG_START_OFFSET_FILE);
  }

  /** Undefined when the file is missing or damaged: every compacted log is cleaned from its start then. */
  async loadCleanerOffsets(): Promise<OffsetCheckpoint | undefined> {
    return await this.#load(CLEANER_OFFSET_FILE);
  }

  async storeCleanerOffsets(offsets: OffsetCheckpoint): Promise<void> {
    await this.#replace(CLEANER_OFFSET_FILE, encodeOffsetCheckpoint(offsets));
  }

  async storeRecoveryPoints(offsets: OffsetCheckpoint): Promise<void> {
    await this.#replace(RECOVERY_POINT_FILE, encodeOffsetCheckpoint(offsets));
  }

  async storeLogStartOffsets(offsets: OffsetCheckpoint): Promise<void> {
    await this.#replace(LOG_START_OFFSET_FILE, encodeOffsetCheckpoint(offsets));
  }

  /** Durable when it resolves; may be repeated when it did not. */
  async renameEntry(from: string, to: string): Promise<void> {
    const { fileSystem } = this.#runtime;
    const isDone =
      !(await exists(fileSystem, `${this.path}/${from}`)) &&
      (await exists(fileSystem, `${this.path}/${to}`));
    if (!isDone) {
      await fileSystem.rename(`${this.path}/${from}`, `${this.path}/${to}`);
    }
    await this.#runtime.fileSystem.syncDirectory(this.path);
  }

  /** Removes partitions whose deletion was promised before. */
  async finishDeletions(): Promise<void> {
    const { fileSystem } = this.#runtime;
    for (const { name, kind } of await fileSystem.readDirectory(this.path)) {
      if (kind === "directory" && isDeletedDirectory(name)) {
        await fileSystem.removeDirectory(`${this.path}/${name}`);
      }
    }
  }

  /** Names of the partitions' directories, in order. Others are left alone. */
  async partitionDirectories(): Promise<string[]> {
    const entries = await this.#runtime.fileSystem.readDirectory(this.path);
    return entries
      .filter(({ name, kind }) => kind === "directory" && parsePartitionDirectory(name))
      .map(({ name }) => name)
      .sort();
  }

  async release(): Promise<void> {
    await this.#lock.release();
  }

  async #load(name: string): Promise<OffsetCheckpoint | undefined> {
    const text = await readTextIfPresent(this.#runtime.fileSystem, `${this.path}/${name}`);
    return text === undefined ? undefined : decodeOffsetCheckpoint(text);
  }

  async #replace(name: string, content: string): Promise<void> {
    await replaceFile(this.#runtime.fileSystem, { directory: this.path, name, content });
  }
}

async function lockDirectory(options: OpenDirectoryOptions): Promise<DirectoryLock> {
  const { fileSystem } = options.runtime;
  try {
    await fileSystem.createDirectory(options.path);
    return await fileSystem.lockDirectory(options.path);
  } catch (error) {
    const isLocked = isFileError(error, "LOCKED");
    const message = isLocked
      ? `the data directory ${options.path} is in use by another broker`
      : `the data directory ${options.path} cannot be used: ${error instanceof Error ? error.message : String(error)}`;
    throw unusable(message, error);
  }
}

/** Another start would find the same: somebody has to look. */
function unusable(message: string, cause?: unknown): MillraceError {
  return new MillraceError("KAFKA_STORAGE_ERROR", message, { cause, retriable: false });
}

async function initialize(options: OpenDirectoryOptions): Promise<DirectoryIdentity> {
  const { path, nodeId, runtime } = options;
  const entries = await runtime.fileSystem.readDirectory(path);
  if (entries.some(({ name, kind }) => kind === "directory" && parsePartitionDirectory(name))) {
    throw unusable(
      `the data directory ${path} holds partitions but no ${DIRECTORY_METADATA_FILE}: it is not known whose they are`,
    );
  }
  await syncAncestors(options);
  const identity = {
    clusterId: options.clusterId ?? uuidToBase64(randomUuid(runtime.random)),
    nodeId,
    directoryId: randomUuid(runtime.random),
  };
  const properties = new Map([
    ["version", "1"],
    ["millrace.format.version", String(FORMAT_VERSION)],
    ["cluster.id", identity.clusterId],
    ["node.id", String(nodeId)],
    ["directory.id", uuidToBase64(identity.directoryId)],
  ]);
  await replaceFile(runtime.fileSystem, {
    directory: path,
    name: DIRECTORY_METADATA_FILE,
    content: encodeProperties(properties),
  });
  return identity;
}

/** The directory, and any above it, may have been created just now: their names must be durable. */
async function syncAncestors(options: OpenDirectoryOptions): Promise<void> {
  const { fileSystem } = options.runtime;
  const parts = options.path.split("/");
  for (let count = parts.length - 1; count > 0; count--) {
    const ancestor = parts.slice(0, count).join("/") || "/";
    try {
      await fileSystem.syncDirectory(ancestor);
    } catch (error) {
      // A directory that may not be opened was there before: what is below it is not ours to sync.
      if (!isFileError(error, "PERMISSION_DENIED")) {
        throw error;
      }
    }
  }
  if (!options.path.startsWith("/")) {
    await fileSystem.syncDirectory(".");
  }
}

function checkIdentity(options: OpenDirectoryOptions, text: string): DirectoryIdentity {
  const { path } = options;
  const properties = decodeProperties(text);
  if (properties === undefined) {
    throw unusable(
      `${path}/${DIRECTORY_METADATA_FILE} is damaged: it does not have its checksum. If you changed it yourself, remove the line millrace.crc32c; otherwise restore it from a backup`,
    );
  }
  const clusterId = properties.get("cluster.id");
  const nodeId = Number(properties.get("node.id") ?? Number.NaN);
  const directoryId = properties.get("directory.id");
  const version = Number(properties.get("millrace.format.version") ?? Number.NaN);
  if (version > FORMAT_VERSION) {
    throw new MillraceError(
      "UNSUPPORTED_VERSION",
      `the data directory ${path} was written by a newer Millrace (format ${version}, this one knows ${FORMAT_VERSION})`,
    );
  }
  const isWhole =
    clusterId !== undefined &&
    Number.isSafeInteger(nodeId) &&
    version === FORMAT_VERSION &&
    directoryId !== undefined &&
    /^[A-Za-z0-9_-]{22}$/.test(directoryId);
  if (!isWhole) {
    throw unusable(`${path}/${DIRECTORY_METADATA_FILE} is damaged or not Millrace's`);
  }
  if (nodeId !== options.nodeId) {
    throw unusable(
      `the data directory ${path} belongs to node ${nodeId}, this is node ${options.nodeId}`,
    );
  }
  if (options.clusterId !== undefined && clusterId !== options.clusterId) {
    throw new MillraceError(
      "INCONSISTENT_CLUSTER_ID",
      `the data directory ${path} belongs to cluster ${clusterId}, not ${options.clusterId}`,
    );
  }
  return { clusterId, nodeId, directoryId: base64ToUuid(directoryId) };
}
