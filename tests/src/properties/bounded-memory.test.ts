import { Consumer } from "@millrace/client-consumer";
import { Producer } from "@millrace/client-producer";
import { isMillraceError } from "@millrace/protocol";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ClientWorld, topic } from "./client-world.js";
import { TrafficCounter } from "./counting-network.js";

interface ConsumerStall {
  readonly seed: number;
  readonly partitions: number;
  readonly valueBytes: number;
  readonly batchBytes: number;
  readonly maxPrefetchBytes: number;
  readonly maxPartitionBytes: number;
  /** The user's loop stops, the process stops reading its sockets, or (the control) nothing stops. */
  readonly how: "stops asking" | "stops reading" | "goes on";
}

const KIB = 1_024;

const stalls: fc.Arbitrary<ConsumerStall> = fc.record({
  seed: fc.integer({ min: 1, max: 2 ** 31 }),
  partitions: fc.integer({ min: 1, max: 3 }),
  valueBytes: fc.integer({ min: 10, max: 20 * KIB }),
  batchBytes: fc.constantFrom(KIB, 16 * KIB, 64 * KIB),
  maxPrefetchBytes: fc.integer({ min: 16 * KIB, max: 256 * KIB }),
  maxPartitionBytes: fc.constantFrom(8 * KIB, 64 * KIB, KIB * KIB),
  how: fc.constantFrom<ConsumerStall["how"]>("stops asking", "stops reading"),
});

/** What an answer has beside the records: its head, with an entry for each partition. */
const ANSWER_HEAD_BYTES = 256;

/** How much more than the bound is there to be read. */
const EXCESS = 6;

interface Held {
  /** Records that came to the consumer's process, from the first on. */
  readonly consumerBytes: number;
  /** Most that ever lay in one connection of the broker. */
  readonly brokerBytes: number;
  /** Bytes that the producer got through meanwhile. */
  readonly producedBytes: number;
}

/** What may be held: the limit, the batch in the user's hands, and one that is larger than what was left. */
const boundOf = (stall: ConsumerStall): number =>
  stall.maxPrefetchBytes + 2 * (Math.max(stall.batchBytes, stall.valueBytes) + KIB);

async function stallConsumer(stall: ConsumerStall): Promise<Held> {
  const atBroker = new TrafficCounter();
  const world = new ClientWorld({
    seed: stall.seed,
    partitions: stall.partitions,
    decorate: (runtime) => atBroker.watch(runtime),
  });
  return await world.run(async () => {
    let brokerBytes = 0;
    world.simulation.observe(() => {
      brokerBytes = Math.max(brokerBytes, atBroker.bufferedBytes);
    });
    const atConsumer = new TrafficCounter();
    const options = world.connect("consumer");
    const consumer = new Consumer({
      ...options,
      runtime: atConsumer.watch(options.runtime),
      topics: [topic],
      from: "earliest",
      maxPrefetchBytes: stall.maxPrefetchBytes,
      maxPartitionBytes: stall.maxPartitionBytes,
    });
    let isOver = false;
    const loop = (async () => {
      for await (const _ of consumer) {
        while (stall.how === "stops asking" && !isOver) {
          await world.simulation.sleep(50);
        }
      }
    })();
    const producer = new Producer({
      ...world.connect("producer"),
      batchBytes: stall.batchBytes,
      partitioner: "roundRobin",
    });
    const value = new Uint8Array(stall.valueBytes);
    await producer.send({ topic, value });
    await world.simulation.sleep(100);
    if (stall.how === "stops reading") {
      atConsumer.setReading(false);
    }
    const count = Math.ceil((EXCESS * boundOf(stall)) / (stall.valueBytes + 10));
    const records = Array.from({ length: count }, () => ({ topic, value }));
    await producer.send(records);
    await world.settle();
    const consumerBytes = atConsumer.receivedBytes - atConsumer.received * ANSWER_HEAD_BYTES;
    const held = { consumerBytes, brokerBytes };
    isOver = true;
    atConsumer.setReading(true);
    await consumer.close();
    await loop;
    await producer.close();
    return { ...held, producedBytes: count * stall.valueBytes };
  });
}

interface ProducerStall {
  readonly seed: number;
  readonly bufferBytes: number;
  readonly batchBytes: number;
  readonly valueBytes: number;
  readonly maxInFlight: number;
}

const producerStalls: fc.Arbitrary<ProducerStall> = fc.record({
  seed: fc.integer({ min: 1, max: 2 ** 31 }),
  bufferBytes: fc.integer({ min: 8 * KIB, max: 256 * KIB }),
  batchBytes: fc.constantFrom(KIB, 8 * KIB),
  valueBytes: fc.integer({ min: 10, max: 2 * KIB }),
  maxInFlight: fc.integer({ min: 1, max: 5 }),
});

