import { parseBrokerConfig } from "@millrace/broker";
import { ClusterClient } from "@millrace/client-core";
import { RecordBatchBuilder } from "@millrace/protocol";
import type { ServerRuntime } from "@millrace/runtime";
import { Simulation } from "@millrace/runtime/sim";
import { describe, expect, it } from "vitest";
import { serverExitCodeOf, serverExitCodes } from "./exit-codes.js";
import { type NodeConfig, startNode } from "./node.js";

const config: NodeConfig = {
  host: "broker",
  port: 9092,
  dataDirectory: "/data",
  nodeId: 0,
  broker: parseBrokerConfig(),
  topics: [{ name: "t", partitions: 1, replicationFactor: 1, config: {} }],
  softwareVersion: "1.0.0",
};

function simulated(body: (simulation: Simulation) => Promise<void>): Promise<void> {
  const simulation = new Simulation({ seed: 1 });
  return simulation.run(() => body(simulation));
}

async function send(runtime: ServerRuntime, client: ClusterClient) {
  const { topicId } = await client.metadata.topic("t");
  const builder = new RecordBatchBuilder();
  builder.append({ key: null, value: "a", timestamp: runtime.clock.nowMs() });
  const batch = builder.build({ compute: runtime.compute });
  const partitions = [{ topicId, partition: 0, recordsLength: batch.length }];
  const request = { acks: -1, timeoutMs: 5000, partitions };
  const { body } = await client.request("any", "produce", request, { records: [batch] });
  return body.partitions[0];
}

describe("a node in the simulated world", () => {
  it("serves, stops, and serves again from the same directory", () =>
    simulated(async (simulation) => {
      const machine = simulation.node("broker");
      const runtime = simulation.node("client").runtime();
      const client = new ClusterClient({ runtime, bootstrap: "ws://broker:9092" });
      const first = await startNode({ runtime: machine.runtime(), config });
      expect(first.url).toBe("ws://broker:9092");
      expect(await send(runtime, client)).toMatchObject({ errorCode: 0, baseOffset: 0 });
      await first.stop();
      const second = await startNode({ runtime: machine.runtime(), config });
      expect(second.clusterId).toBe(first.clusterId);
      const next = await client.retry(() => send(runtime, client), { timeoutMs: 60_000 });
      expect(next).toMatchObject({ errorCode: 0, baseOffset: 1 });
      await client.close();
      await second.stop();
    }));

  it("shortens the metadata log by snapshots, and starts from them", () =>
    simulated(async (simulation) => {
      const machine = simulation.node("broker");
      const entries = {
        "metadata.log.max.record.bytes.between.snapshots": "300",
        "log.reserve.bytes": "100000",
      };
      const snapshotting = { ...config, broker: parseBrokerConfig(entries) };
      for (let start = 0; start < 8; start++) {
        const node = await startNode({ runtime: machine.runtime(), config: snapshotting });
        expect(machine.disk.peek("/data/.millrace_reserve")).toHaveLength(100_000);
        await node.stop();
      }
      const snapshots = machine.disk.paths().filter((path) => path.endsWith(".checkpoint"));
      expect(snapshots).toHaveLength(2);
      machine.crash({ powerLoss: true });
      const node = await startNode({ runtime: machine.runtime(), config: snapshotting });
      expect(node.health()).toMatchObject({ topics: 1, partitions: 1 });
      const starts = new TextDecoder().decode(
        machine.disk.peek("/data/log-start-offset-checkpoint"),
      );
      expect(starts).not.toMatch(/^__cluster_metadata 0 0\b/m);
      await node.stop();
    }));

  it("stops by itself when a sync fails, and acknowledges nothing", () =>
    simulated(async (simulation) => {
      const machine = simulation.node("broker");
      const node = await startNode({ runtime: machine.runtime(), config });
      const runtime = simulation.node("client").runtime();
      const client = new ClusterClient({ runtime, bootstrap: "ws://broker:9092" });
      await client.metadata.topic("t");
      machine.disk.failNext("sync");
      const outcome = await send(runtime, client).then(
        (produced) => produced?.errorCode,
        () => "failed",
      );
      expect(outcome).not.toBe(0);
      const failure = await node.failed;
      expect(serverExitCodeOf(failure)).toBe(serverExitCodes.STORAGE_FAILED);
      await client.close();
      const again = await startNode({ runtime: machine.runtime(), config });
      await again.stop();
    }));

  it("refuses records while the disk is full, goes on reading, and recovers by itself", () =>
    simulated(async (simulation) => {
      const machine = simulation.node("broker");
      const node = await startNode({ runtime: machine.runtime(), config });
      const runtime = simulation.node("client").runtime();
      const client = new ClusterClient({ runtime, bootstrap: "ws://broker:9092" });
      expect(await send(runtime, client)).toMatchObject({ errorCode: 0 });
      machine.disk.setCapacity(0);
      const refused = await send(runtime, client);
      expect(refused?.errorCode).toBe(1001);
      const { body } = await client.request("any", "describeTopics", { topics: ["t"] });
      expect(body.topics[0]?.partitions[0]).toMatchObject({ highWatermark: 1 });
      machine.disk.setCapacity(2 ** 40);
      await simulation.sleep(10_000);
      expect(await send(runtime, client)).toMatchObject({ errorCode: 0, baseOffset: 1 });
      expect(node.health().status).toBe("running");
      await client.close();
      await node.stop();
    }));

  it("gives back what it opened when the start fails", () =>
    simulated(async (simulation) => {
      const runtime = simulation.node("broker").runtime();
      const topics = [{ name: "../evil", partitions: 1, replicationFactor: 1, config: {} }];
      await expect(startNode({ runtime, config: { ...config, topics } })).rejects.toMatchObject({
        code: "INVALID_CONFIG",
      });
      const node = await startNode({ runtime, config });
      await node.stop();
    }));
});
