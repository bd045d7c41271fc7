// What a test of bad input needs around it: a broker process with a directory of its own, a witness, and the
// certainty that processes, mounts and files are gone at the end, however the test went.

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  BrokerProcess,
  type BrokerProcessOptions,
  type Exit,
  runBroker,
} from "../process/broker-process.js";
import { RawClient } from "./raw-client.js";
import { Witness } from "./witness.js";

type Cleanup = () => unknown;

export class Scene {
  readonly directory: string;
  readonly #cleanups: Cleanup[] = [];

  constructor() {
    this.directory = mkdtempSync(join(tmpdir(), "millrace-bad-input-"));
    this.defer(() => rmSync(this.directory, { recursive: true, force: true }));
  }

  /** Runs at the end, in reverse order. */
  defer(cleanup: Cleanup): void {
    this.#cleanups.push(cleanup);
  }

  /** A new directory inside the scene's. */
  folder(name: string): string {
    const path = join(this.directory, name);
    mkdirSync(path, { recursive: true });
    return path;
  }

  async broker(options: Partial<BrokerProcessOptions> = {}): Promise<BrokerProcess> {
    const broker = await BrokerProcess.start({
      dataDirectory: join(this.directory, "data"),
      ...options,
    });
    this.defer(() => broker.kill());
    return broker;
  }

  /** A start that must fail. */
  async failedStart(
    options: Partial<BrokerProcessOptions> = {},
  ): Promise<Exit & { output: string }> {
    return await runBroker({ dataDirectory: join(this.directory, "data"), ...options });
  }

  async witness(broker: BrokerProcess): Promise<Witness> {
    const witness = await Witness.start(broker.url);
    this.defer(() => witness.close());
    return witness;
  }

  /** A witness of what another one sent, on a broker that was started again. */
  resumed(broker: BrokerProcess, before: Witness): Witness {
    const witness = Witness.resume(broker.url, before);
    this.defer(() => witness.close());
    return witness;
  }

  async end(): Promise<void> {
    let failure: unknown;
    for (const cleanup of this.#cleanups.splice(0).reverse()) {
      try {
        await cleanup();
      } catch (error) {
        failure ??= error;
      }
    }
    if (failure !== undefined) {
      throw failure;
    }
  }
}

/** Runs `work` with a client that has said hello, which is gone afterwards. */
export async function withGreeted<T>(
  port: number,
  work: (client: RawClient) => Promise<T>,
): Promise<T> {
  const client = await RawClient.greeted(port);
  try {
    return await work(client);
  } finally {
    client.destroy();
  }
}

export const MIB = 1024 * 1024;

/** From here on `peakMemory` counts anew. */
export function resetPeakMemory(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, "5");
}

/** The most resident memory since the last reset, in MiB. */
export function peakMemoryMib(pid: number): number {
  return memoryLineKib(pid, "VmHWM") / 1024;
}

export function residentMemoryMib(pid: number): number {
  return memoryLineKib(pid, "VmRSS") / 1024;
}

function memoryLineKib(pid: number, name: string): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, "m").exec(status)?.[1] ?? Number.NaN);
}
