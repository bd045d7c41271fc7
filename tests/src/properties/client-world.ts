// A broker and clients on machines of their own in one simulated world, with the hazards a plan asks for. What the
// clients do there is each property's business.

import { Admin } from "@millrace/client-admin";
import type { ClusterClientOptions } from "@millrace/client-core";
import type { ServerRuntime } from "@millrace/runtime";
import {
  type SimNode,
  Simulation,
  SimulationDeadlock,
  SimulationTimeout,
} from "@millrace/runtime/sim";
import { BrokerHost, type BrokerHostOptions, brokerPort } from "../sim/broker-host.js";

export const topic = "events";

/** Something that happens to the broker, or between it and one client. */
export interface Hazard {
  readonly kind: "reset" | "kill" | "power loss" | "partition" | "black hole" | "pause";
  readonly atMs: number;
  readonly durationMs: number;
  /** Which client's connections; ignored by what happens to the broker. */
  readonly client: number;
}

/** What goes wrong by itself, all the time, until the world is calm. */
export interface Storm {
  readonly hazards: readonly Hazard[];
  readonly maxLatencyMs: number;
  readonly resetRate: number;
  readonly spikeRate: number;
}

export interface WorldOptions extends Pick<BrokerHostOptions, "decorate"> {
  readonly seed: number;
  readonly partitions?: number | undefined;
  readonly brokerConfig?: Readonly<Record<string, string>> | undefined;
}

/** Virtual time in which everything must have come to an end. */
const MAX_VIRTUAL_MS = 60 * 60_000;
/** Longer than anything on the way needs, once the weather is calm. */
const SETTLE_MS = 5_000;

export class ClientWorld {
  readonly simulation: Simulation;
  readonly bootstrap = `ws://broker:${brokerPort}`;
  readonly #machine: SimNode;
  readonly #clients: SimNode[] = [];
  readonly #host: BrokerHost;
  readonly #partitions: number;
  #stormEndsAtMs = 0;
  /** Lines of the trace, once the broker is gone for good. */
  #afterwards: string[] | undefined;

  constructor(options: WorldOptions) {
    this.simulation = new Simulation({
      seed: options.seed,
      maxVirtualMs: MAX_VIRTUAL_MS,
      log: (line) => this.#afterwards?.push(line.trim()),
    });
    this.#machine = this.simulation.node("broker");
    this.#partitions = options.partitions ?? 1;
    this.#host = new BrokerHost({
      simulation: this.simulation,
      machine: this.#machine,
      decorate: options.decorate,
      topicDefaults: options.brokerConfig ?? {},
    });
  }

  /** Starts the broker, creates the topic, and lets `body` live in this world. */
  async run<Result>(body: () => Promise<Result>): Promise<Result> {
    return await this.simulation.run(async () => {
      this.#host.start();
      const admin = new Admin(this.connect("operator"));
      await admin.createTopic(topic, { partitions: this.#partitions });
      await admin.close();
      return await body();
    });
  }

  /** What a client on this machine is made with. */
  connect(machine: string): ClusterClientOptions & { readonly runtime: ServerRuntime } {
    let node = this.#clients.find(({ name }) => name === machine);
    if (node === undefined) {
      node = this.simulation.node(machine);
      this.#clients.push(node);
    }
    return { runtime: node.runtime(), bootstrap: this.bootstrap };
  }

  /** From now on the weather is bad, and each hazard comes at its time. */
  unleash(storm: Storm): void {
    const { maxLatencyMs, resetRate, spikeRate } = storm;
    this.simulation.setFaults({
      network: { maxLatencyMs, resetRate, spikeRate, maxSpikeMs: 300 },
      disk: { maxLatencyMs, stallRate: spikeRate, maxStallMs: 300 },
    });
    for (const hazard of storm.hazards) {
      const endsAtMs = this.simulation.nowMs + hazard.atMs + hazard.durationMs;
      this.#stormEndsAtMs = Math.max(this.#stormEndsAtMs, endsAtMs);
      void this.simulation.sleep(hazard.atMs).then(() => this.#strike(hazard));
    }
  }

  /** Waits for the last hazard; from then on no faults, a whole network, a broker that serves. */
  async calm(): Promise<void> {
    await this.simulation.sleep(Math.max(0, this.#stormEndsAtMs - this.simulation.nowMs));
    this.simulation.calm();
  }

  /** Waits until nothing can be on its way any more. */
  async settle(): Promise<void> {
    await this.simulation.sleep(SETTLE_MS);
  }

  /** Where each partition ends. */
  async ends(): Promise<number[]> {
    const admin = new Admin(this.connect("operator"));
    const offsets = await admin.listOffsets(topic, "latest");
    await admin.close();
    return offsets.map(({ offset }) => offset ?? 0);
  }

  /**
   * Ends the broker's process and lets time pass until nothing is scheduled, or the hour is over. Returns what
   * happened: what clients left behind, a timer or a connection that is tried again. To be called after `run`.
   */
  async leftBehind(): Promise<string[]> {
    this.simulation.calm();
    this.#machine.crash();
    this.#afterwards = [];
    try {
      await this.simulation.run(() => new Promise<never>(() => {}));
    } catch (error) {
      if (!(error instanceof SimulationDeadlock || error instanceof SimulationTimeout)) {
        throw error;
      }
    }
    // The simulated sockets look once more whether their close was answered, as real ones do.
    return this.#afterwards.filter((line) => !line.includes("net.closeTimeout"));
  }

  #strike(hazard: Hazard): void {
    const { network } = this.simulation;
    const client = this.#clients[hazard.client % this.#clients.length];
    if (client === undefined) {
      return;
    }
    const heal = (): void => network.heal(client, this.#machine);
    switch (hazard.kind) {
      case "reset":
        network.reset(client, this.#machine);
        break;
      case "partition":
        network.partition(client, this.#machine);
        void this.simulation.sleep(hazard.durationMs).then(heal);
        break;
      case "black hole":
        network.blackHole(this.#machine, client);
        break;
      case "pause":
        this.#machine.pause(hazard.durationMs);
        break;
      case "kill":
      case "power loss":
        this.#host.crash({ powerLoss: hazard.kind === "power loss" }, hazard.durationMs);
        break;
    }
  }
}
