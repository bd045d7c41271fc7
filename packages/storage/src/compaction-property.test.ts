import { Simulation } from "@millrace/runtime/sim";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createLog, openManager } from "./testdata/harness.js";
import {
  appendKeyed,
  headersOf,
  type KeyedBatch,
  recordsOf,
  type SeenRecord,
  tableOf,
} from "./testdata/keyed-log.js";

// Any log of keyed records and tombstones, in batches of any shape and codec, cleaned any number of times with any size
// of map, restarted in between: against the list of everything that was ever written.

const DELETE_RETENTION_MS = 10_000;
/** Bytes: holds the largest batch that `batch` makes, which is a bit over 500 (six records of 36 + 12 bytes, a header each). */
const SMALLEST_SEGMENT = 600;

interface Step {
  readonly batches: readonly KeyedBatch[];
  readonly dedupeBufferBytes: number;
  readonly laterMs: number;
  readonly restarts: boolean;
  readonly truncates: boolean;
}

const record = fc.record({
  key: fc.constantFrom("a", "b", "c", "d", "e", "longer-key-of-more-than-sixteen-bytes"),
  value: fc.option(fc.string({ maxLength: 12 }), { freq: 3 }),
  timestamp: fc.integer({ min: 1, max: 2_000 }),
});

const batch: fc.Arbitrary<KeyedBatch> = fc.record({
  records: fc.array(record, { minLength: 1, maxLength: 6 }),
  codec: fc.constantFrom("none", "none", "gzip", "snappy", "lz4", "zstd"),
});

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.record({
    batches: fc.array(batch, { maxLength: 12 }),
    dedupeBufferBytes: fc.constantFrom(40, 80, 10_000),
    laterMs: fc.constantFrom(1, 5_000, 20_000),
    restarts: fc.boolean(),
    truncates: fc.constantFrom(false, false, false, true),
  }),
  { minLength: 1, maxLength: 5 },
);

async function runSteps(seed: number, plan: readonly Step[], segmentBytes: number): Promise<void> {
  const simulation = new Simulation({ seed });
  const node = simulation.node("broker");
  const config = {
    "cleanup.policy": "compact",
    "segment.bytes": String(segmentBytes),
    "index.interval.bytes": "100",
    "min.cleanable.dirty.ratio": "0",
    "delete.retention.ms": String(DELETE_RETENTION_MS),
    "file.delete.delay.ms": "0",
  };
  await simulation.run(async () => {
    const { compute } = node.runtime();
    let manager = await openManager({ runtime: node.runtime() });
    let log = await createLog(manager, config);
    let nowMs = 1_000_000;
    /** Everything that was written, by offset. */
    const written = new Map<number, SeenRecord>();
    /** When a pass first saw the tombstone at an offset. */
    const firstCleanedMs = new Map<number, number>();
    for (const step of plan) {
      for (const { records, codec } of step.batches) {
        const offset = await appendKeyed(log, { records, codec }, compute);
        for (const [index, { key, value, timestamp = 0 }] of records.entries()) {
          written.set(offset + index, { offset: offset + index, key, value, timestamp });
        }
      }
      nowMs += step.laterMs;
      const reports = await manager.cleaner.clean({
        nowMs,
        dedupeBufferBytes: step.dedupeBufferBytes,
      });
      expect(log.uncleanable).toBeUndefined();
      if (step.restarts) {
        await manager.close();
        manager = await openManager({ runtime: node.runtime(), config: { tailCacheBytes: 0 } });
        log = await createLog(manager, config);
        expect(log.damage).toBeUndefined();
      }
      const headers = await headersOf(log, compute);
      expect(headers[0]?.baseOffset ?? 0).toBe(log.logStartOffset);
      const seen = await recordsOf(log, compute);
      expect(tableOf(seen)).toEqual(tableOf(written.values()));
      for (const one of seen) {
        expect(one).toEqual(written.get(one.offset));
      }
      checkTombstones({ seen, written, firstCleanedMs, nowMs, cleanedTo: log.cleanedTo });
      if (reports.length > 0) {
        const keys = seen.filter(({ offset }) => offset < log.cleanedTo).map(({ key }) => key);
        expect(new Set(keys).size).toBe(keys.length);
      }
      if (step.truncates) {
        await log.truncateTo(log.logEndOffset - 3);
        for (const offset of [...written.keys()].filter((at) => at >= log.logEndOffset)) {
          written.delete(offset);
          firstCleanedMs.delete(offset);
        }
        // What was shadowed by records that are gone now is gone as well: the log is the truth.
        const rest = await recordsOf(log, compute);
        const left = new Set(rest.map(({ offset }) => offset));
        for (const offset of [...written.keys()]) {
          if (!left.has(offset)) {
            written.delete(offset);
          }
        }
      }
    }
    await manager.close();
  });
}

/** A tombstone that is the newest of its key stays for the time promised from the pass that saw it first. */
function checkTombstones(state: {
  readonly seen: readonly SeenRecord[];
  readonly written: ReadonlyMap<number, SeenRecord>;
  readonly firstCleanedMs: Map<number, number>;
  readonly nowMs: number;
  readonly cleanedTo: number;
}): void {
  const newest = new Map<string | null, number>();
  for (const { key, offset } of state.written.values()) {
    newest.set(key, offset);
  }
  const left = new Set(state.seen.map(({ offset }) => offset));
  for (const { key, value, offset } of state.written.values()) {
    if (value === null && offset < state.cleanedTo && !state.firstCleanedMs.has(offset)) {
      state.firstCleanedMs.set(offset, state.nowMs);
    }
    if (value !== null || newest.get(key) !== offset) {
      continue;
    }
    const since = state.firstCleanedMs.get(offset) ?? state.nowMs;
    if (state.nowMs - since < DELETE_RETENTION_MS) {
      expect(left.has(offset)).toBe(true);
    }
  }
}

describe("compaction", () => {
  it("changes no key's last value, no offset, no order and no record that it keeps, however often it runs", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(1_000_000),
        steps,
        fc.constantFrom(SMALLEST_SEGMENT, 1_200, 100_000),
        async (seed, plan, segmentBytes) => runSteps(seed, plan, segmentBytes),
      ),
      { numRuns: 80 },
    );
  });
});
