import { spawn } from "node:child_process";
import { once } from "node:events";
import { describe, expect, it } from "vitest";
import { cpuSeconds, peakBytes, processTree, residentBytes } from "./proc.js";

describe.runIf(process.platform === "linux")("/proc", () => {
  it("tells CPU time and memory of processes, and nothing of one that is gone", async () => {
    const own = [process.pid];
    expect(cpuSeconds(own)).toBeGreaterThan(0);
    expect(residentBytes(own)).toBeGreaterThan(1e6);
    expect(peakBytes(own)).toBeGreaterThanOrEqual(residentBytes(own) / 2);
    const child = spawn("true");
    await once(child, "close");
    expect(cpuSeconds([child.pid ?? -1])).toBe(0);
    expect(residentBytes([child.pid ?? -1])).toBe(0);
  });

  it("finds what a process started, and what that started", async () => {
    const child = spawn("sh", ["-c", "sleep 60 & echo started $!; wait"], { detached: true });
    const [line] = (await once(child.stdout, "data")) as [Buffer];
    const grandchild = Number(/started (\d+)/.exec(line.toString())?.[1]);
    try {
      expect(processTree(child.pid ?? -1)).toEqual([child.pid, grandchild]);
      expect(processTree(process.pid)).toContain(grandchild);
    } finally {
      process.kill(-(child.pid ?? 0), "SIGKILL");
    }
  });
});
