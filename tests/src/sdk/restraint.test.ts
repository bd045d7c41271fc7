// What the SDK does not do: hold more than it was allowed to while its user is slow, and anything at all once it
// is closed.

import { setTimeout as sleep } from "node:timers/promises";
import { createTestBroker } from "@millrace/testing";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { watchedRuntime } from "./watched-network.js";

const KIB = 1024;
const MIB = 1024 * KIB;

describe("a consumer whose user stalls", () => {
  it("stops fetching at its bound, and reads everything once the user goes on", async () => {
    await using broker = await createTestBroker({ topics: [{ name: "t", partitions: 2 }] });
    const value = new Uint8Array(16 * KIB);
    const count = 2_000;
    const producer = broker.client().producer();
    await producer.send(
      Array.from({ length: count }, (_, index) => ({ topic: "t", partition: index % 2, value })),
    );
    const { runtime, network } = watchedRuntime();
    const consumer = broker.client({ runtime }).consumer({
      topics: ["t"],
      from: "earliest",
      maxPrefetchBytes: MIB,
      maxBytes: MIB,
      maxPartitionBytes: 256 * KIB,
    });
    let read = 0;
    for await (const record of consumer) {
      read++;
      if (read === 1) {
        let before = "";
        while (before !== network.activity) {
          before = network.activity;
          await sleep(300);
        }
        // Prefetched, the answer that was under way, and a batch beyond each: not the 32 MiB of the topic.
        expect(network.receivedBytes).toBeLessThan(4 * MIB);
      }
      expect(record.value?.length).toBe(value.length);
      if (read === count) {
        break;
      }
    }
    expect(network.receivedBytes).toBeGreaterThan(count * value.length);
  });
});

describe("a client that was closed", () => {
  const moments = fc.record({
    sends: fc.nat({ max: 30 }),
    consumes: fc.boolean(),
    admins: fc.boolean(),
    fault: fc.constantFrom("none", "drop", "refuse", "kill"),
    waitMs: fc.nat({ max: 10 }),
  });

  it("sends nothing, dials nothing and holds no connection, whenever it was closed", async () => {
    await fc.assert(
      fc.asyncProperty(moments, async ({ sends, consumes, admins, fault, waitMs }) => {
        await using broker = await createTestBroker({ topics: ["t"] });
        const { runtime, network } = watchedRuntime();
        const client = broker.client({ runtime });
        const producer = client.producer({
          deliveryTimeoutMs: 500,
          requestTimeoutMs: 300,
          maxBlockMs: 300,
        });
        const working: Promise<unknown>[] = [];
        for (let index = 0; index < sends; index++) {
          working.push(producer.send({ topic: "t", value: `${index}` }));
        }
        if (admins) {
          working.push(client.admin().listTopics({ timeoutMs: 300 }));
        }
        if (consumes) {
          const records = client.consumer({ topics: ["t"], from: "earliest" }).records();
          working.push(records.next());
        }
        await sleep(waitMs);
        if (fault === "drop") {
          broker.dropConnections();
        } else if (fault === "refuse") {
          broker.refuse();
          broker.dropConnections();
        } else if (fault === "kill") {
          await broker.kill();
        }
        const outcomes = Promise.allSettled(working);
        await Promise.all([client.close(), client.close()]);
        await outcomes;
        const closed = network.activity;
        await sleep(50);
        expect(network.activity).toBe(closed);
        expect(network.open).toBe(0);
      }),
      { numRuns: 25, interruptAfterTimeLimit: 20_000, markInterruptAsFailure: false },
    );
  });
});
