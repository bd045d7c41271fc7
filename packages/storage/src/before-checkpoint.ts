// What a data directory does before it stores the recovery points of its logs: it moves them forward where nothing else
// does (`flush=os`), and stores what makes the next start quick.

import { forEachBounded } from "./for-each-bounded.js";
import type { Log } from "./log.js";

/** Logs that store their hints at the same time. */
const LOGS_AT_ONCE_MAX = 16;

export async function beforeCheckpoint(logs: readonly Log[]): Promise<void> {
  // One at a time: what acknowledgements of other logs wait for runs on the same threads.
  for (const log of logs) {
    if (log.hasUnsynced) {
      await log.syncInBackground();
    }
  }
  const due = logs.filter((log) => log.hasUnstoredHints);
  await forEachBounded(due, LOGS_AT_ONCE_MAX, (log) => log.storeHints());
}
