import { encodeRequest } from "@millrace/protocol";
import type { ServerRuntime } from "@millrace/runtime";
import { describe, expect, it } from "vitest";
import {
  batchOf,
  createTopic,
  fetchRequest,
  offsetsOf,
  produce,
  type RunningBroker,
  World,
  wanted,
} from "./testing/simulated-broker.js";
import type { WireClient } from "./testing/wire-client.js";

// The simulated network lends every message to the broker, and overwrites it as soon as it is given back.

interface Lent {
  count: number;
  returned: number;
}

/** Counts what the network lends to the broker. */
function counting(lent: Lent): (runtime: ServerRuntime) => ServerRuntime {
  return (runtime) => {
    const { network } = runtime;
    return {
      ...runtime,
      network: {
        dial: (url, options, attach) => network.dial(url, options, attach),
        listen: (options) =>
          network.listen({
            ...options,
            onConnection: (connection) => {
              const events = options.onConnection(connection);
              return {
                onMessage: (message, release) => {
                  lent.count++;
                  let isOut = true;
                  events.onMessage(message, () => {
                    lent.returned += isOut ? 1 : 0;
                    isOut = false;
                    release?.();
                  });
                },
                onClose: (reason) => events.onClose(reason),
                onDrain: () => events.onDrain?.(),
              };
            },
          }),
      },
    };
  };
}

interface Scene {
  readonly world: World;
  readonly running: RunningBroker;
  readonly client: WireClient;
  readonly topicId: string;
  readonly lent: Lent;
}

function scene(
  body: (all: Scene) => Promise<void>,
  entries: Record<string, string> = {},
): Promise<void> {
  const lent: Lent = { count: 0, returned: 0 };
  const run = async (all: Omit<Scene, "topicId" | "lent">): Promise<void> => {
    const topicId = await createTopic(all.client, "t");
    await body({ ...all, topicId, lent });
  };
  return World.run(run, entries, { change: counting(lent) });
}

const someBatch = ({ world }: Scene, value: string | Uint8Array = "x"): Uint8Array =>
  batchOf(world.clientRuntime, [value]);

/** Each path by which a request ends. */
const paths: Record<string, (all: Scene) => Promise<unknown>> = {
  "a produce is acknowledged": (all) => produce(all.client, all.topicId, someBatch(all)),
  "a produce is answered before it is durable": (all) =>
    produce(all.client, all.topicId, someBatch(all), { acks: 0 }),
  "a produce is refused": (all) => produce(all.client, all.topicId, someBatch(all).fill(0, 30)),
  "a produce is for nobody": (all) =>
    produce(all.client, "0b1f2c3d-4e5f-4a6b-8c7d-9e0f1a2b3c4d", someBatch(all)),
  "a produce does not say how long it is": (all) => {
    const partitions = [{ topicId: all.topicId, partition: 0, recordsLength: 5 }];
    return all.client.request("produce", { acks: -1, timeoutMs: 1_000, partitions });
  },
  "a batch is looked into before it is appended": async (all) => {
    const config = { "cleanup.policy": "compact" };
    const compacted = await createTopic(all.client, "compacted", { config });
    const { errorCode } = await produce(all.client, compacted, someBatch(all).fill(1, 22, 23));
    expect(errorCode).not.toBe(0);
  },
  "the topic goes while a produce waits for the disk": async (all) => {
    const answer = produce(all.client, all.topicId, someBatch(all));
    await all.client.request("deleteTopics", { topics: ["t"], topicIds: [], timeoutMs: 5_000 });
    await answer;
  },
  "there is no such API": (all) => {
    const [frame] = encodeRequest("metadata", 77, { topics: null, topicIds: [] });
    const unknown = (frame as Uint8Array).slice();
    unknown[1] = 23;
    return all.client.exchange("metadata", 77, [unknown]).catch(() => undefined);
  },
  "a frame is malformed, with others behind it": async (all) => {
    const other = await all.world.client();
    other.connection.send([Uint8Array.of(0xff)]);
    const answer = produce(other, all.topicId, someBatch(all)).catch(() => undefined);
    await other.closed;
    await answer;
  },
  "the client goes with a fetch that waits": async (all) => {
    const other = await all.world.client();
    const entries = [wanted(all.topicId, 0)];
    const fetch = fetchRequest(entries, { maxWaitMs: 60_000, minBytes: 1_000_000 });
    const answer = other.request("fetch", fetch).catch(() => undefined);
    await all.world.simulation.sleep(100);
    other.connection.terminate();
    await answer;
  },
  "requests wait behind answers that the client does not take, and it goes": async (all) => {
    await produce(all.client, all.topicId, someBatch(all, new Uint8Array(500_000)));
    const other = await all.world.client();
    other.connection.pauseReading();
    const answers: Promise<unknown>[] = Array.from({ length: 20 }, () =>
      other.request("fetch", fetchRequest([wanted(all.topicId)])).catch(() => undefined),
    );
    await all.world.simulation.sleep(1_000);
    answers.push(other.request("metadata", { topics: null, topicIds: [] }).catch(() => undefined));
    await all.world.simulation.sleep(1_000);
    other.connection.terminate();
    await Promise.all(answers);
  },
};

describe("a message that is lent to the broker", () => {
  for (const [path, go] of Object.entries(paths)) {
    it(`comes back when ${path}`, () =>
      scene(
        async (all) => {
          const before = all.lent.count;
          await go(all);
          await all.world.simulation.sleep(120_000);
          expect(all.lent.count).toBeGreaterThan(before);
          expect(all.lent.returned).toBe(all.lent.count);
        },
        { "connection.max.output.bytes": "100000", "connection.output.timeout.ms": "60000" },
      ));
  }

  it("comes back as soon as its batches are appended, not when they are durable", () =>
    scene(async ({ world, client, topicId, lent }) => {
      world.simulation.node("broker").disk.stallNext(5_000);
      const answer = produce(client, topicId, batchOf(world.clientRuntime, ["slow"]));
      await world.simulation.sleep(1_000);
      expect(client.outstanding).toBe(1);
      expect(lent.returned).toBe(lent.count);
      expect(await answer).toMatchObject({ errorCode: 0 });
    }));

  it("leaves what was produced whole, for several partitions in one request", () =>
    scene(async ({ world, client }) => {
      const topicId = await createTopic(client, "wide", { partitions: 3 });
      const batches = ["a", "b", "c"].map((value) => batchOf(world.clientRuntime, [value]));
      const partitions = batches.map(({ length }, partition) => ({
        topicId,
        partition,
        recordsLength: length,
      }));
      const records = new Uint8Array(Buffer.concat(batches));
      await client.request("produce", { acks: -1, timeoutMs: 10_000, partitions }, records);
      for (const [partition, batch] of batches.entries()) {
        const fetch = fetchRequest([wanted(topicId, 0, { partition })]);
        const { records: read } = await client.request("fetch", fetch);
        expect(offsetsOf(read)).toEqual([[0, 0]]);
        // All that its CRC covers, and more.
        expect(read.subarray(16)).toEqual(batch.subarray(16));
      }
    }));
});
