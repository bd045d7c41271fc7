// Reads the commit journal's files without changing anything: their frames in order, and where in them the bytes are that
// the next start would put into log files. The replay itself is journal-replay.ts.

import type { FileHandle, FileSystem } from "@millrace/runtime";
import {
  decodeJournalEntries,
  decodeJournalFrameHeader,
  decodeJournalHeader,
  type FoundEntry,
  JOURNAL_BODY_BYTES_MAX,
  JOURNAL_FILES,
  JOURNAL_FRAME_HEADER_BYTES,
  JOURNAL_HEADER_BYTES,
  type JournalFrameHeader,
  type JournalHeader,
} from "./core/commit-journal-format.js";
import { LOG_SUFFIX, parseSegmentFileName } from "./core/segment-name.js";
import { exists, isFileError, readFully } from "./files.js";
import type { StorageRuntime } from "./storage-config.js";

export type JournalRuntime = Pick<StorageRuntime, "fileSystem" | "compute">;

export interface OpenJournal {
  readonly file: FileHandle;
  readonly size: number;
  readonly header: JournalHeader;
}

export interface JournalFrame {
  readonly position: number;
  readonly bodyAt: number;
  readonly bodyBytes: number;
  /**
   * Undefined: the checksum is wrong. At the end of a file (`isTorn`) the write was interrupted, and nobody was promised
   * anything; anywhere else it is damage.
   */
  readonly entries: readonly FoundEntry[] | undefined;
  readonly isTorn: boolean;
}

/** Where bytes of a log are in the journal. */
export interface ExtentPlace {
  readonly file: FileHandle;
  readonly at: number;
  readonly baseOffset: number;
  readonly position: number;
  readonly sizeBytes: number;
}

/** Oldest first; to be closed. A file whose header is not whole was never written to, or is empty again. */
export async function openJournals(runtime: JournalRuntime, path: string): Promise<OpenJournal[]> {
  const journals: OpenJournal[] = [];
  for (const name of JOURNAL_FILES) {
    const journal = await openJournal(runtime, `${path}/${name}`);
    if (journal !== undefined) {
      journals.push(journal);
    }
  }
  return journals.sort((left, right) => left.header.generation - right.header.generation);
}

/** Undefined when there is no such file, or no whole header in it. */
export async function openJournal(
  runtime: JournalRuntime,
  path: string,
): Promise<OpenJournal | undefined> {
  if (!(await exists(runtime.fileSystem, path))) {
    return undefined;
  }
  const file = await runtime.fileSystem.open(path, "read");
  const bytes = await readFully(file, 0, JOURNAL_HEADER_BYTES);
  const header = bytes && decodeJournalHeader(bytes, runtime.compute);
  if (header === undefined) {
    await file.close();
    return undefined;
  }
  return { file, header, size: await file.size() };
}

/** All of a file, and the bad stretches between them; at the end, one that is not whole when its length is there. */
export async function* journalFrames(
  runtime: JournalRuntime,
  journal: OpenJournal,
): AsyncGenerator<JournalFrame, void, undefined> {
  let position: number | undefined = JOURNAL_HEADER_BYTES;
  while (position !== undefined) {
    const header = await readFrameHeader(runtime, journal, position);
    const bodyAt: number = header === undefined ? position : position + JOURNAL_FRAME_HEADER_BYTES;
    const entries = header && (await readBody(runtime, journal, { header, at: bodyAt }));
    const next: number | undefined =
      header === undefined || entries === undefined
        ? await findFrame(runtime, journal, bodyAt + (header?.bodyBytes ?? 0))
        : bodyAt + header.bodyBytes;
    if (header === undefined && next === undefined) {
      return;
    }
    const bodyBytes = header?.bodyBytes ?? (next ?? bodyAt) - bodyAt;
    // A frame is written when the one before is on the disk: one that follows makes a bad one damage.
    const isTorn = entries === undefined && (await areCopies(runtime, journal, next));
    yield { position, bodyAt, bodyBytes, entries, isTorn };
    position = next;
  }
}

/**
 * Whether all whole frames from there on say the same to be forgotten, or there is none: what is bad before them can be of
 * the same write, which was interrupted.
 */
