import type { ServerRuntime } from "@millrace/runtime";
import { createSimRuntime, type SimNode, Simulation } from "@millrace/runtime/sim";
import { LogManager } from "@millrace/storage";
import { describe, expect, it } from "vitest";
import { Controller } from "./controller.js";
import { METADATA_TOPIC } from "./metadata-topic.js";

const policy = {
  defaultPartitions: 1,
  defaultReplicationFactor: 1,
  clampReplication: false,
  maxPartitionsPerTopic: 10_000,
  maxPartitions: 100_000,
  topicDefaults: {},
};

const registration = {
  nodeId: 0,
  incarnationId: "00000000-0000-4000-8000-000000000001",
  directoryId: "00000000-0000-4000-8000-000000000002",
  url: null,
  rack: null,
  softwareVersion: "1.0.0",
};

async function open(runtime: ServerRuntime, maxRecordBytesBetweenSnapshots = 2_000) {
  const logs = await LogManager.open({ runtime, path: "/data", nodeId: 0 });
  const options = { runtime, logs, nodeId: 0, policy, maxRecordBytesBetweenSnapshots };
  const controller = await Controller.open(options);
  const log = logs.getLog(METADATA_TOPIC, 0);
  return { logs, controller, log };
}

const newTopic = (name: string) => ({
  topics: [{ name, partitions: 2, replicationFactor: 1, config: { "retention.ms": "5" } }],
  validateOnly: false,
});

/** A bit of everything; every third topic is deleted again. */
async function change(controller: Controller, from: number, to: number): Promise<void> {
  for (let index = from; index < to; index++) {
    await controller.submit("createTopics", newTopic(`topic-${index}`));
    await controller.submit("allocateProducerIds", { nodeId: 0 });
    if (index % 3 === 0) {
      await controller.submit("deleteTopics", { names: [`topic-${index}`], topicIds: [] });
    }
  }
}

function snapshotsOf(node: SimNode): string[] {
  return node.disk.paths().filter((path) => path.endsWith(".checkpoint"));
}

describe("snapshots of the metadata", () => {
  it("are taken by size, two are kept, and the log begins where the older one ends", async () => {
    const { simulation, node, runtime } = createSimRuntime();
    await simulation.run(async () => {
      const { controller, logs, log } = await open(runtime);
      await controller.submit("registerBroker", registration);
      await change(controller, 0, 60);
      await controller.close();
      const ends = snapshotsOf(node).map((path) => Number(/(\d{20})-/.exec(path)?.[1]));
      expect(ends).toHaveLength(2);
      expect(log?.logStartOffset).toBe(Math.min(...ends));
      const before = structuredClone(controller.image);
      await logs.close();
      const second = await open(runtime);
      expect(second.controller.image).toEqual(before);
      await second.logs.close();
    });
  });

  it("are not taken before they are due", async () => {
    const { simulation, node, runtime } = createSimRuntime();
    await simulation.run(async () => {
      const { controller, logs } = await open(runtime, 10_000_000);
      await controller.submit("registerBroker", registration);
      await change(controller, 0, 20);
      await controller.close();
      expect(snapshotsOf(node)).toEqual([]);
      await logs.close();
    });
  });

  it("may be damaged, the newest of them: the one before and the log give the same image", async () => {
    const { simulation, node, runtime } = createSimRuntime();
    await simulation.run(async () => {
      const { controller, logs } = await open(runtime);
      await controller.submit("registerBroker", registration);
      await change(controller, 0, 60);
      await controller.close();
      const before = structuredClone(controller.image);
      await logs.close();
      node.disk.flipBit(snapshotsOf(node).sort().at(-1) ?? "", 8 * 200);
      const second = await open(runtime);
      expect(second.controller.image).toEqual(before);
      await second.controller.submit("createTopics", newTopic("later"));
      await second.logs.close();
    });
  });

  it("stop the start when all are damaged and the log begins behind them", async () => {
    const { simulation, node, runtime } = createSimRuntime();
    await simulation.run(async () => {
      const { controller, logs } = await open(runtime);
      await controller.submit("registerBroker", registration);
      await change(controller, 0, 60);
      await controller.close();
      await logs.close();
      for (const path of snapshotsOf(node)) {
        node.disk.flipBit(path, 8 * 200);
      }
      await expect(open(runtime)).rejects.toMatchObject({ code: "CORRUPT_MESSAGE" });
    });
  });

  it("remember which topics were removed: what is left of their logs may go", async () => {
    const { simulation, node, runtime } = createSimRuntime();
    await simulation.run(async () => {
      const { controller } = await open(runtime);
      await controller.submit("registerBroker", registration);
      const [created] = await controller.submit("createTopics", newTopic("gone"));
      await controller.submit("deleteTopics", { names: ["gone"], topicIds: [] });
      await controller.submit("createTopics", newTopic("gone"));
      await change(controller, 0, 60);
      await controller.close();
      node.crash({ powerLoss: true });
      const second = await open(node.runtime());
      expect(second.log?.logStartOffset).toBeGreaterThan(10);
      expect(second.controller.replayedRemovals.has(created?.topicId ?? "")).toBe(true);
      expect(second.controller.image.topicsByName.has("gone")).toBe(true);
    });
  });

  it("fail on a full disk without harm, and come later", async () => {
    const { simulation, node, runtime } = createSimRuntime();
    await simulation.run(async () => {
      const { controller, logs } = await open(runtime);
      await controller.submit("registerBroker", registration);
      const partial: string[] = [];
      node.disk.onOperation(({ path }) => {
        if (path.endsWith(".part") && partial.length === 0) {
          partial.push(path);
          node.disk.failNext("write", { code: "STORAGE_FULL", path });
        }
      });
      let index = 0;
      while (partial.length === 0) {
        await change(controller, index, ++index);
      }
      await simulation.sleep(1_000);
      expect(snapshotsOf(node)).toEqual([]);
      while (snapshotsOf(node).length === 0) {
        await change(controller, index, ++index);
      }
      await controller.close();
      expect(node.disk.paths().filter((path) => path.endsWith(".part"))).toEqual([]);
      await logs.close();
    });
  });

  it("leave the same metadata after a power loss at any operation", async () => {
    const run = async (at: number | undefined): Promise<number> => {
      const simulation = new Simulation({ seed: 4 });
      const node = simulation.node("n");
      let operations = 0;
      await simulation.run(async () => {
        const answered: string[] = [];
        const crashed = new Promise<void>((resolve) => {
          node.disk.onOperation(({ index }) => {
            if (index === at) {
              node.crash({ powerLoss: true });
              resolve();
            }
          });
        });
        const life = async (): Promise<void> => {
          const { controller } = await open(node.runtime(), 700);
          await controller.submit("registerBroker", registration);
          for (let index = 0; index < 12; index++) {
            await controller.submit("createTopics", newTopic(`topic-${index}`));
            answered.push(`topic-${index}`);
          }
          await controller.close();
        };
        await Promise.race([life(), crashed]);
        operations = node.disk.operationCount;
        node.crash({ powerLoss: true });
        const { controller } = await open(node.runtime());
        const names = [...controller.image.topicsByName.keys()];
        expect(names.slice(0, answered.length)).toEqual(answered);
        expect(names.length).toBeLessThanOrEqual(answered.length + 1);
      });
      return operations;
    };
    const operations = await run(undefined);
    for (let at = 0; at < operations; at++) {
      await run(at);
    }
  });
});
