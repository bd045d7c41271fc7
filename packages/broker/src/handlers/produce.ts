// Producing. All partitions are checked and appended before the handler first waits, so requests of one
// connection take effect in the order they came; then it waits until every batch is as durable as `acks` asks.

import {
  errorCode,
  MillraceError,
  type RequestOf,
  type ResponseOf,
  type WireErrorName,
} from "@millrace/protocol";
import type { AppendOutcome } from "@millrace/storage";
import type { Acks, AppendRequest, Durability, Partition } from "../partition.js";
import {
  type Answer,
  type BrokerServices,
  type Call,
  type Handler,
  wireErrorOf,
} from "./handler.js";

type Target = RequestOf<"produce">["partitions"][number];
type Produced = ResponseOf<"produce">["partitions"][number];

/** A batch in the log that is not yet as durable as asked. */
interface Pending {
  readonly target: Target;
  readonly partition: Partition;
  readonly baseOffset: number;
  readonly logAppendTime: number;
  readonly durable: Promise<Durability>;
}

export const produce: Handler<"produce"> = (broker, request, call) => {
  checkLengths(request, call.records);
  const started = appendAll(broker, request, call);
  const answer = (appended: readonly (Pending | Produced)[]): MaybeAnswer => {
    // The logs have their copies.
    call.letGoOfRecords?.();
    return answerFor(broker, appended, { request, call });
  };
  return areAppended(started)
    ? answer(started)
    : Promise.all(started.map(whenAppended)).then(answer);
};

type MaybeAnswer = Answer<"produce"> | Promise<Answer<"produce">>;

type Started = Pending | Produced | Promise<Pending | Produced>;

/** Into some batches of compacted topics somebody has to look first. */
function areAppended(started: readonly Started[]): started is readonly (Pending | Produced)[] {
  return started.every((entry) => !(entry instanceof Promise));
}

async function whenAppended(started: Started): Promise<Pending | Produced> {
  const entry = await started;
  if ("durable" in entry) {
    // Nobody waits for it yet: others of the request are still looked into.
    entry.durable.catch(() => undefined);
  }
  return entry;
}

function answerFor(
  broker: BrokerServices,
  started: readonly (Pending | Produced)[],
  { request, call }: { readonly request: RequestOf<"produce">; readonly call: Call },
): MaybeAnswer {
  if (request.acks === 0) {
    call.holdUntil(allSettled(started));
    return {
      body: {
        partitions: started.map((entry) => ("durable" in entry ? promisedNothing(entry) : entry)),
      },
    };
  }
  return started.every(isProduced)
    ? { body: { partitions: started } }
    : answerWhenDurable(broker, started, { timeoutMs: request.timeoutMs, call });
}

const isProduced = (entry: Pending | Produced): entry is Produced => !("durable" in entry);

function allSettled(started: readonly (Pending | Produced)[]): Promise<unknown> {
  return Promise.allSettled(
    started.flatMap((entry) => ("durable" in entry ? [entry.durable] : [])),
  );
}

/** The byte string must be what the list says, and each partition stands in it once. */
function checkLengths(request: RequestOf<"produce">, records: Uint8Array): void {
  let total = 0;
  for (const { recordsLength } of request.partitions) {
    total += recordsLength;
  }
  if (request.partitions.length > 1 && hasRepeats(request.partitions)) {
    throw new MillraceError("INVALID_REQUEST", "a partition stands twice in the request");
  }
  if (total !== records.length) {
    throw new MillraceError(
      "INVALID_REQUEST",
      `the partitions claim ${total} bytes of records, ${records.length} came`,
    );
  }
}

function hasRepeats(targets: readonly Target[]): boolean {
  const keys = new Set(targets.map(({ topicId, partition }) => `${topicId}:${partition}`));
  return keys.size < targets.length;
}

