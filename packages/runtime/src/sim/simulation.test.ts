import { setTimeout as realSleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import type { ServerRuntime } from "../runtime.js";
import { swarmFaults } from "./fault-options.js";
import {
  createSimRuntime,
  Simulation,
  SimulationDeadlock,
  type SimulationOptions,
  SimulationTimeout,
} from "./simulation.js";

const limits = {
  maxMessageBytes: 1 << 20,
  maxPartialBytes: 1 << 22,
  partialMessageTimeoutMs: 10_000,
  maxConnections: 100,
  handshakeTimeoutMs: 1_000,
};

const echoServer = (runtime: ServerRuntime) =>
  runtime.network.listen({
    host: "0.0.0.0",
    port: 9092,
    limits,
    allowUpgrade: () => true,
    onConnection: (connection) => ({
      onMessage: (message) => connection.send([message]),
      onClose: () => {},
    }),
    onHttpRequest: (request) => ({ status: 200, body: `hello ${request.path}` }),
  });

/** Clients that dial, talk, write files and sleep, whatever goes wrong. */
async function workload(simulation: Simulation): Promise<void> {
  await echoServer(simulation.node("server").runtime());
  const client = async (name: string): Promise<void> => {
    const { clock, fileSystem, network, random } = simulation.node(name).runtime();
    const file = await fileSystem.open("/journal", "readWrite");
    for (let round = 0; round < 20; round++) {
      await file.write([random.fill(new Uint8Array(random.below(3_000)))], round * 3_000);
      await file.sync();
      await network
        .dial(
          "ws://server:9092/",
          { maxMessageBytes: 1 << 20, connectTimeoutMs: 500 },
          (dialed) => ({
            onMessage: () => dialed.close(),
            onClose: () => {},
          }),
        )
        .then((connection) => connection.send([new Uint8Array(random.below(500))]))
        .catch(() => {});
      await clock.sleep(random.below(1_000));
    }
  };
  await Promise.all(["one", "two", "three"].map(client));
}

async function traceOf(options: SimulationOptions): Promise<string> {
  const simulation = new Simulation(options);
  await simulation.run(() => workload(simulation));
  return `${simulation.traceHash} ${simulation.eventCount} ${simulation.nowMs}`;
}

describe("a simulation", () => {
  it("runs twice alike from one seed, faults included, and differently from another", async () => {
    const hashes = new Set<string>();
    for (let seed = 1; seed <= 12; seed++) {
      const options = { seed, faults: swarmFaults(seed) };
      const first = await traceOf(options);
      expect(await traceOf(options)).toBe(first);
      hashes.add(first);
    }
    expect(hashes.size).toBe(12);
  });

  it("notices a difference that only one random draw makes", async () => {
    const trace = async (length: number): Promise<string> => {
      const { simulation, runtime } = createSimRuntime({ seed: 4 });
      await simulation.run(async () => {
        const file = await runtime.fileSystem.open("/file", "createNew");
        await file.write([new Uint8Array(length)], 0);
      });
      return simulation.traceHash;
    };
    expect(await trace(100)).toBe(await trace(100));
    expect(await trace(100)).not.toBe(await trace(101));
  });

  it("jumps over a day in no time, and gives the outcome of the main function", async () => {
    const { simulation, runtime } = createSimRuntime();
    const outcome = await simulation.run(async () => {
      await runtime.clock.sleep(23 * 3_600_000);
      return "done";
    });
    expect(outcome).toBe("done");
    expect(simulation.nowMs).toBe(23 * 3_600_000);
    await expect(
      simulation.run(async () => {
        throw new Error("failed");
      }),
    ).rejects.toThrow("failed");
  });

  it("says when it is stuck", async () => {
    const simulation = new Simulation({ seed: 1, faults: { node: { pauseEveryMs: 10 } } });
    await expect(simulation.run(() => new Promise(() => {}))).rejects.toThrow(SimulationDeadlock);
  });

  it("says when virtual time runs out, and runs nothing beyond", async () => {
    const { simulation, runtime } = createSimRuntime({ maxVirtualMs: 1_000 });
    const tick = (): void => void runtime.clock.setTimer(10, tick);
    tick();
    await expect(simulation.run(() => new Promise(() => {}))).rejects.toThrow(SimulationTimeout);
    expect(simulation.nowMs).toBeLessThanOrEqual(1_000);
  });

  it("ends the run with what a timer or an observer throws", async () => {
    const { simulation, runtime } = createSimRuntime();
    runtime.clock.setTimer(5, () => {
      throw new Error("a bug in a timer");
    });
    await expect(simulation.run(() => runtime.clock.sleep(10))).rejects.toThrow("a bug in a timer");
    simulation.observe(() => {
      throw new Error("invariant broken");
    });
    await expect(simulation.run(() => runtime.clock.sleep(10))).rejects.toThrow("invariant broken");
  });

  it("writes one line per event when asked", async () => {
    const lines: string[] = [];
    const { simulation, runtime } = createSimRuntime({ log: (line) => lines.push(line) });
    await simulation.run(async () => {
      await runtime.fileSystem.createDirectory("/data");
      await runtime.clock.sleep(1);
    });
    expect(lines.length).toBe(simulation.eventCount);
    expect(lines[0]).toMatch(/^ +\d+\.\d{3} node +disk\.createDirectory +\/data$/);
  });

  it("finds out when something real is created under it", async () => {
    const guarded = new Simulation({ seed: 1, forbidsRealHandles: true });
    await guarded.run(() => workload(guarded));
    const { simulation } = createSimRuntime({ forbidsRealHandles: true });
    const run = simulation.run(async () => {
      realSleep(1).catch(() => {});
      await simulation.sleep(5);
    });
    await expect(run).rejects.toThrow(/Timeout/);
  });

  it("gives one process one source of randomness, and the next another", () => {
    const node = new Simulation({ seed: 1 }).node("node");
    const first = node.runtime().random.below(2 ** 32);
    const second = node.runtime().random.below(2 ** 32);
    node.crash();
    const third = node.runtime().random.below(2 ** 32);
    expect(new Set([first, second, third]).size).toBe(3);
  });
});

describe("a crash", () => {
  it("stops everything of the process: timers, files, connections", async () => {
    const simulation = new Simulation({ seed: 2 });
    const node = simulation.node("victim");
    const done: string[] = [];
    await simulation.run(async () => {
      const { clock, fileSystem, network } = node.runtime();
      await echoServer(simulation.node("server").runtime());
      clock.setTimer(5, () => done.push("timer"));
      clock.defer(() => done.push("deferred"));
      const settle = (what: string) => () => void done.push(what);
      const file = await fileSystem.open("/file", "createNew");
      done.length = 0;
      file.write([new Uint8Array(10)], 0).then(settle("write"), settle("write failed"));
      file.sync().then(settle("sync"), settle("sync failed"));
      const options = { maxMessageBytes: 10, connectTimeoutMs: 100 };
      network
        .dial("ws://server:9092", options, () => ({ onMessage: () => {}, onClose: () => {} }))
        .then(settle("dial"), settle("dial failed"));
      node.crash();
      fileSystem.readFile("/file").then(settle("read"), settle("read failed"));
      expect(() => file.writeSync([new Uint8Array(1)], 0)).toThrow("dead");
      await simulation.sleep(60_000);
    });
    expect(done).toEqual([]);
    expect(node.isRunning).toBe(false);
  });

  it("gives the machine back its lock, its ports and its page cache when it was only a kill", async () => {
    const simulation = new Simulation({ seed: 3 });
    const node = simulation.node("server");
    await simulation.run(async () => {
      const first = node.runtime();
      await first.fileSystem.createDirectory("/data");
      await first.fileSystem.lockDirectory("/data");
      await echoServer(first);
      const file = await first.fileSystem.open("/data/log", "createNew");
      await file.write([new Uint8Array(5_000).fill(7)], 0);
      node.crash();
      const second = node.runtime();
      expect(node.incarnation).toBe(2);
      await second.fileSystem.lockDirectory("/data");
      await echoServer(second);
      expect((await second.fileSystem.readFile("/data/log")).length).toBe(5_000);
    });
  });
});

describe("a pause", () => {
  it("holds everything back, then runs timers first and the rest in a burst", async () => {
    const simulation = new Simulation({ seed: 5 });
    const node = simulation.node("server");
    const runtime = node.runtime();
    const seen: string[] = [];
    await simulation.run(async () => {
      const client = simulation.node("client").runtime();
      await runtime.network.listen({
        host: "0.0.0.0",
        port: 1,
        limits,
        allowUpgrade: () => true,
        onConnection: () => ({
          onMessage: () => void seen.push(`message ${Math.round(simulation.nowMs)}`),
          onClose: () => {},
        }),
        onHttpRequest: () => ({ status: 200, body: "" }),
      });
      const dialed = await client.network.dial(
        "ws://server:1",
        { maxMessageBytes: 10, connectTimeoutMs: 100 },
        () => ({ onMessage: () => {}, onClose: () => {} }),
      );
      await simulation.sleep(100 - simulation.nowMs);
      runtime.clock.setTimer(50, () => seen.push(`timer ${Math.round(simulation.nowMs)}`));
      node.pause(1_000);
      dialed.send([new Uint8Array(1)]);
      await simulation.sleep(900);
      expect(seen).toEqual([]);
      await simulation.sleep(200);
      expect(seen).toEqual(["timer 1100", "message 1100"]);
    });
  });

  it("stops neither the clocks nor the other machines", async () => {
    const simulation = new Simulation({ seed: 5 });
    const { clock } = simulation.node("one").runtime();
    await simulation.run(async () => {
      simulation.node("one").pause(500);
      await simulation.node("two").runtime().clock.sleep(100);
      expect(simulation.nowMs).toBe(100);
      await clock.sleep(1);
      expect(simulation.nowMs).toBe(500);
      expect(clock.monotonicMs()).toBe(500);
    });
  });
});

describe("a machine's clock", () => {
  it("jumps on the wall without moving timers, and drifts with them", async () => {
    const simulation = new Simulation({ seed: 1 });
    const node = simulation.node("node");
    const { clock } = node.runtime();
    await simulation.run(async () => {
      const startMs = clock.nowMs();
      node.jumpClock(-3_600_000);
      expect(clock.nowMs()).toBe(startMs - 3_600_000);
      await clock.sleep(10);
      expect(simulation.nowMs).toBe(10);
      node.clock.setDrift(0.05);
      await clock.sleep(1_050);
      expect(simulation.nowMs).toBeGreaterThan(1_009);
      expect(simulation.nowMs).toBeLessThan(1_011);
    });
  });
});
