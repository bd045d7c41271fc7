// Producer state from disk: the newest snapshot, and the headers of the batches behind it.

import { scanBatches } from "./batch-scanner.js";
import type { ProducerState } from "./core/producer-state.js";
import type { LogParts } from "./log-parts.js";
import { loadProducerSnapshot } from "./producer-snapshots.js";
import type { Segment } from "./segment.js";

/** Makes `log.producers` what they are when the log ends at `endOffset`. */
export async function replayProducers(log: LogParts, endOffset: number): Promise<void> {
  const state = log.producers;
  const { fileSystem, compute } = log.runtime;
  const place = { fileSystem, compute, directory: log.directory };
  const snapshot = await loadProducerSnapshot(place, endOffset);
  const from = snapshot?.offset ?? 0;
  state.restore(snapshot?.producers ?? []);
  for (const segment of log.segments) {
    if (segment.endOffset > from) {
      await replaySegment(log, segment, { from, endOffset, state });
    }
  }
}

async function replaySegment(
  log: LogParts,
  segment: Segment,
  range: { readonly from: number; readonly endOffset: number; readonly state: ProducerState },
): Promise<void> {
  const nowMs = log.runtime.clock.nowMs();
  const indexes = await segment.indexes(log.config.indexIntervalBytes);
  const entry = indexes.offsets.lookup(range.from);
  await segment.reading((file) =>
    scanBatches({
      file,
      from: entry?.position ?? 0,
      to: segment.sizeBytes,
      visit: ({ header }) => {
        if (header.lastOffset >= range.endOffset) {
          return false;
        }
        if (header.baseOffset >= range.from && header.producerId >= 0) {
          range.state.replay(header, nowMs);
          range.state.keepNewest(log.storage.producersPerLogMax);
        }
        return undefined;
      },
    }),
  );
}
