// Record batches as the workload sends them, and what the model keeps of them.

import { type BatchHeader, RecordBatchBuilder, readBatchHeader } from "@millrace/protocol";
import type { Compute, Random } from "@millrace/runtime";
import type { Appended } from "@millrace/storage";
import type { ModelBatch } from "./model-log.js";

export interface BatchPlan {
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly baseSequence: number;
  readonly timestamps: readonly number[];
  readonly recordBytesMax: number;
  readonly isCompressed: boolean;
}

const filling = "a record's value, filled up to some size; ".repeat(30);

export async function buildBatch(
  plan: BatchPlan,
  random: Random,
  compute: Compute,
): Promise<Uint8Array> {
  const builder = new RecordBatchBuilder({ initialBytes: 256 });
  for (const timestamp of plan.timestamps) {
    const value = `${random.below(2 ** 31)} ${filling.slice(0, random.below(plan.recordBytesMax))}`;
    builder.append({ key: `k${random.below(40)}`, value, timestamp });
  }
  const { producerId, producerEpoch, baseSequence } = plan;
  const options = { producerId, producerEpoch, baseSequence, compute };
  return plan.isCompressed
    ? await builder.buildCompressed({ ...options, codec: "snappy" })
    : builder.build(options);
}

/** Mostly rising, often out of order, sometimes none. */
export function drawTimestamps(random: Random, nowMs: number): number[] {
  const count = 1 + random.below(random.float() < 0.2 ? 12 : 3);
  if (random.float() < 0.04) {
    return Array.from({ length: count }, () => -1);
  }
  const spread = random.float() < 0.5 ? 5 : 20_000;
  return Array.from({ length: count }, () => nowMs - random.below(spread));
}

/** What the model keeps of an append that was taken; `bytes` hold the offsets that it got. */
export function modelBatch(
  bytes: Uint8Array,
  outcome: Appended,
  timestamps: readonly number[],
): ModelBatch {
  const header: BatchHeader = readBatchHeader(bytes);
  const isStamped = outcome.logAppendTime >= 0;
  return {
    baseOffset: outcome.baseOffset,
    lastOffset: outcome.lastOffset,
    bytes: bytes.slice(),
    epoch: header.leaderEpoch,
    producerId: header.producerId,
    producerEpoch: header.producerEpoch,
    baseSequence: header.baseSequence,
    lastSequence: header.lastSequence,
    timestamps: isStamped ? timestamps.map(() => outcome.logAppendTime) : timestamps,
    fate: "open",
    isDamaged: false,
  };
}

export function joinBytes(pieces: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
