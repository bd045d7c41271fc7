import { RecordBatchBuilder } from "@millrace/protocol";
import type { ServerRuntime } from "@millrace/runtime";
import { Simulation } from "@millrace/runtime/sim";
import { LogManager, parseLogConfig } from "@millrace/storage";
import { describe, expect, it } from "vitest";
import { Controller } from "./controller.js";
import type { MetadataRecord } from "./metadata-record.js";
import { METADATA_TOPIC } from "./metadata-topic.js";

const policy = {
  defaultPartitions: 1,
  defaultReplicationFactor: 1,
  clampReplication: false,
  maxPartitionsPerTopic: 10_000,
  maxPartitions: 100_000,
  topicDefaults: {},
};

async function open(runtime: ServerRuntime) {
  const logs = await LogManager.open({ runtime, path: "/data", nodeId: 0 });
  const controller = await Controller.open({ runtime, logs, nodeId: 0, policy });
  return { logs, controller };
}

const registration = {
  nodeId: 0,
  incarnationId: "00000000-0000-4000-8000-000000000001",
  directoryId: "00000000-0000-4000-8000-000000000002",
  url: null,
  rack: null,
  softwareVersion: "1.0.0",
};

const newTopics = (...names: string[]) => ({
  topics: names.map((name) => ({ name, partitions: 2, replicationFactor: 1, config: {} })),
  validateOnly: false,
});

function simulated(body: (simulation: Simulation) => Promise<void>): Promise<void> {
  const simulation = new Simulation({ seed: 1 });
  return simulation.run(() => body(simulation));
}

