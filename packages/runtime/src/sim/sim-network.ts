// The network of a simulation, as a test sees it: partitions, links, mishaps; and the registry of machines,
// listeners and connections that the processes' ports share.

import { type Address, isReachable, machineOf } from "./address.js";
import { Pipe } from "./pipe.js";
import type { SimConnection } from "./sim-connection.js";
import type { SimListener } from "./sim-listener.js";
import type { SimProcess } from "./sim-process.js";
import { type LinkOptions, Topology } from "./topology.js";
import { countFault, type World } from "./world.js";

/** A machine by its name, or the node itself. */
export type MachineName = string | { readonly name: string };

export interface MachineState {
  /** False after a silent power loss: nothing answers, not even a refusal. */
  readonly isPowered: boolean;
}

interface Link {
  readonly dialer: SimConnection;
  readonly acceptor: SimConnection;
  readonly forth: Pipe;
  readonly back: Pipe;
}

const nameOf = (machine: MachineName): string =>
  typeof machine === "string" ? machine : machine.name;

/** Neither end has anybody left who cares. */
const isForgotten = (link: Link): boolean =>
  [link.dialer, link.acceptor].every((end) => end.isClosed || !end.process.isAlive);

export class SimNetwork {
  /** @internal */
  readonly topology: Topology;
  readonly #world: World;
  readonly #machines = new Map<string, MachineState>();
  readonly #listeners = new Map<string, SimListener>();
  readonly #links = new Set<Link>();
  readonly #silenced = new Map<string, Pipe[]>();
  readonly #nextPorts = new Map<string, number>();

  constructor(world: World) {
    this.#world = world;
    this.topology = new Topology(world);
  }

  /** Connections with at least one open end. */
  get connectionCount(): number {
    return this.#links.size;
  }

