// Producing. All partitions are checked and appended before the handler first waits, so requests of one
// connection take effect in the order they came; then it waits until every batch is as durable as `acks` asks.

import {
  errorCode,
  MillraceError,
  type RequestOf,
  type ResponseOf,
  type WireErrorName,
} from "@millrace/protocol";
import type { AppendOutcome, FlushWaiter } from "@millrace/storage";
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
type Accepted = Extract<AppendOutcome, { ok: true }>;

/** A batch in the log. Its outcome is there once it is as durable as asked, or never will be. */
class Pending implements FlushWaiter {
  readonly target: Target;
  readonly #partition: Partition;
  readonly #accepted: Accepted;
  outcome: Produced | undefined;
  /** Called once, when `outcome` is there; not if it is there already. */
  onOutcome: (() => void) | undefined;

  constructor(target: Target, partition: Partition, accepted: Accepted) {
    this.target = target;
    this.#partition = partition;
    this.#accepted = accepted;
    // In the step of the append: another one may get its offsets when this one is taken back.
    partition.awaitDurability(accepted.lastOffset, this);
  }

  flushed(isSynced: boolean): void {
    this.#settle(this.acknowledged(this.#partition.durability(isSynced)));
  }

  failed(reason: Error): void {
    const { error, message } = wireErrorOf(this.#partition.durabilityError(reason));
    this.#settle(refuse(this.target, error, message));
  }

  acknowledged(durability: Durability): Produced {
    return {
      topicId: this.target.topicId,
      partition: this.target.partition,
      errorCode: 0,
      baseOffset: this.#accepted.baseOffset,
      logAppendTime: this.#accepted.logAppendTime,
      logStartOffset: this.#partition.logStartOffset,
      ...durability,
      errorMessage: null,
    };
  }

  #settle(outcome: Produced): void {
    this.outcome = outcome;
    this.onOutcome?.();
  }
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
    : Promise.all(started.map((entry) => Promise.resolve(entry))).then(answer);
};

type MaybeAnswer = Answer<"produce"> | Promise<Answer<"produce">>;

type Started = Pending | Produced | Promise<Pending | Produced>;

/** Into some batches of compacted topics somebody has to look first. */
function areAppended(started: readonly Started[]): started is readonly (Pending | Produced)[] {
  return started.every((entry) => !(entry instanceof Promise));
}

function answerFor(
  broker: BrokerServices,
  started: readonly (Pending | Produced)[],
  { request, call }: { readonly request: RequestOf<"produce">; readonly call: Call },
): MaybeAnswer {
  if (request.acks === 0) {
    call.holdUntil(new Promise<void>((resolve) => whenDecided(started, resolve)));
    return {
      body: {
        partitions: started.map((entry) =>
          entry instanceof Pending ? promisedNothing(entry) : entry,
        ),
      },
    };
  }
  return started.every((entry) => outcomeOf(entry) !== undefined)
    ? { body: { partitions: outcomesOf(started, request.timeoutMs) } }
    : answerWhenDurable(broker, started, { timeoutMs: request.timeoutMs, call });
}

const outcomeOf = (entry: Pending | Produced): Produced | undefined =>
  entry instanceof Pending ? entry.outcome : entry;

/** Calls back once, when the last of them has its outcome; nobody else waits for the same ones. */
function whenDecided(started: readonly (Pending | Produced)[], callback: () => void): void {
  let left = 0;
  const onOutcome = (): void => {
    left -= 1;
    if (left === 0) {
      callback();
    }
  };
  for (const entry of started) {
    if (entry instanceof Pending && entry.outcome === undefined) {
      left += 1;
      entry.onOutcome = onOutcome;
    }
  }
  if (left === 0) {
    callback();
  }
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
  const seen = new Map<string, Set<number>>();
  for (const { topicId, partition } of targets) {
    const partitions = seen.get(topicId) ?? new Set();
    if (partitions.has(partition)) {
      return true;
    }
    seen.set(topicId, partitions.add(partition));
  }
  return false;
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
  return new Pending(target, partition, outcome);
}

/** One wait for the whole request: until all of it is as durable as asked, or failed, or the time is over. */
function answerWhenDurable(
  broker: BrokerServices,
  started: readonly (Pending | Produced)[],
  { timeoutMs, call }: { readonly timeoutMs: number; readonly call: Call },
): Promise<Answer<"produce">> {
  return new Promise((resolve) => {
    let letGo = (): void => {};
    const answer = (): void => resolve({ body: { partitions: outcomesOf(started, timeoutMs) } });
    const timer = broker.runtime.clock.setTimer(timeoutMs, () => {
      call.holdUntil(
        new Promise<void>((done) => {
          letGo = done;
        }),
      );
      answer();
    });
    whenDecided(started, () => {
      timer.cancel();
      answer();
      letGo();
    });
  });
}

function outcomesOf(started: readonly (Pending | Produced)[], timeoutMs: number): Produced[] {
  return started.map((entry) =>
    entry instanceof Pending ? (entry.outcome ?? timedOut(entry, timeoutMs)) : entry,
  );
}

function timedOut({ target }: Pending, timeoutMs: number): Produced {
  return refuse(
    target,
    "REQUEST_TIMED_OUT",
    `not done within ${timeoutMs} ms; it goes on and may still take effect`,
  );
}

/** acks 0: the batch was taken, and that is all that is said. */
function promisedNothing(entry: Pending): Produced {
  return {
    ...entry.acknowledged({ replicas: 0, fsynced: false }),
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
