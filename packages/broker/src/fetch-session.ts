// Incremental fetch sessions (KIP-227): the broker remembers which partitions a reader wants and what it was
// told last, so that requests and answers carry only what changed. Pure: decides what a request means for
// its session; reading and waiting are the fetch handler's.

import type { RequestOf, ResponseOf, WireErrorName } from "@millrace/protocol";

export type FetchRequest = RequestOf<"fetch">;
export type FetchPartition = FetchRequest["partitions"][number];
export type FetchedPartition = ResponseOf<"fetch">["partitions"][number];

/** A session holds at most so many partitions. */
export const SESSION_PARTITIONS_MAX = 100_000;
/** And all of them together so many: what they take in memory must not depend on how many clients there are. */
export const ALL_SESSIONS_PARTITIONS_MAX = 500_000;
const SESSION_EPOCH_MAX = 0x7fffffff;

interface SessionPartition {
  request: FetchPartition;
  /** What the last answer said; -1: nothing yet. */
  highWatermark: number;
  logStartOffset: number;
}

const keyOf = (entry: { topicId: string; partition: number }): string =>
  `${entry.topicId}:${entry.partition}`;

export class FetchSession {
  readonly id: number;
  readonly owner: object;
  /** What the next request must name. */
  epoch = 1;
  lastUsedMs: number;
  /** Ends the wait of the fetch that is parked in this session; a newer one supersedes it. */
  supersede: (() => void) | undefined;
  /** In reading order: whoever got records goes to the end, so that none starves. */
  private readonly partitions = new Map<string, SessionPartition>();

  constructor(options: { id: number; owner: object; nowMs: number }) {
    this.id = options.id;
    this.owner = options.owner;
    this.lastUsedMs = options.nowMs;
  }

  get size(): number {
    return this.partitions.size;
  }

  /** Takes in the new and changed partitions, and leaves out the forgotten. */
  update(request: Pick<FetchRequest, "partitions" | "forgotten">): void {
    for (const entry of request.forgotten) {
      this.partitions.delete(keyOf(entry));
    }
    for (const entry of request.partitions) {
      const known = this.partitions.get(keyOf(entry));
      if (known === undefined) {
        this.partitions.set(keyOf(entry), {
          request: entry,
          highWatermark: -1,
          logStartOffset: -1,
        });
      } else {
        known.request = entry;
      }
    }
  }

  /** All partitions of the session, in reading order. */
  wanted(): FetchPartition[] {
    return [...this.partitions.values()].map((entry) => entry.request);
  }

  /** The part of an answer that is news: records, an error, or moved marks. */
  changed(answers: readonly FetchedPartition[]): FetchedPartition[] {
    return answers.filter((answer) => {
      const key = keyOf(answer);
      const known = this.partitions.get(key);
      if (known === undefined) {
        return true;
      }
      const isNews =
        answer.recordsLength > 0 ||
        answer.errorCode !== 0 ||
        answer.highWatermark !== known.highWatermark ||
        answer.logStartOffset !== known.logStartOffset;
      known.highWatermark = answer.highWatermark;
      known.logStartOffset = answer.logStartOffset;
      if (answer.errorCode !== 0) {
        // The first answer without the error is news, whatever it says.
        known.highWatermark = -1;
      }
      if (answer.recordsLength > 0) {
        this.partitions.delete(key);
        this.partitions.set(key, known);
      }
      return isNews;
    });
  }
}

export type SessionOutcome =
  /** `session` undefined: answer in full, and nothing is remembered. */
  | { readonly ok: true; readonly session: FetchSession | undefined; readonly isNew: boolean }
  | { readonly ok: false; readonly error: WireErrorName };

export interface FetchSessionLimits {
  readonly maxSessions: number;
  /** Of all sessions together; beyond it readers are answered without a session. */
  readonly maxPartitions: number;
  /** A session unused for so long may lose its slot. */
  readonly evictionMs: number;
}

export class FetchSessions {
  private readonly limits: FetchSessionLimits;
  /** In order of use, the longest unused first. */
  private readonly sessions = new Map<number, FetchSession>();

  constructor(limits: FetchSessionLimits) {
    this.limits = limits;
  }

  get size(): number {
    return this.sessions.size;
  }

  /** Over all sessions. */
  private get partitionCount(): number {
    let count = 0;
    for (const session of this.sessions.values()) {
      count += session.size;
    }
    return count;
  }

  /**
   * What a request means. `owner` is the connection: a session is its own and ends with it. `newId` yields a
   * random id, 1 to 2^31-1.
   */
  resolve(
    request: FetchRequest,
    call: { owner: object; nowMs: number; newId: () => number },
  ): SessionOutcome {
    const { sessionId, sessionEpoch } = request;
    const known = sessionId === 0 ? undefined : this.sessions.get(sessionId);
    const session = known?.owner === call.owner ? known : undefined;
    if (sessionEpoch <= 0) {
      this.end(session);
      return sessionEpoch === 0 ? this.start(request, call) : full;
    }
    if (session === undefined) {
      return { ok: false, error: "FETCH_SESSION_ID_NOT_FOUND" };
    }
    if (sessionEpoch !== session.epoch) {
      return { ok: false, error: "INVALID_FETCH_SESSION_EPOCH" };
    }
    session.epoch = session.epoch === SESSION_EPOCH_MAX ? 1 : session.epoch + 1;
    session.lastUsedMs = call.nowMs;
    this.sessions.delete(session.id);
    this.sessions.set(session.id, session);
    session.update(request);
    if (session.size > SESSION_PARTITIONS_MAX) {
      this.end(session);
      return { ok: false, error: "INVALID_REQUEST" };
    }
    if (request.partitions.length > 0 && this.partitionCount > this.limits.maxPartitions) {
      // The reader begins again, and is answered without a session.
      this.end(session);
      return { ok: false, error: "FETCH_SESSION_ID_NOT_FOUND" };
    }
    return { ok: true, session, isNew: false };
  }

  /** A connection closed: its sessions go with it. */
  endAllOf(owner: object): void {
    for (const session of this.sessions.values()) {
      if (session.owner === owner) {
        this.end(session);
      }
    }
  }

  private start(
    request: FetchRequest,
    call: { owner: object; nowMs: number; newId: () => number },
  ): SessionOutcome {
    const partitionCount = this.partitionCount + request.partitions.length;
    if (partitionCount > this.limits.maxPartitions || !this.hasRoom(call.nowMs)) {
      return full;
    }
    let id = call.newId();
    while (this.sessions.has(id)) {
      id = call.newId();
    }
    const session = new FetchSession({ id, owner: call.owner, nowMs: call.nowMs });
    session.update(request);
    this.sessions.set(id, session);
    return { ok: true, session, isNew: true };
  }

  /** A free slot, or one whose session was not used for long. */
  private hasRoom(nowMs: number): boolean {
    if (this.sessions.size < this.limits.maxSessions) {
      return true;
    }
    const [oldest] = this.sessions.values();
    if (oldest === undefined || nowMs - oldest.lastUsedMs < this.limits.evictionMs) {
      return false;
    }
    this.end(oldest);
    return true;
  }

  private end(session: FetchSession | undefined): void {
    if (session !== undefined) {
      this.sessions.delete(session.id);
      session.supersede?.();
    }
  }
}

const full: SessionOutcome = { ok: true, session: undefined, isNew: false };
