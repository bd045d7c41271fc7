import { batchHeaders, isBatchCrcValid } from "@millrace/protocol";
import type { AcceptedConnection, FileSystem, ServerRuntime } from "@millrace/runtime";
import { describe, expect, it } from "vitest";
import {
  batchOf,
  createTopic,
  fetchRequest,
  produce,
  type RunningBroker,
  type StartOptions,
  World,
  wanted,
} from "./testing/simulated-broker.js";
import type { WireClient } from "./testing/wire-client.js";

const BATCHES = 60;
const BATCH_BYTES = 70_000;
/** Few buffers, all from disk: what is given back too early is overwritten by the next read. */
const storage = {
  tailCacheBytes: 0,
  readBufferBytes: 400_000,
  readAheadBytes: 200_000,
  spoilsFreeMemory: false,
};

/** A read spoils its target before it is filled, as a pool that is used by somebody else would. */
function spoiling(fileSystem: FileSystem): FileSystem {
  return proxied(fileSystem, {
    open: async (...args: Parameters<FileSystem["open"]>) => {
      const file = await fileSystem.open(...args);
      return proxied(file, {
        read: (target: Uint8Array, position: number) => {
          target.fill(0xee);
          return file.read(target, position);
        },
      });
    },
  });
}

function proxied<T extends object>(target: T, changed: Partial<T>): T {
  return new Proxy(target, {
    get: (inner, name) => {
      const value = Reflect.get(name in changed ? changed : inner, name);
      return typeof value === "function" ? value.bind(inner) : value;
    },
  });
}

const spoilReads = (runtime: ServerRuntime): ServerRuntime => ({
  ...runtime,
  fileSystem: spoiling(runtime.fileSystem),
});

/** Claims that everything has left as soon as it is sent. */
function leftAtOnce(runtime: ServerRuntime): ServerRuntime {
  const network = proxied(runtime.network, {
    listen: (options) =>
      runtime.network.listen({
        ...options,
        onConnection: (connection) =>
          options.onConnection(
            proxied<AcceptedConnection>(connection, {
              send: (chunks, onLeft) => {
                connection.send(chunks);
                onLeft?.();
              },
            }),
          ),
      }),
  });
  return { ...runtime, network };
}

async function fill(world: World, client: WireClient): Promise<string> {
  const topicId = await createTopic(client, "t", { config: { "segment.bytes": "1000000" } });
  for (let index = 0; index < BATCHES; index++) {
    const values = [new Uint8Array(BATCH_BYTES).fill(index)];
    await produce(client, topicId, batchOf(world.clientRuntime, values));
  }
  return topicId;
}

/** How many batches are whole and the right ones. */
function genuineCount(world: World, records: Uint8Array, from: number): number {
  let next = from;
  try {
    for (const { header, position } of batchHeaders(records)) {
      if (
        header.baseOffset !== next ||
        !isBatchCrcValid(records, position, world.clientRuntime.compute)
      ) {
        break;
      }
      next++;
    }
  } catch {
    // Not even a header: what came before counts.
  }
  return next - from;
}

async function readAll(world: World, client: WireClient, topicId: string): Promise<number> {
  let genuine = 0;
  for (let offset = 0; offset < BATCHES; offset += 2) {
    const entry = wanted(topicId, offset, { maxBytes: 2 * BATCH_BYTES + 1_000 });
    const { records } = await client.request("fetch", fetchRequest([entry]));
    genuine += genuineCount(world, records, offset);
  }
  return genuine;
}

/** A client asks for everything at once and does not read on; others read the log meanwhile; then it reads on. */
async function readBesideSlow(world: World, client: WireClient, topicId: string) {
  const slow = await world.client();
  slow.connection.pauseReading();
  const answers = Array.from({ length: BATCHES / 2 }, async (_, index) => {
    const entry = wanted(topicId, index * 2, { maxBytes: 2 * BATCH_BYTES + 1_000 });
    const { records } = await slow.request("fetch", fetchRequest([entry]));
    return genuineCount(world, records, index * 2);
  });
  await world.simulation.sleep(1_000);
  const others = [client, await world.client()];
  const read = await Promise.all(others.map((other) => readAll(world, other, topicId)));
  slow.connection.resumeReading();
  const slowly = (await Promise.all(answers)).reduce((sum, count) => sum + count, 0);
  return { read, slowly };
}

function run(
  change: StartOptions["change"],
  body: (all: { world: World; running: RunningBroker; client: WireClient }) => Promise<void>,
): Promise<void> {
  return World.run(body, {}, { storage, change: change ?? spoilReads });
}

describe("buffers of reads", () => {
  it("go to nobody else before the last client has taken its answer, however slow", () =>
    run(spoilReads, async ({ world, running, client }) => {
      const topicId = await fill(world, client);
      const { read, slowly } = await readBesideSlow(world, client, topicId);
      expect(read).toEqual([BATCHES, BATCHES]);
      expect(slowly).toBe(BATCHES);
      const { readBuffers } = running.logs.reading;
      expect(readBuffers.freeBytes).toBeGreaterThan(0);
      expect(readBuffers.freeBytes).toBeLessThanOrEqual(storage.readBufferBytes);
    }));

  it("would be seen to change if they were given back while an answer waits", () =>
    run(
      (runtime) => leftAtOnce(spoilReads(runtime)),
      async ({ world, client }) => {
        const topicId = await fill(world, client);
        const { slowly } = await readBesideSlow(world, client, topicId);
        expect(slowly).toBeLessThan(BATCHES);
      },
    ));

  it("come back from connections that close with answers untaken", () =>
    run(spoilReads, async ({ world, running, client }) => {
      const topicId = await fill(world, client);
      const { readBuffers, readAhead } = running.logs.reading;
      for (let round = 0; round < 5; round++) {
        const gone = await world.client();
        gone.connection.pauseReading();
        const answers = Array.from({ length: 4 }, (_, index) => {
          const entry = wanted(topicId, 2 * index, { maxBytes: 500_000 });
          return gone.request("fetch", fetchRequest([entry])).catch(() => undefined);
        });
        await world.simulation.sleep(1_000);
        expect(readBuffers.takenBytes).toBeGreaterThan(500_000);
        gone.connection.terminate();
        await Promise.all(answers);
        await world.simulation.sleep(1_000);
      }
      // What was read ahead waits for somebody who goes on from there.
      expect(readBuffers.takenBytes).toBeLessThanOrEqual(readAhead.heldBytes * 1.5 + 65_536);
      expect(await readAll(world, client, topicId)).toBe(BATCHES);
    }));
});
