// How an asynchronous file operation of one process runs: announced, delayed, perhaps failed, performed, and
// never answered once the process is dead.

import type { FileError } from "../file-system.js";
import type { Prng } from "./prng.js";
import type { InFlight, MutationKind, OperationKind, SimDisk } from "./sim-disk.js";
import type { SimProcess } from "./sim-process.js";
import { countFault, type World } from "./world.js";

export interface QueuedOperation<Result> {
  readonly kind: OperationKind;
  readonly path: string;
  readonly bytes?: number;
  /** Does it, at completion. May throw a `FileError`. */
  readonly perform: () => Result;
  /** Does a random part of it: the process died meanwhile. Default: all or nothing. */
  readonly performPart?: (prng: Prng) => void;
  /** What a failure leaves behind. */
  readonly onFault?: () => void;
}

const reading: ReadonlySet<OperationKind> = new Set([
  "open",
  "read",
  "status",
  "readDirectory",
  "lock",
]);

const isMutation = (kind: OperationKind): kind is MutationKind => !reading.has(kind);

export class DiskQueue {
  readonly world: World;
  readonly #disk: SimDisk;
  readonly #process: SimProcess;

  constructor(context: { world: World; disk: SimDisk; process: SimProcess }) {
    this.world = context.world;
    this.#disk = context.disk;
    this.#process = context.process;
  }

  /** False once the process is dead. */
  get isAlive(): boolean {
    return this.#process.isAlive;
  }

  /** Announces a mutation; false when the process is dead, or dies of it. */
  announce(kind: MutationKind, path: string, bytes: number): boolean {
    if (this.#process.isAlive) {
      this.#disk.announce(kind, path, bytes);
    }
    return this.#process.isAlive;
  }

  /** Stays pending for ever when the process dies first. */
  run<Result>(operation: QueuedOperation<Result>): Promise<Result> {
    const { kind, path } = operation;
    if (!this.#process.isAlive) {
      return new Promise(() => {});
    }
    const inFlight: InFlight = {
      abandon: (prng) => {
        const outcome = abandon(operation, prng);
        if (isMutation(kind)) {
          countFault(this.world, `crash.${kind}.${outcome}`);
        }
      },
    };
    this.#disk.addInFlight(inFlight);
    if (isMutation(kind) && !this.announce(kind, path, operation.bytes ?? 0)) {
      return new Promise(() => {});
    }
    return new Promise((resolve, reject) => {
      this.world.scheduler.schedule({
        delayMs: this.#disk.drawLatencyMs(),
        kind: `disk.${kind}`,
        label: path,
        amount: operation.bytes ?? 0,
        owner: this.#process,
        run: () => {
          this.#disk.removeInFlight(inFlight);
          const fault: FileError | undefined = this.#disk.takeFault(kind, path);
          if (fault !== undefined) {
            operation.onFault?.();
            reject(fault);
            return;
          }
          try {
            resolve(operation.perform());
          } catch (error) {
            reject(error);
          }
        },
      });
    });
  }
}

/** Returns what the crash made of it, for the tally. */
function abandon(operation: QueuedOperation<unknown>, prng: Prng): "done" | "part" | "undone" {
  // A sync that nobody saw succeed promises nothing, and reading leaves nothing.
  const leavesNothing = operation.kind === "sync" || operation.kind === "syncDirectory";
  if (!isMutation(operation.kind) || leavesNothing || prng.chance(0.5)) {
    return "undone";
  }
  try {
    if (operation.performPart !== undefined && prng.chance(0.5)) {
      operation.performPart(prng);
      return "part";
    }
    operation.perform();
    return "done";
  } catch {
    // It would have failed; nobody is left to hear of it.
    return "undone";
  }
}
