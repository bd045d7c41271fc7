// A listening port of one process: decides about upgrades, counts its connections, closes them.

import { type HttpRequest, type Listener, type ListenOptions, refusalOf } from "../network.js";
import type { SimConnection } from "./sim-connection.js";
import type { SimProcess } from "./sim-process.js";
import { noteHandlerError, type World } from "./world.js";

export interface Refusal {
  readonly status: number;
  readonly reason: string;
}

export class SimListener implements Listener {
  readonly host: string;
  readonly port: number;
  readonly process: SimProcess;
  readonly options: ListenOptions;
  readonly #world: World;
  readonly #connections = new Set<SimConnection>();
  readonly #onStop: (listener: SimListener) => void;
  readonly #emptyWaiters: (() => void)[] = [];
  #isAccepting = true;

  constructor(context: {
    world: World;
    process: SimProcess;
    options: ListenOptions;
    port: number;
    onStop: (listener: SimListener) => void;
  }) {
    this.host = context.options.host;
    this.port = context.port;
    this.process = context.process;
    this.options = context.options;
    this.#world = context.world;
    this.#onStop = context.onStop;
  }

  get connectionCount(): number {
    return this.#connections.size;
  }

  get isAccepting(): boolean {
    return this.#isAccepting && this.process.isAlive;
  }

  /** Why this upgrade is refused; undefined when it is welcome. */
  refusal(request: HttpRequest): Refusal | undefined {
    if (this.#connections.size >= this.options.limits.maxConnections) {
      this.violation(request.remoteAddress, "too many connections");
      return { status: 503, reason: "too many connections" };
    }
    try {
      const verdict = this.options.allowUpgrade(request);
      return verdict === true ? undefined : refusalOf(verdict);
    } catch (error) {
      noteHandlerError(this.#world, error);
      return { status: 500, reason: "deciding about the upgrade failed" };
    }
  }

  accept(connection: SimConnection): void {
    this.#connections.add(connection);
    connection.onClosed(() => {
      this.#connections.delete(connection);
      if (this.#connections.size === 0) {
        for (const wake of this.#emptyWaiters.splice(0)) {
          wake();
        }
      }
    });
    connection.open((opened) => this.options.onConnection(opened));
  }

  violation(remoteAddress: string, reason: string): void {
    this.options.onViolation?.({ remoteAddress, reason });
  }

  stopAccepting(): Promise<void> {
    if (this.#isAccepting) {
      this.#isAccepting = false;
      this.#onStop(this);
    }
    return Promise.resolve();
  }

  async close(graceMs = 1000): Promise<void> {
    await this.stopAccepting();
    for (const connection of [...this.#connections]) {
      connection.close(1001, "going away");
    }
    if (this.#connections.size > 0) {
      await new Promise<void>((resolve) => {
        this.#emptyWaiters.push(resolve);
        this.#world.scheduler.schedule({
          delayMs: graceMs,
          kind: "net.grace",
          owner: this.process,
          run: () => {
            for (const connection of [...this.#connections]) {
              connection.terminate();
            }
          },
        });
      });
    }
  }
}
