// Everything at once: programs that talk, write, rename and remove, on machines that crash, lose power, pause
// and are cut off. Nothing here knows what should come out; it must come out twice alike, and leak nothing.

import { describe, expect, it } from "vitest";
import type { Connection } from "../network.js";
import type { ServerRuntime } from "../runtime.js";
import { swarmFaults } from "./fault-options.js";
import { Simulation } from "./simulation.js";

const names = ["one", "two", "three"] as const;
const limits = {
  maxMessageBytes: 1_000_000,
  maxPartialBytes: 1_000_000,
  partialMessageTimeoutMs: 10_000,
  maxConnections: 50,
  handshakeTimeoutMs: 10_000,
};

const ignored = (): void => {};

function serve({ network, random }: ServerRuntime): Promise<unknown> {
  return network.listen({
    host: "0.0.0.0",
    port: 9092,
    limits,
    allowUpgrade: () => true,
    onHttpRequest: () => ({ status: 200, body: "" }),
    onConnection: (connection) => ({
      onMessage: (message) => {
        if (random.below(10) === 0) {
          connection.pauseReading();
        }
        connection.send([message]);
        if (random.below(20) === 0) {
          connection.close(4_000, "enough");
        }
      },
      onClose: ignored,
    }),
  });
}

/** Talks to a random machine until one of the two has enough, or three seconds. */
async function talk({ clock, network, random }: ServerRuntime): Promise<void> {
  const url = `ws://${names[random.below(3)]}:9092`;
  let whenClosed = ignored;
  const closed = new Promise<void>((resolve) => {
    whenClosed = resolve;
  });
  const attach = (connection: Connection) => ({
    onMessage: (message: Uint8Array) => {
      if (message.length > 20_000) {
        connection.close();
      } else {
        connection.send([message, new Uint8Array(random.below(5_000))]);
      }
    },
    onClose: () => whenClosed(),
  });
  const options = { maxMessageBytes: 1_000_000, connectTimeoutMs: 2_000 };
  const connection = await network.dial(url, options, attach).catch(() => undefined);
  if (connection !== undefined) {
    connection.send([new Uint8Array(10)]);
    clock.setTimer(3_000, () => connection.terminate());
    await closed;
  }
}

/** One random change of the files. Failures are the disk's business. */
async function scribble({ clock, fileSystem, random }: ServerRuntime): Promise<void> {
  const path = (): string => `/data/${random.below(5)}`;
  const file = await fileSystem.open(path(), "readWrite");
  await file
    .write([random.fill(new Uint8Array(random.below(9_000)))], await file.size())
    .catch(ignored);
  // The time of day goes into the trace with the bytes.
  const now = new Uint8Array(Float64Array.of(clock.nowMs(), clock.monotonicMs()).buffer);
  await file.write([now], 0).catch(ignored);
  await file.sync().catch(ignored);
  await file.close();
  if (random.below(3) === 0) {
    await fileSystem.rename(path(), path()).catch(ignored);
  }
  if (random.below(9) === 0) {
    await fileSystem.removeDirectory("/data").catch(ignored);
    await fileSystem.createDirectory("/data");
  }
}

async function program(runtime: ServerRuntime): Promise<void> {
  await runtime.fileSystem.createDirectory("/data");
  await serve(runtime);
  for (;;) {
    await talk(runtime);
    await scribble(runtime);
    await runtime.clock.sleep(runtime.random.below(300));
  }
}

async function storm(seed: number): Promise<Simulation> {
  const model = swarmFaults(seed);
  const faults = { ...model, disk: { ...model.disk, syncErrorRate: 0.01, writeErrorRate: 0.01 } };
  const simulation = new Simulation({ seed, faults });
  const start = (name: string): void => {
    program(simulation.node(name).runtime()).catch(ignored);
  };
  await simulation.run(async () => {
    names.forEach(start);
    for (let round = 0; round < 15; round++) {
      await simulation.sleep(simulation.random.below(3_000));
      const node = simulation.node(names[simulation.random.below(3)] ?? "one");
      const powerLoss = simulation.random.below(2) === 0;
      node.crash({ powerLoss, isSilent: powerLoss && simulation.random.below(2) === 0 });
      await simulation.sleep(simulation.random.below(1_500));
      start(node.name);
    }
  });
  return simulation;
}

describe("a storm of faults", () => {
  it("runs twice alike to the event, for each of 40 seeds", async () => {
    const seen = new Set<string>();
    for (let seed = 1; seed <= 40; seed++) {
      const [first, second] = [await storm(seed), await storm(seed)];
      expect(second.traceHash, `seed ${seed}`).toBe(first.traceHash);
      expect(second.eventCount).toBe(first.eventCount);
      expect(first.handlerErrors).toEqual([]);
      for (const kind of first.faultCounts.keys()) {
        seen.add(kind);
      }
    }
    for (const kind of [
      "node.kill",
      "node.powerLoss",
      "node.pause",
      "net.reset",
      "net.partition",
    ]) {
      expect(seen, kind).toContain(kind);
    }
  });

  it("forgets the connections of the dead", async () => {
    const simulation = await storm(7);
    for (const name of names) {
      simulation.node(name).crash();
    }
    await simulation.run(() => simulation.sleep(1_000));
    expect(simulation.network.connectionCount).toBe(0);
  });
});
