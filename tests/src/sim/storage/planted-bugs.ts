// Bugs planted from outside: each makes the storage engine's surroundings behave as if a guard were missing in it. The
// suite must catch every one; that is the proof that it looks.

import { isBatchCrcValid, readBatchHeader } from "@millrace/protocol";
import type { Compute, FileHandle, FileSystem, ServerRuntime } from "@millrace/runtime";
import { type EpochEnd, type Log, ProducerState } from "@millrace/storage";
import { believingCompute, plainFileSystem, wrapFiles } from "../seam-wrappers.js";
import { misreadTimes, trustIndexes } from "./planted-index-bugs.js";
import { emptiedTooSoon, withoutForgetting, withoutReplay } from "./planted-journal-bugs.js";

export const storageBugs = [
  "acknowledge-before-sync",
  "skip-directory-sync",
  "trust-bytes-past-recovery-point",
  "skip-crc-at-recovery",
  "skip-crc-on-reads",
  "skip-crc-at-repair",
  "trust-index-unchecked",
  "keep-epochs-on-truncation",
  "keep-producers-on-truncation",
  "believe-end-of-another-epoch",
  "take-failed-sync-for-success",
  "ignore-short-write",
  "cut-before-valid-batches",
  "misread-time-index",
  "remove-before-log-start-is-stored",
  "swap-unsynced-segment",
  "drop-tombstones-early",
  "journal-not-replayed",
  "journal-emptied-before-landing",
  "journal-never-told-to-forget",
] as const;

export type StorageBug = (typeof storageBugs)[number];

/** A process's runtime, with or without a bug in it. */
export interface PlantedRuntime {
  readonly runtime: ServerRuntime;
  /** What an operator's tools get. */
  readonly repairing: ServerRuntime;
  readonly createProducerState: (() => ProducerState) | undefined;
  readonly entriesOf: (entries: Readonly<Record<string, string>>) => Record<string, string>;
  readonly truncateToEpochEnd: (log: Log, leaderEnd: EpochEnd) => Promise<boolean>;
  /** The start is over. */
  opened(): void;
  /** Bytes of `.log` files that were read until then. */
  logBytesRead(): number;
}

interface Phase {
  isOpening: boolean;
}

export function plantStorageBug(
  original: ServerRuntime,
  bug: StorageBug | undefined,
): PlantedRuntime {
  const phase: Phase = { isOpening: true };
  let logBytesRead = 0;
  const counting = wrapFiles(original.fileSystem, (file) => ({
    read: async (target, position) => {
      logBytesRead += phase.isOpening && file.path.endsWith(".log") ? target.length : 0;
      return await file.read(target, position);
    },
  }));
  const fileSystem = plantFiles(counting, { bug, phase, compute: original.compute });
  return {
    runtime: { ...original, fileSystem, compute: plantCompute(original.compute, bug, phase) },
    repairing:
      bug === "skip-crc-at-repair"
        ? { ...original, compute: believingCompute(original.compute) }
        : original,
    createProducerState:
      bug === "keep-producers-on-truncation" ? () => new StubbornProducerState() : undefined,
    entriesOf: (entries) =>
      bug === "drop-tombstones-early" ? { ...entries, "delete.retention.ms": "0" } : { ...entries },
    truncateToEpochEnd:
      bug === "believe-end-of-another-epoch"
        ? truncateAtOnce
        : (log, leaderEnd) => log.truncateToEpochEnd(leaderEnd),
    opened: () => {
      phase.isOpening = false;
    },
    logBytesRead: () => logBytesRead,
  };
}

function plantCompute(compute: Compute, bug: StorageBug | undefined, phase: Phase): Compute {
  const isLax = (): boolean =>
    bug === "skip-crc-at-recovery"
      ? phase.isOpening
      : bug === "skip-crc-on-reads" && !phase.isOpening;
  const believing = believingCompute(compute);
  return {
    codecs: compute.codecs,
    compress: (codec, bytes) => compute.compress(codec, bytes),
    decompress: (codec, bytes, maxBytes) => compute.decompress(codec, bytes, maxBytes),
    crc32c: (bytes, seed) => (isLax() ? believing : compute).crc32c(bytes, seed),
  };
}

interface Planting {
  readonly bug: StorageBug | undefined;
  readonly phase: Phase;
  readonly compute: Compute;
}

