import { Consumer } from "@millrace/client-consumer";
import { ClusterClient } from "@millrace/client-core";
import type { ServerRuntime } from "@millrace/runtime";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PlannedProducer, readLog } from "./actors.js";
import { ClientWorld, topic } from "./client-world.js";
import { TrafficCounter } from "./counting-network.js";
import { type Plan, plans } from "./plans.js";
import { exactlyOnceProblems, type Sent, type Stored } from "./sent-log.js";

/** When the producer is closed, from the start of its sends, and how long that may take. */
interface Closing {
  readonly afterMs: number;
  readonly timeoutMs: number;
}

const closing = fc.record({
  afterMs: fc.integer({ min: 0, max: 1_500 }),
  timeoutMs: fc.constantFrom(0, 1, 50, 1_000, 30_000),
});

const idempotent = plans([{ acks: "all", idempotent: true }]).map((plan) => ({
  ...plan,
  producers: plan.producers.slice(0, 1),
}));

interface ProducerEnd {
  readonly sent: readonly Sent[];
  readonly log: readonly Stored[];
  /** What the producer's process sent, and dialed, after `close` had resolved. */
  readonly sentAfter: number;
  readonly dialedAfter: number;
  readonly openConnections: number;
  /** Sends that had no answer when `close` resolved. */
  readonly pending: number;
  /** Code of a `send` after `close`. */
  readonly lateCode: unknown;
}

type Decorate = (runtime: ServerRuntime) => ServerRuntime;

async function closeProducer(
  world: ClientWorld,
  plan: Plan,
  { afterMs, timeoutMs }: Closing,
): Promise<ProducerEnd> {
  const traffic = new TrafficCounter();
  const first = plan.producers[0];
  if (first === undefined) {
    throw new Error("the plan has no producer");
  }
  const producer = new PlannedProducer(world, {
    name: "producer-0",
    plan: first,
    connect: {
      ...world.connect("producer-0"),
      runtime: traffic.watch(world.connect("producer-0").runtime),
    },
  });
  world.unleash(plan.storm);
  const handIn = producer.handIn();
  await world.simulation.sleep(afterMs);
  await producer.close({ timeoutMs });
  const at = { sent: traffic.sent, dials: traffic.dials };
  // Whoever waited for an answer has one now, or in the turn of the loop in which `close` resolved.
  await world.simulation.sleep(0);
  const pending = producer.sent.filter(({ outcome }) => outcome.kind === "pending").length;
  await handIn;
  await producer.answered();
  const late: unknown = await producer.producer
    .send({ topic, value: "late" })
    .catch((error: unknown) => error);
  await world.calm();
  await world.settle();
  return {
    sent: producer.sent,
    log: await readLog(world),
    sentAfter: traffic.sent - at.sent,
    dialedAfter: traffic.dials - at.dials,
    openConnections: traffic.openConnections,
    pending,
    lateCode: (late as { code?: unknown }).code,
  };
}

/** A clock that forgets to cancel: what close should have called off comes all the same. */
const forgetsToCancel: Decorate = (runtime) => ({
  ...runtime,
  clock: {
    nowMs: () => runtime.clock.nowMs(),
    monotonicMs: () => runtime.clock.monotonicMs(),
    defer: (callback) => runtime.clock.defer(callback),
    sleep: (delayMs, signal) => runtime.clock.sleep(delayMs, signal),
    setTimer: (delayMs, callback) => {
      runtime.clock.setTimer(delayMs, callback);
      return { cancel: () => {} };
    },
  },
});

/** A client works for a while and is closed; returns what goes on after its broker's end. */
async function leftByClients(seed: number, decorate: Decorate, closes = true): Promise<string[]> {
  const world = new ClientWorld({ seed });
  await world.run(async () => {
    const options = world.connect("client");
    const client = new ClusterClient({ ...options, runtime: decorate(options.runtime) });
    const plan = fc.sample(idempotent, { numRuns: 1, seed })[0]?.producers[0];
    const producer = new PlannedProducer(world, {
      name: "producer-0",
      plan: { ...(plan as Plan["producers"][number]), records: 20 },
    });
    const consumer = new Consumer({ client, topics: [topic], from: "earliest" });
    let count = 0;
    const loop = (async () => {
      for await (const _ of consumer) {
        count++;
      }
    })();
    await producer.handIn();
    await producer.answered();
    while (count < 20) {
      await world.simulation.sleep(10);
    }
    await producer.close();
    if (closes) {
      await consumer.close();
      await loop;
      await client.close();
    }
    await world.settle();
  });
  return await world.leftBehind();
}

