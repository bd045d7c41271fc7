// One seed of the broker suite: a broker, producers and readers in one simulated world, crashes and faults for a
// minute of virtual time, then calm weather, and the comparison of what was promised with what can be read.

import { Admin } from "@millrace/client-admin";
import {
  type CrashOptions,
  type FaultOptions,
  type SimNode,
  Simulation,
  swarmFaults,
} from "@millrace/runtime/sim";
import type { StorageConfig } from "@millrace/storage";
import { Ledger, type Verdict } from "../crash/ledger.js";
import { BrokerHost, brokerPort } from "./broker-host.js";
import type { PlantedBug } from "./planted-bugs.js";
import type { SeedOptions, SeedResult } from "./suite.js";
import { readAll, SimFollower, SimProducer, topic, type WorkloadOptions } from "./workload.js";

/** A seed counts only with at least so much in it. */
export const countsFrom = { virtualMs: 60_000, acknowledged: 1_000, faults: 1 } as const;

interface Hazards {
  readonly crashEveryMs: number;
  readonly powerLossShare: number;
  readonly diskFullEveryMs: number;
  readonly faults: FaultOptions;
  readonly workload: Omit<WorkloadOptions, "bootstrap">;
  readonly topicDefaults: Readonly<Record<string, string>>;
  readonly storage: Partial<StorageConfig>;
}

const STORM_MS = 60_000;
/** After the storm everything must be answered and read within this time. */
const CALM_MS = 20 * 60_000;

/** Each seed has its own mixture: swarm testing. */
function drawHazards(simulation: Simulation): Hazards {
  const { random } = simulation;
  const between = (low: number, high: number): number => low + random.float() * (high - low);
  const maybe = (chance: number, low: number, high: number): number => {
    const isEnabled = random.float() < chance;
    const strength = between(low, high);
    return isEnabled ? strength : 0;
  };
  const swarm = swarmFaults(simulation.seed);
  return {
    crashEveryMs: between(1_500, 15_000),
    powerLossShare: random.float(),
    diskFullEveryMs: maybe(0.3, 5_000, 20_000),
    faults: {
      ...swarm,
      disk: {
        ...swarm.disk,
        maxStallMs: Math.min(swarm.disk.maxStallMs, 5_000),
        syncErrorRate: maybe(0.4, 0.0002, 0.004),
      },
      network: {
        ...swarm.network,
        maxPartitionMs: Math.min(swarm.network.maxPartitionMs, 6_000),
      },
      node: { ...swarm.node, maxPauseMs: Math.min(swarm.node.maxPauseMs, 4_000) },
    },
    workload: {
      partitions: 1 + random.below(4),
      burstEveryMs: between(20, 120),
      burstMax: 1 + random.below(12),
      lingerMs: random.below(2) * random.below(20),
      valueBytesMax: 1 + random.below(random.float() < 0.4 ? 6_000 : 300),
    },
    topicDefaults: {
      "log.segment.bytes": String(16_384 + random.below(200_000)),
    },
    // With one sync at a time two logs are a crowd: they share the journal, whose files take turns often.
    storage: random.below(2) === 0 ? { syncsAtOnceMax: 1, journalBytes: 40_000 } : {},
  };
}

export async function runBrokerSeed(options: SeedOptions<PlantedBug>): Promise<SeedResult> {
  const simulation = new Simulation({
    seed: options.seed,
    maxVirtualMs: STORM_MS + CALM_MS,
    ...(options.log === undefined ? {} : { log: options.log }),
  });
  const world = new World(simulation, drawHazards(simulation), options.bug);
  let problem: string | undefined;
  try {
    problem = await simulation.run(() => world.run());
  } catch (error) {
    problem = `${error instanceof Error ? error.message : String(error)}; ${world.describe()}`;
  }
  const faults = new Map([...simulation.faultCounts].sort(([a], [b]) => (a < b ? -1 : 1)));
  const faultCount = [...faults.values()].reduce((sum, count) => sum + count, 0);
  const { acknowledged, read } = world.ledger.verdict();
  return {
    seed: options.seed,
    problem,
    counts:
      simulation.nowMs >= countsFrom.virtualMs &&
      acknowledged >= countsFrom.acknowledged &&
      faultCount >= countsFrom.faults,
    virtualMs: simulation.nowMs,
    eventCount: simulation.eventCount,
    traceHash: simulation.traceHash,
    faults,
    acknowledged,
    read,
  };
}

class World {
  readonly ledger = new Ledger();
  readonly #simulation: Simulation;
  readonly #hazards: Hazards;
  readonly #machine: SimNode;
  readonly #host: BrokerHost;
  readonly #bootstrap = `ws://broker:${brokerPort}`;
  readonly #followerLedger = new Ledger();
  #isStormy = true;
  #phase = "starting";