async function areCopies(
  runtime: JournalRuntime,
  journal: OpenJournal,
  from: number | undefined,
): Promise<boolean> {
  let first: JournalFrameHeader | undefined;
  for (let at = from; at !== undefined; ) {
    const header = await readFrameHeader(runtime, journal, at);
    const bodyAt = at + JOURNAL_FRAME_HEADER_BYTES;
    const entries = header && (await readBody(runtime, journal, { header, at: bodyAt }));
    if (entries?.every(({ kind }) => kind === "forget") === true) {
      first ??= header;
      if (header?.bodyCrc !== first?.bodyCrc) {
        return false;
      }
    } else if (entries !== undefined) {
      return false;
    }
    at =
      header === undefined || entries === undefined
        ? await findFrame(runtime, journal, at + 1)
        : bodyAt + header.bodyBytes;
  }
  return true;
}

/** Where the next whole frame begins, at `from` or as far behind it as the largest frame reaches. */
async function findFrame(
  runtime: JournalRuntime,
  journal: OpenJournal,
  from: number,
): Promise<number | undefined> {
  const { compute } = runtime;
  const {
    file,
    header: { salt },
    size,
  } = journal;
  const window = Math.min(size - from, JOURNAL_BODY_BYTES_MAX + 2 * JOURNAL_FRAME_HEADER_BYTES);
  const bytes = window > 0 ? await readFully(file, from, window) : undefined;
  for (let at = 0; bytes !== undefined && at + JOURNAL_FRAME_HEADER_BYTES <= window; at++) {
    // The length of a body, in four bytes: nearly all places are passed over by the first of them.
    const mayBegin = bytes[at] === 0 && (bytes[at + 1] ?? 0) <= JOURNAL_BODY_BYTES_MAX >> 16;
    const header = mayBegin
      ? decodeJournalFrameHeader(bytes.subarray(at, at + JOURNAL_FRAME_HEADER_BYTES), {
          salt,
          compute,
        })
      : undefined;
    const bodyAt = from + at + JOURNAL_FRAME_HEADER_BYTES;
    if (header !== undefined && (await readBody(runtime, journal, { header, at: bodyAt }))) {
      return from + at;
    }
  }
  return undefined;
}

/** By the log's directory: what a replay would write, in order. `onDamage`: a frame with others behind it is bad. */
export async function collectExtents(
  runtime: JournalRuntime,
  journals: readonly OpenJournal[],
  onDamage: (file: FileHandle, position: number) => void,
): Promise<Map<string, ExtentPlace[]>> {
  const found = new Map<string, ExtentPlace[]>();
  for (const journal of journals) {
    for await (const { bodyAt, entries, isTorn } of journalFrames(runtime, journal)) {
      for (const entry of entries ?? []) {
        note(found, entry, { file: journal.file, bodyAt });
      }
      if (entries === undefined && !isTorn) {
        onDamage(journal.file, bodyAt);
      }
    }
  }
  return found;
}

function note(
  found: Map<string, ExtentPlace[]>,
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
  { compute }: JournalRuntime,
  { file, header, size }: OpenJournal,
  at: number,
): Promise<JournalFrameHeader | undefined> {
  const bytes = await readFully(file, at, JOURNAL_FRAME_HEADER_BYTES);
  const frame = bytes && decodeJournalFrameHeader(bytes, { salt: header.salt, compute });
  return frame !== undefined && at + JOURNAL_FRAME_HEADER_BYTES + frame.bodyBytes <= size
    ? frame
    : undefined;
}

async function readBody(
  { compute }: JournalRuntime,
  { file, header: { salt } }: OpenJournal,
  frame: { readonly header: JournalFrameHeader; readonly at: number },
): Promise<FoundEntry[] | undefined> {
  const { bodyBytes, bodyCrc } = frame.header;
  const body = await readFully(file, frame.at, bodyBytes);
  return body !== undefined && compute.crc32c(body, salt) === bodyCrc
    ? decodeJournalEntries(body)
    : undefined;
}

/** The base offset of the segment that was appended to; undefined when there is no such directory, or no segment. */
export async function lastSegment(
  fileSystem: FileSystem,
  directory: string,
): Promise<number | undefined> {
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
