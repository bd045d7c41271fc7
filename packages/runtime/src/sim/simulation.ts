// A whole cluster with its clients in one process, in virtual time, from one seed.

import type { Random } from "../random.js";
import { drive } from "./driver.js";
import { type FaultOptions, resolveFaults } from "./fault-options.js";
import { Prng } from "./prng.js";
import { RealHandleGuard } from "./real-handles.js";
import { Scheduler } from "./scheduler.js";
import { SimNetwork } from "./sim-network.js";
import { SimNode } from "./sim-node.js";
import { SimRandom } from "./sim-random.js";
import { Trace } from "./trace.js";
import { Weather } from "./weather.js";
import type { World } from "./world.js";

export interface SimulationOptions {
  /** Any safe integer. The same seed, code and options give the same run, to the event. */
  readonly seed: number;
  /** What goes wrong by itself; default nothing. See `swarmFaults`. */
  readonly faults?: FaultOptions;
  /** `run` gives up when virtual time has come so far. Default 24 hours. */
  readonly maxVirtualMs?: number;
  /** Receives one line per event. */
  readonly log?: (line: string) => void;
  /** Fails `run` when something real (a timer, a socket, a file) is created under it. Slow; for a test or two. */
  readonly forbidsRealHandles?: boolean;
}

/** Nothing is scheduled any more and the main function still waits. */
export class SimulationDeadlock extends Error {
  override readonly name = "SimulationDeadlock";
}

/** Virtual time ran out. */
export class SimulationTimeout extends Error {
  override readonly name = "SimulationTimeout";
}

const defaultMaxVirtualMs = 24 * 3_600_000;

export class Simulation {
  readonly seed: number;
  readonly network: SimNetwork;
  /** For the test's own choices; independent of what the simulated parts draw. */
  readonly random: Random;
  readonly #world: World;
  readonly #trace: Trace;
  readonly #scheduler: Scheduler;
  readonly #maxVirtualMs: number;
  readonly #weather: Weather;
  readonly #nodes = new Map<string, SimNode>();
  readonly #observers = new Set<() => void>();
  readonly #guard: RealHandleGuard | undefined;
  #isRunning = false;

  constructor(options: SimulationOptions) {
    this.seed = options.seed;
    this.#maxVirtualMs = options.maxVirtualMs ?? defaultMaxVirtualMs;
    this.#trace = new Trace(options.log);
    this.#scheduler = new Scheduler(this.#trace);
    this.#world = {
      scheduler: this.#scheduler,
      trace: this.#trace,
      prng: Prng.fromSeed(options.seed),
      faults: resolveFaults(options.faults),
      faultCounts: new Map(),
      handlerErrors: [],
    };
    this.network = new SimNetwork(this.#world);
    this.random = new SimRandom(this.#world.prng.fork("test"));
    this.#weather = new Weather(this.#world, this.network, this.#nodes);
    this.#weather.start();
    this.#guard = options.forbidsRealHandles === true ? new RealHandleGuard() : undefined;
  }

  /** Virtual milliseconds since the start. */
  get nowMs(): number {
    return this.#scheduler.nowMs;
  }

  /** Events run so far. */
  get eventCount(): number {
    return this.#scheduler.eventCount;
  }

  /** 16 hexadecimal digits over everything that happened: equal for two runs of one seed. */
  get traceHash(): string {
    return this.#trace.hash;
  }

  /** How often each kind of fault really happened. */
  get faultCounts(): ReadonlyMap<string, number> {
    return this.#world.faultCounts;
  }

  /** What handlers of connections threw (the first 100): each cost its connection only. A test may insist on none. */
  get handlerErrors(): readonly unknown[] {
    return this.#world.handlerErrors;
  }

  /** The machine of this name, made at its first mention. Its name is its host name. */
  node(name: string): SimNode {
    let node = this.#nodes.get(name);
    if (node === undefined) {
      if (!/^[a-z0-9][a-z0-9.-]*$/i.test(name)) {
        throw new RangeError(`"${name}" cannot be a host name`);
      }
      node = new SimNode(this.#world, this.network, name);
      this.#nodes.set(name, node);
    }
    return node;
  }

  /** Calls `observer` after each event and all that follows from it; what it throws ends `run`. For invariants. */
  observe(observer: () => void): () => void {
    this.#observers.add(observer);
    return () => {
      this.#observers.delete(observer);
    };
  }

  /** From now on these faults are in force. */
  setFaults(faults: FaultOptions): void {
    this.#world.faults = resolveFaults(faults);
    this.#weather.start();
  }

  /** No faults any more, and the network is whole: what comes after must make progress. */
  calm(): void {
    this.setFaults({});
    this.network.heal();
  }

  /** Virtual time passes for the caller, who is no machine and never paused. */
  sleep(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.#scheduler.schedule({ delayMs, kind: "test.sleep", run: resolve });
    });
  }

  /**
   * Calls `main` and lets virtual time pass until it settles; gives its outcome. What is still scheduled then
   * waits for the next `run`.
   * @throws SimulationDeadlock, SimulationTimeout, and whatever a timer or an observer throws
   */
  async run<Result>(main: () => Promise<Result>): Promise<Result> {
    if (this.#isRunning) {
      throw new Error("this simulation is already running");
    }
    this.#isRunning = true;
    let outcome: { value: Result } | { error: unknown } | undefined;
    let isStarted = false;
    const step = (): boolean => {
      if (!isStarted) {
        isStarted = true;
        main().then(
          (value) => {
            outcome = { value };
          },
          (error: unknown) => {
            outcome = { error };
          },
        );
        return true;
      }
      return this.#step(outcome !== undefined);
    };
    try {
      await drive(step, this.#guard?.hooks);
    } finally {
      this.#isRunning = false;
    }
    this.#guard?.assertNone();
    if (outcome === undefined) {
      throw new SimulationDeadlock(this.#describe("ended without an outcome"));
    }
    const settled: { value: Result } | { error: unknown } = outcome;
    if ("error" in settled) {
      throw settled.error;
    }
    return settled.value;
  }

  #step(isSettled: boolean): boolean {
    for (const observer of this.#observers) {
      observer();
    }
    if (isSettled) {
      return false;
    }
    if (this.#scheduler.isIdle) {
      throw new SimulationDeadlock(
        this.#describe("nothing is scheduled, and the main function waits"),
      );
    }
    if (this.#scheduler.nextAt > this.#maxVirtualMs) {
      throw new SimulationTimeout(this.#describe("virtual time ran out"));
    }
    this.#scheduler.runNext();
    return true;
  }

  #describe(problem: string): string {
    const at = `${this.nowMs.toFixed(3)} ms, event ${this.eventCount}`;
    return `${problem} (seed ${this.seed}, ${at}, trace ${this.traceHash})`;
  }
}

/** A fault-free world with one node, for unit tests of what takes a runtime: files in memory, time that jumps. */
export function createSimRuntime(options: Partial<SimulationOptions> = {}): {
  simulation: Simulation;
  node: SimNode;
  runtime: ReturnType<SimNode["runtime"]>;
} {
  const simulation = new Simulation({ ...options, seed: options.seed ?? 1 });
  const node = simulation.node("node");
  return { simulation, node, runtime: node.runtime() };
}
