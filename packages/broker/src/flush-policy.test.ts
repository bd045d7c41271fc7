import { describe, expect, it } from "vitest";
import { batchOf, createTopic, produce, World } from "./testing/simulated-broker.js";

describe("every produce answer says whether the records are fsynced", () => {
  const policies: [string, Record<string, string>, boolean][] = [
    ["by default they are", {}, true],
    ["with flush.ms and flush.messages beside flush=sync they are", { "flush.ms": "60000" }, true],
    ["with flush=os they are not", { flush: "os" }, false],
    [
      "with flush=os, flush.ms and flush.messages they are not",
      { flush: "os", "flush.ms": "1", "flush.messages": "2" },
      false,
    ],
    ["with flush.messages=1 they are, as in Kafka", { flush: "os", "flush.messages": "1" }, true],
  ];
  for (const [claim, config, fsynced] of policies) {
    it(claim, () =>
      World.run(async ({ world, client, running }) => {
        const topicId = await createTopic(client, "t", { config });
        const log = running.logs.getLog("t", 0);
        for (const acks of [-1, 1]) {
          const answer = await produce(client, topicId, batchOf(world.clientRuntime, ["a", "b"]), {
            acks,
          });
          expect(answer).toMatchObject({ errorCode: 0, fsynced });
          if (fsynced) {
            expect(log?.recoveryPoint).toBe(log?.logEndOffset);
          }
          expect(log?.flushedOffset).toBe(log?.logEndOffset);
        }
      }),
    );
  }

  it("flush.ms bounds how long they are not", () =>
    World.run(async ({ world, client, running }) => {
      const config = { flush: "os", "flush.ms": "300" };
      const topicId = await createTopic(client, "t", { config });
      const log = running.logs.getLog("t", 0);
      await produce(client, topicId, batchOf(world.clientRuntime, ["a"]));
      await world.simulation.sleep(200);
      expect(log?.recoveryPoint).toBe(0);
      await world.simulation.sleep(200);
      expect(log?.recoveryPoint).toBe(1);
    }));

  it("an acknowledgement that a power cut undoes was marked as not fsynced", async () => {
    const lost: boolean[] = [];
    for (const flush of ["sync", "os"]) {
      const world = new World();
      await world.simulation.run(async () => {
        await world.start();
        const client = await world.client();
        const topicId = await createTopic(client, "t", { config: { flush } });
        const batch = batchOf(world.clientRuntime, ["a"]);
        const { fsynced } = await produce(client, topicId, batch);
        world.simulation.node("broker").crash({ powerLoss: true, model: "nothing" });
        const again = await world.start();
        const isThere = again.logs.getLog("t", 0)?.logEndOffset === 1;
        expect(isThere).toBe(fsynced);
        lost.push(!isThere);
      });
    }
    expect(lost).toEqual([false, true]);
  });
});
