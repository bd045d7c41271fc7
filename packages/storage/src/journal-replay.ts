// What the commit journal holds after an unclean stop goes into the logs' own files, before they are recovered. Idempotent:
// the same bytes go to the same places, and the journal is removed only when all of them are synced.

import type { FileHandle, FileSystem } from "@millrace/runtime";
import { JOURNAL_FILES } from "./core/commit-journal-format.js";
import { LOG_SUFFIX, segmentFileName } from "./core/segment-name.js";
import { readFully, removeIfPresent, writeFully } from "./files.js";
import { collectExtents, type ExtentPlace, lastSegment, openJournals } from "./journal-reader.js";
import { storeQuarantine } from "./quarantine-marker.js";
import type { StorageRuntime } from "./storage-config.js";

interface ReplayOptions {
  readonly runtime: Pick<StorageRuntime, "fileSystem" | "compute" | "logger">;
  /** The data directory. */
  readonly path: string;
}

/**
 * Writes and syncs what the journal holds, then removes it. A log whose bytes cannot be put in place without a gap is
 * quarantined.
 */
export async function replayJournal(
  runtime: ReplayOptions["runtime"],
  path: string,
): Promise<void> {
  const options = { runtime, path };
  const journals = await openJournals(runtime, path);
  let bytes = 0;
  try {
    const found = await collectExtents(runtime, journals, (file, position) => {
      // What follows may still be replayed.
      runtime.logger.error({ path: file.path, position }, "commit journal damaged");
    });
    for (const [name, extents] of found) {
      bytes += await replayLog(options, name, extents);
    }
  } finally {
    await Promise.all(journals.map(({ file }) => file.close()));
  }
  await removeJournal(runtime.fileSystem, path);
  if (bytes > 0) {
    runtime.logger.info({ path, bytes }, "commit journal replayed");
  }
}

/** Durably gone when it resolves. */
export async function removeJournal(fileSystem: FileSystem, path: string): Promise<void> {
  let wasThere = false;
  for (const name of JOURNAL_FILES) {
    wasThere = (await removeIfPresent(fileSystem, `${path}/${name}`)) || wasThere;
  }
  if (wasThere) {
    await fileSystem.syncDirectory(path);
  }
}

async function replayLog(
  options: ReplayOptions,
  name: string,
  extents: readonly ExtentPlace[],
): Promise<number> {
  const { fileSystem, logger } = options.runtime;
  const directory = `${options.path}/${name}`;
  const last = await lastSegment(fileSystem, directory);
  // A sealed segment was synced before its successor was made, and may have been compacted or removed since.
  const due = extents.filter(({ baseOffset }) => baseOffset === last);
  if (last === undefined || due.length === 0) {
    return 0;
  }
  const file = await fileSystem.open(
    `${directory}/${segmentFileName(last, LOG_SUFFIX)}`,
    "readWrite",
  );
  let bytes = 0;
  try {
    let size = await file.size();
    for (const extent of due) {
      if (extent.position > size) {
        const problem = `${file.path}: bytes ${size} to ${extent.position} are neither there nor in the commit journal`;
        logger.error({ path: directory }, problem);
        await storeQuarantine(fileSystem, directory, problem);
        break;
      }
      await copy(extent, file);
      size = Math.max(size, extent.position + extent.sizeBytes);
      bytes += extent.sizeBytes;
    }
    await file.sync();
  } finally {
    await file.close();
  }
  return bytes;
}

async function copy(extent: ExtentPlace, file: FileHandle): Promise<void> {
  const bytes = await readFully(extent.file, extent.at, extent.sizeBytes);
  if (bytes === undefined) {
    throw new Error(`${extent.file.path}: the file shrank while it was replayed`);
  }
  await writeFully(file, [bytes], extent.position);
}