describe("after close() of a producer", () => {
  it("nothing leaves its process, every send is answered, later ones are refused, and no refused record is stored", async () => {
    await fc.assert(
      fc.asyncProperty(idempotent, closing, async (plan, at) => {
        const world = new ClientWorld({ seed: plan.seed, partitions: plan.partitions });
        const end = await world.run(() => closeProducer(world, plan, at));
        expect(end).toMatchObject({
          sentAfter: 0,
          dialedAfter: 0,
          openConnections: 0,
          pending: 0,
          lateCode: "CLOSED",
        });
        expect(exactlyOnceProblems(end.sent, end.log)).toEqual([]);
        const stored = new Set(end.log.map(({ number }) => number));
        for (const { number, outcome } of end.sent) {
          expect(outcome.kind !== "acknowledged" || stored.has(number)).toBe(true);
        }
      }),
      { numRuns: 25 },
    );
  });

  it("traffic of a producer that is not closed would be seen", async () => {
    const world = new ClientWorld({ seed: 5 });
    const traffic = new TrafficCounter();
    await world.run(async () => {
      const options = world.connect("producer-0");
      const [plan] = fc.sample(idempotent, { numRuns: 1, seed: 5 });
      const producer = new PlannedProducer(world, {
        name: "producer-0",
        plan: plan?.producers[0] as Plan["producers"][number],
        connect: { ...options, runtime: traffic.watch(options.runtime) },
      });
      await producer.handIn();
      await producer.answered();
      const before = traffic.sent;
      await producer.producer.send({ topic, key: "k", value: "producer-0:0" });
      expect(traffic.sent).toBeGreaterThan(before);
      expect(traffic.openConnections).toBeGreaterThan(0);
      await producer.close();
    });
  });
});

describe("after close() of a consumer", () => {
  it("no record comes any more, its loop has ended, and its process says nothing", async () => {
    await fc.assert(
      fc.asyncProperty(
        idempotent,
        closing,
        fc.integer({ min: 0, max: 40 }),
        async (plan, at, workMs) => {
          const world = new ClientWorld({ seed: plan.seed, partitions: plan.partitions });
          await world.run(async () => {
            const traffic = new TrafficCounter();
            const options = world.connect("consumer");
            const consumer = new Consumer({
              ...options,
              runtime: traffic.watch(options.runtime),
              topics: [topic],
              from: "earliest",
            });
            let isClosed = false;
            let recordsAfter = 0;
            const loop = (async () => {
              for await (const _ of consumer) {
                recordsAfter += isClosed ? 1 : 0;
                await world.simulation.sleep(workMs);
              }
            })();
            const producer = new PlannedProducer(world, {
              name: "producer-0",
              plan: plan.producers[0] as Plan["producers"][number],
            });
            world.unleash(plan.storm);
            const handIn = producer.handIn();
            await world.simulation.sleep(at.afterMs);
            await consumer.close();
            isClosed = true;
            const sent = traffic.sent;
            const dials = traffic.dials;
            await handIn;
            await world.calm();
            await producer.answered();
            await world.settle();
            await loop;
            const again = await consumer[Symbol.asyncIterator]()
              .next()
              .then(
                ({ done }) => done === true,
                () => true,
              );
            expect({ recordsAfter, again }).toEqual({ recordsAfter: 0, again: true });
            expect({ sent: traffic.sent - sent, dials: traffic.dials - dials }).toEqual({
              sent: 0,
              dials: 0,
            });
            expect(traffic.openConnections).toBe(0);
            await producer.close();
          });
        },
      ),
      { numRuns: 25 },
    );
  });
});

describe("after all clients are closed", () => {
  it("no timer and no connection is left: the world stands still when the broker is gone", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 2 ** 31 }), async (seed) => {
        expect(await leftByClients(seed, (runtime) => runtime)).toEqual([]);
      }),
      { numRuns: 15 },
    );
  });

  it("a timer that nobody cancelled keeps the world busy", async () => {
    expect(await leftByClients(1, forgetsToCancel)).not.toEqual([]);
  });

  it("a consumer that nobody closed is seen to try again and again", async () => {
    const left = await leftByClients(1, (runtime) => runtime, false);
    expect(left.length).toBeGreaterThan(100);
  });
});
