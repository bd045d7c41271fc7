// A simulated machine: its disk and its clocks, which stay, and the process on it, which comes and goes.

import { silentDiagnostics } from "../diagnostics.js";
import { type Logger, silentLogger } from "../logger.js";
import type { HttpResponse } from "../network.js";
import type { ServerRuntime } from "../runtime.js";
import type { PowerLossModel } from "./file-inode.js";
import { NetworkPort } from "./network-port.js";
import { MachineClock, SimClock } from "./sim-clock.js";
import { SimCompute } from "./sim-compute.js";
import { SimDisk } from "./sim-disk.js";
import { SimFileSystem } from "./sim-file-system.js";
import type { SimNetwork } from "./sim-network.js";
import { SimProcess } from "./sim-process.js";
import { countFault, type World } from "./world.js";

export interface CrashOptions {
  /**
   * False (default): the process is killed; the page cache survives. True: the power goes; unsynced bytes and
   * names are lost, kept or torn.
   */
  readonly powerLoss?: boolean;
  /** What the power loss leaves of unsynced work; default: the seed decides, for each file. */
  readonly model?: PowerLossModel;
  /**
   * Peers hear nothing (a machine without power resets no connections) until the node is started again.
   * Default false: they see a reset.
   */
  readonly isSilent?: boolean;
}

export interface SimRuntimeOptions {
  readonly logger?: Logger;
  /** What dials send as `Origin`: this process plays a browser. */
  readonly origin?: string;
}

export class SimNode {
  /** Also its host name. */
  readonly name: string;
  readonly disk: SimDisk;
  readonly clock: MachineClock;
  readonly #world: World;
  readonly #network: SimNetwork;
  #process: SimProcess | undefined;
  #incarnation = 0;
  #isPowered = true;

  constructor(world: World, network: SimNetwork, name: string) {
    this.name = name;
    this.#world = world;
    this.#network = network;
    const prng = world.prng.fork(`clock:${name}`);
    const { maxClockDrift, maxClockOffsetMs } = world.faults.node;
    this.clock = new MachineClock(world, {
      drift: prng.between(-1, 1) * maxClockDrift,
      wallOffsetMs: Math.round(prng.between(-1, 1) * maxClockOffsetMs),
    });
    this.disk = new SimDisk(world, { nodeName: name, isInUse: () => this.isRunning });
    const isPowered = (): boolean => this.#isPowered;
    network.addMachine(name, {
      get isPowered() {
        return isPowered();
      },
    });
  }

  /** Whether a process lives on it. */
  get isRunning(): boolean {
    return this.#process?.isAlive === true;
  }

  /** How many processes it has had. */
  get incarnation(): number {
    return this.#incarnation;
  }

  /**
   * The runtime of the process that lives now; after a crash, of a new one. Everything made with an older
   * runtime is dead for ever: its timers never fire, its promises stay pending.
   */
  runtime(options: SimRuntimeOptions = {}): ServerRuntime {
    const world = this.#world;
    const process = this.#start();
    const context = { world, disk: this.disk, process, clock: this.clock };
    const network = this.#network;
    return {
      clock: new SimClock(world, this.clock, process),
      random: process.random,
      network: new NetworkPort({ world, network, process, origin: options.origin }),
      fileSystem: new SimFileSystem(context),
      compute: new SimCompute(),
      logger: options.logger ?? silentLogger,
      diagnostics: silentDiagnostics,
    };
  }

  /** Ends the process, at once, wherever it is. Does nothing when none lives, except that power may go. */
  crash(options: CrashOptions = {}): void {
    const losesPower = options.powerLoss === true;
    const process = this.#process;
    countFault(this.#world, losesPower ? "node.powerLoss" : "node.kill");
    this.#process = undefined;
    this.#isPowered = options.isSilent !== true;
    if (process !== undefined) {
      process.die();
      this.#network.processDied(process, options.isSilent === true);
    }
    this.disk.crash({ losesPower, model: options.model });
  }

  /**
   * Crashes it at its disk's mutation number `index` (see `disk.operationCount`), which may be done in part or
   * not at all. Returns the way to call that off.
   */
  crashAtOperation(index: number, options: CrashOptions = {}): () => void {
    const stop = this.disk.onOperation((operation) => {
      if (operation.index === index) {
        stop();
        this.crash(options);
      }
    });
    return stop;
  }

  /** Freezes the process: nothing of it runs for so long, then all that came due, in a burst. */
  pause(durationMs: number): void {
    if (this.#process?.isAlive === true) {
      countFault(this.#world, "node.pause");
      this.#process.pause(durationMs);
    }
  }

  /** The wall clock jumps; monotonic time and timers do not. */
  jumpClock(deltaMs: number): void {
    countFault(this.#world, "node.clockJump");
    this.clock.jump(deltaMs);
  }

  /** A plain HTTP request from this machine: `ws://`, `http://` or `https://`. @throws DialError */
  request(
    url: string,
    options: { method?: string; headers?: Readonly<Record<string, string>> } = {},
  ): Promise<HttpResponse> {
    const context = { world: this.#world, network: this.#network, process: this.#start() };
    return new NetworkPort(context).request(url, options);
  }

  #start(): SimProcess {
    if (this.#process?.isAlive !== true) {
      this.#incarnation++;
      this.#process = new SimProcess(this.#world, this.name, this.#incarnation);
      this.#isPowered = true;
      this.#network.machineReturned(this.name);
    }
    return this.#process;
  }
}
