import { RecordBatchBuilder, readBatch } from "@millrace/protocol";
import type { CompressionCodec } from "@millrace/runtime";
import { describe, expect, it } from "vitest";
import { createTopic, fetchRequest, produce, World, wanted } from "./testing/simulated-broker.js";

const codecs: readonly CompressionCodec[] = ["none", "gzip", "snappy", "lz4", "zstd"];
const HOUR_MS = 3_600_000;

async function batchWith(
  world: World,
  timestamps: readonly number[],
  codec: CompressionCodec,
): Promise<Uint8Array> {
  const builder = new RecordBatchBuilder();
  for (const timestamp of timestamps) {
    builder.append({ key: null, value: "x".repeat(100), timestamp });
  }
  return await builder.buildCompressed({ codec, compute: world.clientRuntime.compute });
}

describe("timestamps", () => {
  for (const codec of codecs) {
    for (const type of ["CreateTime", "LogAppendTime"] as const) {
      it(`of a ${codec} batch are ${type === "CreateTime" ? "the producer's" : "the broker's"} with ${type}`, () =>
        World.run(async ({ world, client }) => {
          const { clock, compute } = world.clientRuntime;
          const config = { "message.timestamp.type": type };
          const topicId = await createTopic(client, "t", { config });
          await world.simulation.sleep(5_000);
          const created = [clock.nowMs() - 40, clock.nowMs() - 60, clock.nowMs() - 50];
          const sentMs = clock.nowMs();
          const batch = await batchWith(world, created, codec);
          const answer = await produce(client, topicId, batch);
          const { records } = await client.request("fetch", fetchRequest([wanted(topicId)]));
          const read = await readBatch(records, 0, { compute, maxDecompressedBytes: 100_000 });
          const seen = Array.from(read, ({ timestamp }) => timestamp);
          expect(read.header).toMatchObject({ codec, timestampType: type });
          if (type === "CreateTime") {
            expect(answer).toMatchObject({ errorCode: 0, logAppendTime: -1 });
            expect(seen).toEqual(created);
            expect(read.header.maxTimestamp).toBe(created[0]);
          } else {
            expect(answer.logAppendTime).toBeGreaterThanOrEqual(sentMs);
            expect(answer.logAppendTime).toBeLessThanOrEqual(clock.nowMs());
            expect(seen).toEqual(created.map(() => answer.logAppendTime));
            expect(read.header.maxTimestamp).toBe(answer.logAppendTime);
          }
        }));
    }
  }

  it("too far from the broker's clock are refused with CreateTime, and replaced with LogAppendTime", () =>
    World.run(async ({ world, client }) => {
      const { clock } = world.clientRuntime;
      const bounds = {
        "message.timestamp.before.max.ms": String(HOUR_MS),
        "message.timestamp.after.max.ms": String(HOUR_MS),
      };
      for (const type of ["CreateTime", "LogAppendTime"]) {
        const config = { ...bounds, "message.timestamp.type": type };
        const topicId = await createTopic(client, type, { config });
        for (const codec of codecs) {
          for (const distanceMs of [-2 * HOUR_MS, 2 * HOUR_MS]) {
            const batch = await batchWith(world, [clock.nowMs() + distanceMs], codec);
            const answer = await produce(client, topicId, batch);
            // 32: INVALID_TIMESTAMP
            expect(answer.errorCode).toBe(type === "CreateTime" ? 32 : 0);
          }
        }
      }
    }));

  it("of the broker answer a retry with the time of the first attempt", () =>
    World.run(async ({ world, client }) => {
      const config = { "message.timestamp.type": "LogAppendTime" };
      const topicId = await createTopic(client, "t", { config });
      const batch = () => {
        const builder = new RecordBatchBuilder();
        builder.append({ key: null, value: "a", timestamp: 7 });
        const { compute } = world.clientRuntime;
        return builder.build({ compute, producerId: 1, producerEpoch: 0, baseSequence: 0 });
      };
      const first = await produce(client, topicId, batch());
      await world.simulation.sleep(3_000);
      const retry = await produce(client, topicId, batch());
      expect(retry.logAppendTime).toBe(first.logAppendTime);
      expect(retry.baseOffset).toBe(first.baseOffset);
    }));
});
