// Planted bugs of the indexes: their checksums are recomputed over whatever is on the disk, as if nobody checked them, and
// the time index is read one entry too far.

import type { Compute, FileSystem } from "@millrace/runtime";
import { plainFileSystem } from "../seam-wrappers.js";

/** Where `<base>.index-state` keeps what; see docs/formats.md. */
const STATE = {
  crc: 8,
  content: 12,
  offsetCrc: 56,
  timeEntries: 60,
  timeCrc: 64,
  offsetEntries: 52,
};
const OFFSET_ENTRY_BYTES = 8;
const TIME_ENTRY_BYTES = 12;

/** Index files are believed, whatever they hold. */
export function trustIndexes(fileSystem: FileSystem, compute: Compute): FileSystem {
  return vouching(fileSystem, { compute, readIndex: (path) => fileSystem.readFile(path) });
}

/** Each entry of the time index is taken to say what the one before it says. */
export function misreadTimes(fileSystem: FileSystem, compute: Compute): FileSystem {
  const readIndex = async (path: string): Promise<Uint8Array> => {
    const bytes = (await fileSystem.readFile(path)).slice();
    return path.endsWith(".timeindex") ? shifted(bytes) : bytes;
  };
  return vouching(fileSystem, { compute, readIndex });
}

/** Reads indexes by `readIndex`, and index states that vouch for what it returns. */
function vouching(
  fileSystem: FileSystem,
  options: {
    readonly compute: Compute;
    readonly readIndex: (path: string) => Promise<Uint8Array>;
  },
): FileSystem {
  const { compute, readIndex } = options;
  const crcOf = async (path: string, length: number): Promise<number> => {
    const bytes = await readIndex(path).catch(() => new Uint8Array(0));
    return compute.crc32c(bytes.subarray(0, length));
  };
  return {
    ...plainFileSystem(fileSystem),
    readFile: async (path) => {
      if (path.endsWith(".index") || path.endsWith(".timeindex")) {
        return await readIndex(path);
      }
      const bytes = await fileSystem.readFile(path);
      if (!path.endsWith(".index-state") || bytes.length !== 68) {
        return bytes;
      }
      const state = bytes.slice();
      const view = new DataView(state.buffer);
      const stem = path.slice(0, -".index-state".length);
      const offsetBytes = view.getUint32(STATE.offsetEntries) * OFFSET_ENTRY_BYTES;
      const timeBytes = view.getUint32(STATE.timeEntries) * TIME_ENTRY_BYTES;
      view.setUint32(STATE.offsetCrc, await crcOf(`${stem}.index`, offsetBytes));
      view.setUint32(STATE.timeCrc, await crcOf(`${stem}.timeindex`, timeBytes));
      view.setUint32(STATE.crc, compute.crc32c(state.subarray(STATE.content)));
      return state;
    },
  };
}

function shifted(bytes: Uint8Array): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = bytes.length - TIME_ENTRY_BYTES; at >= TIME_ENTRY_BYTES; at -= TIME_ENTRY_BYTES) {
    view.setBigInt64(at, view.getBigInt64(at - TIME_ENTRY_BYTES));
  }
  if (bytes.length >= TIME_ENTRY_BYTES) {
    view.setBigInt64(0, view.getBigInt64(0) - 1n);
  }
  return bytes;
}
