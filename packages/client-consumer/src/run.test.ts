import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AbortSwitch } from "./abort-switch.js";
import type { ConsumerRecord } from "./consumer-record.js";
import { create, Partition, read } from "./test-support/scripted-cluster.js";

/** Enough turns of the microtask queue for everything that is not waiting for a handler. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 300; turn++) {
    await Promise.resolve();
  }
}

/** Handlers that return when the test says so. */
class Gates {
  readonly started: string[] = [];
  readonly #open = new Map<string, { resolve(): void; reject(error: Error): void }>();

  readonly handler = (record: ConsumerRecord): Promise<void> => {
    const value = record.text() ?? "";
    this.started.push(value);
    return new Promise((resolve, reject) => {
      this.#open.set(value, { resolve, reject });
    });
  };

  get running(): string[] {
    return [...this.#open.keys()];
  }

  async finish(value: string, error?: Error): Promise<void> {
    const gate = this.#open.get(value);
    this.#open.delete(value);
    if (error === undefined) {
      gate?.resolve();
    } else {
      gate?.reject(error);
    }
    await settle();
  }
}

describe("run", () => {
  it("handles one record of a partition at a time, and partitions side by side", async () => {
    const { cluster, consumer, log } = create();
    const other = new Partition();
    cluster.partitions.push(other);
    log.append(["a0", "a1"]);
    other.append(["b0"]);
    const gates = new Gates();
    const running = consumer.run(gates.handler, { concurrency: 8 });
    await settle();
    expect(gates.running).toEqual(["a0", "b0"]);
    await gates.finish("a0");
    expect(gates.running).toEqual(["b0", "a1"]);
    await gates.finish("a1");
    await gates.finish("b0");
    expect(consumer.processedPosition("t", 0)).toBe(2);
    await consumer.close();
    await running;
  });

  it("lets different keys overtake each other, and passes no record that is not done", async () => {
    const { consumer, log } = create();
    log.append(["x", "y", "x", "z"]);
    const started: string[] = [];
    const finish: (() => void)[] = [];
    const running = consumer.run(
      (record) => {
        started.push(`${record.text()}${record.offset}`);
        return new Promise<void>((resolve) => finish.push(resolve));
      },
      { concurrency: 8, orderBy: "key" },
    );
    await settle();
    expect(started).toEqual(["x0", "y1", "z3"]);
    finish[1]?.();
    finish[2]?.();
    await settle();
    expect(consumer.processedPosition("t", 0)).toBe(0);
    finish[0]?.();
    await settle();
    expect(started).toEqual(["x0", "y1", "z3", "x2"]);
    expect(consumer.processedPosition("t", 0)).toBe(2);
    finish[3]?.();
    await settle();
    expect(consumer.processedPosition("t", 0)).toBe(4);
    await consumer.close();
    await running;
  });

  it("ends with a handler's error, keeps its position, and begins there again", async () => {
    const { consumer, log } = create();
    log.append(["a", "b", "c", "d"]);
    const gates = new Gates();
    const running = consumer.run(gates.handler, { concurrency: 3, orderBy: "key" });
    await settle();
    await gates.finish("a");
    await gates.finish("c");
    const outcome = running.then(
      () => "resolved",
      (error: unknown) => error,
    );
    await gates.finish("b", new Error("no"));
    // It waits for the handler of "d".
    expect(gates.running).toEqual(["d"]);
    await gates.finish("d");
    expect(await outcome).toEqual(new Error("no"));
    expect(consumer.processedPosition("t", 0)).toBe(1);
    expect(await read(consumer, 3)).toEqual(["b", "c", "d"]);
  });

  it("rejects with an error that a handler throws at once", async () => {
    const { consumer, log } = create();
    log.append(["a"]);
    const handler = (): never => {
      throw new Error("at once");
    };
    await expect(consumer.run(handler)).rejects.toThrow("at once");
    expect(consumer.processedPosition("t", 0)).toBe(0);
  });

  it("closes only when the running handlers are done, and starts none after", async () => {
    const { consumer, log } = create();
    log.append(["a", "b"]);
    const gates = new Gates();
    const running = consumer.run(gates.handler);
    await settle();
    let isClosed = false;
    const closing = consumer.close().then(() => {
      isClosed = true;
    });
    await settle();
    expect(isClosed).toBe(false);
    await gates.finish("a");
    await Promise.all([closing, running]);
    expect(gates.started).toEqual(["a"]);
    expect(consumer.processedPosition("t", 0)).toBe(1);
  });

  it("resolves when its signal aborts, waiting or working", async () => {
    const { cluster, consumer, log } = create();
    const idle = new AbortSwitch();
    const waiting = consumer.run(() => {}, { signal: idle });
    await settle();
    idle.abort("enough");
    await waiting;
    log.append(["a", "b"]);
    cluster.wake();
    const signal = new AbortSwitch();
    const gates = new Gates();
    const working = consumer.run(gates.handler, { signal });
    await settle();
    signal.abort("enough");
    await gates.finish("a");
    await working;
    expect(gates.started).toEqual(["a"]);
    expect(await read(consumer, 1)).toEqual(["b"]);
  });

  it("reads no further ahead than its bounds while a handler stalls", async () => {
    const { cluster, consumer, log } = create({
      maxPartitionBytes: 2_000,
      maxPrefetchBytes: 4_000,
    });
    for (let batch = 0; batch < 200; batch++) {
      log.append(Array.from({ length: 10 }, (_, index) => `${batch}-${index}-${"x".repeat(90)}`));
    }
    const gates = new Gates();
    const running = consumer.run(gates.handler, { concurrency: 1 });
    await settle();
    const fetches = cluster.fetches.length;
    await settle();
    expect(cluster.fetches.length).toBe(fetches);
    // 2,000 bytes for handlers, 2,000 for the partition and the batch at hand: of 200 batches.
    expect(fetches).toBeLessThan(10);
    expect(consumer.position("t", 0)).toBeLessThan(40);
    const closing = consumer.close();
    await gates.finish(gates.running[0] ?? "");
    await Promise.all([closing, running]);
  });

  it("starts nothing of a paused partition, and goes on with the others", async () => {
    const { cluster, consumer, log } = create();
    const other = new Partition();
    cluster.partitions.push(other);
    log.append(["a0", "a1"]);
    other.append(["b0", "b1"]);
    const gates = new Gates();
    const running = consumer.run(gates.handler, { concurrency: 4 });
    await settle();
    consumer.pause([{ topic: "t", partition: 0 }]);
    await gates.finish("a0");
    await gates.finish("b0");
    expect(gates.running).toEqual(["b1"]);
    consumer.resume();
    await settle();
    expect(gates.running).toEqual(["b1", "a1"]);
    const closing = consumer.close();
    await gates.finish("a1");
    await gates.finish("b1");
    await Promise.all([closing, running]);
  });

  it("follows a seek: what was taken in before it is not started", async () => {
    const { consumer, log } = create();
    log.append(["a", "b", "c"]);
    const gates = new Gates();
    const running = consumer.run(gates.handler);
    await settle();
    consumer.seek("t", 0, 2);
    await gates.finish("a");
    expect(gates.started).toEqual(["a", "c"]);
    await gates.finish("c");
    expect(consumer.processedPosition("t", 0)).toBe(3);
    await consumer.close();
    await running;
  });

  it("is one at a time, and refuses options that cannot be", async () => {
    const { consumer } = create();
    const running = consumer.run(() => {});
    await settle();
    await expect(consumer.run(() => {})).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
    await consumer.close();
    await running;
    await expect(create().consumer.run(() => {}, { concurrency: 0 })).rejects.toMatchObject({
      code: "INVALID_CONFIG_VALUE",
    });
  });

  it("keeps every order it promises, handles each record once, and never passes one, in any schedule", async () => {
    const scene = fc.record({
      batches: fc.array(fc.array(fc.constantFrom("a", "b", "c", "d"), { minLength: 1 }), {
        minLength: 1,
        maxLength: 8,
      }),
      concurrency: fc.integer({ min: 1, max: 5 }),
      orderBy: fc.constantFrom("key" as const, "partition" as const),
      picks: fc.infiniteStream(fc.nat(100)),
    });
    await fc.assert(
      fc.asyncProperty(scene, async ({ batches, concurrency, orderBy, picks }) => {
        const { cluster, consumer } = create();
        cluster.partitions.push(new Partition());
        for (const [index, values] of batches.entries()) {
          cluster.partitions[index % 2]?.append(values);
        }
        const total = batches.flat().length;
        const running = new Map<string, { lane: string; partition: number; finish: () => void }>();
        const order: { lane: string; partition: number; offset: number }[] = [];
        const work = consumer.run(
          (record) => {
            const { partition, offset } = record;
            const lane = orderBy === "key" ? `${partition}/${record.keyText()}` : `${partition}`;
            const inLane = [...running.values()].filter((other) => other.lane === lane);
            expect(inLane).toEqual([]);
            order.push({ lane, partition, offset });
            return new Promise<void>((finish) => {
              running.set(`${partition}/${offset}`, { lane, partition, finish });
            });
          },
          { concurrency, orderBy },
        );
        await settle();
        const done: Set<number>[] = [new Set(), new Set()];
        while (done[0]!.size + done[1]!.size < total) {
          expect(running.size).toBeGreaterThan(0);
          expect(running.size).toBeLessThanOrEqual(concurrency);
          const chosen = [...running][picks.next().value! % running.size]!;
          running.delete(chosen[0]);
          const [partition, offset] = chosen[0].split("/").map(Number);
          done[partition!]!.add(offset!);
          chosen[1].finish();
          await settle();
          for (const [index, offsets] of done.entries()) {
            let prefix = 0;
            while (offsets.has(prefix)) {
              prefix++;
            }
            expect(consumer.processedPosition("t", index)).toBe(prefix);
          }
        }
        for (const { lane } of order) {
          const offsets = order.filter((other) => other.lane === lane).map(({ offset }) => offset);
          expect(offsets).toEqual(offsets.toSorted((left, right) => left - right));
        }
        expect(new Set(order.map(({ partition, offset }) => `${partition}/${offset}`)).size).toBe(
          total,
        );
        expect(order.length).toBe(total);
        await consumer.close();
        await work;
      }),
      { numRuns: 40 },
    );
  });
});
