// With `flush=os`: when to sync in the background (flush.ms, flush.messages). A topic that is changed to `flush=sync` has
// what it wrote before synced at once; otherwise nothing is done on such topics.

import type { Timer } from "@millrace/runtime";
import type { LogParts } from "./log-parts.js";

/** Longer than this is for ever: timers take 31 bits. */
const DELAY_MAX_MS = 2 ** 31 - 1;

export class SyncTimer {
  readonly #log: LogParts;
  readonly #sync: () => Promise<void>;
  #timer: Timer | undefined;
  #isSyncing = false;

  constructor(log: LogParts, sync: () => Promise<void>) {
    this.#log = log;
    this.#sync = sync;
  }

  /** Something was written, or the configuration changed. */
  wrote(): void {
    const { config, isOffline, marks, runtime } = this.#log;
    const unsynced = marks.written - marks.synced;
    if (unsynced === 0 || isOffline) {
      return;
    }
    if (config.flush === "sync" || unsynced >= config.flushMessages) {
      this.#start();
    } else if (config.flushMs <= DELAY_MAX_MS) {
      this.#timer ??= runtime.clock.setTimer(config.flushMs, () => this.#start());
    }
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #start(): void {
    this.stop();
    if (this.#isSyncing) {
      return;
    }
    this.#isSyncing = true;
    // A failed sync was reported to the data directory already, which stops the broker.
    void this.#sync()
      .catch(() => undefined)
      .finally(() => {
        this.#isSyncing = false;
      });
  }
}
