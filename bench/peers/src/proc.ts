// CPU time and memory of processes, from Linux's /proc. A process that is gone counts as zero.

import { readdirSync, readFileSync, writeFileSync } from "node:fs";

/** `utime` and `stime` count in these (USER_HZ, 100 on every Linux). */
const TICKS_PER_SECOND = 100;

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

/** The fields of /proc/PID/stat from the third on: the second, the name, may hold spaces and parentheses. */
function statFields(pid: number): string[] {
  const stat = readOrEmpty(`/proc/${pid}/stat`);
  return stat === "" ? [] : stat.slice(stat.lastIndexOf(")") + 2).split(" ");
}

/** User and system CPU seconds of these processes so far. */
export function cpuSeconds(pids: readonly number[]): number {
  let ticks = 0;
  for (const pid of pids) {
    const fields = statFields(pid);
    ticks += Number(fields[11] ?? 0) + Number(fields[12] ?? 0);
  }
  return ticks / TICKS_PER_SECOND;
}

function statusBytes(pid: number, name: "VmRSS" | "VmHWM"): number {
  const match = new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(readOrEmpty(`/proc/${pid}/status`));
  return Number(match?.[1] ?? 0) * 1024;
}

const total = (pids: readonly number[], name: "VmRSS" | "VmHWM"): number =>
  pids.reduce((sum, pid) => sum + statusBytes(pid, name), 0);

/** Resident memory now. */
export const residentBytes = (pids: readonly number[]): number => total(pids, "VmRSS");

/** The most resident memory since the process started or `resetPeak`. */
export const peakBytes = (pids: readonly number[]): number => total(pids, "VmHWM");

export function resetPeak(pids: readonly number[]): void {
  for (const pid of pids) {
    try {
      writeFileSync(`/proc/${pid}/clear_refs`, "5");
    } catch {
      // Another user's, or gone: its peak is then that of its whole life.
    }
  }
}

/** A process and everything that descends from it. */
export function processTree(root: number): number[] {
  const children = new Map<number, number[]>();
  for (const name of readdirSync("/proc")) {
    if (/^\d+$/.test(name)) {
      const parent = Number(statFields(Number(name))[1]);
      children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
    }
  }
  const tree: number[] = [];
  for (const queue = [root]; queue.length > 0; ) {
    const pid = queue.pop() as number;
    tree.push(pid);
    queue.push(...(children.get(pid) ?? []));
  }
  return tree;
}
