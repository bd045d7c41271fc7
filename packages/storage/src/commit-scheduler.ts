// Decides which logs of a data directory write and sync, and how many at once. Fair: a log that is still busy after
// its round goes to the back of the queue. Knows nothing about files: a round is the log's own.

import type { Clock } from "@millrace/runtime";

export interface CommitTarget {
  /** Whether a round would find something to do. */
  readonly hasWork: boolean;
  /** Writes and syncs what is queued, up to a bound. Must not reject: a log deals with its own faults. */
  commitRound(): Promise<void>;
}

export interface CommitSchedulerOptions {
  readonly clock: Pick<Clock, "defer">;
  /** How many rounds run at once; each occupies a thread of the platform's pool while it syncs. */
  readonly roundsAtOnceMax: number;
}

export class CommitScheduler {
  readonly #options: CommitSchedulerOptions;
  /** In the order in which they get their turn. */
  readonly #queue = new Set<CommitTarget>();
  readonly #running = new Set<CommitTarget>();
  #isWoken = false;

  constructor(options: CommitSchedulerOptions) {
    this.#options = options;
  }

  get runningCount(): number {
    return this.#running.size;
  }

  /**
   * Gives `target` a round soon. The first one starts after the input that is ready now was handled, so that all
   * its appends share one sync; what arrives during a round forms the next.
   */
  schedule(target: CommitTarget): void {
    if (this.#running.has(target) || this.#queue.has(target)) {
      return;
    }
    this.#queue.add(target);
    if (!this.#isWoken && this.#running.size < this.#options.roundsAtOnceMax) {
      this.#isWoken = true;
      this.#options.clock.defer(() => {
        this.#isWoken = false;
        this.#startRounds();
      });
    }
  }

  #startRounds(): void {
    for (const target of this.#queue) {
      if (this.#running.size >= this.#options.roundsAtOnceMax) {
        return;
      }
      this.#queue.delete(target);
      this.#running.add(target);
      void target.commitRound().finally(() => {
        this.#running.delete(target);
        if (target.hasWork) {
          this.#queue.add(target);
        }
        this.#startRounds();
      });
    }
  }
}