function plantFiles(fileSystem: FileSystem, planting: Planting): FileSystem {
  const { bug, phase, compute } = planting;
  const ofLogs = (change: (file: FileHandle) => Partial<FileHandle>): FileSystem =>
    wrapFiles(fileSystem, (file) => (file.path.endsWith(".log") ? change(file) : {}));
  switch (bug) {
    case "acknowledge-before-sync":
      return ofLogs((file) => ({
        sync: async () => {
          file.sync().catch(() => undefined);
        },
      }));
    case "take-failed-sync-for-success":
      return wrapFiles(fileSystem, (file) => ({
        sync: () => file.sync().catch(() => undefined),
      }));
    case "trust-bytes-past-recovery-point":
      return ofLogs((file) => untouchedWhile(() => phase.isOpening, file));
    case "ignore-short-write":
      return ofLogs((file) => ({
        write: async (chunks, position) => {
          await file.write(chunks, position);
          return totalBytes(chunks);
        },
        writeSync: (chunks, position) => {
          file.writeSync(chunks, position);
          return totalBytes(chunks);
        },
      }));
    case "skip-directory-sync":
      return {
        ...plainFileSystem(fileSystem),
        syncDirectory: (path) => fileSystem.status(path).then(() => undefined),
      };
    case "keep-epochs-on-truncation":
      return keepLongerEpochs(fileSystem);
    case "remove-before-log-start-is-stored":
      return withoutRename(fileSystem, "log-start-offset-checkpoint");
    case "cut-before-valid-batches":
      return cutAtFirstBadBatch(fileSystem, { phase, compute });
    case "swap-unsynced-segment":
      return wrapFiles(fileSystem, (file) =>
        file.path.endsWith(".cleaned") ? { sync: async () => undefined } : {},
      );
    case "journal-not-replayed":
      return withoutReplay(fileSystem, () => phase.isOpening);
    case "journal-emptied-before-landing":
      return emptiedTooSoon(fileSystem);
    case "journal-never-told-to-forget":
      return withoutForgetting(fileSystem);
    case "trust-index-unchecked":
      return trustIndexes(fileSystem, compute);
    case "misread-time-index":
      return misreadTimes(fileSystem, compute);
    default:
      return fileSystem;
  }
}

/** Keeps what it knew when the log was truncated, and forgets nothing that was taken back. */
class StubbornProducerState extends ProducerState {
  #isOpen = false;

  override restore(entries: Parameters<ProducerState["restore"]>[0]): void {
    if (!this.#isOpen) {
      this.#isOpen = true;
      super.restore(entries);
    }
  }
}

/** As followers did before KIP-279: whatever epoch the leader names, its end is where both agree. */
async function truncateAtOnce(log: Log, { endOffset }: EpochEnd): Promise<boolean> {
  await log.truncateTo(Math.max(log.logStartOffset, endOffset));
  return true;
}

function totalBytes(chunks: readonly Uint8Array[]): number {
  return chunks.reduce((sum, chunk) => sum + chunk.length, 0);
}

/** Recovery finds the bytes in the page cache and leaves it at that. */
function untouchedWhile(isOpening: () => boolean, file: FileHandle): Partial<FileHandle> {
  return {
    write: async (chunks, position) =>
      isOpening() ? totalBytes(chunks) : await file.write(chunks, position),
    sync: async () => {
      if (!isOpening()) {
        await file.sync();
      }
    },
  };
}

/** The epoch checkpoint never gets shorter. */
function keepLongerEpochs(fileSystem: FileSystem): FileSystem {
  return {
    ...plainFileSystem(fileSystem),
    rename: async (from, to) => {
      if (to.endsWith("/leader-epoch-checkpoint")) {
        const now = await fileSystem.readFile(to).catch(() => new Uint8Array(0));
        const next = await fileSystem.readFile(from);
        if (next.length < now.length) {
          await fileSystem.removeFile(from);
          return;
        }
      }
      await fileSystem.rename(from, to);
    },
  };
}

/** The file never gets its name, unless there is none yet. */
function withoutRename(fileSystem: FileSystem, name: string): FileSystem {
  return {
    ...plainFileSystem(fileSystem),
    rename: async (from, to) => {
      const exists = await fileSystem.status(to).then(
        () => true,
        () => false,
      );
      await (exists && to.endsWith(`/${name}`)
        ? fileSystem.removeFile(from)
        : fileSystem.rename(from, to));
    },
  };
}

/** Recovery as it is without a look at what follows a bad batch. */
function cutAtFirstBadBatch(
  fileSystem: FileSystem,
  options: { readonly phase: Phase; readonly compute: Compute },
): FileSystem {
  return {
    ...plainFileSystem(fileSystem),
    open: async (path, mode) => {
      const file = await fileSystem.open(path, mode);
      if (options.phase.isOpening && path.endsWith(".log") && mode === "readWrite") {
        const bytes = await fileSystem.readFile(path);
        await file.truncate(goodBytes(bytes, options.compute));
      }
      return file;
    },
  };
}

function goodBytes(bytes: Uint8Array, compute: Compute): number {
  let at = 0;
  while (at < bytes.length) {
    try {
      const { sizeBytes } = readBatchHeader(bytes, at);
      if (at + sizeBytes > bytes.length || !isBatchCrcValid(bytes, at, compute)) {
        return at;
      }
      at += sizeBytes;
    } catch {
      return at;
    }
  }
  return at;
}
