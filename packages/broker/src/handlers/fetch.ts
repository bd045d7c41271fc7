// Reading: a long poll over many partitions. First what is asked for (whole list, or the session's), then a wait
// until enough is there, then one reading pass within the byte bounds. Records go out as the log's own chunks.

import {
  errorCode,
  MillraceError,
  type RequestOf,
  type WireErrorName,
  wireErrors,
} from "@millrace/protocol";
import type { LogSlice } from "@millrace/storage";
import type { FetchedPartition, FetchPartition, FetchSession } from "../fetch-session.js";
import type { WatchedPartition } from "../parked-fetches.js";
import type { Partition } from "../partition.js";
import type { ResponseBudget } from "../response-budget.js";
import { type BrokerServices, type Call, type Handler, wireErrorOf } from "./handler.js";

const SESSION_ID_BOUND = 0x7fffffff;

export const fetch: Handler<"fetch"> = async (broker, request, call) => {
  if (request.replicaId !== -1) {
    throw new MillraceError("CLUSTER_AUTHORIZATION_FAILED", "this connection is not a replica's");
  }
  const outcome = broker.sessions.resolve(request, {
    owner: call.connection,
    nowMs: broker.runtime.clock.monotonicMs(),
    newId: () => 1 + broker.runtime.random.below(SESSION_ID_BOUND),
  });
  if (!outcome.ok) {
    throw new MillraceError(outcome.error);
  }
  const { session, isNew } = outcome;
  const wanted = session?.wanted() ?? request.partitions;
  session?.supersede?.();
  await waitForData(broker, call, { request, wanted, session });
  const { answers, slices } = await call.connection.inTurn(() =>
    readAll(broker, wanted, request.maxBytes),
  );
  const changed = session?.changed(answers) ?? answers;
  return {
    body: {
      sessionId: session?.id ?? 0,
      partitions: session === undefined || isNew ? answers : changed,
    },
    records: inOrder(session === undefined || isNew ? answers : changed, slices),
    release: () => {
      for (const slice of slices.values()) {
        slice.release?.();
      }
    },
  };
};

interface Wait {
  readonly request: RequestOf<"fetch">;
  readonly wanted: readonly FetchPartition[];
  readonly session: FetchSession | undefined;
}

/** Waits unless there is enough already, or something to say that cannot wait: an error. */
async function waitForData(broker: BrokerServices, call: Call, wait: Wait): Promise<void> {
  const { request, wanted, session } = wait;
  const watched: WatchedPartition[] = [];
  let available = 0;
  for (const entry of wanted) {
    const target = resolveTarget(broker, entry);
    if (!target.ok) {
      return;
    }
    const { partition } = target;
    available += partition.availableBytes(entry.fetchOffset);
    watched.push({ partition, offset: entry.fetchOffset, leaderEpoch: partition.leaderEpoch });
  }
  if (available >= request.minBytes) {
    return;
  }
  await broker.parkedFetches.park({
    watched,
    minBytes: request.minBytes,
    maxWaitMs: request.maxWaitMs,
    onCancel: (end) => {
      const leave = call.connection.whenClosed(end);
      if (session !== undefined) {
        session.supersede = end;
      }
      return () => {
        leave();
        if (session?.supersede === end) {
          session.supersede = undefined;
        }
      };
    },
  });
}

type Target =
  | { readonly ok: true; readonly partition: Partition }
  | { readonly ok: false; readonly error: WireErrorName; readonly message: string };

/** The partition to read, or why it cannot be read from there. */
function resolveTarget(broker: BrokerServices, entry: FetchPartition): Target {
  const lookup = broker.partitions.find(entry.topicId, entry.partition);
  if (!lookup.ok) {
    return { ok: false, error: lookup.error, message: wireErrors[lookup.error].summary };
  }
  const { partition } = lookup;
  const epochProblem = partition.epochProblem(entry.currentLeaderEpoch);
  if (epochProblem !== undefined) {
    return { ok: false, error: epochProblem, message: wireErrors[epochProblem].summary };
  }
  const offsetProblem = partition.offsetProblem(entry.fetchOffset);
  return offsetProblem === undefined
    ? lookup
    : { ok: false, error: "OFFSET_OUT_OF_RANGE", message: offsetProblem };
}

