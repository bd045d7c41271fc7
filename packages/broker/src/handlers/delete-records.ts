// Deleting the head of a log: its start moves, segments that lie before it go.

import { errorCode, type RequestOf, type ResponseOf, type WireErrorName } from "@millrace/protocol";
import { within } from "../within.js";
import { type BrokerServices, type Handler, wireErrorOf } from "./handler.js";

type Wanted = RequestOf<"deleteRecords">["partitions"][number];
type Deleted = ResponseOf<"deleteRecords">["partitions"][number];

/** `beforeOffset` of a request that means the high watermark. */
const HIGH_WATERMARK = -1;

export const deleteRecords: Handler<"deleteRecords"> = async (broker, request) => {
  const partitions = await Promise.all(
    request.partitions.map((wanted) => remove(broker, wanted, request.timeoutMs)),
  );
  return { body: { partitions } };
};

async function remove(broker: BrokerServices, wanted: Wanted, timeoutMs: number): Promise<Deleted> {
  const lookup = broker.partitions.find(wanted.topicId, wanted.partition);
  if (!lookup.ok) {
    return refuse(wanted, lookup.error, null);
  }
  const { partition } = lookup;
  const { highWatermark, logStartOffset } = partition;
  const offset = wanted.beforeOffset === HIGH_WATERMARK ? highWatermark : wanted.beforeOffset;
  if (offset < 0 || offset > highWatermark) {
    return refuse(wanted, "OFFSET_OUT_OF_RANGE", `the high watermark is ${highWatermark}`);
  }
  try {
    if (offset > logStartOffset) {
      await within(broker.runtime.clock, timeoutMs, partition.log.deleteRecordsBefore(offset));
    }
  } catch (error) {
    const { error: name, message } = wireErrorOf(error);
    return refuse(wanted, name, message);
  }
  return {
    topicId: wanted.topicId,
    partition: wanted.partition,
    errorCode: 0,
    lowWatermark: partition.logStartOffset,
    errorMessage: null,
  };
}

function refuse(wanted: Wanted, error: WireErrorName, errorMessage: string | null): Deleted {
  return {
    topicId: wanted.topicId,
    partition: wanted.partition,
    errorCode: errorCode(error),
    lowWatermark: -1,
    errorMessage,
  };
}
