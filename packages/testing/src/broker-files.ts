// Where a test broker's log lives over all its lives: in memory, or in a temporary directory.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MillraceError } from "@millrace/protocol";
import type { FileSystem, ServerRuntime } from "@millrace/runtime";
import { MemoryFileSystem } from "@millrace/runtime/memory";

export interface BrokerFiles {
  readonly fileSystem: FileSystem;
  readonly path: string;
  /** Takes back what was not synced. @throws MillraceError `INVALID_ARGUMENT` where that cannot be done. */
  losePower(): void;
  remove(): Promise<void>;
}

export function memoryFiles(runtime: ServerRuntime): BrokerFiles {
  const fileSystem = new MemoryFileSystem({ clock: runtime.clock });
  return {
    fileSystem,
    path: "/data",
    losePower: () => fileSystem.losePower(),
    remove: async () => {},
  };
}

export async function temporaryFiles(runtime: ServerRuntime): Promise<BrokerFiles> {
  const path = await mkdtemp(join(tmpdir(), "millrace-test-"));
  return {
    fileSystem: runtime.fileSystem,
    path,
    losePower: () => {
      throw new MillraceError(
        "INVALID_ARGUMENT",
        'loseUnsynced: what a real file system has synced is not known; use dataDirectory: "memory"',
      );
    },
    remove: () => rm(path, { recursive: true, force: true }),
  };
}
