import { batchHeaders } from "@millrace/protocol";
import type { FileHandle, FileSystem, ServerRuntime } from "@millrace/runtime";
import { describe, expect, it } from "vitest";
import {
  batchOf,
  createTopic,
  fetchRequest,
  produce,
  World,
  wanted,
} from "./testing/simulated-broker.js";
import type { WireClient } from "./testing/wire-client.js";

const PARTITIONS = 3;
const ROUNDS = 40;

/** Counts reads of segments. */
class ReadCounter {
  readonly paths: string[] = [];

  readonly change = (runtime: ServerRuntime): ServerRuntime => {
    const counted = (file: FileHandle): FileHandle =>
      new Proxy(file, {
        get: (inner, name) => {
          if (name === "read" && inner.path.includes("/t-") && inner.path.endsWith(".log")) {
            this.paths.push(inner.path);
          }
          const value = Reflect.get(inner, name);
          return typeof value === "function" ? value.bind(inner) : value;
        },
      });
    const fileSystem = new Proxy(runtime.fileSystem, {
      get: (inner, name) => {
        if (name === "open") {
          return async (...args: Parameters<FileSystem["open"]>) =>
            counted(await inner.open(...args));
        }
        const value = Reflect.get(inner, name);
        return typeof value === "function" ? value.bind(inner) : value;
      },
    });
    return { ...runtime, fileSystem };
  };
}

/** A long poll after the other, each partition from where it stands, until all records have come. */
async function follow(client: WireClient, topicId: string): Promise<number> {
  const offsets = new Array<number>(PARTITIONS).fill(0);
  let received = 0;
  while (received < PARTITIONS * ROUNDS) {
    const entries = offsets.map((offset, partition) => wanted(topicId, offset, { partition }));
    const { body, records } = await client.request(
      "fetch",
      fetchRequest(entries, { maxWaitMs: 60_000 }),
    );
    let at = 0;
    for (const { partition, recordsLength } of body.partitions) {
      const bytes = records.subarray(at, at + recordsLength);
      at += recordsLength;
      for (const { header } of batchHeaders(bytes)) {
        expect(header.baseOffset).toBe(offsets[partition]);
        offsets[partition] = header.lastOffset + 1;
        received += header.recordCount;
      }
    }
  }
  return received;
}

/** Consumers read along while three partitions are written; segments roll meanwhile. */
async function readsWhileKeepingUp(tailCacheBytes: number): Promise<number> {
  const counter = new ReadCounter();
  const { change } = counter;
  await World.run(
    async ({ world, client }) => {
      const topicId = await createTopic(client, "t", {
        partitions: PARTITIONS,
        config: { "segment.bytes": "200000" },
      });
      counter.paths.length = 0;
      const followers = [
        follow(await world.client(), topicId),
        follow(await world.client(), topicId),
      ];
      for (let round = 0; round < ROUNDS; round++) {
        for (let partition = 0; partition < PARTITIONS; partition++) {
          const values = [new Uint8Array(20_000).fill(round)];
          await produce(client, topicId, batchOf(world.clientRuntime, values), { partition });
        }
      }
      expect(await Promise.all(followers)).toEqual([120, 120]);
    },
    {},
    { storage: { tailCacheBytes }, change },
  );
  return counter.paths.length;
}

describe("a consumer that keeps up", () => {
  it("causes no read from disk", async () => {
    expect(await readsWhileKeepingUp(1_000_000)).toBe(0);
  });

  it("would be seen to read from disk where no tail is kept", async () => {
    expect(await readsWhileKeepingUp(0)).toBeGreaterThan(0);
  });
});