function appendAll(
  broker: BrokerServices,
  request: RequestOf<"produce">,
  { records, letGoOfRecords }: Call,
): Started[] {
  const isBorrowed = letGoOfRecords !== undefined;
  const acks = request.acks as Acks;
  let position = 0;
  return request.partitions.map((target) => {
    const batch = records.subarray(position, position + target.recordsLength);
    position += target.recordsLength;
    return append(broker, target, { batch, isBorrowed, acks });
  });
}

function append(
  broker: BrokerServices,
  target: Target,
  entry: Omit<AppendRequest, "nowMs">,
): Started {
  const lookup = broker.partitions.find(target.topicId, target.partition);
  if (!lookup.ok) {
    return refuse(target, lookup.error, null);
  }
  if (!broker.registration.isDone) {
    return refuse(target, "STORAGE_FULL", "the disk is so full that this broker only reads");
  }
  const { partition } = lookup;
  const outcome = partition.append({ ...entry, nowMs: broker.runtime.clock.nowMs() });
  return outcome instanceof Promise
    ? outcome.then((later) => appended(target, partition, later))
    : appended(target, partition, outcome);
}

function appended(
  target: Target,
  partition: Partition,
  outcome: AppendOutcome,
): Pending | Produced {
  if (!outcome.ok) {
    return refuse(target, outcome.error, outcome.message);
  }
  return {
    target,
    partition,
    baseOffset: outcome.baseOffset,
    logAppendTime: outcome.logAppendTime,
    durable: partition.whenDurable(outcome.lastOffset),
  };
}

/** One wait for the whole request: until all of it is as durable as asked, or failed, or the time is over. */
function answerWhenDurable(
  broker: BrokerServices,
  started: readonly (Pending | Produced)[],
  { timeoutMs, call }: { readonly timeoutMs: number; readonly call: Call },
): Promise<Answer<"produce">> {
  return new Promise((resolve) => {
    const partitions: (Produced | undefined)[] = [];
    let left = started.length;
    const answer = (): void =>
      resolve({
        body: {
          partitions: started.map(
            (entry, index) => partitions[index] ?? timedOut(entry as Pending, timeoutMs),
          ),
        },
      });
    const timer = broker.runtime.clock.setTimer(timeoutMs, () => {
      call.holdUntil(allSettled(started));
      answer();
    });
    const settle = (index: number, produced: Produced): void => {
      partitions[index] = produced;
      left -= 1;
      if (left === 0) {
        timer.cancel();
        answer();
      }
    };
    for (const [index, entry] of started.entries()) {
      if ("durable" in entry) {
        entry.durable.then(
          (durability) => settle(index, acknowledged(entry, durability)),
          (error: unknown) => settle(index, failed(entry, error)),
        );
      } else {
        settle(index, entry);
      }
    }
  });
}

function failed({ target }: Pending, error: unknown): Produced {
  const { error: name, message } = wireErrorOf(error);
  return refuse(target, name, message);
}

function timedOut({ target }: Pending, timeoutMs: number): Produced {
  return refuse(
    target,
    "REQUEST_TIMED_OUT",
    `not done within ${timeoutMs} ms; it goes on and may still take effect`,
  );
}

function acknowledged(entry: Pending, durability: Durability): Produced {
  return {
    topicId: entry.target.topicId,
    partition: entry.target.partition,
    errorCode: 0,
    baseOffset: entry.baseOffset,
    logAppendTime: entry.logAppendTime,
    logStartOffset: entry.partition.logStartOffset,
    ...durability,
    errorMessage: null,
  };
}

/** acks 0: the batch was taken, and that is all that is said. */
function promisedNothing(entry: Pending): Produced {
  return {
    ...acknowledged(entry, { replicas: 0, fsynced: false }),
    baseOffset: -1,
    logAppendTime: -1,
  };
}

function refuse(target: Target, error: WireErrorName, errorMessage: string | null): Produced {
  return {
    topicId: target.topicId,
    partition: target.partition,
    errorCode: errorCode(error),
    baseOffset: -1,
    logAppendTime: -1,
    logStartOffset: -1,
    replicas: 0,
    fsynced: false,
    errorMessage,
  };
}
