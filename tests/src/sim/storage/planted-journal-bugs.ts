// Planted bugs of the commit journal: a start does not look into it, a file of it is emptied while the logs in it have not
// synced their own files, and what it was told to forget is replayed. See docs/formats.md for what is where in its files.

import { FileError, type FileHandle, type FileSystem } from "@millrace/runtime";
import { plainFileSystem, wrapFiles } from "../seam-wrappers.js";

const NAME = /\/commit-journal-[01]$/;
const HEADER_BYTES = 1_024;
const FRAME_HEADER_BYTES = 12;
const FORGET = 2;

/** A start finds no journal. */
export function withoutReplay(fileSystem: FileSystem, isOpening: () => boolean): FileSystem {
  return {
    ...plainFileSystem(fileSystem),
    status: async (path) => {
      if (isOpening() && NAME.test(path)) {
        throw new FileError("NOT_FOUND", path, `${path}: planted`);
      }
      return await fileSystem.status(path);
    },
  };
}

/** With the first frame of one file the other one is no journal any more, whatever is only there. */
export function emptiedTooSoon(fileSystem: FileSystem): FileSystem {
  const open = new Set<FileHandle>();
  const empty = (current: FileHandle, position: number): void => {
    for (const other of open) {
      if (position === HEADER_BYTES && other.path !== current.path) {
        other.writeSync([new Uint8Array(HEADER_BYTES)], 0);
        void other.sync().catch(() => undefined);
      }
    }
  };
  return wrapJournal(fileSystem, (file) => {
    open.add(file);
    return {
      write: async (chunks, position) => {
        empty(file, position);
        return await file.write(chunks, position);
      },
      writeSync: (chunks, position) => {
        empty(file, position);
        return file.writeSync(chunks, position);
      },
      close: async () => {
        open.delete(file);
        await file.close();
      },
    };
  });
}

/** Frames that say what to forget are not written. */
export function withoutForgetting(fileSystem: FileSystem): FileSystem {
  return wrapJournal(fileSystem, (file) => {
    const isForget = (chunks: readonly Uint8Array[], position: number): boolean =>
      position >= HEADER_BYTES && chunks[0]?.[FRAME_HEADER_BYTES] === FORGET;
    const zeros = (chunks: readonly Uint8Array[], position: number): readonly Uint8Array[] =>
      isForget(chunks, position) ? chunks.map((chunk) => new Uint8Array(chunk.length)) : chunks;
    return {
      write: (chunks, position) => file.write(zeros(chunks, position), position),
      writeSync: (chunks, position) => file.writeSync(zeros(chunks, position), position),
    };
  });
}

function wrapJournal(
  fileSystem: FileSystem,
  change: (file: FileHandle) => Partial<FileHandle>,
): FileSystem {
  return wrapFiles(fileSystem, (file) => (NAME.test(file.path) ? change(file) : {}));
}
