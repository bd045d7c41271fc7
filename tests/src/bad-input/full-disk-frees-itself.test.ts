import { closeSync, openSync, rmSync, statfsSync, writeSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { BrokerProcess } from "../process/broker-process.js";
import { mountProblem, mountTmpfs } from "./mount.js";
import { Scene } from "./scene.js";
import type { Witness } from "./witness.js";

/** Takes every byte that is left. */
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

describe.skipIf(mountProblem !== undefined)(
  `a completely full disk frees itself${mountProblem ?? ""}`,
  () => {
    const scene = new Scene();
    const data = scene.folder("data");
    const filler = join(data, "filler");
    let broker: BrokerProcess;
    let witness: Witness;

    beforeAll(async () => {
      scene.defer(mountTmpfs(data, "size=24m"));
      broker = await scene.broker({ dataDirectory: data });
      witness = await scene.witness(broker);
      const admin = witness.client.admin();
      await admin.createTopic("bulk", { partitions: 1 });
      const producer = witness.client.producer();
      for (let count = 0; count < 10; count++) {
        await producer.send({ topic: "bulk", value: Buffer.alloc(900_000) });
      }
      await producer.close();
    });
    afterAll(() => scene.end());

    it("serves reads after a restart", async () => {
      fill(filler);
      await broker.kill("SIGKILL");
      expect(statfsSync(data).bavail).toBe(0);
      broker = await scene.broker({ dataDirectory: data, port: broker.port });
      await witness.verify();
    });

    it("deletes a topic, and takes records again by the room that made", async () => {
      fill(filler);
      await witness.client.admin().deleteTopic("bulk");
      await witness.send();
      await witness.verify();
      rmSync(filler);
    });
  },
);
