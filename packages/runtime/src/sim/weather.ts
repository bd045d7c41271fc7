// The faults that come by themselves and need nobody's help: partitions, pauses, clock jumps. Each is a
// background event that plants the next; `calm` stops them.

import type { Prng } from "./prng.js";
import type { SimNetwork } from "./sim-network.js";
import type { SimNode } from "./sim-node.js";
import type { World } from "./world.js";

export class Weather {
  readonly #world: World;
  readonly #network: SimNetwork;
  readonly #nodes: ReadonlyMap<string, SimNode>;
  readonly #prng: Prng;

  constructor(world: World, network: SimNetwork, nodes: ReadonlyMap<string, SimNode>) {
    this.#world = world;
    this.#network = network;
    this.#nodes = nodes;
    this.#prng = world.prng.fork("weather");
  }

  start(): void {
    const { faults } = this.#world;
    this.#repeat("weather.partition", faults.network.partitionEveryMs, () => this.#partition());
    this.#repeat("weather.pause", faults.node.pauseEveryMs, () => this.#pause());
    this.#repeat("weather.jump", faults.node.clockJumpEveryMs, () => this.#jump());
  }

  #repeat(kind: string, everyMs: number, act: () => void): void {
    if (everyMs <= 0) {
      return;
    }
    const { faults } = this.#world;
    this.#world.scheduler.schedule({
      // Exponential gaps: events without memory.
      delayMs: -Math.log(1 - this.#prng.float()) * everyMs,
      kind,
      isBackground: true,
      run: () => {
        // Another fault model has come into force: this chain ends.
        if (this.#world.faults === faults) {
          act();
          this.#repeat(kind, everyMs, act);
        }
      },
    });
  }

  #node(): SimNode | undefined {
    const nodes = [...this.#nodes.values()];
    return nodes.length === 0 ? undefined : nodes[this.#prng.below(nodes.length)];
  }

  #partition(): void {
    const [one, other] = [this.#node(), this.#node()];
    if (one === undefined || other === undefined || one === other) {
      return;
    }
    this.#network.partition(one, other, { oneWay: this.#prng.chance(0.3) });
    this.#world.scheduler.schedule({
      delayMs: this.#prng.between(0, this.#world.faults.network.maxPartitionMs),
      kind: "weather.heal",
      label: `${one.name} ${other.name}`,
      run: () => this.#network.heal(one, other),
    });
  }

  #pause(): void {
    this.#node()?.pause(this.#prng.between(0, this.#world.faults.node.maxPauseMs));
  }

  #jump(): void {
    const maxMs = this.#world.faults.node.maxClockJumpMs;
    this.#node()?.jumpClock(Math.round(this.#prng.between(-maxMs, maxMs)));
  }
}
