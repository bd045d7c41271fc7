// The data directory that all cases damage: one partition whose segment is 64 KiB to the byte, with batches of every
// codec, several producers and leader epochs, as a killed broker leaves it. Built once, by the storage engine itself.

import { batchHeaders, RecordBatchBuilder } from "@millrace/protocol";
import type { CompressionCodec, Compute } from "@millrace/runtime";
import { createNodeRuntime } from "@millrace/runtime/node";
import { Simulation } from "@millrace/runtime/sim";
import { LogManager, parseLogConfig } from "@millrace/storage";
import type { FileImage } from "./frozen-files.js";

export const SEGMENT_BYTES = 64 * 1024;
export const TOPIC = "events";
export const LOG_DIRECTORY = `/data/${TOPIC}-0`;
export const LOG_PATH = `${LOG_DIRECTORY}/00000000000000000000.log`;
export const RECOVERY_POINT_PATH = "/data/recovery-point-offset-checkpoint";
export const TOPIC_ID = "0b1f2c3d-4e5f-4a6b-8c7d-9e0f1a2b3c4d";
const CODECS: readonly CompressionCodec[] = ["none", "gzip", "snappy", "lz4", "zstd"];
const EPOCHS = [0, 0, 0, 2, 2, 2, 2, 5, 5, 5, 6, 6];
/** Of a batch's records before compression; the last batch fills what is left. */
const BATCH_BYTES = 5_500;
const BATCH_OVERHEAD_BYTES = 61;
/** Every fifth batch, uncompressed, holds whole sectors of zeros, which look as if they had never been written. */
const ZEROS_EVERY = 5;
const ZEROS_BYTES = 1_800;

export interface SceneBatch {
  /** In the segment; `to` is exclusive. */
  readonly from: number;
  readonly to: number;
  readonly baseOffset: number;
  /** Exclusive. */
  readonly endOffset: number;
}

/** Where the recovery point lies: before all batches, between two, or behind all. */
export type RecoveryPointPlace = "start" | "middle" | "end";

export interface SegmentScene {
  readonly image: FileImage;
  readonly bytes: Uint8Array;
  readonly batches: readonly SceneBatch[];
  readonly endOffset: number;
  readonly recoveryPoint: number;
}

/** The same bytes each time: what a failure names can be looked at again. */
export async function buildSegmentScene(place: RecoveryPointPlace): Promise<SegmentScene> {
  const batches = await buildBatches(createNodeRuntime().compute);
  const simulation = new Simulation({ seed: 1 });
  const node = simulation.node("broker");
  const runtime = node.runtime();
  await simulation.run(async () => {
    const config = { reserveBytes: 0 };
    const manager = await LogManager.open({ runtime, path: "/data", nodeId: 1, config });
    const id = { topic: TOPIC, topicId: TOPIC_ID, partition: 0 };
    const log = await manager.createLog(id, parseLogConfig());
    for (const [index, batch] of batches.entries()) {
      const outcome = log.append(batch, { leaderEpoch: EPOCHS[index] ?? 6 });
      if (!outcome.ok) {
        throw new Error(outcome.message);
      }
      await log.whenFlushed(outcome.lastOffset);
      if (index === batches.length >> 1) {
        // The periodic checkpoint stores the recovery point and the indexes as far as they go.
        await simulation.sleep(10_000);
      }
    }
    node.crash();
  });
  const image = new Map(node.disk.paths().map((path) => [path, node.disk.peek(path)]));
  const bytes = image.get(LOG_PATH) ?? new Uint8Array(0);
  if (bytes.length !== SEGMENT_BYTES) {
    throw new Error(`the segment has ${bytes.length} bytes`);
  }
  const found = [...batchHeaders(bytes)].map(({ position, header }) => ({
    from: position,
    to: position + header.sizeBytes,
    baseOffset: header.baseOffset,
    endOffset: header.lastOffset + 1,
  }));
  const endOffset = found.at(-1)?.endOffset ?? 0;
  const recoveryPoint = setRecoveryPoint(image, place, endOffset);
  return { image, bytes, batches: found, endOffset, recoveryPoint };
}

function setRecoveryPoint(
  image: Map<string, Uint8Array>,
  place: RecoveryPointPlace,
  endOffset: number,
): number {
  if (place === "middle") {
    const text = new TextDecoder().decode(image.get(RECOVERY_POINT_PATH));
    return Number(/^events 0 (\d+)/m.exec(text)?.[1]);
  }
  const recoveryPoint = place === "start" ? 0 : endOffset;
  const text = `0\n1\n${TOPIC} 0 ${recoveryPoint}\n`;
  image.set(RECOVERY_POINT_PATH, new TextEncoder().encode(text));
  return recoveryPoint;
}

async function buildBatches(compute: Compute): Promise<Uint8Array[]> {
  const text = textSource();
  const batches: Uint8Array[] = [];
  let sizeBytes = 0;
  const sequences = new Map<number, number>();
  for (let index = 0; sizeBytes < SEGMENT_BYTES - 2 * BATCH_BYTES; index++) {
    const builder = new RecordBatchBuilder();
    for (
      let record = 0;
      builder.sizeBytes < BATCH_BYTES - (index % ZEROS_EVERY === 0 ? ZEROS_BYTES : 0);
      record++
    ) {
      const value = text(200 + ((index * 37 + record * 101) % 900));
      builder.append({ key: `key-${record}`, value, timestamp: 1_000 + index * 10 + record });
    }
    if (index % ZEROS_EVERY === 0) {
      builder.append({ key: null, value: new Uint8Array(ZEROS_BYTES), timestamp: 1_000 });
    }
    const producerId = index % 4 === 3 ? -1 : 100 + (index % 4);
    const codec = CODECS[index % CODECS.length] ?? "none";
    const batch = await builder.buildCompressed({
      compute,
      codec,
      ...sequence(sequences, producerId, builder.recordCount),
    });
    batches.push(batch.slice());
    sizeBytes += batch.length;
  }
  batches.push(lastBatch(compute, text, SEGMENT_BYTES - sizeBytes));
  return batches;
}

function sequence(sequences: Map<number, number>, producerId: number, count: number) {
  const baseSequence = producerId < 0 ? -1 : (sequences.get(producerId) ?? 0);
  sequences.set(producerId, baseSequence + count);
  return { producerId, producerEpoch: producerId < 0 ? -1 : 0, baseSequence };
}

/** One uncompressed batch of exactly `sizeBytes`. */
function lastBatch(
  compute: Compute,
  text: (length: number) => string,
  sizeBytes: number,
): Uint8Array {
  const letters = text(sizeBytes);
  for (let length = sizeBytes - BATCH_OVERHEAD_BYTES; length > 0; length--) {
    const builder = new RecordBatchBuilder();
    builder.append({ key: null, value: letters.slice(0, length), timestamp: 9_000 });
    const batch = builder.build({ compute, ...sequence(new Map(), -1, 1) });
    if (batch.length === sizeBytes) {
      return batch.slice();
    }
  }
  throw new Error(`no batch has ${sizeBytes} bytes`);
}

/** Letters that do not compress away, always the same (xorshift32). */
function textSource(): (length: number) => string {
  let state = 0x9e3779b9;
  return (length) => {
    let text = "";
    while (text.length < length) {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      text += (state >>> 0).toString(36);
    }
    return text.slice(0, length);
  };
}
