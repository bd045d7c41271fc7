// A producer id for an idempotent producer, or the next epoch of one it has (KIP-360).

import { MillraceError } from "@millrace/protocol";
import type { Handler } from "./handler.js";

/** The last epoch stays unused, as in Kafka: a producer that reaches it gets a new id. */
const PRODUCER_EPOCH_MAX = 32_766;

export const initProducerId: Handler<"initProducerId"> = async (broker, request) => {
  const { producerId, producerEpoch, transactionalId } = request;
  if (transactionalId !== null) {
    throw new MillraceError("INVALID_REQUEST", "transactions are not supported by this version");
  }
  if (producerId < -1 || producerEpoch < -1 || (producerId === -1) !== (producerEpoch === -1)) {
    throw new MillraceError("INVALID_REQUEST", "a producer id and its epoch come together");
  }
  if (producerId >= broker.controller.image.nextProducerId) {
    throw new MillraceError("UNKNOWN_PRODUCER_ID", `no producer has the id ${producerId}`);
  }
  const body =
    producerId === -1 || producerEpoch >= PRODUCER_EPOCH_MAX
      ? { producerId: await broker.producerIds.allocate(), producerEpoch: 0 }
      : { producerId, producerEpoch: producerEpoch + 1 };
  return { body };
};