interface ProducerHeld {
  readonly mostUsedBytes: number;
  /** Most that lay in one of its connections. */
  readonly mostUnsentBytes: number;
  readonly refused: number;
  readonly codes: readonly string[];
  readonly usedAfterwards: number;
}

/** Far more is sent than the buffer holds, to a broker that cannot be reached; then it can be again. */
async function cutOffProducer(stall: ProducerStall): Promise<ProducerHeld> {
  const world = new ClientWorld({ seed: stall.seed });
  return await world.run(async () => {
    const traffic = new TrafficCounter();
    const options = world.connect("producer");
    const producer = new Producer({
      ...options,
      runtime: traffic.watch(options.runtime),
      bufferBytes: stall.bufferBytes,
      batchBytes: stall.batchBytes,
      maxInFlight: stall.maxInFlight,
      requestTimeoutMs: 1_000,
      maxBlockMs: 3_000,
    });
    await producer.send({ topic, value: "warm" });
    world.simulation.network.partition("producer", "broker");
    let mostUsedBytes = 0;
    let mostUnsentBytes = 0;
    world.simulation.observe(() => {
      mostUsedBytes = Math.max(mostUsedBytes, producer.metrics().bufferUsedBytes);
      mostUnsentBytes = Math.max(mostUnsentBytes, traffic.bufferedBytes);
    });
    const value = new Uint8Array(stall.valueBytes);
    const count = Math.ceil((4 * stall.bufferBytes) / (stall.valueBytes + 10));
    const errors: unknown[] = [];
    const sends = Array.from({ length: count }, () =>
      producer.send({ topic, value }).catch((error: unknown) => errors.push(error)),
    );
    await world.simulation.sleep(5_000);
    world.simulation.network.heal("producer", "broker");
    await Promise.all(sends);
    const usedAfterwards = producer.metrics().bufferUsedBytes;
    await producer.close();
    return {
      mostUsedBytes,
      mostUnsentBytes,
      refused: errors.length,
      codes: [...new Set(errors.map((error) => (isMillraceError(error) ? error.code : "?")))],
      usedAfterwards,
    };
  });
}

describe("memory", () => {
  it("of a consumer that stalls, and of the broker for it, stays within maxPrefetchBytes and two batches", async () => {
    await fc.assert(
      fc.asyncProperty(stalls, async (stall) => {
        const bound = boundOf(stall);
        const held = await stallConsumer(stall);
        expect(held.producedBytes).toBeGreaterThan(2 * bound);
        expect(held.consumerBytes).toBeLessThanOrEqual(bound);
        expect(held.brokerBytes).toBeLessThanOrEqual(bound);
      }),
      { numRuns: 25 },
    );
  });

  it("bound is passed by a consumer that goes on, and nearly filled by one that stalls", async () => {
    const stall: ConsumerStall = {
      seed: 3,
      partitions: 1,
      valueBytes: KIB,
      batchBytes: 16 * KIB,
      maxPrefetchBytes: 128 * KIB,
      maxPartitionBytes: KIB * KIB,
      how: "goes on",
    };
    expect((await stallConsumer(stall)).consumerBytes).toBeGreaterThan(2 * boundOf(stall));
    const held = await stallConsumer({ ...stall, how: "stops asking" });
    expect(held.consumerBytes).toBeGreaterThan(stall.maxPrefetchBytes / 2);
    const unread = await stallConsumer({ ...stall, how: "stops reading" });
    expect(unread.brokerBytes).toBeGreaterThan(0);
  });

  it("of a producer whose broker is out of reach stays within bufferBytes; what does not fit is refused in time", async () => {
    await fc.assert(
      fc.asyncProperty(producerStalls, async (stall) => {
        const held = await cutOffProducer(stall);
        expect(held.mostUsedBytes).toBeLessThanOrEqual(stall.bufferBytes);
        // The bound is reached: one that is too generous by half would be noticed.
        expect(held.mostUsedBytes).toBeGreaterThan(stall.bufferBytes / 2);
        expect(held.mostUnsentBytes).toBeLessThanOrEqual(
          stall.bufferBytes + stall.maxInFlight * KIB,
        );
        expect(held.refused).toBeGreaterThan(0);
        expect(held.codes).toEqual(["BUFFER_FULL"]);
        expect(held.usedAfterwards).toBe(0);
      }),
      { numRuns: 20 },
    );
  });
});
