import { describe, expect, it } from "vitest";
import {
  batchOf,
  createTopic,
  fetchRequest,
  offsetsOf,
  produce,
  World,
  wanted,
} from "./testing/simulated-broker.js";

const RESERVE = "/data/.millrace_reserve";
const STORAGE_FULL = 1001;
const HINT = /\.(index|timeindex|index-state|snapshot)$/;

/** A stopped broker with two topics, on a disk without a free byte, whose reserve somebody else took. */
async function stopFull(world: World, options: { keepHints: boolean }) {
  const running = await world.start();
  const client = await world.client();
  const kept = await createTopic(client, "kept");
  const large = await createTopic(client, "large", { config: { "segment.bytes": "1000" } });
  for (let count = 0; count < 20; count++) {
    await produce(client, large, batchOf(world.clientRuntime, ["x".repeat(800)]));
  }
  await produce(client, kept, batchOf(world.clientRuntime, ["a", "b"]));
  await running.stop();
  const node = world.simulation.node("broker");
  const { fileSystem } = node.runtime();
  for (const path of node.disk.paths()) {
    if (path === RESERVE || (!options.keepHints && HINT.test(path))) {
      await fileSystem.removeFile(path);
    }
  }
  const fill = (): void => node.disk.setCapacity(node.disk.usedBytes);
  fill();
  return { kept, node, fill };
}

describe("a broker that starts on a full disk without its reserve", () => {
  for (const keepHints of [true, false]) {
    it(`serves reads, refuses records, and takes them when there is room (${keepHints ? "with" : "without"} hints to give up)`, async () => {
      const world = new World();
      await world.simulation.run(async () => {
        const { kept, node, fill } = await stopFull(world, { keepHints });
        const running = await world.start();
        fill();
        const client = await world.client();
        const { records } = await client.request("fetch", fetchRequest([wanted(kept)]));
        expect(offsetsOf(records)).toEqual([[0, 1]]);
        const refused = await produce(client, kept, batchOf(world.clientRuntime, ["c"]));
        expect(refused.errorCode).toBe(STORAGE_FULL);
        node.disk.setCapacity(2 ** 40);
        await world.simulation.sleep(10_000);
        const taken = await produce(client, kept, batchOf(world.clientRuntime, ["c"]));
        expect(taken).toMatchObject({ errorCode: 0, baseOffset: 2 });
        // Not under the epoch of the life before.
        const topic = running.controller.image.topicsById.get(kept);
        expect(topic?.partitions[0]?.leaderEpoch).toBe(1);
        expect(running.logs.getLog("kept", 0)?.latestEpoch).toBe(1);
        await running.stop();
      });
    });
  }

  it("deletes topics, by the space of hints", async () => {
    const world = new World();
    await world.simulation.run(async () => {
      const { kept } = await stopFull(world, { keepHints: true });
      const running = await world.start();
      const client = await world.client();
      const refused = await produce(client, kept, batchOf(world.clientRuntime, ["c"]));
      expect(refused.errorCode).toBe(STORAGE_FULL);
      const request = { topics: ["large"], topicIds: [], timeoutMs: 1000 };
      const { body } = await client.request("deleteTopics", request);
      expect(body.topics[0]).toMatchObject({ errorCode: 0 });
      expect(running.logs.getLog("large", 0)).toBeUndefined();
      expect(running.logs.getLog("kept", 0)?.topicId).toBe(kept);
      await running.stop();
    });
  });
});
