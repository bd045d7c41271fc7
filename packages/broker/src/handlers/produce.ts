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
import type { Acks, Durability, Partition } from "../partition.js";
import { within } from "../within.js";
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
  const started = appendAll(broker, request, call.records);
  return areAppended(started)
    ? answerFor(broker, started, { request, call })
    : Promise.all(started.map(whenAppended)).then((appended) =>
        answerFor(broker, appended, { request, call }),
      );
};

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
): Answer<"produce"> | Promise<Answer<"produce">> {
  const pending = started.filter((entry): entry is Pending => "durable" in entry);
  const all = Promise.allSettled(pending.map((entry) => entry.durable));
  call.holdUntil(all);
  if (request.acks === 0) {
    return {
      body: {
        partitions: started.map((entry) => ("durable" in entry ? promisedNothing(entry) : entry)),
      },
    };
  }
  return answerWhenDurable(broker, started, request.timeoutMs);
}

/** The byte string must be what the list says, and each partition stands in it once. */
function checkLengths(request: RequestOf<"produce">, records: Uint8Array): void {
  let total = 0;
  const seen = new Set<string>();
  for (const { topicId, partition, recordsLength } of request.partitions) {
    total += recordsLength;
    const key = `${topicId}:${partition}`;
    if (seen.has(key)) {
      throw new MillraceError("INVALID_REQUEST", "a partition stands twice in the request");
    }
    seen.add(key);
  }
  if (total !== records.length) {
    throw new MillraceError(
      "INVALID_REQUEST",
      `the partitions claim ${total} bytes of records, ${records.length} came`,
    );
  }
}

function appendAll(
  broker: BrokerServices,
  request: RequestOf<"produce">,
  records: Uint8Array,
): Started[] {
  let position = 0;
  return request.partitions.map((target) => {
    const batch = records.subarray(position, position + target.recordsLength);
    position += target.recordsLength;
    return append(broker, target, { batch, acks: request.acks as Acks });
  });
}

function append(
  broker: BrokerServices,
  target: Target,
  entry: { batch: Uint8Array; acks: Acks },
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

async function answerWhenDurable(
  broker: BrokerServices,
  started: readonly (Pending | Produced)[],
  timeoutMs: number,
): Promise<{ body: ResponseOf<"produce"> }> {
  const partitions = await Promise.all(
    started.map(async (entry) => {
      if (!("durable" in entry)) {
        return entry;
      }
      try {
        return acknowledged(entry, await within(broker.runtime.clock, timeoutMs, entry.durable));
      } catch (error) {
        const { error: name, message } = wireErrorOf(error);
        return refuse(entry.target, name, message);
      }
    }),
  );
  return { body: { partitions } };
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
