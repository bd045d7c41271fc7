// Mistakes that producers have made elsewhere, planted between a producer and its cluster client. The properties
// must notice each of them; that is the proof that they look.

import type { ClusterPort } from "@millrace/client-producer";
import {
  type BatchHeader,
  batchHeaders,
  type RequestOf,
  rewriteProducer,
} from "@millrace/protocol";
import type { Compute } from "@millrace/runtime";
import type { Spoiler } from "./actors.js";

type Rewrite = (batch: Uint8Array, header: BatchHeader, partition: number) => void;

/** Lets `rewrite` change copies of all batches on their way out. */
function rewritesBatches(createRewrite: (compute: Compute) => Rewrite): Spoiler {
  return (client) => {
    const rewrite = createRewrite(client.runtime.compute);
    const request: ClusterPort["request"] = (target, api, body, options) => {
      if (api !== "produce" || options?.records === undefined) {
        return client.request(target, api, body, options);
      }
      const { partitions } = body as RequestOf<"produce">;
      const records = options.records.map((batch, index) => {
        const copy = batch.slice();
        for (const { header } of batchHeaders(copy)) {
          rewrite(copy, header, partitions[index]?.partition ?? 0);
        }
        return copy;
      });
      return client.request(target, api, body, { ...options, records });
    };
    return portOf(client, request);
  };
}

function portOf(client: ClusterPort, request: ClusterPort["request"]): ClusterPort {
  return {
    runtime: client.runtime,
    metadata: client.metadata,
    maxFrameBytes: (nodeId) => client.maxFrameBytes(nodeId),
    request,
    retry: (operation, options) => client.retry(operation, options),
    close: () => client.close(),
  };
}

/**
 * Two batches get one sequence number, so that the broker takes the second for a retry of the first: every send is
 * acknowledged, part of the records is gone.
 */
export const repeatsSequences: Spoiler = rewritesBatches((compute) => {
  const lastOfPartition = new Map<number, BatchHeader>();
  return (batch, header, partition) => {
    const last = lastOfPartition.get(partition);
    if (last !== undefined && last.recordCount === header.recordCount) {
      const { producerId, producerEpoch, baseSequence } = last;
      rewriteProducer(batch, { producerId, producerEpoch, baseSequence }, compute);
    } else {
      lastOfPartition.set(partition, header);
    }
  };
});

/** Nothing tells the broker who sent a batch, and several are on their way at once: retries repeat and reorder. */
export const hidesProducer: Spoiler = rewritesBatches((compute) => (batch) => {
  rewriteProducer(batch, { producerId: -1, producerEpoch: -1, baseSequence: -1 }, compute);
});
