import { createNodeRuntime } from "@millrace/runtime/node";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type BulkReceiver, ProducerBatch, type RecordRun } from "./producer-batch.js";
import { BulkSend } from "./sent-records.js";

const { compute } = createNodeRuntime();

const batchOf = (partition: number): ProducerBatch =>
  new ProducerBatch({ topic: "orders", partition }, 0, new Uint8Array(64));

/** As deep as it says; what cannot be split any more stays as it is. */
function splitDown(batch: ProducerBatch, depth: number): readonly ProducerBatch[] {
  batch.bytes = batch.builder.build({ compute });
  const halves = depth > 0 ? batch.split() : undefined;
  return halves === undefined ? [batch] : halves.flatMap((half) => splitDown(half, depth - 1));
}

describe("records sent with one call", () => {
  it("have their own batch's metadata, however they were dealt out and split", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.nat({ max: 3 }), { minLength: 1, maxLength: 60 }),
        fc.nat({ max: 3 }),
        async (partitions, depth) => {
          const bulk = new BulkSend(partitions.length);
          const batches = [0, 1, 2, 3].map(batchOf);
          for (const [index, partition] of partitions.entries()) {
            const batch = batches[partition] as ProducerBatch;
            batch.append({ key: null, value: `${index}`, timestamp: index });
            bulk.appended(index, batch, index);
          }
          const next = [0, 100, 200, 300];
          for (const batch of batches.filter(({ recordCount }) => recordCount > 0)) {
            for (const part of splitDown(batch, depth)) {
              const baseOffset = next[part.partition] as number;
              next[part.partition] = baseOffset + part.recordCount;
              part.acknowledge({ baseOffset, logAppendTime: -1, replicas: 1, fsynced: true });
            }
          }
          const expected = partitions.map((partition, index) => ({
            partition,
            offset:
              partition * 100 + partitions.slice(0, index).filter((p) => p === partition).length,
            timestamp: index,
          }));
          const sent = await bulk.promise;
          expect(sent.toArray()).toEqual(expected.map((one) => expect.objectContaining(one)));
          expect(sent.at(partitions.length)).toBeUndefined();
          expect(sent.at(-1)).toBeUndefined();
        },
      ),
      { numRuns: 200 },
    );
  });

  it("are told of batch by batch, not record by record, when they take turns between partitions", () => {
    const runs: RecordRun[] = [];
    const receiver: BulkReceiver = { settle: (run) => runs.push(run) };
    const batches = [batchOf(0), batchOf(1)];
    for (let index = 0; index < 100; index++) {
      const batch = batches[index % 2] as ProducerBatch;
      batch.append({ key: null, value: "a", timestamp: 0 });
      batch.addBulk(receiver, index, batch.recordCount - 1);
    }
    for (const batch of batches) {
      batch.acknowledge({ baseOffset: 0, logAppendTime: -1, replicas: 1, fsynced: true });
    }
    expect(runs.map(({ count }) => count)).toEqual([50, 50]);
  });
});
