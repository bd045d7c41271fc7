import { describe, expect, it } from "vitest";
import { batchOf, createTopic, produce, World } from "./testing/simulated-broker.js";
import type { WireClient } from "./testing/wire-client.js";

const KAFKA_STORAGE_ERROR = 56;

async function create(client: WireClient, name: string) {
  const { body } = await client.request("createTopics", {
    topics: [{ name, partitions: 1, replicationFactor: 1, config: {} }],
    validateOnly: false,
    timeoutMs: 10_000,
  });
  return body.topics[0];
}

async function remove(client: WireClient, name: string) {
  const request = { topics: [name], topicIds: [], timeoutMs: 10_000 };
  return (await client.request("deleteTopics", request)).body.topics[0];
}

describe("a topic whose files cannot be removed", () => {
  it("is answered with the error, is gone, and does not keep its name", () =>
    World.run(async ({ world, client, running }) => {
      await createTopic(client, "t");
      const { disk } = world.simulation.node("broker");
      disk.failNext("rename", { path: "/data/t-0" });
      const deleted = await remove(client, "t");
      expect(deleted?.errorCode).toBe(KAFKA_STORAGE_ERROR);
      expect(deleted?.errorMessage).toContain("the topic is deleted, its files are not yet");
      expect(running.controller.image.topicsByName.has("t")).toBe(false);
      const topicId = await createTopic(client, "t");
      const produced = await produce(client, topicId, batchOf(world.clientRuntime, ["new"]));
      expect(produced).toMatchObject({ errorCode: 0, baseOffset: 0 });
    }));

  it("is removed later", () =>
    World.run(async ({ world, client }) => {
      await createTopic(client, "t");
      const { disk } = world.simulation.node("broker");
      disk.failNext("rename", { path: "/data/t-0" });
      await remove(client, "t");
      expect(disk.paths().some((path) => path.startsWith("/data/t-0"))).toBe(true);
      await world.simulation.sleep(10_000);
      expect(disk.paths().some((path) => path.startsWith("/data/t-0"))).toBe(false);
    }));
});

describe("a topic whose log cannot be made", () => {
  it("says that the disk is full, and is there soon after there is space", () =>
    World.run(async ({ world, client, running }) => {
      const { disk } = world.simulation.node("broker");
      disk.failNext("write", { code: "STORAGE_FULL", path: "/data/t-0/partition.metadata.tmp" });
      disk.failNext("write", { code: "STORAGE_FULL", path: "/data/t-0/partition.metadata.tmp" });
      const created = await create(client, "t");
      expect(created?.errorCode).toBe(KAFKA_STORAGE_ERROR);
      expect(created?.errorMessage).toContain(
        "the topic is created, but its logs are not yet: STORAGE_FULL",
      );
      await world.simulation.sleep(6_000);
      expect(running.logs.getLog("t", 0)).toBeDefined();
      const told = world.logLines.filter((line) => line.includes("log cannot be created"));
      expect(told).toHaveLength(1);
    }));

  it("because another's name differs by case only, is no topic", () =>
    World.run(async ({ world, client, running }) => {
      await createTopic(client, "Orders");
      const { fileSystem } = world.simulation.node("broker").runtime();
      // What a file system that ignores case shows.
      await fileSystem.createDirectory("/data/orders-0");
      const created = await create(client, "orders");
      expect(created).toMatchObject({ topicId: null });
      expect(created?.errorMessage).toContain("ignores case");
      expect(running.controller.image.topicsByName.has("orders")).toBe(false);
      expect(running.logs.getLog("Orders", 0)?.state).toBe("online");
    }));
});
