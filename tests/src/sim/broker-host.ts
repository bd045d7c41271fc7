// Keeps a broker alive on a simulated machine, as an init system would: starts it, starts it again when it
// stopped by itself or was killed. Nothing here waits for a dead process: its promises stay pending for ever.

import { parseBrokerConfig } from "@millrace/broker";
import type { ServerRuntime } from "@millrace/runtime";
import type { CrashOptions, SimNode, Simulation } from "@millrace/runtime/sim";
import { type Node, startNode } from "@millrace/server";
import type { StorageConfig } from "@millrace/storage";
import { type PlantedBug, plant, plantedProducerState } from "./planted-bugs.js";

export const brokerPort = 9092;

export interface BrokerHostOptions {
  readonly simulation: Simulation;
  readonly machine: SimNode;
  readonly bug?: PlantedBug | undefined;
  readonly topicDefaults: Readonly<Record<string, string>>;
  readonly storage?: Partial<StorageConfig> | undefined;
  /** Stands between each new process and its runtime: to count, or to spoil something. */
  readonly decorate?: ((runtime: ServerRuntime) => ServerRuntime) | undefined;
}

export class BrokerHost {
  /** How often a broker stopped because of a fault of its disk. */
  failures = 0;
  /** Starts that ended with an error; the last one's text. */
  failedStarts = 0;
  lastProblem = "";
  readonly #options: BrokerHostOptions;
  #life = 0;
  #node: Node | undefined;

  constructor(options: BrokerHostOptions) {
    this.#options = options;
  }

  get isServing(): boolean {
    return this.#node !== undefined;
  }

  start(): void {
    const life = ++this.#life;
    const { machine, bug, decorate = (runtime) => runtime } = this.#options;
    const runtime: ServerRuntime = decorate(plant(machine.runtime(), bug));
    startNode({
      runtime,
      config: {
        dataDirectory: "/data",
        host: this.#options.machine.name,
        port: brokerPort,
        nodeId: 1,
        broker: parseBrokerConfig(this.#options.topicDefaults),
        softwareVersion: "simulated",
        storage: this.#options.storage ?? {},
      },
      createProducerState: plantedProducerState(this.#options.bug),
    }).then(
      (node) => {
        if (life !== this.#life) {
          return;
        }
        this.#node = node;
        void node.failed.then((error) => this.#ended(life, "failed", error));
      },
      (error: unknown) => this.#ended(life, "failedStart", error),
    );
  }

  /** Ends the process or the machine, now; it is started again after `downMs`. */
  crash(options: CrashOptions, downMs: number): void {
    this.#options.machine.crash(options);
    this.#down(downMs);
  }

  #ended(life: number, how: "failed" | "failedStart", error: unknown): void {
    if (life !== this.#life) {
      return;
    }
    this.lastProblem = String(error);
    if (how === "failed") {
      this.failures++;
    } else {
      this.failedStarts++;
    }
    // The program ends; its page cache stays.
    this.#options.machine.crash({});
    this.#down(500);
  }

  #down(downMs: number): void {
    const life = ++this.#life;
    this.#node = undefined;
    void this.#options.simulation.sleep(downMs).then(() => {
      if (life === this.#life) {
        this.start();
      }
    });
  }
}
