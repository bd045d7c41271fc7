import { RecordBatchBuilder } from "@millrace/protocol";
import type { CompressionCodec, ServerRuntime } from "@millrace/runtime";
import { describe, expect, it } from "vitest";
import {
  createTopic,
  fetchRequest,
  offsetsOf,
  produce,
  World,
  wanted,
} from "./testing/simulated-broker.js";

const INVALID_RECORD = 87;

const config = {
  "cleanup.policy": "compact",
  "segment.bytes": "300",
  "min.cleanable.dirty.ratio": "0",
};

async function keyed(
  { compute, clock }: ServerRuntime,
  records: readonly (readonly [string | null, string | null])[],
  codec: CompressionCodec = "none",
): Promise<Uint8Array> {
  const builder = new RecordBatchBuilder();
  for (const [key, value] of records) {
    builder.append({ key, value, timestamp: clock.nowMs() });
  }
  return await builder.buildCompressed({ compute, codec });
}

describe("a compacted topic", () => {
  it("is cleaned in the background, and its consumers see the newest record of each key", () =>
    World.run(
      async ({ world, client, running }) => {
        const { clientRuntime } = world;
        const topicId = await createTopic(client, "t", { config });
        for (let index = 0; index < 40; index++) {
          const batch = await keyed(clientRuntime, [[`k${index % 4}`, `v${index}`]]);
          expect(await produce(client, topicId, batch)).toMatchObject({ errorCode: 0 });
        }
        await clientRuntime.clock.sleep(5_000);
        const { records } = await client.request(
          "fetch",
          fetchRequest([wanted(topicId)], { maxWaitMs: 1_000 }),
        );
        const withRecords = offsetsOf(records);
        expect(withRecords.length).toBeLessThan(25);
        expect(withRecords.at(-1)?.[0]).toBeLessThanOrEqual(39);
        expect(world.logLines.some((line) => line.startsWith("log compacted"))).toBe(true);
        const { cleaner } = running.broker.health();
        expect(cleaner.passes).toBeGreaterThan(0);
        expect(cleaner.removedBytes).toBeGreaterThan(0);
        expect(cleaner.lastPassMs).toBeGreaterThan(0);
      },
      { "log.cleaner.backoff.ms": "1000" },
    ));

  it.each(["none", "gzip", "snappy", "lz4", "zstd"] as const)(
    "refuses a record without a key, and takes tombstones: codec %s",
    (codec) =>
      World.run(async ({ world, client }) => {
        const topicId = await createTopic(client, "t", { config });
        const good = await keyed(world.clientRuntime, [["a", null]], codec);
        expect(await produce(client, topicId, good)).toMatchObject({ errorCode: 0, baseOffset: 0 });
        const bad = await keyed(
          world.clientRuntime,
          [
            ["a", "1"],
            [null, "2"],
          ],
          codec,
        );
        expect(await produce(client, topicId, bad)).toMatchObject({
          errorCode: INVALID_RECORD,
          errorMessage: expect.stringMatching(/without a key; the topic is compacted/),
        });
      }),
  );

  it("takes batches in the order sent, though it has to look into some of them first", () =>
    World.run(async ({ world, client }) => {
      const topicId = await createTopic(client, "t", { config });
      const batches = await Promise.all(
        Array.from({ length: 30 }, (_, index) =>
          keyed(world.clientRuntime, [["k", `${index}`]], index % 3 === 0 ? "gzip" : "none"),
        ),
      );
      const sent = batches.map((batch) => produce(client, topicId, batch));
      const offsets = (await Promise.all(sent)).map(({ baseOffset }) => baseOffset);
      expect(offsets).toEqual(batches.map((_, index) => index));
    }));

  it("asks for keys from the moment that it is compacted, and no longer than that", () =>
    World.run(async ({ world, client, running }) => {
      const topicId = await createTopic(client, "t");
      const keyless = () => keyed(world.clientRuntime, [[null, "v"]]);
      const alter = (value: string) =>
        running.controller.submit("alterConfigs", {
          resources: [
            {
              type: "topic",
              name: "t",
              operations: [{ operation: "set", key: "cleanup.policy", value }],
            },
          ],
          validateOnly: false,
        });
      expect(await produce(client, topicId, await keyless())).toMatchObject({ errorCode: 0 });
      await alter("compact,delete");
      expect(await produce(client, topicId, await keyless())).toMatchObject({
        errorCode: INVALID_RECORD,
      });
      await alter("delete");
      expect(await produce(client, topicId, await keyless())).toMatchObject({ errorCode: 0 });
    }));

  it("does not keep a broker from stopping", () =>
    World.run(
      async ({ world, client }) => {
        const topicId = await createTopic(client, "t", { config });
        for (let index = 0; index < 40; index++) {
          await produce(
            client,
            topicId,
            await keyed(world.clientRuntime, [["k", "v".repeat(100)]]),
          );
        }
        await world.clientRuntime.clock.sleep(1_500);
      },
      { "log.cleaner.backoff.ms": "1000", "log.cleaner.io.max.bytes.per.second": "1024" },
    ));
});
