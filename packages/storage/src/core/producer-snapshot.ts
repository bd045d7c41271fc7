// The file `<offset>.producer-state`: the producers as they stood when the log ended at that offset. Kafka's own
// snapshot keeps one batch per producer; this one keeps five, so that any retry gets its original offset after a
// restart. A hint: a damaged or missing one costs a longer replay, nothing else.
//
//   0  magic "MRPS"   4  version uint16 (1)   6  reserved uint16   8  crc32c uint32 of all that follows
//  12  offset int64  20  producer count uint32
//  then per producer: id int64, epoch int16, last write int64 (ms), batch count uint8,
//       per batch: base sequence int32, last sequence int32, base offset int64, last offset int64, timestamp int64

import { IN_FLIGHT_BATCHES_MAX } from "@millrace/protocol";
import type { Compute } from "@millrace/runtime";
import type { ProducerBatch, ProducerEntry } from "./producer-state.js";

const MAGIC = 0x4d525053;
const VERSION = 1;
const CRC_AT = 8;
const OFFSET_AT = 12;
const COUNT_AT = 20;
const PRODUCERS_AT = 24;
const PRODUCER_BYTES = 8 + 2 + 8 + 1;
const BATCH_BYTES = 4 + 4 + 8 + 8 + 8;

type Checksum = Pick<Compute, "crc32c">;

export interface ProducerSnapshot {
  readonly offset: number;
  readonly producers: readonly (readonly [number, ProducerEntry])[];
}

export function encodeProducerSnapshot(snapshot: ProducerSnapshot, compute: Checksum): Uint8Array {
  const batchCount = snapshot.producers.reduce((sum, [, entry]) => sum + entry.batches.length, 0);
  const bytes = new Uint8Array(
    PRODUCERS_AT + snapshot.producers.length * PRODUCER_BYTES + batchCount * BATCH_BYTES,
  );
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MAGIC);
  view.setUint16(4, VERSION);
  view.setBigInt64(OFFSET_AT, BigInt(snapshot.offset));
  view.setUint32(COUNT_AT, snapshot.producers.length);
  let at = PRODUCERS_AT;
  for (const [producerId, entry] of snapshot.producers) {
    view.setBigInt64(at, BigInt(producerId));
    view.setInt16(at + 8, entry.producerEpoch);
    view.setBigInt64(at + 10, BigInt(entry.lastWriteMs));
    view.setUint8(at + 18, entry.batches.length);
    at += PRODUCER_BYTES;
    for (const batch of entry.batches) {
      view.setInt32(at, batch.baseSequence);
      view.setInt32(at + 4, batch.lastSequence);
      view.setBigInt64(at + 8, BigInt(batch.baseOffset));
      view.setBigInt64(at + 16, BigInt(batch.lastOffset));
      view.setBigInt64(at + 24, BigInt(batch.timestamp));
      at += BATCH_BYTES;
    }
  }
  view.setUint32(CRC_AT, compute.crc32c(bytes.subarray(OFFSET_AT)));
  return bytes;
}

/** Undefined for anything that is not a whole, undamaged snapshot of this version. */
export function decodeProducerSnapshot(
  bytes: Uint8Array,
  compute: Checksum,
): ProducerSnapshot | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const isWhole =
    bytes.length >= PRODUCERS_AT &&
    view.getUint32(0) === MAGIC &&
    view.getUint16(4) === VERSION &&
    view.getUint32(CRC_AT) === compute.crc32c(bytes.subarray(OFFSET_AT));
  if (!isWhole) {
    return undefined;
  }
  const producers: [number, ProducerEntry][] = [];
  let at = PRODUCERS_AT;
  for (let producer = 0; producer < view.getUint32(COUNT_AT); producer++) {
    const batchCount = at + PRODUCER_BYTES <= bytes.length ? view.getUint8(at + 18) : -1;
    const end = at + PRODUCER_BYTES + batchCount * BATCH_BYTES;
    if (batchCount < 0 || batchCount > IN_FLIGHT_BATCHES_MAX || end > bytes.length) {
      return undefined;
    }
    const batches: ProducerBatch[] = [];
    for (let batch = at + PRODUCER_BYTES; batch < end; batch += BATCH_BYTES) {
      batches.push(decodeBatch(view, batch));
    }
    const entry = {
      producerEpoch: view.getInt16(at + 8),
      batches,
      lastWriteMs: Number(view.getBigInt64(at + 10)),
    };
    producers.push([Number(view.getBigInt64(at)), entry]);
    at = end;
  }
  return at === bytes.length
    ? { offset: Number(view.getBigInt64(OFFSET_AT)), producers }
    : undefined;
}

function decodeBatch(view: DataView, at: number): ProducerBatch {
  return {
    baseSequence: view.getInt32(at),
    lastSequence: view.getInt32(at + 4),
    baseOffset: Number(view.getBigInt64(at + 8)),
    lastOffset: Number(view.getBigInt64(at + 16)),
    timestamp: Number(view.getBigInt64(at + 24)),
  };
}
