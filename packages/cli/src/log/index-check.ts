// Follows a segment's two indexes while its batches are read, so that nothing but the indexes is held in memory.

import type { BatchHeader } from "@millrace/protocol";
import type { OffsetIndexEntry, TimeIndexEntry } from "./index-file.js";

export interface IndexProblem {
  /** Index of the entry. */
  readonly entry: number;
  readonly offset: number;
  readonly problem: string;
}

/** Every entry must point at a batch's first byte and carry that batch's last offset. */
export class OffsetIndexCheck {
  readonly #entries: readonly OffsetIndexEntry[];
  #next = 0;

  constructor(entries: readonly OffsetIndexEntry[]) {
    this.#entries = entries;
  }

  /** Call for each batch in order. */
  batch(position: number, header: BatchHeader): IndexProblem[] {
    const problems: IndexProblem[] = [];
    for (;;) {
      const entry = this.#entries[this.#next];
      if (entry === undefined || entry.position > position) {
        return problems;
      }
      if (entry.position < position) {
        problems.push(this.#problem(entry, `no batch begins at byte ${entry.position}`));
      } else if (entry.offset !== header.lastOffset) {
        problems.push(
          this.#problem(entry, `says ${entry.offset}, the batch ends at ${header.lastOffset}`),
        );
      }
      this.#next += 1;
    }
  }

  /** Entries that point beyond the last batch. */
  end(): IndexProblem[] {
    const rest = this.#entries.slice(this.#next);
    return rest.slice(0, 1).map((entry) => this.#problem(entry, beyond(rest.length)));
  }

  #problem(entry: OffsetIndexEntry, problem: string): IndexProblem {
    return { entry: this.#entries.indexOf(entry), offset: entry.offset, problem };
  }
}

const beyond = (count: number): string =>
  count === 1
    ? "points beyond the last batch"
    : `and ${count - 1} more point beyond the last batch`;

/** Timestamps and offsets must grow, stay inside the segment, and no timestamp may exceed what the segment holds. */
export function checkTimeIndex(
  entries: readonly TimeIndexEntry[],
  segment: { readonly lastOffset: number; readonly maxTimestamp: number },
): IndexProblem[] {
  const problems: IndexProblem[] = [];
  let previous: TimeIndexEntry | undefined;
  for (const [index, entry] of entries.entries()) {
    const problem = timeEntryProblem(entry, previous, segment);
    if (problem !== undefined) {
      problems.push({ entry: index, offset: entry.offset, problem });
    }
    previous = entry;
  }
  return problems;
}

function timeEntryProblem(
  entry: TimeIndexEntry,
  previous: TimeIndexEntry | undefined,
  segment: { readonly lastOffset: number; readonly maxTimestamp: number },
): string | undefined {
  if (entry.offset > segment.lastOffset) {
    return `offset ${entry.offset} is beyond the segment's last, ${segment.lastOffset}`;
  }
  if (entry.timestamp > segment.maxTimestamp) {
    return `timestamp ${entry.timestamp} is later than any record's`;
  }
  if (previous === undefined) {
    return undefined;
  }
  if (entry.timestamp < previous.timestamp || entry.offset < previous.offset) {
    return "goes back behind the entry before it";
  }
  return undefined;
}