  /** Nothing passes between the two any more: both ways, or only from the first to the second. */
  partition(one: MachineName, other: MachineName, options: { oneWay?: boolean } = {}): void {
    const [from, to] = [nameOf(one), nameOf(other)];
    this.topology.block(from, to);
    if (options.oneWay !== true) {
      this.topology.block(to, from);
    }
    countFault(this.#world, options.oneWay === true ? "net.oneWayPartition" : "net.partition");
  }

  /** Separates a machine from all others. */
  isolate(machine: MachineName): void {
    const name = nameOf(machine);
    for (const other of this.#machines.keys()) {
      if (other !== name) {
        this.partition(name, other);
      }
    }
  }

  /** Ends the partition between two machines, or all partitions and black holes. */
  heal(one?: MachineName, other?: MachineName): void {
    if (one === undefined || other === undefined) {
      this.topology.unblockAll();
      for (const link of this.#links) {
        link.forth.heal();
        link.back.heal();
      }
      return;
    }
    this.topology.unblock(nameOf(one), nameOf(other));
    this.topology.unblock(nameOf(other), nameOf(one));
    for (const link of this.#between(nameOf(one), nameOf(other))) {
      link.forth.retry();
      link.back.retry();
    }
  }

  /** Latency and bandwidth from one machine to another (one way); undefined goes back to the fault model. */
  setLink(from: MachineName, to: MachineName, options: LinkOptions | undefined): void {
    this.topology.setLink(nameOf(from), nameOf(to), options);
  }

  /** Breaks all connections between two machines: what is on the way is lost, both ends see 1006. */
  reset(one: MachineName, other: MachineName): void {
    for (const link of this.#between(nameOf(one), nameOf(other))) {
      this.#breakLink(link);
      countFault(this.#world, "net.reset");
    }
  }

  /** The connections open now swallow everything from one machine to the other, until `heal()`; new ones work. */
  blackHole(from: MachineName, to: MachineName): void {
    for (const link of this.#between(nameOf(from), nameOf(to))) {
      const pipe = link.dialer.process.nodeName === nameOf(from) ? link.forth : link.back;
      pipe.swallow();
      countFault(this.#world, "net.blackHole");
    }
  }

  /** @internal */
  addMachine(name: string, state: MachineState): void {
    this.#machines.set(name, state);
  }

  /** @internal The machine, if it is up and known. */
  machine(name: string): MachineState | undefined {
    return this.#machines.get(name);
  }

  /** @internal A port that is free now. */
  freePort(machine: string): number {
    let port = this.#nextPorts.get(machine) ?? 49_152;
    while (this.#listeners.has(`${machine}:${port}`)) {
      port = port === 65_535 ? 49_152 : port + 1;
    }
    this.#nextPorts.set(machine, port === 65_535 ? 49_152 : port + 1);
    return port;
  }

  /** @internal False when the port is taken. */
  addListener(listener: SimListener): boolean {
    const key = `${listener.process.nodeName}:${listener.port}`;
    if (this.#listeners.has(key)) {
      return false;
    }
    this.#listeners.set(key, listener);
    return true;
  }

  /** @internal */
  removeListener(listener: SimListener): void {
    const key = `${listener.process.nodeName}:${listener.port}`;
    if (this.#listeners.get(key) === listener) {
      this.#listeners.delete(key);
    }
  }

  /** @internal Who answers at this address, when asked from `fromMachine`. */
  listenerAt(address: Address, fromMachine: string): SimListener | undefined {
    const machine = machineOf(address.host, fromMachine);
    const listener = this.#listeners.get(`${machine}:${address.port}`);
    if (listener === undefined || !listener.isAccepting) {
      return undefined;
    }
    const way = { host: address.host, machine, fromMachine };
    return isReachable(listener.host, way) ? listener : undefined;
  }

  /** @internal Joins two ends by a pipe each way. */
  connect(dialer: SimConnection, acceptor: SimConnection): Pipe {
    const forth = this.#pipe(dialer, acceptor, () => this.#breakLink(link));
    const back = this.#pipe(acceptor, dialer, () => this.#breakLink(link));
    const link: Link = { dialer, acceptor, forth, back };
    dialer.connect({ out: forth, in: back });
    acceptor.connect({ out: back, in: forth });
    this.#links.add(link);
    const forget = (): void => {
      if (isForgotten(link)) {
        this.#links.delete(link);
      }
    };
    dialer.onClosed(forget);
    acceptor.onClosed(forget);
    return back;
  }

  /** @internal The kernel closes a dead process's sockets; a machine without power says nothing. */
  processDied(process: SimProcess, isSilent: boolean): void {
    for (const [key, listener] of [...this.#listeners]) {
      if (listener.process === process) {
        this.#listeners.delete(key);
      }
    }
    for (const link of [...this.#links]) {
      for (const [end, out] of [
        [link.dialer, link.forth],
        [link.acceptor, link.back],
      ] as const) {
        if (end.process === process) {
          const losesTravelling = isSilent || this.topology.prng.chance(0.5);
          out.cut({ losesTravelling, isSilent });
          if (isSilent) {
            this.#silenced.set(process.nodeName, [
              ...(this.#silenced.get(process.nodeName) ?? []),
              out,
            ]);
          }
        }
      }
      if (isForgotten(link)) {
        this.#links.delete(link);
      }
    }
  }

  /** @internal The machine is up again: what its peers still believe to be open gets reset. */
  machineReturned(name: string): void {
    const pipes = this.#silenced.get(name) ?? [];
    this.#silenced.delete(name);
    for (const pipe of pipes) {
      pipe.resetAfterSilence();
    }
  }

  #pipe(from: SimConnection, to: SimConnection, onMishap: () => void): Pipe {
    return new Pipe(this.#world, this.topology, {
      fromMachine: from.process.nodeName,
      toMachine: to.process.nodeName,
      sender: from.process,
      receiver: () => to.process,
      onArrival: (segment) => to.onArrival(segment),
      onLeft: () => from.onLeft(),
      onMishap,
    });
  }

  #breakLink(link: Link): void {
    link.dialer.break("connection reset");
    link.acceptor.break("connection reset");
  }

  #between(one: string, other: string): Link[] {
    return [...this.#links].filter((link) => {
      const ends = [link.dialer.process.nodeName, link.acceptor.process.nodeName];
      return ends[0] === one ? ends[1] === other : ends[0] === other && ends[1] === one;
    });
  }
}
