// Blocks of producer ids: a broker draws one and hands its ids out by itself. A block is never given twice,
// whatever becomes of its ids; 2^53 ids in blocks of 1,000 outlast any cluster.

import type { NodeId, ProducerId } from "@millrace/protocol";
import type { MetadataImage } from "../metadata-image.js";
import type { CommandOutcome } from "./command.js";

export const PRODUCER_ID_BLOCK_SIZE = 1000;

export interface AllocateProducerIdsRequest {
  readonly nodeId: NodeId;
}

export interface ProducerIdBlock {
  readonly firstProducerId: ProducerId;
  readonly size: number;
}

export function allocateProducerIds(
  image: MetadataImage,
  request: AllocateProducerIdsRequest,
): CommandOutcome<ProducerIdBlock> {
  const firstProducerId = image.nextProducerId;
  const nextProducerId = firstProducerId + PRODUCER_ID_BLOCK_SIZE;
  if (!Number.isSafeInteger(nextProducerId)) {
    return { ok: false, error: "UNKNOWN_SERVER_ERROR", message: "all producer ids are used up" };
  }
  return {
    ok: true,
    records: [{ kind: "producerIds", body: { nodeId: request.nodeId, nextProducerId } }],
    response: { firstProducerId, size: PRODUCER_ID_BLOCK_SIZE },
  };
}