interface ReadPass {
  readonly answers: readonly FetchedPartition[];
  /** By answer; only those with records. */
  readonly slices: ReadonlyMap<FetchedPartition, LogSlice>;
}

async function readAll(
  broker: BrokerServices,
  wanted: readonly FetchPartition[],
  maxBytes: number,
): Promise<ReadPass> {
  const read = new BudgetedRead(broker.responses);
  try {
    return await readInTurn(broker, wanted, { maxBytes, read });
  } finally {
    read.end();
  }
}

/** Reads one partition after the other while bytes are left; the first batch of all comes however large. */
async function readInTurn(
  broker: BrokerServices,
  wanted: readonly FetchPartition[],
  { maxBytes, read }: { readonly maxBytes: number; readonly read: BudgetedRead },
): Promise<ReadPass> {
  const answers: FetchedPartition[] = [];
  const slices = new Map<FetchedPartition, LogSlice>();
  let bytesLeft = Math.min(maxBytes, broker.config.fetchMaxBytes);
  let isFirst = true;
  for (const entry of wanted) {
    const target = resolveTarget(broker, entry);
    if (!target.ok) {
      answers.push(refuse(entry, target.error, target.message));
      continue;
    }
    const { partition } = target;
    const hasData = (isFirst || bytesLeft > 0) && partition.availableBytes(entry.fetchOffset) > 0;
    try {
      const slice = hasData
        ? await read.from(partition, {
            offset: entry.fetchOffset,
            maxBytes: Math.min(entry.maxBytes, Math.max(bytesLeft, 0)),
            minOneBatch: isFirst,
          })
        : undefined;
      const answer = found(entry, partition, slice);
      answers.push(answer);
      if (slice !== undefined && slice.sizeBytes > 0) {
        slices.set(answer, slice);
        bytesLeft -= slice.sizeBytes;
        isFirst = false;
      }
    } catch (error) {
      const { error: name, message } = wireErrorOf(error);
      answers.push(refuse(entry, name, message));
    }
  }
  return { answers, slices };
}

/** What a pass reads counts as waiting answers until it ends; from then on its connection counts what it sends. */
class BudgetedRead {
  private readonly budget: ResponseBudget;
  private countedBytes = 0;

  constructor(budget: ResponseBudget) {
    this.budget = budget;
  }

  /** @throws MillraceError as `Partition.read` */
  async from(
    partition: Partition,
    options: { offset: number; maxBytes: number; minOneBatch: boolean },
  ): Promise<LogSlice> {
    const maxBytes = Math.min(options.maxBytes, this.budget.roomBytes);
    this.count(maxBytes);
    let sizeBytes = 0;
    try {
      const slice = await partition.read({ ...options, maxBytes });
      sizeBytes = slice.sizeBytes;
      return slice;
    } finally {
      this.count(sizeBytes - maxBytes);
    }
  }

  end(): void {
    this.count(-this.countedBytes);
  }

  private count(bytes: number): void {
    this.countedBytes += bytes;
    this.budget.count(bytes);
  }
}

function inOrder(
  answers: readonly FetchedPartition[],
  slices: ReadPass["slices"],
): readonly Uint8Array[] {
  return answers.flatMap((answer) => slices.get(answer)?.chunks ?? []);
}

function found(
  entry: FetchPartition,
  partition: Partition,
  slice: LogSlice | undefined,
): FetchedPartition {
  return {
    topicId: entry.topicId,
    partition: entry.partition,
    errorCode: 0,
    highWatermark: partition.highWatermark,
    lastStableOffset: partition.lastStableOffset,
    logStartOffset: partition.logStartOffset,
    recordsLength: slice?.sizeBytes ?? 0,
    leaderId: partition.leaderId,
    leaderEpoch: partition.leaderEpoch,
    divergingEpoch: -1,
    divergingEndOffset: -1,
    errorMessage: null,
  };
}

function refuse(
  entry: FetchPartition,
  error: WireErrorName,
  errorMessage: string,
): FetchedPartition {
  return {
    topicId: entry.topicId,
    partition: entry.partition,
    errorCode: errorCode(error),
    highWatermark: -1,
    lastStableOffset: -1,
    logStartOffset: -1,
    recordsLength: 0,
    leaderId: -1,
    leaderEpoch: -1,
    divergingEpoch: -1,
    divergingEndOffset: -1,
    errorMessage,
  };
}
