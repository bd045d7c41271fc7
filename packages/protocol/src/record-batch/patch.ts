// Changing header fields of a finished batch in place. Base offset and leader epoch lie outside the CRC;
// everything else needs a new one.

import type { Compute } from "@millrace/runtime";
import type { LeaderEpoch, Offset, ProducerEpoch, ProducerId, TimestampMs } from "../ids.js";
import { LOG_OVERHEAD_BYTES } from "../limits.js";
import {
  readInt16,
  readInt32,
  readUint32,
  writeInt16,
  writeInt32,
  writeInt64,
} from "./big-endian.js";
import {
  ATTRIBUTES_AT,
  BASE_OFFSET_AT,
  BASE_SEQUENCE_AT,
  BATCH_LENGTH_AT,
  CRC_AT,
  LEADER_EPOCH_AT,
  LOG_APPEND_TIME_BIT,
  MAX_TIMESTAMP_AT,
  PRODUCER_EPOCH_AT,
  PRODUCER_ID_AT,
} from "./layout.js";

type Checksum = Pick<Compute, "crc32c">;

/** The CRC-32C of the batch at `position`, whose length field was checked (`readBatchHeader`). */
export function computeBatchCrc(bytes: Uint8Array, position: number, compute: Checksum): number {
  const end = position + LOG_OVERHEAD_BYTES + readInt32(bytes, position + BATCH_LENGTH_AT);
  return compute.crc32c(bytes.subarray(position + ATTRIBUTES_AT, end));
}

/** Whether the batch at `position`, all of whose bytes are there, has the CRC it claims. */
export function isBatchCrcValid(bytes: Uint8Array, position: number, compute: Checksum): boolean {
  return computeBatchCrc(bytes, position, compute) === readUint32(bytes, position + CRC_AT);
}

/** What a leader writes into an accepted batch. The CRC stays valid. */
export function patchBatchPosition(
  bytes: Uint8Array,
  position: number,
  fields: { readonly baseOffset: Offset; readonly leaderEpoch: LeaderEpoch },
): void {
  writeInt64(bytes, position + BASE_OFFSET_AT, fields.baseOffset);
  writeInt32(bytes, position + LEADER_EPOCH_AT, fields.leaderEpoch);
}

/** Stamps all records with the broker's time (`message.timestamp.type=LogAppendTime`); writes a new CRC. */
export function patchLogAppendTime(
  bytes: Uint8Array,
  position: number,
  stamp: { readonly timestampMs: TimestampMs; readonly compute: Checksum },
): void {
  const attributes = readInt16(bytes, position + ATTRIBUTES_AT);
  writeInt16(bytes, position + ATTRIBUTES_AT, attributes | LOG_APPEND_TIME_BIT);
  writeInt64(bytes, position + MAX_TIMESTAMP_AT, stamp.timestampMs);
  patchCrc(bytes, position, stamp.compute);
}

export interface ProducerFields {
  readonly producerId: ProducerId;
  readonly producerEpoch: ProducerEpoch;
  readonly baseSequence: number;
}

/** Gives the batch at the start of `bytes` another producer id, epoch and sequence; writes a new CRC. */
export function rewriteProducer(
  bytes: Uint8Array,
  fields: ProducerFields,
  compute: Checksum,
): void {
  writeInt64(bytes, PRODUCER_ID_AT, fields.producerId);
  writeInt16(bytes, PRODUCER_EPOCH_AT, fields.producerEpoch);
  writeInt32(bytes, BASE_SEQUENCE_AT, fields.baseSequence);
  patchCrc(bytes, 0, compute);
}

function patchCrc(bytes: Uint8Array, position: number, compute: Checksum): void {
  writeInt32(bytes, position + CRC_AT, computeBatchCrc(bytes, position, compute));
}
