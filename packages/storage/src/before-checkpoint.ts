// What a data directory does before it stores the recovery points of its logs: it moves them forward where nothing else
// does (`flush=os`), and stores what makes the next start quick.

import type { Log } from "./log.js";

export async function beforeCheckpoint(logs: readonly Log[]): Promise<void> {
  // One at a time: what acknowledgements of other logs wait for runs on the same threads.
  for (const log of logs) {
    if (log.hasUnsynced) {
      await log.syncInBackground();
    }
  }
  for (const log of logs) {
    if (log.areHintsDue) {
      await log.storeHints();
    }
  }
}