  constructor(simulation: Simulation, hazards: Hazards, bug: PlantedBug | undefined) {
    this.#simulation = simulation;
    this.#hazards = hazards;
    this.#machine = simulation.node("broker");
    this.#host = new BrokerHost({
      simulation,
      machine: this.#machine,
      bug,
      topicDefaults: hazards.topicDefaults,
      // What is looked at when it was given back already is no batch any more.
      storage: { ...hazards.storage, spoilsFreeMemory: true },
    });
  }

  describe(): string {
    const { lost, duplicated, outOfOrder } = this.ledger.verdict();
    const read =
      this.#phase === "waiting for the follower"
        ? `; ${lost} lost, ${duplicated} duplicated, ${outOfOrder} out of order`
        : "";
    return `${this.#phase}${read}; the broker ${this.#host.isServing ? "serves" : "is down"}, ${this.#host.failedStarts} failed starts, ${this.#host.failures} stops by itself; last: ${this.#host.lastProblem}`;
  }

  /** What is wrong, in words; undefined when all is well. */
  async run(): Promise<string | undefined> {
    const simulation = this.#simulation;
    const clientRuntime = simulation.node("client").runtime();
    this.#host.start();
    const admin = new Admin({ runtime: clientRuntime, bootstrap: this.#bootstrap });
    await admin.createTopic(topic, { partitions: this.#hazards.workload.partitions });

    this.#phase = "stormy";
    simulation.setFaults(this.#hazards.faults);
    const workload = { ...this.#hazards.workload, bootstrap: this.#bootstrap };
    const both = {
      sent: (partition: number, producer: string, number: number): void => {
        this.ledger.sent(partition, producer, number);
        this.#followerLedger.sent(partition, producer, number);
      },
      acknowledge: (partition: number, offset: number, producer: string, number: number): void => {
        this.ledger.acknowledge(partition, offset, producer, number);
        this.#followerLedger.acknowledge(partition, offset, producer, number);
      },
    };
    const producers = ["a", "b"].map(
      (name) =>
        new SimProducer(simulation, clientRuntime, { name, ledger: both, options: workload }),
    );
    const follower = new SimFollower(simulation.node("reader").runtime(), {
      bootstrap: this.#bootstrap,
      ledger: this.#followerLedger,
    });
    const storms = [this.#crashes(), this.#fullDisks()];
    await simulation.sleep(STORM_MS);
    this.#isStormy = false;
    await Promise.all(storms);

    this.#phase = "calm again";
    simulation.calm();
    this.#machine.disk.setCapacity(2 ** 40);
    this.#phase = "waiting for the producers";
    await Promise.all(producers.map((producer) => producer.stop()));
    this.#phase = "reading everything";
    const ends = await this.#ends(admin);
    await readAll({
      simulation,
      runtime: clientRuntime,
      bootstrap: this.#bootstrap,
      ledger: this.ledger,
      ends,
    });
    const verdict = problemOf("a reader from the start", this.ledger.verdict());
    if (verdict !== undefined) {
      return verdict;
    }
    this.#phase = "waiting for the follower";
    await this.#followerAt(follower, ends);
    await follower.stop();
    await admin.close();
    return follower.error === undefined
      ? problemOf("the follower", this.#followerLedger.verdict())
      : `the follower ended: ${String(follower.error)}`;
  }

  async #ends(admin: Admin): Promise<number[]> {
    const offsets = await admin.listOffsets(topic, "latest");
    return offsets.map((entry) => entry.offset ?? 0);
  }

  async #followerAt(follower: SimFollower, ends: readonly number[]): Promise<void> {
    const isThere = (): boolean =>
      ends.every((end, partition) => this.#followerLedger.nextOffset(partition) >= end);
    while (!isThere() && follower.error === undefined) {
      await this.#simulation.sleep(100);
    }
  }

  async #crashes(): Promise<void> {
    const { random } = this.#simulation;
    while (this.#isStormy) {
      await this.#simulation.sleep(random.float() * 2 * this.#hazards.crashEveryMs);
      if (this.#isStormy) {
        const powerLoss = random.float() < this.#hazards.powerLossShare;
        const isSilent = powerLoss && random.float() < 0.3;
        await this.#crash({ powerLoss, isSilent }, random.float() * 2_000);
      }
    }
  }

  /** Half of the crashes come right before a log is synced, when most is at stake. */
  async #crash(options: CrashOptions, downMs: number): Promise<void> {
    let isDone = this.#simulation.random.float() < 0.5;
    if (isDone) {
      this.#host.crash(options, downMs);
      return;
    }
    const stop = this.#machine.disk.onOperation((operation) => {
      if (!isDone && operation.kind === "sync" && operation.path.endsWith(".log")) {
        isDone = true;
        this.#host.crash(options, downMs);
      }
    });
    for (let waited = 0; !isDone && waited < 100; waited++) {
      await this.#simulation.sleep(10);
    }
    stop();
  }

  async #fullDisks(): Promise<void> {
    const { random } = this.#simulation;
    while (this.#isStormy && this.#hazards.diskFullEveryMs > 0) {
      await this.#simulation.sleep(random.float() * 2 * this.#hazards.diskFullEveryMs);
      this.#machine.disk.setCapacity(this.#machine.disk.usedBytes + random.below(4_000));
      await this.#simulation.sleep(random.float() * 3_000);
      this.#machine.disk.setCapacity(2 ** 40);
    }
  }
}

function problemOf(who: string, verdict: Verdict): string | undefined {
  const { lost, duplicated, outOfOrder } = verdict;
  if (lost + duplicated + outOfOrder === 0) {
    return undefined;
  }
  return `${who}: ${lost} lost, ${duplicated} duplicated, ${outOfOrder} out of order\n    ${verdict.problems.slice(0, 5).join("\n    ")}`;
}
