// One incremental fetch session with one broker (KIP-227), seen from the client: which partitions the broker has
// on its list, and so which have to be named in the next request. Pure.

import type { RequestOf } from "@millrace/protocol";

export type FetchPartition = RequestOf<"fetch">["partitions"][number];
type ForgottenPartition = RequestOf<"fetch">["forgotten"][number];

export interface SessionRequest {
  readonly sessionId: number;
  readonly sessionEpoch: number;
  readonly partitions: readonly FetchPartition[];
  readonly forgotten: readonly ForgottenPartition[];
}

const EPOCH_MAX = 0x7fffffff;

export class FetchSession {
  #sessionId = 0;
  /** 0: the next request asks for a new session and names everything. */
  #epoch = 0;
  #known = new Map<string, FetchPartition>();

  /** The next request, for exactly the partitions of `wanted` (by their keys). */
  plan(wanted: ReadonlyMap<string, FetchPartition>): SessionRequest {
    const isFull = this.#epoch === 0;
    const partitions: FetchPartition[] = [];
    const forgotten: ForgottenPartition[] = [];
    for (const [key, partition] of wanted) {
      if (isFull || !isSame(this.#known.get(key), partition)) {
        partitions.push(partition);
      }
    }
    if (!isFull) {
      for (const [key, { topicId, partition }] of this.#known) {
        if (!wanted.has(key)) {
          forgotten.push({ topicId, partition });
        }
      }
    }
    this.#known = new Map(wanted);
    return { sessionId: this.#sessionId, sessionEpoch: this.#epoch, partitions, forgotten };
  }

  /** The request was answered; `sessionId` 0: the broker keeps no session for us. */
  answered(sessionId: number): void {
    this.#sessionId = sessionId;
    if (sessionId === 0) {
      this.reset();
      return;
    }
    this.#epoch = this.#epoch >= EPOCH_MAX ? 1 : this.#epoch + 1;
  }

  /**
   * The answer is lost, or the broker forgot the session: begin with a full request. It names the old session, so that
   * the broker ends that one (and its long poll, if one is left) and does not keep a slot for it.
   */
  reset(): void {
    this.#epoch = 0;
    this.#known.clear();
  }
}

function isSame(known: FetchPartition | undefined, wanted: FetchPartition): boolean {
  return (
    known !== undefined &&
    known.fetchOffset === wanted.fetchOffset &&
    known.maxBytes === wanted.maxBytes &&
    known.currentLeaderEpoch === wanted.currentLeaderEpoch
  );
}
