// The broker that is measured: one that runs already (--bootstrap), or one in a process and a directory of its
// own, which are gone afterwards however the measurement ends.

import { mkdir, mkdtemp, rm, statfs } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { CommandContext } from "../context.js";
import { BrokerProcess } from "./broker-process.js";

export interface BenchTarget {
  readonly bootstrap: string;
  /** A directory on the broker's disk, for the baseline; undefined when there is none that we know of. */
  readonly directory: string | undefined;
  /** Of the broker, so far; undefined when it is not ours. */
  cpuSeconds(): Promise<number | undefined>;
}

export interface TargetOptions {
  /** Undefined: start a broker. */
  readonly bootstrap?: string | undefined;
  readonly dataDir?: string | undefined;
}

/** f_type of a file system that lives in memory (linux/magic.h: TMPFS_MAGIC, RAMFS_MAGIC). */
const memoryFileSystems = new Set([0x01021994, 0x858458f6]);

async function warnWhenInMemory(context: CommandContext, directory: string): Promise<void> {
  const { type } = await statfs(directory);
  if (memoryFileSystems.has(type)) {
    context.terminal.note(
      `note: ${directory} is in memory, so a sync costs nothing there; --data-dir names a real disk.`,
    );
  }
}

/** Runs `measure` against the target and cleans up behind it. */
export async function withBenchTarget<Result>(
  context: CommandContext,
  options: TargetOptions,
  measure: (target: BenchTarget) => Promise<Result>,
): Promise<Result> {
  if (options.bootstrap !== undefined) {
    return measure({
      bootstrap: options.bootstrap,
      directory: options.dataDir,
      cpuSeconds: () => Promise.resolve(undefined),
    });
  }
  const parent = options.dataDir ?? tmpdir();
  await mkdir(parent, { recursive: true });
  const directory = await mkdtemp(join(parent, "millrace-bench-"));
  try {
    await warnWhenInMemory(context, directory);
    const broker = await BrokerProcess.start(join(directory, "data"));
    try {
      return await measure({
        bootstrap: broker.url,
        directory,
        cpuSeconds: () => broker.cpuSeconds(),
      });
    } finally {
      await broker.stop();
    }
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
