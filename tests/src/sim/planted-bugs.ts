// Bugs planted from outside, through the seam: each wraps one part of a broker's runtime, or its configuration,
// so that the broker makes a classic mistake. The simulation must catch every one of them; that is the proof
// that it looks.

import type { FileHandle, ServerRuntime } from "@millrace/runtime";
import { ProducerState } from "@millrace/storage";
import { believingCompute, leftAtOnce, wrapFiles } from "./seam-wrappers.js";

export type PlantedBug =
  | "acknowledge-before-sync"
  | "skip-crc-at-recovery"
  | "reuse-buffer-in-flight"
  | "trust-page-cache-after-failed-sync"
  | "forget-producer-state"
  | "let-go-before-sent";

export const plantedBugs: readonly PlantedBug[] = [
  "acknowledge-before-sync",
  "skip-crc-at-recovery",
  "reuse-buffer-in-flight",
  "trust-page-cache-after-failed-sync",
  "forget-producer-state",
  "let-go-before-sent",
];

/** The runtime with the bug in it. */
export function plant(runtime: ServerRuntime, bug: PlantedBug | undefined): ServerRuntime {
  switch (bug) {
    case undefined:
    case "forget-producer-state":
      return runtime;
    case "let-go-before-sent":
      return { ...runtime, network: leftAtOnce(runtime.network) };
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
