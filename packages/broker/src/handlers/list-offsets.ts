// Offsets by timestamp, and the ends of a log, as consumers see them.

import {
  EARLIEST_TIMESTAMP,
  errorCode,
  LATEST_TIMESTAMP,
  MAX_TIMESTAMP,
  MillraceError,
  OFFSET_LOOKUPS_MAX,
  type RequestOf,
  type ResponseOf,
  type WireErrorName,
} from "@millrace/protocol";
import type { Partition } from "../partition.js";
import { type BrokerServices, type Handler, wireErrorOf } from "./handler.js";

type Wanted = RequestOf<"listOffsets">["partitions"][number];
type Listed = ResponseOf<"listOffsets">["partitions"][number];

/** Others get their turn after so many. */
const SLICE = 64;

export const listOffsets: Handler<"listOffsets"> = async (broker, request, call) => {
  const lookups = request.partitions.filter(isLookup).length;
  if (lookups > OFFSET_LOOKUPS_MAX) {
    throw new MillraceError(
      "INVALID_REQUEST",
      `${lookups} look-ups by timestamp; one request may have ${OFFSET_LOOKUPS_MAX}`,
    );
  }
  // One request at a time of each connection: more of them would only take the disk from others.
  const work = (): Promise<Listed[]> => listAll(broker, request.partitions);
  return { body: { partitions: await (lookups > 0 ? call.connection.inTurn(work) : work()) } };
};

const isLookup = ({ timestamp }: Wanted): boolean =>
  timestamp !== LATEST_TIMESTAMP && timestamp !== EARLIEST_TIMESTAMP;

async function listAll(broker: BrokerServices, all: readonly Wanted[]): Promise<Listed[]> {
  const partitions: Listed[] = [];
  for (const wanted of all) {
    partitions.push(await list(broker, wanted));
    if (partitions.length % SLICE === 0) {
      await new Promise<void>((resolve) => broker.runtime.clock.defer(resolve));
    }
  }
  return partitions;
}

async function list(broker: BrokerServices, wanted: Wanted): Promise<Listed> {
  const lookup = broker.partitions.find(wanted.topicId, wanted.partition);
  if (!lookup.ok) {
    return refuse(wanted, lookup.error, null);
  }
  const { partition } = lookup;
  const epochProblem = partition.epochProblem(wanted.currentLeaderEpoch);
  if (epochProblem !== undefined) {
    return refuse(wanted, epochProblem, null);
  }
  try {
    const found = await find(partition, wanted.timestamp);
    return found === "unknown"
      ? refuse(wanted, "INVALID_REQUEST", `timestamp ${wanted.timestamp} has no meaning`)
      : {
          topicId: wanted.topicId,
          partition: wanted.partition,
          errorCode: 0,
          errorMessage: null,
          ...found,
          leaderEpoch: partition.leaderEpoch,
        };
  } catch (error) {
    const { error: name, message } = wireErrorOf(error);
    return refuse(wanted, name, message);
  }
}

interface Found {
  readonly offset: number;
  readonly timestamp: number;
}

const none: Found = { offset: -1, timestamp: -1 };

async function find(partition: Partition, timestamp: number): Promise<Found | "unknown"> {
  if (timestamp === LATEST_TIMESTAMP) {
    return { offset: partition.lastStableOffset, timestamp: -1 };
  }
  if (timestamp === EARLIEST_TIMESTAMP) {
    return { offset: partition.logStartOffset, timestamp: -1 };
  }
  if (timestamp < 0 && timestamp !== MAX_TIMESTAMP) {
    return "unknown";
  }
  const found =
    timestamp === MAX_TIMESTAMP
      ? await partition.log.maxTimestampOffset()
      : await partition.log.offsetForTimestamp(timestamp);
  return found === undefined || found.offset >= partition.highWatermark ? none : found;
}

function refuse(wanted: Wanted, error: WireErrorName, errorMessage: string | null): Listed {
  return {
    topicId: wanted.topicId,
    partition: wanted.partition,
    errorCode: errorCode(error),
    timestamp: -1,
    offset: -1,
    leaderEpoch: -1,
    errorMessage,
  };
}
