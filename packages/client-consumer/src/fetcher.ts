// Keeps the buffer full: one fetch request at a time to each leader, the next one on its way while the user works
// on the last. Decides nothing about records.

import { Backoff } from "@millrace/client-core";
import { isMillraceError, MillraceError } from "@millrace/protocol";
import type { Timer } from "@millrace/runtime";
import { AbortSwitch } from "./abort-switch.js";
import { AnswerSize } from "./answer-size.js";
import type { ClusterPort } from "./cluster-port.js";
import type { ConsumerConfig } from "./consumer-config.js";
import { applyFetched, type FetchedPartition } from "./fetch-answer.js";
import { type FetchPartition, FetchSession, type SessionRequest } from "./fetch-session.js";
import { type PartitionState, partitionKey } from "./partition-state.js";
import type { PrefetchBuffer } from "./prefetch-buffer.js";

/**
 * From so many bytes on, the next request leaves before anybody looks at an answer: a loop that has records goes
 * through them in one go, CRCs and all, and what was sent meanwhile would wait for its end.
 */
const LARGE_ANSWER_BYTES = 64 * 1024;
/** While one partition's buffer is full, the others of its leader are asked this often, without a long poll. */
const CROWDED_POLL_MS = 25;

export interface FetcherOptions {
  readonly client: ClusterPort;
  readonly config: ConsumerConfig;
  readonly buffer: PrefetchBuffer;
  partitions(): Iterable<PartitionState>;
  /** Somebody wants records. */
  isActive(): boolean;
  onRecords(): void;
  onPartitionError(state: PartitionState, error: MillraceError): void;
  /** The leaders are not who we think they are. */
  onStaleMetadata(): void;
}

interface Leader {
  readonly nodeId: number;
  readonly session: FetchSession;
  readonly answerSize: AnswerSize;
  isBusy: boolean;
  current: AbortSwitch | undefined;
  failures: number;
  restsUntilMs: number;
  crowdedUntilMs: number;
}

/** What one request asked for. */
interface Asked {
  readonly state: PartitionState;
  readonly generation: number;
}

interface Plan {
  readonly asked: Map<string, Asked>;
  readonly request: SessionRequest;
  readonly maxWaitMs: number;
}

export class Fetcher {
  readonly #options: FetcherOptions;
  readonly #backoff: Backoff;
  readonly #leaders = new Map<number, Leader>();
  #timer: Timer | undefined;
  #timerAtMs = Number.POSITIVE_INFINITY;
  #isPlanned = false;
  #isClosed = false;

