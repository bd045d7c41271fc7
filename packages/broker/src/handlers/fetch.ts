// Reading: a long poll over many partitions. First what is asked for (whole list, or the session's), then a wait
// until enough is there, then one reading pass within the byte bounds. Records go out as the log's own chunks.

import { MillraceError, type RequestOf } from "@millrace/protocol";
import type { FetchedPartition, FetchPartition, FetchSession } from "../fetch-session.js";
import type { WatchedPartition } from "../parked-fetches.js";
import { FetchReader, type ReadPass, resolveTarget } from "./fetch-reader.js";
import type { Answer, BrokerServices, Call, Handler } from "./handler.js";

const SESSION_ID_BOUND = 0x7fffffff;

/** With data at hand, or as soon as there is some, all of it is one step: nothing waits for another turn. */
export const fetch: Handler<"fetch"> = (broker, request, call) => {
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
  const read = (): ReadPass | Promise<ReadPass> =>
    call.connection.inTurn(() => new FetchReader(broker, wanted, request.maxBytes).run());
  const answer = ({ answers, slices }: ReadPass): Answer<"fetch"> => {
    const changed = session?.changed(answers) ?? answers;
    const told = isNew ? answers : changed;
    return {
      body: { sessionId: session?.id ?? 0, partitions: told },
      records: inOrder(told, slices),
      release: slices.size === 0 ? undefined : () => releaseAll(slices),
    };
  };
  const wait = waitForData(broker, call, { request, wanted, session });
  const pass = wait === undefined ? read() : wait.then(read);
  return pass instanceof Promise ? pass.then(answer) : answer(pass);
};

function releaseAll(slices: ReadPass["slices"]): void {
  for (const slice of slices.values()) {
    slice.release?.();
  }
}

interface Wait {
  readonly request: RequestOf<"fetch">;
  readonly wanted: readonly FetchPartition[];
  readonly session: FetchSession | undefined;
}

/** Waits unless there is enough already, or something to say that cannot wait: an error. */
function waitForData(broker: BrokerServices, call: Call, wait: Wait): Promise<void> | undefined {
  const { request, wanted, session } = wait;
  const watched: WatchedPartition[] = [];
  let available = 0;
  for (const entry of wanted) {
    const target = resolveTarget(broker, entry);
    if (!target.ok) {
      return undefined;
    }
    const { partition } = target;
    available += partition.availableBytes(entry.fetchOffset);
    watched.push({ partition, offset: entry.fetchOffset, leaderEpoch: partition.leaderEpoch });
  }
  if (available >= request.minBytes) {
    return undefined;
  }
  return broker.parkedFetches.park({
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

function inOrder(
  answers: readonly FetchedPartition[],
  slices: ReadPass["slices"],
): readonly Uint8Array[] {
  return answers.flatMap((answer) => slices.get(answer)?.chunks ?? []);
}
