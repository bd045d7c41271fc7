// A sync beside the rounds of a log, for what is acknowledged without one of its own (`flush=os`, or the commit
// journal): batches are written and acknowledged while it runs, and the log may roll, shrink or close.

import { activeSegment, type LogParts, watchTruncation } from "./log-parts.js";

/**
 * Syncs what is written now, and moves the synced mark to there. Rejects when the sync failed, which is final. Does nothing
 * during a truncation, which syncs what it leaves, and whose marks do not always say what its file holds.
 */
export async function syncInBackground(log: LogParts): Promise<void> {
  const { written, landed } = log.marks;
  if (written === landed || log.isOffline || log.isTruncating) {
    return;
  }
  const wasTruncated = watchTruncation(log);
  // All that is not synced is in here: a log syncs before it rolls.
  await activeSegment(log).reading((file) => file.sync());
  if (!log.isOffline && !wasTruncated()) {
    log.marks.syncedTo(written);
  }
}