  constructor(options: FetcherOptions) {
    this.#options = options;
    const { config, client } = options;
    this.#backoff = new Backoff({
      initialMs: config.retryBackoffMs,
      maxMs: config.retryBackoffMaxMs,
      random: client.runtime.random,
    });
  }

  /** Something changed: room in the buffer, a position, a leader. */
  wake(): void {
    if (!this.#isPlanned) {
      this.#isPlanned = true;
      void Promise.resolve().then(() => this.#fetchAll());
    }
  }

  /** Ends the long polls, so that a changed position or a resumed partition need not wait for them. */
  interrupt(): void {
    for (const leader of this.#leaders.values()) {
      leader.current?.abort(new MillraceError("ABORTED", "the positions changed"));
    }
    this.wake();
  }

  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
    this.interrupt();
  }

  /** A partition failed: it rests, longer each time. */
  rest(state: PartitionState): void {
    state.restsUntilMs = this.#nowMs() + this.#backoff.delayMs(state.failures++);
  }

  #nowMs(): number {
    return this.#options.client.runtime.clock.monotonicMs();
  }

  #fetchAll(): void {
    this.#isPlanned = false;
    if (this.#isClosed || !this.#options.isActive()) {
      return;
    }
    const byLeader = new Map<number, PartitionState[]>();
    for (const state of this.#options.partitions()) {
      if (state.isStarted && !state.isPaused && !state.isUnreadable && state.leaderId >= 0) {
        const states = byLeader.get(state.leaderId);
        if (states === undefined) {
          byLeader.set(state.leaderId, [state]);
        } else {
          states.push(state);
        }
      }
    }
    for (const [nodeId, states] of byLeader) {
      const leader = this.#leader(nodeId);
      if (!leader.isBusy) {
        const plan = this.#plan(leader, states);
        if (plan !== undefined) {
          leader.isBusy = true;
          void this.#fetch(leader, plan);
        }
      }
    }
  }

  #leader(nodeId: number): Leader {
    let leader = this.#leaders.get(nodeId);
    if (leader === undefined) {
      leader = {
        nodeId,
        session: new FetchSession(),
        answerSize: new AnswerSize(this.#options.config.maxBytes),
        isBusy: false,
        current: undefined,
        failures: 0,
        restsUntilMs: 0,
        crowdedUntilMs: 0,
      };
      this.#leaders.set(nodeId, leader);
    }
    return leader;
  }

  #plan(leader: Leader, states: readonly PartitionState[]): Plan | undefined {
    const { buffer, config } = this.#options;
    const nowMs = this.#nowMs();
    if (leader.restsUntilMs > nowMs) {
      this.#wakeAt(leader.restsUntilMs);
      return undefined;
    }
    const asked = new Map<string, Asked>();
    const wanted = new Map<string, FetchPartition>();
    const maxPartitionBytes = config.maxPartitionBytes ?? leader.answerSize.shareOf(states.length);
    let isCrowded = false;
    for (const state of states) {
      if (state.restsUntilMs > nowMs) {
        this.#wakeAt(state.restsUntilMs);
      } else if (buffer.hasRoomFor(state, maxPartitionBytes)) {
        asked.set(state.key, { state, generation: state.generation });
        wanted.set(state.key, fetchPartition(state, maxPartitionBytes));
      } else {
        isCrowded = true;
      }
    }
    if (wanted.size === 0) {
      return undefined;
    }
    if (isCrowded) {
      // A long poll now would keep the full partition waiting after its buffer has been used up.
      if (leader.crowdedUntilMs > nowMs) {
        this.#wakeAt(leader.crowdedUntilMs);
        return undefined;
      }
      leader.crowdedUntilMs = nowMs + CROWDED_POLL_MS;
    } else {
      leader.crowdedUntilMs = 0;
    }
    const maxWaitMs = isCrowded ? 0 : config.maxWaitMs;
    return { asked, request: leader.session.plan(wanted), maxWaitMs };
  }

  /** One request, from the plan to the state of its partitions. Never rejects. */
  async #fetch(leader: Leader, plan: Plan): Promise<void> {
    const { client, config, buffer } = this.#options;
    const signal = new AbortSwitch();
    leader.current = signal;
    const askedAtMs = this.#nowMs();
    try {
      const { body, records } = await client.request(
        { nodeId: leader.nodeId },
        "fetch",
        {
          replicaId: -1,
          maxWaitMs: plan.maxWaitMs,
          minBytes: config.minBytes,
          maxBytes: Math.min(config.maxBytes, Math.max(1, buffer.roomBytes)),
          isolationLevel: 0,
          rack: null,
          ...plan.request,
        },
        { channel: "fetch", timeoutMs: plan.maxWaitMs + config.requestTimeoutMs, signal },
      );
      leader.failures = 0;
      leader.session.answered(body.sessionId);
      leader.answerSize.came(records.length, this.#nowMs() - askedAtMs);
      if (this.#apply(plan, body.partitions, records)) {
        this.#announce(records.length);
      }
    } catch (error) {
      this.#failed(leader, error);
    } finally {
      leader.isBusy = false;
      leader.current = undefined;
    }
    this.wake();
  }

  #announce(bytes: number): void {
    if (bytes < LARGE_ANSWER_BYTES) {
      this.#options.onRecords();
    } else {
      this.#options.client.runtime.clock.defer(() => this.#options.onRecords());
    }
  }

  /** Takes an answer in. Returns whether it brought records. */
  #apply(plan: Plan, entries: readonly FetchedPartition[], records: Uint8Array): boolean {
    let at = 0;
    let hasRecords = false;
    for (const entry of entries) {
      const bytes = records.subarray(at, at + entry.recordsLength);
      at += entry.recordsLength;
      const asked = plan.asked.get(partitionKey(entry.topicId, entry.partition));
      // Sent elsewhere meanwhile: what came for the old position counts no more.
      if (asked === undefined || asked.generation !== asked.state.generation) {
        continue;
      }
      const { state } = asked;
      const problem = applyFetched(state, entry, bytes, this.#options.buffer);
      if (problem !== undefined) {
        this.#options.onPartitionError(state, new MillraceError(problem.code, problem.message));
      } else {
        hasRecords ||= bytes.length > 0;
      }
    }
    return hasRecords;
  }

  #failed(leader: Leader, error: unknown): void {
    leader.session.reset();
    if (this.#isClosed || (isMillraceError(error) && error.code === "ABORTED")) {
      return;
    }
    const code = isMillraceError(error) ? error.code : "UNKNOWN_SERVER_ERROR";
    if (code === "FETCH_SESSION_ID_NOT_FOUND" || code === "INVALID_FETCH_SESSION_EPOCH") {
      return;
    }
    leader.restsUntilMs = this.#nowMs() + this.#backoff.delayMs(leader.failures++);
    const { logger } = this.#options.client.runtime;
    logger.debug({ nodeId: leader.nodeId, code }, "a fetch failed; trying again");
    this.#options.onStaleMetadata();
  }

  #wakeAt(atMs: number): void {
    if (atMs >= this.#timerAtMs) {
      return;
    }
    this.#timer?.cancel();
    this.#timerAtMs = atMs;
    const delayMs = Math.max(0, atMs - this.#nowMs());
    const onTime = (): void => {
      this.#timerAtMs = Number.POSITIVE_INFINITY;
      this.wake();
    };
    // Between two attempts no connection may be left: whoever waits for records still does.
    const { clock } = this.#options.client.runtime;
    this.#timer = clock.setTimer(delayMs, onTime, { keepsAlive: true });
  }
}

function fetchPartition(state: PartitionState, maxBytes: number): FetchPartition {
  return {
    topicId: state.topicId,
    partition: state.partition,
    fetchOffset: state.fetchOffset,
    maxBytes,
    currentLeaderEpoch: state.leaderEpoch,
    lastFetchedEpoch: -1,
    flushedOffset: -1,
    logStartOffset: -1,
  };
}
