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
  const loaded = await loadProducerSnapshot(place, endOffset);
  // Batches between an old snapshot and the first segment cannot be replayed any more: what it says may be outdated, and
  // would refuse its producers for ever. Unknown ones may begin anywhere.
  const isConnected = loaded !== undefined && loaded.offset >= (log.segments[0]?.baseOffset ?? 0);
  const snapshot = isConnected ? loaded : undefined;
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
