// What the commit journal holds after an unclean stop goes into the logs' own files, before they are recovered. Idempotent:
// the same bytes go to the same places, and the journal is removed only when all of them are synced.

import type { FileHandle, FileSystem } from "@millrace/runtime";
import {
  decodeJournalEntries,
  decodeJournalFrameHeader,
  decodeJournalHeader,
  type FoundEntry,
  JOURNAL_FILES,
  JOURNAL_FRAME_HEADER_BYTES,
  JOURNAL_HEADER_BYTES,
  type JournalFrameHeader,
  type JournalHeader,
} from "./core/commit-journal-format.js";
import { LOG_SUFFIX, parseSegmentFileName, segmentFileName } from "./core/segment-name.js";
import { exists, isFileError, readFully, removeIfPresent, writeFully } from "./files.js";
import { storeQuarantine } from "./quarantine-marker.js";
import type { StorageRuntime } from "./storage-config.js";

interface ReplayOptions {
  readonly runtime: Pick<StorageRuntime, "fileSystem" | "compute" | "logger">;
  /** The data directory. */
  readonly path: string;
}

/** Where bytes of a log are in the journal. */
interface Found {
  readonly file: FileHandle;
  readonly at: number;
  readonly baseOffset: number;
  readonly position: number;
  readonly sizeBytes: number;
}

interface OpenJournal {
  readonly file: FileHandle;
  readonly size: number;
  readonly header: JournalHeader;
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
  const journals = await openJournals(options);
  let bytes = 0;
  try {
    const found = new Map<string, Found[]>();
    for (const journal of journals) {
      await collect(options, journal, found);
    }
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

/** Oldest first. A file whose header is not whole was never written to, or is empty again. */
async function openJournals({ runtime, path }: ReplayOptions): Promise<OpenJournal[]> {
  const journals: OpenJournal[] = [];
  for (const name of JOURNAL_FILES) {
    if (!(await exists(runtime.fileSystem, `${path}/${name}`))) {
      continue;
    }
    const file = await runtime.fileSystem.open(`${path}/${name}`, "read");
    const bytes = await readFully(file, 0, JOURNAL_HEADER_BYTES);
    const header = bytes && decodeJournalHeader(bytes, runtime.compute);
    if (header === undefined) {
      await file.close();
    } else {
      journals.push({ file, header, size: await file.size() });
    }
  }
  return journals.sort((left, right) => left.header.generation - right.header.generation);
}

/** Walks over the frames, up to the first that is not whole. */
async function collect(
  options: ReplayOptions,
  journal: OpenJournal,
  found: Map<string, Found[]>,
): Promise<void> {
  const { file } = journal;
  let at = JOURNAL_HEADER_BYTES;
  for (;;) {
    const header = await readFrameHeader(options, journal, at);
    const bodyAt = at + JOURNAL_FRAME_HEADER_BYTES;
    const body = header && (await readBody(options, journal, { header, at: bodyAt }));
    if (header === undefined) {
      return;
    }
    at = bodyAt + header.bodyBytes;
    if (body !== undefined) {
      for (const entry of body) {
        note(found, entry, { file, bodyAt });
      }
    } else if ((await readFrameHeader(options, journal, at)) === undefined) {
      // The last one, which nobody was promised.
      return;
    } else {
      // A frame is written when the one before is on the disk: this is damage. What follows may still be replayed.
      options.runtime.logger.error({ path: file.path, position: bodyAt }, "commit journal damaged");
    }
  }
}

function note(
  found: Map<string, Found[]>,
  entry: FoundEntry,
  place: { readonly file: FileHandle; readonly bodyAt: number },
): void {
  if (entry.kind === "forget") {
    found.delete(entry.name);
    return;
  }
  const { baseOffset, position, sizeBytes } = entry;
  const extents = found.get(entry.name) ?? [];
  extents.push({
    file: place.file,
    at: place.bodyAt + entry.from,
    baseOffset,
    position,
    sizeBytes,
  });
  found.set(entry.name, extents);
}

async function readFrameHeader(
  { runtime }: ReplayOptions,
  { file, header, size }: OpenJournal,
  at: number,
): Promise<JournalFrameHeader | undefined> {
  const bytes = await readFully(file, at, JOURNAL_FRAME_HEADER_BYTES);
  const { compute } = runtime;
  const frame = bytes && decodeJournalFrameHeader(bytes, { salt: header.salt, compute });
  return frame !== undefined && at + JOURNAL_FRAME_HEADER_BYTES + frame.bodyBytes <= size
    ? frame
    : undefined;
}

async function readBody(
  { runtime }: ReplayOptions,
  { file, header: { salt } }: OpenJournal,
  frame: { readonly header: JournalFrameHeader; readonly at: number },
): Promise<FoundEntry[] | undefined> {
  const { bodyBytes, bodyCrc } = frame.header;
  const body = await readFully(file, frame.at, bodyBytes);
  return body !== undefined && runtime.compute.crc32c(body, salt) === bodyCrc
    ? decodeJournalEntries(body)
    : undefined;
}

async function replayLog(
  options: ReplayOptions,
  name: string,
  extents: readonly Found[],
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

async function copy(extent: Found, file: FileHandle): Promise<void> {
  const bytes = await readFully(extent.file, extent.at, extent.sizeBytes);
  if (bytes === undefined) {
    throw new Error(`${extent.file.path}: the file shrank while it was replayed`);
  }
  await writeFully(file, [bytes], extent.position);
}

/** The base offset of the segment that was appended to; undefined when there is no such directory, or no segment. */
async function lastSegment(fileSystem: FileSystem, directory: string): Promise<number | undefined> {
  try {
    const names = await fileSystem.readDirectory(directory);
    const bases = names
      .map(({ name }) => parseSegmentFileName(name))
      .filter((parsed) => parsed?.suffix === LOG_SUFFIX)
      .map((parsed) => parsed?.baseOffset ?? 0);
    return bases.length === 0 ? undefined : Math.max(...bases);
  } catch (error) {
    if (isFileError(error, "NOT_FOUND")) {
      return undefined;
    }
    throw error;
  }
}
