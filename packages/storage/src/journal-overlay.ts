// Log files as the next start will find them, when it has replayed the commit journal: for tools that look at a directory
// between a crash and that start. Writes nothing. Beside a running broker it shows the files as they are: all that its
// journal holds is in them already.

import { LOG_SUFFIX, segmentFileName } from "./core/segment-name.js";
import { CHUNK_BYTES, type ReadableFile, readFully } from "./files.js";
import {
  collectExtents,
  type ExtentPlace,
  type JournalRuntime,
  lastSegment,
  type OpenJournal,
  openJournal,
  openJournals,
} from "./journal-reader.js";

/** A log whose file lacks bytes that the journal holds. */
export interface JournaledTail {
  /** Of the segment. */
  readonly baseOffset: number;
  /** In its file: where the first of these bytes belongs. */
  readonly position: number;
  readonly sizeBytes: number;
  /** Bytes that are in neither: the next start quarantines the log. */
  readonly gap: { readonly from: number; readonly to: number } | undefined;
}

interface Overlaid extends JournaledTail {
  readonly extents: readonly ExtentPlace[];
}

export class JournalOverlay {
  /** Frames that are damaged although others follow them. */
  readonly damages: readonly { readonly path: string; readonly position: number }[];
  readonly #journals: readonly OpenJournal[];
  readonly #overlaid: ReadonlyMap<string, Overlaid>;

  private constructor(options: {
    readonly journals: readonly OpenJournal[];
    readonly damages: JournalOverlay["damages"];
    readonly overlaid: ReadonlyMap<string, Overlaid>;
  }) {
    this.#journals = options.journals;
    this.damages = options.damages;
    this.#overlaid = options.overlaid;
  }

  /** `path`: a data directory. To be closed. */
  static async open(runtime: JournalRuntime, path: string): Promise<JournalOverlay> {
    const journals = await openJournals(runtime, path);
    try {
      const damages: { path: string; position: number }[] = [];
      const found = await collectExtents(runtime, journals, (file, position) => {
        damages.push({ path: file.path, position });
      });
      const overlaid = new Map<string, Overlaid>();
      for (const [name, extents] of found) {
        const one = await overlay(runtime, `${path}/${name}`, extents);
        if (one !== undefined) {
          overlaid.set(name, one);
        }
      }
      // A running broker begins its files anew: what was compared then was not what the journal holds.
      return (await areUnchanged(runtime, journals))
        ? new JournalOverlay({ journals, damages, overlaid })
        : new JournalOverlay({ journals, damages: [], overlaid: new Map() });
    } catch (error) {
      await closeAll(journals);
      throw error;
    }
  }

  /** What the next start will write into this log's last segment; undefined: nothing. `name`: its directory. */
  tail(name: string): JournaledTail | undefined {
    return this.#overlaid.get(name);
  }

  /** The segment's file with what the journal holds of it; the file itself when that is nothing. */
  view(name: string, baseOffset: number, file: SizedFile): SizedFile {
    const overlaid = this.#overlaid.get(name);
    return overlaid?.baseOffset === baseOffset ? new OverlaidFile(file, overlaid.extents) : file;
  }

  async close(): Promise<void> {
    await closeAll(this.#journals);
  }
}

/** A file to be read, and its length. */
export interface SizedFile extends ReadableFile {
  size(): Promise<number>;
}

class OverlaidFile implements SizedFile {
  readonly #file: SizedFile;
  readonly #extents: readonly ExtentPlace[];
  readonly #end: number;

  constructor(file: SizedFile, extents: readonly ExtentPlace[]) {
    this.#file = file;
    this.#extents = extents;
    this.#end = extents.reduce(
      (end, { position, sizeBytes }) => Math.max(end, position + sizeBytes),
      0,
    );
  }

  async size(): Promise<number> {
    return Math.max(await this.#file.size(), this.#end);
  }

  async read(target: Uint8Array, position: number): Promise<number> {
    const length = Math.max(0, Math.min(target.length, (await this.size()) - position));
    await this.#file.read(target.subarray(0, length), position);
    for (const extent of this.#extents) {
      const from = Math.max(position, extent.position);
      const to = Math.min(position + length, extent.position + extent.sizeBytes);
      if (from < to) {
        const part = target.subarray(from - position, to - position);
        await extent.file.read(part, extent.at + from - extent.position);
      }
    }
    return length;
  }
}

/** Undefined when the file holds all of it already. */
async function overlay(
  runtime: JournalRuntime,
  directory: string,
  found: readonly ExtentPlace[],
): Promise<Overlaid | undefined> {
  const base = await lastSegment(runtime.fileSystem, directory);
  const due = found.filter(({ baseOffset }) => baseOffset === base);
  if (base === undefined || due.length === 0) {
    return undefined;
  }
  const path = `${directory}/${segmentFileName(base, LOG_SUFFIX)}`;
  const file = await runtime.fileSystem.open(path, "read");
  try {
    const { extents, gap } = withoutGap(due, await file.size());
    const whole = new OverlaidFile(file, extents);
    const missing: ExtentPlace[] = [];
    for (const extent of extents) {
      if (!(await isSame(file, whole, extent))) {
        missing.push(extent);
      }
    }
    if (missing.length === 0 && gap === undefined) {
      return undefined;
    }
    return {
      baseOffset: base,
      position: Math.min(...missing.map(({ position }) => position), gap?.from ?? Infinity),
      sizeBytes: missing.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
      gap,
      extents,
    };
  } finally {
    await file.close();
  }
}

/** Those that a replay would write: up to the first that would leave a hole. */
function withoutGap(
  due: readonly ExtentPlace[],
  fileSize: number,
): { readonly extents: readonly ExtentPlace[]; readonly gap: JournaledTail["gap"] } {
  let size = fileSize;
  for (const [index, { position, sizeBytes }] of due.entries()) {
    if (position > size) {
      return { extents: due.slice(0, index), gap: { from: size, to: position } };
    }
    size = Math.max(size, position + sizeBytes);
  }
  return { extents: due, gap: undefined };
}

async function isSame(
  file: SizedFile,
  whole: SizedFile,
  { position, sizeBytes }: ExtentPlace,
): Promise<boolean> {
  for (let at = position; at < position + sizeBytes; at += CHUNK_BYTES) {
    const length = Math.min(CHUNK_BYTES, position + sizeBytes - at);
    const [is, shall] = [await readFully(file, at, length), await readFully(whole, at, length)];
    if (is === undefined || shall?.some((byte, index) => byte !== is[index]) !== false) {
      return false;
    }
  }
  return true;
}

async function areUnchanged(
  runtime: JournalRuntime,
  journals: readonly OpenJournal[],
): Promise<boolean> {
  for (const { file, header } of journals) {
    const now = await openJournal(runtime, file.path);
    await now?.file.close();
    if (now?.header.salt !== header.salt) {
      return false;
    }
  }
  return true;
}

async function closeAll(journals: readonly OpenJournal[]): Promise<void> {
  await Promise.all(journals.map(({ file }) => file.close()));
}
