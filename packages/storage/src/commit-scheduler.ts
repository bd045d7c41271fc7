// Decides which logs of a data directory write and sync, how many at once, and which way: each log syncs its own file, or,
// while more logs wait than may do that, they share the commit journal. Fair: a log that is still busy after its round
// goes to the back of the queue. Knows nothing about files: a round is the log's own.

import type { Clock } from "@millrace/runtime";

/** How a round becomes durable: by a sync of the log's own file, or in the commit journal. */
export type CommitWay = "file" | "journal";

export interface CommitTarget {
  /** Whether a round would find something to do. */
  readonly hasWork: boolean;
  /** Whether its next round may go through the journal. */
  readonly fitsJournal: boolean;
  /** Writes and syncs what is queued, up to a bound. Must not reject: a log deals with its own faults. */
  commitRound(way: CommitWay): Promise<void>;
}

export interface CommitSchedulerOptions {
  readonly clock: Pick<Clock, "defer">;
  /** How many rounds sync their own file at once; each occupies a thread of the platform's pool meanwhile. */
  readonly roundsAtOnceMax: number;
  readonly journal?: { readonly hasRoom: boolean } | undefined;
}

/** Rounds that wait for the journal at once: they occupy no threads, and share frames. */
const JOURNAL_ROUNDS_MAX = 4_096;
/** Threads that the journal needs: to write and sync it, and to empty its files. */
const JOURNAL_THREADS = 2;

export class CommitScheduler {
  readonly #options: CommitSchedulerOptions;
  /** In the order in which they get their turn. */
  readonly #queue = new Set<CommitTarget>();
  /** Had their turn while others shared the journal, and have to sync their own file. Before the queue. */
  readonly #forFile = new Set<CommitTarget>();
  readonly #inFile = new Set<CommitTarget>();
  readonly #inJournal = new Set<CommitTarget>();
  #isWoken = false;

  constructor(options: CommitSchedulerOptions) {
    this.#options = options;
  }

  get runningCount(): number {
    return this.#inFile.size + this.#inJournal.size;
  }

  /**
   * Gives `target` a round soon. The first one starts after the input that is ready now was handled, so that all
   * its appends share one sync; what arrives during a round forms the next.
   */
  schedule(target: CommitTarget): void {
    const isKnown =
      this.#inFile.has(target) ||
      this.#inJournal.has(target) ||
      this.#forFile.has(target) ||
      this.#queue.has(target);
    if (isKnown) {
      return;
    }
    this.#queue.add(target);
    if (!this.#isWoken && (this.#inFile.size < this.#fileRoundsMax || this.#mayJournal)) {
      this.#isWoken = true;
      this.#options.clock.defer(() => {
        this.#isWoken = false;
        this.#startRounds();
      });
    }
  }

  get #mayJournal(): boolean {
    return this.#options.journal?.hasRoom === true && this.#inJournal.size < JOURNAL_ROUNDS_MAX;
  }

  get #fileRoundsMax(): number {
    const { roundsAtOnceMax } = this.#options;
    return this.#inJournal.size === 0
      ? roundsAtOnceMax
      : Math.max(1, roundsAtOnceMax - JOURNAL_THREADS);
  }

  /**
   * More logs have something to commit than may sync at once. Once some share the journal, others join them: a sync of
   * one's own costs as much as theirs.
   */
  get #isCrowded(): boolean {
    const count = this.#queue.size + this.#forFile.size + this.#inFile.size;
    return this.#inJournal.size > 0 || count > this.#options.roundsAtOnceMax;
  }

  #startRounds(): void {
    if (this.#mayJournal && this.#isCrowded) {
      this.#divide();
    }
    for (const queue of [this.#forFile, this.#queue]) {
      for (const target of queue) {
        if (this.#inFile.size >= this.#fileRoundsMax) {
          return;
        }
        queue.delete(target);
        this.#run(target, "file");
      }
    }
  }

  /** All that may go through the journal do so now; the others keep their order. */
  #divide(): void {
    for (const target of this.#queue) {
      if (!this.#mayJournal) {
        return;
      }
      this.#queue.delete(target);
      if (target.fitsJournal) {
        this.#run(target, "journal");
      } else {
        this.#forFile.add(target);
      }
    }
  }

  #run(target: CommitTarget, way: CommitWay): void {
    const running = way === "file" ? this.#inFile : this.#inJournal;
    running.add(target);
    void target.commitRound(way).finally(() => {
      running.delete(target);
      if (target.hasWork) {
        this.#queue.add(target);
      }
      this.#startRounds();
    });
  }
}
