import { batchHeaders, RecordBatchBuilder, readBatch } from "@millrace/protocol";
import type { CompressionCodec, Compute, ServerRuntime } from "@millrace/runtime";
import { createSimRuntime } from "@millrace/runtime/sim";
import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { TimeIndex } from "./core/time-index.js";
import type { Log } from "./log.js";
import { parseLogConfig } from "./log-config.js";
import type { LogManager } from "./log-manager.js";
import type { TimestampOffset } from "./log-types.js";
import { createLog, openManager, readAll } from "./testdata/harness.js";

const CONFIG = { "segment.bytes": "700", "index.interval.bytes": "150", "retention.bytes": "2500" };
const TIMESTAMP_MAX = 60;

type Step =
  | { readonly kind: "append"; readonly timestamps: readonly number[]; readonly codec: string }
  | { readonly kind: "deleteRecords" | "truncate"; readonly share: number }
  | { readonly kind: "retention" | "restart" | "kill" | "loseIndexes" | "switchType" };

const steps = fc.array(
  fc.oneof(
    {
      weight: 12,
      arbitrary: fc.record({
        kind: fc.constant("append" as const),
        timestamps: fc.array(fc.nat(TIMESTAMP_MAX), { minLength: 1, maxLength: 6 }),
        codec: fc.constantFrom("none", "none", "gzip", "snappy", "lz4", "zstd"),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constantFrom("deleteRecords" as const, "truncate" as const),
        share: fc.double({ min: 0, max: 1, noNaN: true }),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constantFrom(
          "retention" as const,
          "restart" as const,
          "kill" as const,
          "loseIndexes" as const,
          "switchType" as const,
        ),
      }),
    },
  ),
  { minLength: 10, maxLength: 50 },
);

async function compressed(
  { timestamps, codec }: { timestamps: readonly number[]; codec: string },
  compute: Compute,
): Promise<Uint8Array> {
  const builder = new RecordBatchBuilder();
  for (const timestamp of timestamps) {
    builder.append({ key: null, value: "value ".repeat(timestamp % 9), timestamp });
  }
  return await builder.buildCompressed({ compute, codec: codec as CompressionCodec });
}

/** Every record there is, by decoding the whole log. */
async function scan(log: Log, compute: Compute): Promise<TimestampOffset[]> {
  const bytes = await readAll(log);
  const found: TimestampOffset[] = [];
  for (const { position, header } of batchHeaders(bytes)) {
    const whole = bytes.subarray(position, position + header.sizeBytes);
    const options = { compute, maxDecompressedBytes: 1_000_000 };
    for (const { offset, timestamp } of await readBatch(whole, 0, options)) {
      if (offset >= log.logStartOffset) {
        found.push({ offset, timestamp });
      }
    }
  }
  return found;
}

type Search = (log: Log, timestamp: number) => Promise<TimestampOffset | undefined>;

const engine: Search = (log, timestamp) => log.offsetForTimestamp(timestamp);

/** Each timestamp near one that is there, and the ends. */
async function check(log: Log, compute: Compute, search: Search): Promise<void> {
  const records = await scan(log, compute);
  const wanted = new Set([0, TIMESTAMP_MAX + 1, Number.MAX_SAFE_INTEGER]);
  for (const { timestamp } of records) {
    wanted.add(timestamp).add(timestamp + 1);
  }
  for (const timestamp of wanted) {
    const expected = records.find((record) => record.timestamp >= timestamp);
    expect(await search(log, timestamp), `timestamp ${timestamp}`).toEqual(expected);
  }
  const largest = Math.max(...records.map(({ timestamp }) => timestamp));
  const expected = records.find(({ timestamp }) => timestamp === largest);
  expect(await log.maxTimestampOffset()).toEqual(expected);
}

async function runSteps(plan: readonly Step[], search: Search): Promise<void> {
  const { simulation, node, runtime } = createSimRuntime();
  await simulation.run(async () => {
    let type = "CreateTime";
    let alive: ServerRuntime = runtime;
    const open = async (): Promise<{ manager: LogManager; log: Log }> => {
      const manager = await openManager({ runtime: alive, config: { tailCacheBytes: 500 } });
      const log = await createLog(manager, { ...CONFIG, "message.timestamp.type": type });
      log.updateConfig(parseLogConfig({ ...CONFIG, "message.timestamp.type": type }));
      return { manager, log };
    };
    let { manager, log } = await open();
    for (const step of plan) {
      switch (step.kind) {
        case "append": {
          const outcome = log.append(await compressed(step, alive.compute), { leaderEpoch: 0 });
          expect(outcome.ok).toBe(true);
          await log.whenFlushed(log.logEndOffset - 1);
          break;
        }
        case "deleteRecords": {
          const span = log.flushedOffset - log.logStartOffset;
          await log.deleteRecordsBefore(log.logStartOffset + Math.floor(step.share * span));
          break;
        }
        case "truncate": {
          const span = log.logEndOffset - log.logStartOffset;
          await log.truncateTo(log.logStartOffset + Math.floor(step.share * span));
          break;
        }
        case "retention":
          await log.applyRetention(0);
          break;
        case "switchType":
          type = type === "CreateTime" ? "LogAppendTime" : "CreateTime";
          log.updateConfig(parseLogConfig({ ...CONFIG, "message.timestamp.type": type }));
          break;
        case "restart":
          await manager.close();
          ({ manager, log } = await open());
          break;
        case "kill":
          node.crash();
          alive = node.runtime();
          ({ manager, log } = await open());
          break;
        case "loseIndexes":
          await manager.close();
          for (const path of node.disk.paths()) {
            if (/\.(index|timeindex|index-state)$/.test(path)) {
              node.disk.loseFile(path);
            }
          }
          ({ manager, log } = await open());
          break;
      }
      await check(log, alive.compute, search);
    }
    await manager.close();
  });
}

describe("finding records by timestamp", () => {
  it("finds what a linear scan finds, whatever happened to the log", async () => {
    await fc.assert(
      fc.asyncProperty(steps, (plan) => runSteps(plan, engine)),
      { numRuns: 60 },
    );
  });

  it("would be caught taking the batch's first record for the one that is wanted", async () => {
    const firstOfBatch: Search = async (log, timestamp) => {
      const found = await engine(log, timestamp);
      const options = { maxBytes: 1, endOffset: log.logEndOffset, minOneBatch: true };
      const slice = found && (await log.read({ ...options, offset: found.offset }));
      const [header] =
        slice === undefined ? [] : [...batchHeaders(slice.chunks[0] ?? new Uint8Array(0))];
      const first = Math.max(header?.header.baseOffset ?? 0, log.logStartOffset);
      return found && { ...found, offset: first };
    };
    await expect(
      fc.assert(fc.asyncProperty(steps, (plan) => runSteps(plan, firstOfBatch))),
    ).rejects.toThrow("Property failed");
  });

  it("would be caught trusting the time index for more than it says", async () => {
    const { lookup } = TimeIndex.prototype;
    const planted = vi.spyOn(TimeIndex.prototype, "lookup").mockImplementation(function (
      this: TimeIndex,
      timestamp: number,
    ) {
      return lookup.call(this, timestamp + 10);
    });
    try {
      await expect(
        fc.assert(fc.asyncProperty(steps, (plan) => runSteps(plan, engine))),
      ).rejects.toThrow("Property failed");
      expect(planted).toHaveBeenCalled();
    } finally {
      planted.mockRestore();
    }
  });
});
