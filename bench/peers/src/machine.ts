// What the figures were measured on.

import { readFileSync } from "node:fs";
import { cpus, release, totalmem, type } from "node:os";

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly kernel: string;
  readonly fileSystem: string;
  readonly node: string;
}

/** Type and options of the mount that holds `directory`. */
function fileSystemOf(directory: string): string {
  try {
    const mounts = readFileSync("/proc/self/mounts", "utf8")
      .trim()
      .split("\n")
      .map((line) => line.split(" "))
      .filter(([, point = ""]) => point === "/" || `${directory}/`.startsWith(`${point}/`))
      .toSorted((left, right) => (right[1]?.length ?? 0) - (left[1]?.length ?? 0));
    const [, , name = "unknown", options = ""] = mounts[0] ?? [];
    return `${name} (${options})`;
  } catch {
    return "unknown";
  }
}

export function describeMachine(dataDirectory: string): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? "unknown",
    cores: cpus().length,
    memoryBytes: totalmem(),
    kernel: `${type()} ${release()}`,
    fileSystem: fileSystemOf(dataDirectory),
    node: process.version,
  };
}
