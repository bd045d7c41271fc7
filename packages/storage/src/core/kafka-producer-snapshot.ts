// Kafka's `<offset>.snapshot`: the producers as they stood when the log ended at that offset, one batch each. A start
// reads Millrace's own `.producer-state`, which keeps five; this one is written beside it for Kafka's tools, and decoded
// by ours only. Pure.
//
//   0  version int16 (1)   2  crc32c uint32 of all that follows   6  entries int32
//  then per producer: id int64, epoch int16, last sequence int32, last offset int64, offset delta int32,
//       timestamp int64, coordinator epoch int32 (-1), first offset of the open transaction int64 (-1)

import type { Compute } from "@millrace/runtime";
import type { ProducerSnapshot } from "./producer-snapshot.js";

const VERSION = 1;
const CRC_AT = 2;
const COUNT_AT = 6;
const ENTRIES_AT = 10;
const ENTRY_BYTES = 8 + 2 + 4 + 8 + 4 + 8 + 4 + 8;
const NONE = -1;

export function encodeKafkaProducerSnapshot(
  snapshot: ProducerSnapshot,
  compute: Pick<Compute, "crc32c">,
): Uint8Array {
  const bytes = new Uint8Array(ENTRIES_AT + snapshot.producers.length * ENTRY_BYTES);
  const view = new DataView(bytes.buffer);
  view.setInt16(0, VERSION);
  view.setInt32(COUNT_AT, snapshot.producers.length);
  let at = ENTRIES_AT;
  for (const [producerId, { producerEpoch, batches }] of snapshot.producers) {
    const last = batches.at(-1);
    view.setBigInt64(at, BigInt(producerId));
    view.setInt16(at + 8, producerEpoch);
    view.setInt32(at + 10, last?.lastSequence ?? NONE);
    view.setBigInt64(at + 14, BigInt(last?.lastOffset ?? NONE));
    view.setInt32(at + 22, last === undefined ? 0 : last.lastOffset - last.baseOffset);
    view.setBigInt64(at + 26, BigInt(last?.timestamp ?? NONE));
    view.setInt32(at + 34, NONE);
    view.setBigInt64(at + 38, BigInt(NONE));
    at += ENTRY_BYTES;
  }
  view.setUint32(CRC_AT, compute.crc32c(bytes.subarray(COUNT_AT)));
  return bytes;
}

/** One producer and its last batch; -1 where there is none. */
export interface KafkaProducerEntry {
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly lastSequence: number;
  readonly lastOffset: number;
  readonly offsetDelta: number;
  readonly timestamp: number;
  readonly coordinatorEpoch: number;
  readonly transactionFirstOffset: number;
}

/** Undefined for anything that is not a whole, undamaged snapshot of this version. */
export function decodeKafkaProducerSnapshot(
  bytes: Uint8Array,
  compute: Pick<Compute, "crc32c">,
): readonly KafkaProducerEntry[] | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const isWhole =
    bytes.length >= ENTRIES_AT &&
    view.getInt16(0) === VERSION &&
    view.getUint32(CRC_AT) === compute.crc32c(bytes.subarray(COUNT_AT)) &&
    bytes.length === ENTRIES_AT + view.getInt32(COUNT_AT) * ENTRY_BYTES;
  if (!isWhole) {
    return undefined;
  }
  return Array.from({ length: view.getInt32(COUNT_AT) }, (_, index) => {
    const at = ENTRIES_AT + index * ENTRY_BYTES;
    return {
      producerId: Number(view.getBigInt64(at)),
      producerEpoch: view.getInt16(at + 8),
      lastSequence: view.getInt32(at + 10),
      lastOffset: Number(view.getBigInt64(at + 14)),
      offsetDelta: view.getInt32(at + 22),
      timestamp: Number(view.getBigInt64(at + 26)),
      coordinatorEpoch: view.getInt32(at + 34),
      transactionFirstOffset: Number(view.getBigInt64(at + 38)),
    };
  });
}
