// Where a follower's log must end before it may take batches from a leader: the end of what both hold (KIP-101, KIP-279).
// Decided by leader epochs alone, never by a high watermark. A follower asks where its latest epoch ends in the leader's
// log (`LeaderEpochs.endOffsetFor` there), truncates as told here, and asks again until the answer is final. Pure.

import type { EpochEnd, LeaderEpochs } from "./leader-epochs.js";

export interface EpochTruncation {
  /** Everything from here on is not the leader's. The log's end when nothing has to go. */
  readonly offset: number;
  /** The rest is the leader's. False: ask again, with the latest epoch that is left. */
  readonly isFinal: boolean;
}

export interface TruncatedLog {
  readonly epochs: Pick<LeaderEpochs, "entries" | "latestEpoch" | "endOffsetFor">;
  readonly endOffset: number;
}

/** @param leaderEnd the leader's answer about the follower's latest epoch */
export function planEpochTruncation(follower: TruncatedLog, leaderEnd: EpochEnd): EpochTruncation {
  const { epochs, endOffset } = follower;
  const latest = epochs.entries.at(-1);
  if (latest === undefined) {
    // Nothing here was written in any epoch: there is nothing that could differ.
    return { offset: endOffset, isFinal: true };
  }
  if (leaderEnd.epoch < 0) {
    // The leader has nothing of this epoch or any before: one epoch less, then see.
    return { offset: latest.startOffset, isFinal: epochs.entries.length === 1 };
  }
  const own = epochs.endOffsetFor(leaderEnd.epoch, endOffset);
  if (own.epoch === leaderEnd.epoch) {
    return { offset: Math.min(own.endOffset, leaderEnd.endOffset, endOffset), isFinal: true };
  }
  // The leader named an epoch that is unknown here: what was written after it is not the leader's, what was written
  // before it may be.
  return { offset: Math.min(own.endOffset, endOffset), isFinal: false };
}