describe("the controller", () => {
  it("answers when the records are flushed and in the image", () =>
    simulated(async (simulation) => {
      const { controller, logs } = await open(simulation.node("n").runtime());
      await controller.submit("registerBroker", registration);
      const [topic] = await controller.submit("createTopics", newTopics("t"));
      expect(controller.image.topicsByName.get("t")?.topicId).toBe(topic?.topicId);
      const log = logs.getLog(METADATA_TOPIC, 0);
      expect(log?.flushedOffset).toBe(log?.logEndOffset);
    }));

  it("decides commands one after the other, in the order of the calls", () =>
    simulated(async (simulation) => {
      const { controller } = await open(simulation.node("n").runtime());
      await controller.submit("registerBroker", registration);
      const outcomes = await Promise.all([
        controller.submit("createTopics", newTopics("t")),
        controller.submit("createTopics", newTopics("t")),
        controller.submit("deleteTopics", { names: ["t"], topicIds: [] }),
        controller.submit("createTopics", newTopics("t")),
      ]);
      expect(outcomes.map(([result]) => result?.error)).toEqual([
        "NONE",
        "TOPIC_ALREADY_EXISTS",
        "NONE",
        "NONE",
      ]);
    }));

  it("writes a command's records as one batch", () =>
    simulated(async (simulation) => {
      const { controller } = await open(simulation.node("n").runtime());
      await controller.submit("registerBroker", registration);
      const seen: (readonly MetadataRecord[])[] = [];
      controller.subscribe((records) => seen.push(records));
      await controller.submit("createTopics", newTopics("a", "b"));
      expect(seen.map((records) => records.map((record) => record.kind))).toEqual([
        ["topic", "partition", "partition", "topic", "partition", "partition"],
      ]);
    }));

  for (const powerLoss of [false, true]) {
    it(`has the same image after a ${powerLoss ? "power cut" : "kill"}`, () =>
      simulated(async (simulation) => {
        const node = simulation.node("n");
        const { controller } = await open(node.runtime());
        await controller.submit("registerBroker", registration);
        await controller.submit("createTopics", newTopics("a", "b"));
        await controller.submit("deleteTopics", { names: ["a"], topicIds: [] });
        await controller.submit("allocateProducerIds", { nodeId: 0 });
        const before = structuredClone(controller.image);
        node.crash({ powerLoss });
        const second = await open(node.runtime());
        expect(second.controller.image).toEqual(before);
        expect(second.controller.replayedRemovals.size).toBe(1);
        const block = await second.controller.submit("allocateProducerIds", { nodeId: 0 });
        expect(block.firstProducerId).toBe(1000);
      }));
  }

  it("forgets a command that was not flushed when the power went, and nothing else", () =>
    simulated(async (simulation) => {
      const node = simulation.node("n");
      const { controller } = await open(node.runtime());
      await controller.submit("registerBroker", registration);
      await controller.submit("createTopics", newTopics("kept"));
      void controller.submit("createTopics", newTopics("perhaps"));
      node.crash({ powerLoss: true });
      const second = await open(node.runtime());
      expect(second.controller.image.topicsByName.has("kept")).toBe(true);
      const perhaps = second.controller.image.topicsByName.get("perhaps");
      expect(perhaps?.partitions.length ?? 2).toBe(2);
    }));

  it("answers with the command's error and goes on", () =>
    simulated(async (simulation) => {
      const { controller } = await open(simulation.node("n").runtime());
      await controller.submit("registerBroker", registration);
      const other = { ...registration, directoryId: "00000000-0000-4000-8000-000000000003" };
      await expect(controller.submit("registerBroker", other)).rejects.toMatchObject({
        code: "INCONSISTENT_CLUSTER_ID",
      });
      await expect(controller.submit("createTopics", newTopics("t"))).resolves.toHaveLength(1);
    }));

  it("refuses commands beyond its queue, and none of those it took", () =>
    simulated(async (simulation) => {
      const { controller } = await open(simulation.node("n").runtime());
      await controller.submit("registerBroker", registration);
      const submissions = Array.from({ length: 1100 }, () =>
        controller.submit("allocateProducerIds", { nodeId: 0 }).then(
          (block) => block.firstProducerId,
          (error: { code: string }) => error.code,
        ),
      );
      const outcomes = await Promise.all(submissions);
      const refused = outcomes.filter((outcome) => outcome === "THROTTLING_QUOTA_EXCEEDED");
      expect(refused).toHaveLength(100);
      expect(new Set(outcomes).size).toBe(1001);
    }));

  it("refuses a change larger than one batch may be, and goes on", () =>
    simulated(async (simulation) => {
      const { controller } = await open(simulation.node("n").runtime());
      await controller.submit("registerBroker", registration);
      const topics = Array.from({ length: 10_000 }, (_, index) => ({
        name: `${"x".repeat(240)}${index}`,
        partitions: 10,
        replicationFactor: 1,
        config: { "retention.ms": "1", "retention.bytes": "1", "segment.ms": "1" },
      }));
      await expect(
        controller.submit("createTopics", { topics, validateOnly: false }),
      ).rejects.toMatchObject({ code: "POLICY_VIOLATION" });
      expect(controller.image.topicsById.size).toBe(0);
      await expect(controller.submit("createTopics", newTopics("t"))).resolves.toHaveLength(1);
    }));

  it("acknowledges nothing after a failed sync", () =>
    simulated(async (simulation) => {
      const node = simulation.node("n");
      const { controller, logs } = await open(node.runtime());
      await controller.submit("registerBroker", registration);
      node.disk.failNext("sync");
      await expect(controller.submit("createTopics", newTopics("t"))).rejects.toThrow();
      expect(controller.image.topicsByName.has("t")).toBe(false);
      await expect(controller.submit("createTopics", newTopics("u"))).rejects.toMatchObject({
        code: "KAFKA_STORAGE_ERROR",
      });
      await expect(logs.failed).resolves.toBeDefined();
    }));

  it("refuses a full disk's commands and takes them again when there is room", () =>
    simulated(async (simulation) => {
      const node = simulation.node("n");
      const { controller } = await open(node.runtime());
      await controller.submit("registerBroker", registration);
      node.disk.setCapacity(0);
      await expect(controller.submit("createTopics", newTopics("t"))).rejects.toMatchObject({
        code: "STORAGE_FULL",
      });
      node.disk.setCapacity(2 ** 40);
      await simulation.sleep(10_000);
      await expect(controller.submit("createTopics", newTopics("t"))).resolves.toHaveLength(1);
    }));

  it("goes on after a write that was taken back for want of a file handle", () =>
    simulated(async (simulation) => {
      const node = simulation.node("n");
      const { controller } = await open(node.runtime());
      await controller.submit("registerBroker", registration);
      node.disk.failNext("write", { code: "TOO_MANY_OPEN_FILES" });
      await expect(controller.submit("createTopics", newTopics("t"))).rejects.toMatchObject({
        code: "KAFKA_STORAGE_ERROR",
      });
      await expect(controller.submit("createTopics", newTopics("t"))).resolves.toHaveLength(1);
    }));

  it("refuses commands once it is closed, and finishes those it took", () =>
    simulated(async (simulation) => {
      const { controller } = await open(simulation.node("n").runtime());
      await controller.submit("registerBroker", registration);
      const last = controller.submit("createTopics", newTopics("t"));
      const closed = controller.close();
      await expect(controller.submit("createTopics", newTopics("u"))).rejects.toMatchObject({
        code: "NOT_CONTROLLER",
      });
      await Promise.all([last, closed]);
      expect(controller.image.topicsByName.has("t")).toBe(true);
    }));

  it("does not start on a damaged metadata log", () =>
    simulated(async (simulation) => {
      const runtime = simulation.node("n").runtime();
      const logs = await LogManager.open({ runtime, path: "/data", nodeId: 0 });
      const log = await logs.createLog(
        {
          topic: METADATA_TOPIC,
          topicId: "00000000-0000-0000-0000-000000000001",
          partition: 0,
        },
        parseLogConfig(),
      );
      const builder = new RecordBatchBuilder();
      builder.append({ key: null, value: "not cbor", timestamp: 0 });
      const outcome = log.append(builder.build({ compute: runtime.compute }), { leaderEpoch: 0 });
      await log.whenFlushed(outcome.ok ? outcome.lastOffset : 0);
      await expect(Controller.open({ runtime, logs, nodeId: 0, policy })).rejects.toThrow();
    }));
});
