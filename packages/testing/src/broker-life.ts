// One life of a test broker, from its start to its stop or its violent end: the node, and the network and file
// system it stands on. A restart begins another one over the same files.

import type { ServerRuntime } from "@millrace/runtime";
import { type Node, type NodeConfig, startNode } from "@millrace/server";
import type { BrokerFiles } from "./broker-files.js";
import type { Faults } from "./faults.js";
import { FaultyFileSystem } from "./faulty-file-system.js";
import { FaultyNetwork } from "./faulty-network.js";

export interface LifeOptions {
  readonly runtime: ServerRuntime;
  readonly files: BrokerFiles;
  readonly faults: Faults;
  readonly config: NodeConfig;
}

export class BrokerLife {
  readonly node: Node;
  readonly network: FaultyNetwork;
  readonly #fileSystem: FaultyFileSystem;
  #hasEnded = false;

  private constructor(node: Node, network: FaultyNetwork, fileSystem: FaultyFileSystem) {
    this.node = node;
    this.network = network;
    this.#fileSystem = fileSystem;
    void node.failed.then(() => {
      this.#hasEnded = true;
    });
  }

  /** @throws what `startNode` throws */
  static async begin(options: LifeOptions): Promise<BrokerLife> {
    const { runtime, files, faults, config } = options;
    const network = new FaultyNetwork({ inner: runtime.network, faults, clock: runtime.clock });
    const fileSystem = new FaultyFileSystem(files.fileSystem, faults);
    const node = await startNode({ runtime: { ...runtime, network, fileSystem }, config });
    return new BrokerLife(node, network, fileSystem);
  }

  /** False once it was stopped or killed, or stopped by itself because its disk failed. */
  get isServing(): boolean {
    return !this.#hasEnded;
  }

  /** Answers what is in flight and syncs everything. */
  async stop(): Promise<void> {
    this.#hasEnded = true;
    await this.node.stop();
    await this.#fileSystem.cut();
  }

  /** Like `kill -9`: what was written stays, nothing more is written or answered. */
  async kill(): Promise<void> {
    this.#hasEnded = true;
    const isCut = this.#fileSystem.cut();
    await this.network.cut();
    await isCut;
    // Only frees what the dead node holds in this process: it can neither write nor answer any more.
    await this.node.stop();
  }
}
