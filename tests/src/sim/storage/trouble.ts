// What goes wrong with the disk while the process runs: errors, a full disk, no more handles, stalls, and the crash that
// strikes at an operation of a chosen kind.

import type { FileErrorCode, Random } from "@millrace/runtime";
import type {
  CrashOptions,
  MutationKind,
  SimDisk,
  SimNode,
  Simulation,
} from "@millrace/runtime/sim";

const crashKinds: readonly MutationKind[] = [
  "create",
  "write",
  "sync",
  "truncate",
  "createDirectory",
  "rename",
  "removeFile",
  "removeDirectory",
  "syncDirectory",
];

type FailingKind = MutationKind | "open" | "read";

const failures: readonly (readonly [FailingKind, FileErrorCode])[] = [
  ["sync", "IO_ERROR"],
  ["sync", "IO_ERROR"],
  ["sync", "STORAGE_FULL"],
  ["syncDirectory", "IO_ERROR"],
  ["write", "IO_ERROR"],
  ["write", "STORAGE_FULL"],
  ["write", "STORAGE_FULL"],
  ["read", "IO_ERROR"],
  ["read", "IO_ERROR"],
  ["create", "STORAGE_FULL"],
  ["open", "TOO_MANY_OPEN_FILES"],
  ["rename", "IO_ERROR"],
  ["removeFile", "IO_ERROR"],
  ["truncate", "IO_ERROR"],
];

/** One trouble, for a while. Resolves when it is over. */
export async function trouble(simulation: Simulation, disk: SimDisk): Promise<void> {
  const { random } = simulation;
  const kind = random.float();
  if (kind < 0.5) {
    const [operation, code] = failures[random.below(failures.length)] ?? ["sync", "IO_ERROR"];
    disk.failNext(operation, { code });
  } else if (kind < 0.75) {
    disk.setCapacity(disk.usedBytes + random.below(2_500));
    await simulation.sleep(random.float() * 20);
    disk.setCapacity(2 ** 40);
  } else if (kind < 0.9) {
    disk.setMaxOpenFiles(disk.openFileCount + random.below(3));
    await simulation.sleep(random.float() * 10);
    disk.setMaxOpenFiles(Number.POSITIVE_INFINITY);
  } else {
    disk.stallNext(random.float() * 30);
  }
}

/** A start that meets a crash, or another trouble. `crashed` resolves behind `crash`. */
export function troubleStart(
  simulation: Simulation,
  node: SimNode,
  crash: (at: MutationKind) => void,
): { readonly crashed: Promise<undefined>; stop(): void } {
  const { random } = simulation;
  let stop = (): void => undefined;
  const crashed = new Promise<undefined>((resolve) => {
    if (random.float() < 0.6) {
      stop = armCrash(node, random, (_, at) => {
        crash(at);
        resolve(undefined);
      });
    } else {
      void trouble(simulation, node.disk);
    }
  });
  return {
    crashed,
    stop: () => {
      stop();
      noTrouble(node.disk);
    },
  };
}

export function noTrouble(disk: SimDisk): void {
  disk.forgetPlannedFaults();
  disk.setCapacity(2 ** 40);
  disk.setMaxOpenFiles(Number.POSITIVE_INFINITY);
}

/** Crashes the node at one of its next operations: of a chosen kind, or any. Returns how to call it off. */
export function armCrash(
  node: SimNode,
  random: Random,
  crash: (options: CrashOptions, at: MutationKind) => void,
): () => void {
  const kind = random.float() < 0.8 ? crashKinds[random.below(crashKinds.length)] : undefined;
  // Some kinds are rare, and the first of them must do.
  const isRare = kind === "createDirectory" || kind === "removeDirectory";
  let left = isRare ? 0 : random.below(kind === undefined ? 120 : 8);
  const stop = node.disk.onOperation((operation) => {
    if (kind === undefined || operation.kind === kind) {
      left--;
      if (left < 0) {
        stop();
        crash({}, operation.kind);
      }
    }
  });
  return stop;
}
