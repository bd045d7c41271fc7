// Looking into a file of the commit journal without changing anything: its frames and what they hold. For `millrace log
// dump` and for tests that want to know whether the journal was used.

import type { Compute, FileSystem } from "@millrace/runtime";
import { JOURNAL_FILES } from "./core/commit-journal-format.js";
import { journalFrames, openJournal } from "./journal-reader.js";

/** Bytes of a log file, or that nothing before this about the log is to be replayed. */
export type DumpedJournalEntry =
  | {
      readonly kind: "extent";
      /** The log's directory. */
      readonly log: string;
      /** Of the segment. */
      readonly baseOffset: number;
      /** In the segment's `.log` file. */
      readonly position: number;
      readonly sizeBytes: number;
    }
  | { readonly kind: "forget"; readonly log: string };

export interface DumpedJournalFrame {
  readonly position: number;
  readonly sizeBytes: number;
  /** Empty when `problem` says why. */
  readonly entries: readonly DumpedJournalEntry[];
  readonly problem: string | undefined;
}

export interface DumpedJournal {
  /** The smaller one of the two files is replayed first. */
  readonly generation: number;
  readonly frames: readonly DumpedJournalFrame[];
}

/** Whether a file of this name is the commit journal's. */
export function isCommitJournalFile(name: string): boolean {
  return JOURNAL_FILES.some((known) => known === name);
}

/** Undefined when there is no such file, or no whole header: then nothing of it is replayed. */
export async function dumpCommitJournal(
  fileSystem: FileSystem,
  path: string,
  compute: Compute,
): Promise<DumpedJournal | undefined> {
  const runtime = { fileSystem, compute };
  const journal = await openJournal(runtime, path);
  if (journal === undefined) {
    return undefined;
  }
  try {
    const frames: DumpedJournalFrame[] = [];
    for await (const { position, bodyAt, bodyBytes, entries, isTorn } of journalFrames(
      runtime,
      journal,
    )) {
      frames.push({
        position,
        sizeBytes: bodyAt + bodyBytes - position,
        entries: (entries ?? []).map((entry) =>
          entry.kind === "forget"
            ? { kind: "forget", log: entry.name }
            : {
                kind: "extent",
                log: entry.name,
                baseOffset: entry.baseOffset,
                position: entry.position,
                sizeBytes: entry.sizeBytes,
              },
        ),
        problem: entries === undefined ? problemOf(isTorn) : undefined,
      });
    }
    return { generation: journal.header.generation, frames };
  } finally {
    await journal.file.close();
  }
}

function problemOf(isTorn: boolean): string {
  return isTorn
    ? "torn: the write was interrupted, and nothing in it was acknowledged"
    : "damaged: the checksum is wrong";
}
