// The data directory whose state files are damaged: two segments with their indexes, epochs, producers that may retry, a
// recovery point and a log start within the first segment; as a broker leaves it that was killed after a checkpoint.

import { RecordBatchBuilder } from "@millrace/protocol";
import type { Compute } from "@millrace/runtime";
import { Simulation } from "@millrace/runtime/sim";
import { LogManager, parseLogConfig } from "@millrace/storage";
import { TOPIC, TOPIC_ID } from "./segment-scene.js";

const BATCHES = 40;
const PRODUCERS = 3;

export interface StateScene {
  readonly image: ReadonlyMap<string, Uint8Array>;
  /** Worth looking up. */
  readonly timestamps: readonly number[];
  /** Batches that the log has: appending one again is a duplicate. */
  readonly retries: readonly Uint8Array[];
}

export async function buildStateScene(compute: Compute): Promise<StateScene> {
  const simulation = new Simulation({ seed: 2 });
  const node = simulation.node("broker");
  const runtime = node.runtime();
  const retries: Uint8Array[] = [];
  await simulation.run(async () => {
    const config = { reserveBytes: 0 };
    const manager = await LogManager.open({ runtime, path: "/data", nodeId: 1, config });
    const id = { topic: TOPIC, topicId: TOPIC_ID, partition: 0 };
    const entries = { "segment.bytes": "20000", "index.interval.bytes": "1000" };
    const log = await manager.createLog(id, parseLogConfig(entries));
    for (let index = 0; index < BATCHES; index++) {
      const batch = batchOf(compute, index);
      if (index >= BATCHES - PRODUCERS) {
        retries.push(batch.slice());
      }
      const outcome = log.append(batch, { leaderEpoch: 1 + Math.floor(index / 9) });
      if (!outcome.ok) {
        throw new Error(outcome.message);
      }
      await log.whenFlushed(outcome.lastOffset);
      if (index === BATCHES - 5) {
        // Between two records of a batch in the first segment.
        await log.deleteRecordsBefore(3);
        await simulation.sleep(10_000);
      }
    }
    node.crash();
  });
  const image = new Map(node.disk.paths().map((path) => [path, node.disk.peek(path)]));
  const timestamps = Array.from({ length: 10 }, (_, index) => 1_000 + index * 45);
  return { image, timestamps, retries };
}

function batchOf(compute: Compute, index: number): Uint8Array {
  const builder = new RecordBatchBuilder();
  for (let record = 0; record < 2; record++) {
    const timestamp = 1_000 + index * 10 + record;
    builder.append({ key: `key-${index}`, value: "v".repeat(500), timestamp });
  }
  const producerId = 7 + (index % PRODUCERS);
  const baseSequence = Math.floor(index / PRODUCERS) * 2;
  return builder.build({ compute, producerId, producerEpoch: 0, baseSequence }).slice();
}
