// Bugs planted from outside, through the seam: each wraps one part of a broker's runtime, or its configuration,
// so that the broker makes a classic mistake. The simulation must catch every one of them; that is the proof
// that it looks.

import type { Compute, FileHandle, FileSystem, ServerRuntime } from "@millrace/runtime";
import { ProducerState } from "@millrace/storage";

export type PlantedBug =
  | "acknowledge-before-sync"
  | "skip-crc-at-recovery"
  | "reuse-buffer-in-flight"
  | "trust-page-cache-after-failed-sync"
  | "forget-producer-state";

export const plantedBugs: readonly PlantedBug[] = [
  "acknowledge-before-sync",
  "skip-crc-at-recovery",
  "reuse-buffer-in-flight",
  "trust-page-cache-after-failed-sync",
  "forget-producer-state",
];

/** The runtime with the bug in it. */
export function plant(runtime: ServerRuntime, bug: PlantedBug | undefined): ServerRuntime {
  switch (bug) {
    case undefined:
    case "forget-producer-state":
      return runtime;
    case "skip-crc-at-recovery":
      return { ...runtime, compute: believingCompute(runtime.compute) };
    case "acknowledge-before-sync":
      return { ...runtime, fileSystem: wrapFiles(runtime.fileSystem, lazySync) };
    case "trust-page-cache-after-failed-sync":
      return { ...runtime, fileSystem: wrapFiles(runtime.fileSystem, repeatedSync) };
    case "reuse-buffer-in-flight":
      return { ...runtime, fileSystem: wrapFiles(runtime.fileSystem, sharedBuffer()) };
  }
}

/** Knows nothing of what a log says about its producers. */
class ForgetfulProducerState extends ProducerState {
  override replay(): void {
    // The planted bug.
  }
}

/** Where a bug replaces storage's producer state. */
export function plantedProducerState(
  bug: PlantedBug | undefined,
): (() => ProducerState) | undefined {
  return bug === "forget-producer-state" ? () => new ForgetfulProducerState() : undefined;
}

/** Says "synced" at once; the real sync follows when it likes. */
function lazySync(file: FileHandle): Partial<FileHandle> {
  return {
    sync: async () => {
      file.sync().catch(() => {});
    },
  };
}

/** Syncs again after a failure, and believes the second answer (fsync-gate: the pages count as clean by then). */
function repeatedSync(file: FileHandle): Partial<FileHandle> {
  return {
    sync: async () => {
      try {
        await file.sync();
      } catch {
        await file.sync().catch(() => {});
      }
    },
  };
}

/** Copies what is to be written into one buffer that the next write takes again, finished or not. */
function sharedBuffer(): (file: FileHandle) => Partial<FileHandle> {
  const scratch = new Uint8Array(1024 * 1024);
  const fill = (chunks: readonly Uint8Array[]): Uint8Array[] => {
    let used = 0;
    return chunks.map((chunk) => {
      if (used + chunk.length > scratch.length) {
        return chunk;
      }
      scratch.set(chunk, used);
      used += chunk.length;
      return scratch.subarray(used - chunk.length, used);
    });
  };
  return (file) => ({
    write: (chunks, position) => file.write(fill(chunks), position),
    writeSync: (chunks, position) => file.writeSync(fill(chunks), position),
  });
}

/** Finds every checksum right: answers with the four bytes that stand in front of what is checked. */
function believingCompute(compute: Compute): Compute {
  return {
    codecs: compute.codecs,
    compress: (codec, bytes) => compute.compress(codec, bytes),
    decompress: (codec, bytes, maxBytes) => compute.decompress(codec, bytes, maxBytes),
    crc32c: (bytes, seed) => {
      if (bytes.byteOffset < 4) {
        return compute.crc32c(bytes, seed);
      }
      const view = new DataView(bytes.buffer, bytes.byteOffset - 4, 4);
      return view.getUint32(0);
    },
  };
}

function wrapFiles(
  fileSystem: FileSystem,
  change: (file: FileHandle) => Partial<FileHandle>,
): FileSystem {
  return {
    open: async (path, mode) => {
      const file = await fileSystem.open(path, mode);
      const plain: FileHandle = {
        path: file.path,
        read: (target, position) => file.read(target, position),
        write: (chunks, position) => file.write(chunks, position),
        writeSync: (chunks, position) => file.writeSync(chunks, position),
        sync: () => file.sync(),
        truncate: (size) => file.truncate(size),
        size: () => file.size(),
        close: () => file.close(),
      };
      return { ...plain, ...change(file) };
    },
    readFile: (path) => fileSystem.readFile(path),
    status: (path) => fileSystem.status(path),
    createDirectory: (path) => fileSystem.createDirectory(path),
    readDirectory: (path) => fileSystem.readDirectory(path),
    rename: (from, to) => fileSystem.rename(from, to),
    removeFile: (path) => fileSystem.removeFile(path),
    removeDirectory: (path) => fileSystem.removeDirectory(path),
    syncDirectory: (path) => fileSystem.syncDirectory(path),
    lockDirectory: (path) => fileSystem.lockDirectory(path),
    availableBytes: (path) => fileSystem.availableBytes(path),
  };
}
