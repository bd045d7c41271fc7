// Which machine reaches which, and how fast: partitions, links, and the chance mishaps of the fault model.
// Knows machines by name; knows nothing of connections.

import type { Prng } from "./prng.js";
import { countFault, type World } from "./world.js";

/** What differs from the fault model on the way from one machine to another. */
export interface LinkOptions {
  readonly minLatencyMs?: number;
  readonly maxLatencyMs?: number;
  /** Bytes per millisecond; unbounded when absent. */
  readonly bytesPerMs?: number;
}

const way = (from: string, to: string): string => `${from}>${to}`;

export class Topology {
  readonly prng: Prng;
  readonly #world: World;
  readonly #blocked = new Set<string>();
  readonly #links = new Map<string, LinkOptions>();

  constructor(world: World) {
    this.#world = world;
    this.prng = world.prng.fork("network");
  }

  isBlocked(from: string, to: string): boolean {
    return this.#blocked.size > 0 && this.#blocked.has(way(from, to));
  }

  block(from: string, to: string): void {
    this.#blocked.add(way(from, to));
  }

  unblock(from: string, to: string): void {
    this.#blocked.delete(way(from, to));
  }

  unblockAll(): void {
    this.#blocked.clear();
  }

  setLink(from: string, to: string, options: LinkOptions | undefined): void {
    if (options === undefined) {
      this.#links.delete(way(from, to));
    } else {
      this.#links.set(way(from, to), options);
    }
  }

  bytesPerMs(from: string, to: string): number {
    return this.#links.get(way(from, to))?.bytesPerMs ?? Number.POSITIVE_INFINITY;
  }

  drawLatencyMs(from: string, to: string): number {
    const faults = this.#world.faults.network;
    const link = this.#links.get(way(from, to));
    const low = link?.minLatencyMs ?? faults.minLatencyMs;
    const high = Math.max(low, link?.maxLatencyMs ?? faults.maxLatencyMs);
    const latencyMs = this.prng.between(low, high) * (from === to ? 0.1 : 1);
    if (this.prng.chance(faults.spikeRate)) {
      countFault(this.#world, "net.spike");
      return latencyMs + this.prng.between(0, faults.maxSpikeMs);
    }
    return latencyMs;
  }

  /** How long TCP waits before it tries again, once the way is free. */
  drawRetransmitMs(): number {
    return this.prng.between(1, 200);
  }
}
