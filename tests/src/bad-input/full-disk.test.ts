import { closeSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { RecordBatchBuilder } from "@millrace/protocol";
import { nodeCompute } from "@millrace/runtime/node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { BrokerProcess } from "../process/broker-process.js";
import { mountProblem, mountTmpfs } from "./mount.js";
import { Scene, withGreeted } from "./scene.js";
import type { Witness } from "./witness.js";

const STORAGE_FULL = 1001;

/** Takes every byte that is left, so that the next write of anybody fails. */
function fill(path: string): void {
  const file = openSync(path, "w");
  for (const size of [65_536, 4_096, 1]) {
    const bytes = Buffer.alloc(size, 0x55);
    try {
      while (writeSync(file, bytes) === size) {
        // Until the disk is full.
      }
    } catch (error) {
      expect(error).toMatchObject({ code: "ENOSPC" });
    }
  }
  closeSync(file);
}

describe.skipIf(mountProblem !== undefined)(`a full disk${mountProblem ?? ""}`, () => {
  const scene = new Scene();
  const data = scene.folder("data");
  const filler = join(data, "filler");
  let broker: BrokerProcess;
  let witness: Witness;
  let topicId = "";

  beforeAll(async () => {
    scene.defer(mountTmpfs(data, "size=24m"));
    broker = await scene.broker({ dataDirectory: data });
    witness = await scene.witness(broker);
    for (let count = 0; count < 50; count++) {
      await witness.send();
    }
    const created = await witness.client.admin().createTopic("bulk", { partitions: 1 });
    topicId = String(created.topicId);
  });
  afterAll(() => scene.end());

  /** Sends one batch over a raw socket, without the SDK's retries. */
  async function produce(valueBytes: number): Promise<{ code: number; message: string }> {
    const builder = new RecordBatchBuilder();
    builder.append({ key: null, value: Buffer.alloc(valueBytes), timestamp: Date.now() });
    const batch = builder.build({ compute: nodeCompute });
    return await withGreeted(broker.port, async (client) => {
      const partitions = [{ topicId, partition: 0, recordsLength: batch.length }];
      const answer = await client.request(
        "produce",
        { acks: -1, timeoutMs: 10_000, partitions },
        batch,
      );
      const [outcome] = answer.body.partitions;
      return { code: outcome?.errorCode ?? -1, message: outcome?.errorMessage ?? "" };
    });
  }

  it("refuses writes with STORAGE_FULL, and goes on serving reads and requests", async () => {
    fill(filler);
    for (let count = 0; count < 5; count++) {
      const { code, message } = await produce(100_000);
      expect(code).toBe(STORAGE_FULL);
      expect(message).toMatch(/full|space|bytes could be written/);
    }
    await witness.verify();
    expect(broker.isRunning).toBe(true);
    const health = await fetch(`http://127.0.0.1:${broker.port}/health`);
    expect(await health.json()).toMatchObject({ status: "running" });
  });

  it("tells an SDK's producer why, and it may try again", async () => {
    const producer = witness.client.producer({ deliveryTimeoutMs: 1_000, requestTimeoutMs: 500 });
    const sent = producer.send({ topic: "bulk", value: Buffer.alloc(100_000) });
    const error: unknown = await sent.catch((reason: unknown) => reason);
    expect(String(error) + String((error as Error).cause)).toContain("STORAGE_FULL");
  });

  it("tells who creates a topic that there is no room for it", async () => {
    const creating = witness.client.admin({ timeoutMs: 2_000 }).createTopic("no-room");
    const error: unknown = await creating.catch((reason: unknown) => reason);
    expect(String(error)).toMatch(/STORAGE_FULL|the topic is created, but its logs are not yet/);
    expect(broker.isRunning).toBe(true);
    await witness.verify();
  });

  it("recovers without a restart when space is freed, and nothing acknowledged was lost", async () => {
    rmSync(filler);
    await witness.during(async () => {
      expect((await produce(1_000)).code).toBe(0);
    });
  });

  it("fills up again by records alone: what fits is acknowledged, what does not is refused, all of the former is there", async () => {
    let acknowledged = 0;
    let outcome = await produce(900_000);
    while (outcome.code === 0) {
      acknowledged += 1;
      outcome = await produce(900_000);
    }
    expect(outcome.code).toBe(STORAGE_FULL);
    expect(acknowledged).toBeGreaterThan(5);
    await witness.verify();
    await broker.kill("SIGKILL");
    broker = await scene.broker({ dataDirectory: data, port: broker.port });
    await witness.verify();
    let found = 0;
    const consumer = witness.client.consumer({ topics: "bulk", from: "earliest" });
    for await (const record of consumer) {
      found += record.value?.length === 900_000 ? 1 : 0;
      if (found === acknowledged) {
        break;
      }
    }
    await consumer.close();
    expect(found).toBe(acknowledged);
  });

  it("lets a broker stop, and a start either serves or says that the disk is full", async () => {
    fill(filler);
    await broker.kill("SIGTERM");
    const { code, output } = await scene.failedStart({
      dataDirectory: data,
      startTimeoutMs: 3_000,
    });
    expect(output).toMatch(/listening|full|ENOSPC/);
    expect([null, 73, 74]).toContain(code);
    rmSync(filler);
    broker = await scene.broker({ dataDirectory: data, port: broker.port });
    await witness.during(async () => {});
  });
});
