// A simulated network with fake brokers and clients on it, for one test: virtual time, one seed, and every
// client closed at the end. Only tests import it.

import type { ClientRuntime, LogFields, Logger } from "@millrace/runtime";
import { silentLogger } from "@millrace/runtime";
import { type FaultOptions, Simulation } from "@millrace/runtime/sim";
import { ClusterClient } from "../cluster-client.js";
import type { ClusterClientOptions } from "../cluster-client-options.js";
import { FakeBroker, type FakeBrokerOptions } from "./fake-broker.js";

export interface LogLine {
  readonly level: string;
  readonly fields: LogFields;
  readonly message: string;
}

export class World {
  readonly simulation: Simulation;
  readonly lines: LogLine[] = [];
  readonly #clients: ClusterClient[] = [];

  constructor(seed: number, faults?: FaultOptions) {
    this.simulation = new Simulation({ seed, faults: faults ?? {}, maxVirtualMs: 3_600_000 });
  }

  broker(name: string, options: FakeBrokerOptions = {}): Promise<FakeBroker> {
    return FakeBroker.start(this.simulation.node(name).runtime(), name, options);
  }

  runtime(changes: Partial<ClientRuntime> = {}): ClientRuntime {
    return { ...this.simulation.node("client").runtime({ logger: this.#logger() }), ...changes };
  }

  client(options: Partial<ClusterClientOptions> = {}): ClusterClient {
    const client = new ClusterClient({
      runtime: this.runtime(),
      bootstrap: "ws://broker:9092",
      ...options,
    });
    this.#clients.push(client);
    return client;
  }

  async closeAll(): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.close()));
  }

  #logger(): Logger {
    const write =
      (level: string) =>
      (fields: LogFields, message: string): void => {
        this.lines.push({ level, fields, message });
      };
    return {
      ...silentLogger,
      debug: write("debug"),
      info: write("info"),
      warn: write("warn"),
      error: write("error"),
      child: () => this.#logger(),
    };
  }
}

/** Runs `body` in a world of its own, in virtual time. */
export function inWorld(
  body: (world: World) => Promise<void>,
  options: { readonly seed?: number; readonly faults?: FaultOptions } = {},
): Promise<void> {
  const world = new World(options.seed ?? 1, options.faults);
  return world.simulation.run(async () => {
    try {
      await body(world);
    } finally {
      await world.closeAll();
    }
  });
}

/** The code of the error that `promise` rejects with; "none" when it resolves. */
export async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return "none";
  } catch (error) {
    return error instanceof Error && "code" in error ? String(error.code) : String(error);
  }
}
